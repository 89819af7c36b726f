"""Erases a receiver from a ledger: its row, what other rows tell, and what SQLite
leaves of old rows in its files.
"""

from __future__ import annotations

import json
from collections.abc import Iterable
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Select,
    Table,
    Text,
    bindparam,
    cast,
    delete,
    or_,
    select,
    update,
)

from connectors.durable import scrub
from connectors.ledger.engine import blaming, one_of, sqlite_file
from connectors.ledger.order_mover import LOCKED_ORDERS, change_order
from connectors.ledger.records import OrderChange, reason_of
from connectors.ledger.schema import (
    effects,
    forgotten,
    messages,
    metadata,
    orders,
    receivers,
    unwritten,
)
from connectors.ledger.transactions import LedgerRows, repeating
from connectors.ledger.unwritten import mark
from domain.addresses import PARTS
from domain.effects import Action, EffectStatus
from domain.forgetting import Mentions, Receiver, Standing
from domain.reasons import ReasonCode, because
from domain.states import OrderState

FREE = ("description", "place")
"""Free text of carriers and sellers, such as the name of the signer: emptied, and
recorded empty from then on.
"""

WORDS = frozenset(
    (
        "request",
        "quote",
        "freight_quote",
        "shipment",
        "refund",
        "reason_facts",
        "answer",
        "question",
        *FREE,
    )
)
"""The columns, of any table, that may have data of an order's receiver."""

FREE_TEXTS = ("message", "reason", "refusal", "tracking_urls")
"""The JSON fields that are free text."""

NO_LONGER = timedelta(microseconds=1)
"""How much later `updated_at` of an erased order becomes: a run that read it before
writes its snapshot again.
"""

MOST_OTHERS = 1_000
CLOCKS = timedelta(hours=1)
"""How far the clocks of two machines may differ."""
_FORGOTTEN = select(forgotten.c.order_ref, forgotten.c.at).where(
    one_of(forgotten.c.order_ref, "refs")
)
_REQUEST = select(orders.c.request).where(orders.c.order_ref == bindparam("ref"))
_CONTACT = select(receivers.c.receiver).where(receivers.c.order_ref == bindparam("ref"))


class StillNeeded(Exception):
    """The order still needs its receiver; the message has the cause and its remedy.
    Nothing was changed.
    """


