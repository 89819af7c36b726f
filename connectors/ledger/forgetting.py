"""Erases a receiver from a ledger: its row, and what other rows tell."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from datetime import datetime
from functools import partial
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Table,
    Text,
    cast,
    delete,
    false,
    or_,
    select,
    update,
)

from connectors.ledger.engine import one_of
from connectors.ledger.order_mover import LOCKED_ORDERS, change_order
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, reason_of
from connectors.ledger.schema import (
    effects,
    forgotten,
    messages,
    metadata,
    orders,
    receivers,
)
from connectors.ledger.transactions import LedgerRows, repeating
from domain.addresses import PARTS
from domain.effects import Action, EffectStatus
from domain.forgetting import Mentions, Receiver, Standing
from domain.reasons import ReasonCode, because
from domain.states import OrderState

EMPTIED = ("description", "place")
"""Free text of carriers and sellers, such as the name of the signer: emptied, and
recorded empty from then on.
"""
FREE_TEXTS = (
    *("message", "reason", "refusal", "tracking_urls"),
    *("question", "answer", "subject", "body"),
)
"""The fields and columns with text that may name a receiver. Other fields of JSON are
parsed again. Any fact of a reason may be such a text.
"""
WORDS = frozenset(
    (
        *("request", "quote", "freight_quote", "shipment", "refund", "reason_facts"),
        *("answer", "question", "subject", "body"),
        *EMPTIED,
    )
)
"""The columns, of any table, that may have data of an order's receiver."""
MOST_OTHERS = 1_000
_FORGOTTEN = select(forgotten.c.order_ref, forgotten.c.at)
_OF_THESE = _FORGOTTEN.where(one_of(forgotten.c.order_ref, "refs"))


class StillNeeded(Exception):
    """The order still needs its receiver; the message has the cause and its remedy.
    Nothing was changed.
    """


class ForgottenRows(LedgerRows):
    """The table `forgotten` of one ledger."""

    def known(self, order_refs: Iterable[str]) -> dict[str, datetime]:
        """Those of these orders whose receiver was forgotten, and when."""
        return self._ledger.pairs(_OF_THESE, refs=[*order_refs])

    def every(self) -> list[str]:
        """All forgotten orders."""
        return self._ledger.column(_FORGOTTEN)

    def others_with(
        self, identifying: Iterable[str], *, besides: Iterable[str]
    ) -> dict[str, Receiver]:
        """Orders besides these that name a person by some of these texts, with the
        receiver of each.
        """
        ref = receivers.c.order_ref
        receiver = cast(receivers.c.receiver, Text)
        named = [
            receiver.contains(
                json.dumps(text, ensure_ascii=False)[1:-1], autoescape=True
            )
            for text in identifying
        ]
        others = select(receivers).where(ref.not_in([*besides]), or_(false(), *named))
        return self._ledger.pairs(others.order_by(ref).limit(MOST_OTHERS))

    def standing(self, order_ref: str) -> Standing | None:
        """The state of an order; None for an unknown one."""
        with self._ledger.reading() as connection:
            return _standing(connection, order_ref)

    @repeating
    def erase(self, order_ref: str, mentions: Mentions, *, by: str) -> None:
        """Erase the receiver from every row, and withdraw the approval.

        An order without any effect is cancelled: a run at work on it can't order it any
        more. Raises `StillNeeded`.
        """
        ledger = self._ledger
        named = [
            column.icontains(text, autoescape=True)
            for column in (messages.c.subject, messages.c.body)
            for text in (order_ref, *mentions.identifying)
        ]
        # searching all messages takes longer than a claim may wait
        causes = ledger.column(select(messages.c.cause).where(or_(*named)))
        row = {"order_ref": order_ref, "at": ledger.clock(), "by": by}
        with ledger.transaction() as connection:
            connection.execute(LOCKED_ORDERS, {"refs": [order_ref]})
            if stands := _standing(connection, order_ref):
                require_over(stands)
                change_order(ledger, connection, _closed(stands))
            forgetting = ledger.insert(forgotten).values(row)
            connection.execute(forgetting.on_conflict_do_nothing())
            this = receivers.c.order_ref == order_ref
            connection.execute(delete(receivers).where(this))
            for table in metadata.sorted_tables:
                if "order_ref" in table.c:
                    _erase(connection, table.c.order_ref == order_ref, table, mentions)
            _erase(connection, messages.c.cause.in_(causes), messages, mentions)


def require_over(standing: Standing) -> None:
    """Raise `StillNeeded` for an order that needs its receiver yet."""
    if why := standing.why_needed():
        raise StillNeeded(
            f"the receiver of {standing.order_ref} is still needed: {why}. Nothing was changed"
        )


def forgotten_in(connection: Connection, order_refs: Iterable[str]) -> set[str]:
    """Those of these orders that were forgotten, in this transaction."""
    return set(connection.scalars(_OF_THESE, {"refs": list(order_refs)}))


def _standing(connection: Connection, order_ref: str) -> Standing | None:
    found = select(orders).where(orders.c.order_ref == order_ref)
    order = connection.execute(found).mappings().first()
    if order is None:
        return None
    begun = connection.execute(
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
        effects=tuple((Action(row.action), EffectStatus(row.status)) for row in begun),
    )


def _closed(stands: Standing) -> OrderChange:
    """The order without its approval: no run goes on with it."""
    ends = stands.never_begun and stands.state is not OrderState.CANCELLED
    return OrderChange(
        order_ref=stands.order_ref,
        state=OrderState.CANCELLED if ends else None,
        why=because(ReasonCode.FORGOTTEN_UNORDERED),
        writes=OrderUpdate.approval_withdrawn(),
    )


def _erase(
    connection: Connection, which: ColumnElement[bool], table: Table, mentions: Mentions
) -> None:
    """Erase a receiver from these rows of a table."""
    words = [column for column in table.c if column.name in WORDS]
    keys = [*table.primary_key.columns]
    found = select(*keys, *words).where(which)
    for row in connection.execute(found).mappings().all() if words else ():
        erased = {
            column.name: _erased(column.name, row[column.name], mentions)
            for column in words
        }
        this = [key == row[key.name] for key in keys]
        connection.execute(update(table).where(*this).values(erased))


def _erased(
    name: str, value: Any, mentions: Mentions, *, everywhere: bool = False
) -> Any:
    """The value of a column, or of a field in it, without the receiver."""
    within = partial(
        _erased, mentions=mentions, everywhere=everywhere or name == "reason_facts"
    )
    if name in EMPTIED and not everywhere:
        return ""
    if isinstance(value, str) and (everywhere or name in FREE_TEXTS):
        return mentions.erased(value)
    if isinstance(value, list):
        return [within(name, item) for item in value]
    if isinstance(value, dict):
        erased = {key: within(key, field) for key, field in value.items()}
        return erased_request(erased) if name == "request" else erased
    return value


def erased_request(request: Mapping[str, Any]) -> dict[str, Any]:
    """A request as JSON with an empty receiver, but for the country, and without the
    notes of its lines.
    """
    return {
        **request,
        "receiver": {**request["receiver"], **dict.fromkeys(PARTS, "")},
        "lines": [{**line, "note": ""} for line in request["lines"]],
    }