class ForgottenRows(LedgerRows):
    """The table `forgotten` of one ledger."""

    def known(self, order_refs: Iterable[str]) -> dict[str, datetime]:
        """Those of these orders whose receiver was forgotten, and when."""
        return self._ledger.pairs(_FORGOTTEN, refs=[*order_refs])

    def of_order(self, order_ref: str) -> dict[str, Any] | None:
        """The row of an order; None where no erasure was requested."""
        found = self._ledger.rows(
            select(forgotten).where(forgotten.c.order_ref == order_ref)
        )
        return found[0] if found else None

    def mentions(self) -> dict[str, Mentions]:
        """All forgotten orders, with the texts that copies of their data are still
        searched for.
        """
        return {
            row["order_ref"]: Mentions.of(row["receivers"] or ())
            for row in self._ledger.rows(select(forgotten))
        }

    def receivers_of(self, order_ref: str) -> list[Receiver]:
        """The receiver of an order in the ledger, and those that copies are still
        searched for.
        """
        row = self.of_order(order_ref) or {}
        parts = [
            stored.get("receiver") or {}
            for stored in self._ledger.column(_REQUEST, ref=order_ref)
        ]
        parts += self._ledger.column(_CONTACT, ref=order_ref)
        whole = {name: text for part in parts for name, text in part.items()}
        return [*([whole] if parts else []), *(row.get("receivers") or ())]

    def others_with(
        self, order_ref: str, identifying: Iterable[str], *, besides: Iterable[str] = ()
    ) -> dict[str, Receiver]:
        """Orders besides these that name the same person, by some of these texts, with
        the receiver of each.
        """
        receiver = cast(receivers.c.receiver, Text)
        ref = receivers.c.order_ref
        found = [
            receiver.contains(
                json.dumps(one, ensure_ascii=False)[1:-1], autoescape=True
            )
            for one in identifying
        ]
        if not found:
            return {}
        others = (
            select(receivers)
            .where(ref.not_in([order_ref, *besides]), or_(*found))
            .order_by(ref)
            .limit(MOST_OTHERS)
        )
        return self._ledger.pairs(others)

    def scrub(self) -> None:
        """Remove old rows from the database's files. Raises `NotScrubbed`.

        PostgreSQL gets a `VACUUM`; its files, logs and dumps are its operator's.
        """
        if file := sqlite_file(self._ledger.url):
            scrub(file)
            return
        with blaming(self._ledger.url), self._ledger.engine.connect() as connection:
            connection.execution_options(isolation_level="AUTOCOMMIT").exec_driver_sql(
                "VACUUM"
            )

    def standing(self, order_ref: str) -> Standing | None:
        """The state of an order; None for an unknown one."""
        with self._ledger.reading() as connection:
            return standing_in(connection, order_ref)

    @repeating
    def erase(self, order_ref: str, mentions: Mentions, *, by: str) -> None:
        """Erase the receiver from every row, and keep the texts to search copies for
        until `finish`.

        An order without any effect is cancelled: a run at work on it can't order it any
        more. Raises `StillNeeded`.
        """
        ledger = self._ledger
        since = ledger.clock() - CLOCKS
        with (
            ledger.reading() as connection
        ):  # searching all messages takes longer than a claim may wait
            causes = connection.scalars(
                _outbox_of(order_ref, mentions, messages.c.cause)
            ).all()
        with ledger.transaction() as connection:
            connection.execute(LOCKED_ORDERS, {"refs": [order_ref]})
            stands = standing_in(connection, order_ref)
            if stands:
                require_over(stands)
            row = {"order_ref": order_ref, "at": ledger.clock(), "by": by}
            connection.execute(
                ledger.insert(forgotten).values(row).on_conflict_do_nothing()
            )
            kept = update(forgotten).where(forgotten.c.order_ref == order_ref)
            connection.execute(
                kept.values(receivers=list(mentions.receivers), finished_at=None)
            )
            if (
                stands
                and stands.never_begun
                and stands.state is not OrderState.CANCELLED
            ):
                why = because(ReasonCode.FORGOTTEN_UNORDERED)
                change_order(
                    ledger,
                    connection,
                    OrderChange(
                        order_ref=order_ref, state=OrderState.CANCELLED, why=why
                    ),
                )
            erase_rows(connection, order_ref, mentions)
            _erase_outbox(
                connection,
                order_ref,
                mentions,
                or_(one_of(messages.c.cause, "causes"), messages.c.put_at >= since),
                causes,
            )
            _no_longer_approved(connection, order_ref)

    def finish(self, order_ref: str) -> None:
        """Record that all copies are erased: the texts to search for are deleted
        too.
        """
        done = update(forgotten).where(forgotten.c.order_ref == order_ref)
        self._do(done.values(receivers=None, finished_at=self._ledger.clock()))


def require_over(stands: Standing) -> None:
    """Raise `StillNeeded` for an order that needs its receiver yet."""
    if why := stands.why_needed():
        raise StillNeeded(
            f"the receiver of {stands.order_ref} is still needed: {why}. Nothing was changed"
        )


def forgotten_in(connection: Connection, order_refs: Iterable[str]) -> set[str]:
    """Those of these orders that were forgotten, in this transaction."""
    return set(connection.scalars(_FORGOTTEN, {"refs": list(order_refs)}))


def standing_in(connection: Connection, order_ref: str) -> Standing | None:
    """The state of an order, in this transaction; None for an unknown one."""
    order = (
        connection.execute(select(orders).where(orders.c.order_ref == order_ref))
        .mappings()
        .first()
    )
    if order is None:
        return None
    found = connection.execute(
        select(effects.c.action, effects.c.status).where(
            effects.c.order_ref == order_ref
        )
    )
    return Standing(
        order_ref=order_ref,
        state=OrderState(order["state"]),
        reason=str(reason_of(order) or ""),
        is_ordered=order["order_id"] is not None,
        is_booked=order["shipment_order_id"] is not None,
        effects=tuple((Action(row.action), EffectStatus(row.status)) for row in found),
    )


def erase_rows(connection: Connection, order_ref: str, mentions: Mentions) -> None:
    """Erase a receiver from all rows of one order."""
    mark(connection, [order_ref])
    connection.execute(delete(receivers).where(receivers.c.order_ref == order_ref))
    for table in metadata.sorted_tables:
        if "order_ref" in table.c and table not in (forgotten, receivers, unwritten):
            _erase_table(connection, table, order_ref, mentions)


def _erase_table(
    connection: Connection, table: Table, order_ref: str, mentions: Mentions
) -> None:
    told = [column for column in table.c if column.name in WORDS]
    keys = list(table.primary_key.columns)
    for row in (
        connection.execute(select(*keys, *told).where(table.c.order_ref == order_ref))
        .mappings()
        .all()
    ):
        changed = {
            one.name: new
            for one in told
            if (new := _erased(one.name, row[one.name], mentions)) != row[one.name]
        }
        if changed:
            this = [key == row[key.name] for key in keys]
            connection.execute(update(table).where(*this).values(changed))


def _erase_outbox(
    connection: Connection,
    order_ref: str,
    mentions: Mentions,
    which: ColumnElement[bool],
    causes: Iterable[str],
) -> None:
    """Erase those messages, sent or not, that name the order or have a text of the
    receiver.
    """
    told = [messages.c.subject, messages.c.body]
    found = _outbox_of(order_ref, mentions, messages.c.cause, *told).where(which)
    for row in connection.execute(found, {"causes": causes}).mappings().all():
        erased = {column.name: mentions.erased(row[column.name]) for column in told}
        connection.execute(
            update(messages).where(messages.c.cause == row["cause"]).values(erased)
        )


def _outbox_of(
    order_ref: str, mentions: Mentions, *columns: ColumnElement[Any]
) -> Select[Any]:
    told = (messages.c.subject, messages.c.body)
    named = [
        column.icontains(text, autoescape=True)
        for column in told
        for text in (order_ref, *mentions.identifying)
    ]
    return select(*columns).where(or_(*named))


def _erased(column: str, value: Any, mentions: Mentions) -> Any:
    if column in FREE:
        return ""
    if column == "refund":
        value = {**value, "description": ""}
    if column == "request":
        return erased_request(value)
    return _without(value, mentions, all_of_it=column == "reason_facts")


def _without(
    value: Any, mentions: Mentions, *, all_of_it: bool, is_free: bool = True
) -> Any:
    """A text without the receiver; of JSON only under `FREE_TEXTS`, since other fields
    are parsed again.

    Any fact of a reason may be the service's text: there `all_of_it` is without the
    receiver.
    """
    within = partial(_without, mentions=mentions, all_of_it=all_of_it)
    if isinstance(value, str):
        return mentions.erased(value) if is_free or all_of_it else value
    if isinstance(value, list):
        return [
            within(one, is_free=is_free and not isinstance(one, dict)) for one in value
        ]
    if isinstance(value, dict):
        return {
            name: within(one, is_free=name in FREE_TEXTS) for name, one in value.items()
        }
    return value


def erased_request(request: Any) -> Any:
    """A request as JSON with an empty receiver, but for the country, and without the
    notes of its lines.
    """
    if not isinstance(request, dict) or "receiver" not in request:
        return request
    receiver = {**request["receiver"], **dict.fromkeys(PARTS, "")}
    return {
        **request,
        "receiver": receiver,
        "lines": [{**line, "note": ""} for line in request.get("lines", ())],
    }


def _no_longer_approved(connection: Connection, order_ref: str) -> None:
    """Drop the approval: no unattended run goes on with the order, and a run that has
    read it sees the change.
    """
    this = orders.c.order_ref == order_ref
    now: datetime | None = connection.scalar(select(orders.c.updated_at).where(this))
    if now is not None:
        connection.execute(
            update(orders)
            .where(this)
            .values(plan_hash=None, updated_at=now + NO_LONGER)
        )
