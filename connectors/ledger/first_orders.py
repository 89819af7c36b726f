"""The first paid order of each marketplace: a person is asked about its payment, and
nothing further is bought before.

Claims to create and to pay read this in their own transaction, so no other run passes
it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Mapping, Sequence
from typing import Any

from sqlalchemy import Connection, and_, exists, func, or_, select

from connectors.ledger.marks import Note, newest, note
from connectors.ledger.records import EffectRecord, Intent
from connectors.ledger.schema import effects, orders
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.ledger.switches import hold
from connectors.ledger.transactions import LedgerRows, Transactions, repeating
from domain.decisions import Verdict, held
from domain.effects import Action, EffectStatus
from domain.holds import differs, first_goes_alone
from domain.marketplace import Marketplace
from domain.states import OrderState

FIRST_LOCK = 7_307_425
_ONE_BY_ONE = select(func.pg_advisory_xact_lock(FIRST_LOCK))
_PAYING = and_(effects.c.action == Action.PAY, effects.c.status.in_(COUNTS_AS_SPENT))
_CREATING = and_(
    effects.c.action == Action.CREATE,
    or_(
        effects.c.status == EffectStatus.SENDING,
        and_(
            effects.c.status == EffectStatus.DONE, orders.c.state == OrderState.ORDERED
        ),
    ),
)


class FirstOrderRows(LedgerRows):
    """Questions about first payments, and their answers, in the table `marks`."""

    def asked(self) -> dict[Marketplace, str]:
        """The order that each open question is about.

        A ledger that asks has one too where one that did not ask has paid.
        """
        with self._ledger.reading() as connection:
            order_ref = {
                marketplace: self._about(connection, marketplace)
                for marketplace in Marketplace
                if not _is_answered(connection, marketplace)
            }
        return {
            marketplace: order_ref
            for marketplace, order_ref in order_ref.items()
            if order_ref is not None
        }

    def _about(self, connection: Connection, marketplace: Marketplace) -> str | None:
        noted = _question(connection, marketplace)
        if noted is None and not self._ledger.asks_first:
            return None
        own = (
            select(effects.c.key).where(effects.c.order_ref == noted, _PAYING).limit(1)
        )
        is_paid = noted is not None and connection.execute(own).first() is not None
        return noted if is_paid else _begun(connection, marketplace, Action.PAY)

    def open_at(self) -> dict[Marketplace, str | None]:
        """Where one order is bought before a person has answered, and the one that was
        begun first, if any.
        """
        if not self._ledger.asks_first:
            return {}
        with self._ledger.reading() as connection:
            return {
                marketplace: _begun(connection, marketplace, Action.CREATE)
                for marketplace in Marketplace
                if not _is_free(connection, marketplace)
            }

    @repeating
    def answer(
        self, marketplace: Marketplace, order_ref: str, *, otherwise: str, by: str
    ) -> None:
        """Record a person's answer. One that is `otherwise` than it should be holds the
        marketplace.
        """
        moment = self._ledger.clock()
        with self._ledger.transaction() as connection:
            note(
                connection,
                Note.PAID.at(marketplace),
                otherwise or "as it should be",
                by=by,
                at=moment,
            )
            if otherwise:
                hold(
                    connection,
                    marketplace,
                    [differs(order_ref, otherwise)],
                    by=by,
                    at=moment,
                )


def behind_first(
    ledger: Transactions,
    connection: Connection,
    intents: Sequence[Intent],
    standing: Mapping[str, Any],
    effects: Collection[EffectRecord],
) -> dict[str, Verdict]:
    """Why some of these orders may not be created or paid: another one is the first at
    their marketplace.

    `begun` are the effects of these orders. An effect that is begun is left to its run.
    The first payment becomes a question in this very transaction.
    """
    action = intents[0].action
    if not ledger.asks_first or action not in (Action.CREATE, Action.PAY):
        return {}
    own = {
        effect.order_ref
        for effect in effects
        if effect.action is action and effect.status in COUNTS_AS_SPENT
    }
    at = defaultdict[Marketplace, list[str]](list)
    for intent in intents:
        if intent.order_ref not in own:
            at[Marketplace(standing[intent.order_ref].marketplace)].append(
                intent.order_ref
            )
    waiting: dict[str, Verdict] = {}
    for marketplace, refs in at.items():
        if marketplace not in ledger.free_of_first:
            waiting |= _at_one(ledger, connection, marketplace, refs, action)
    return waiting


def _at_one(
    ledger: Transactions,
    connection: Connection,
    marketplace: Marketplace,
    refs: Sequence[str],
    action: Action,
) -> dict[str, Verdict]:
    if connection.dialect.name == "postgresql":
        connection.execute(_ONE_BY_ONE)
    question = _question(connection, marketplace)
    if _is_free(connection, marketplace):
        if question or _is_answered(connection, marketplace):
            ledger.free_of_first.add(marketplace)
        elif action is Action.PAY:
            _ask(ledger, connection, marketplace, refs[0])
        return {}
    other_ref = _begun(connection, marketplace, action)
    if other_ref is None and action is Action.PAY and question != refs[0]:
        _ask(ledger, connection, marketplace, refs[0])
    elif other_ref is not None and question is None:
        _ask(ledger, connection, marketplace, other_ref)
    first = other_ref or refs[0]
    return {
        ref: held(first_goes_alone(first, marketplace))
        for ref in refs
        if other_ref or ref != first
    }


def _ask(
    ledger: Transactions,
    connection: Connection,
    marketplace: Marketplace,
    order_ref: str,
) -> None:
    note(
        connection,
        Note.ASKED.at(marketplace),
        order_ref,
        by=ledger.owner,
        at=ledger.clock(),
    )


def _begun(
    connection: Connection, marketplace: Marketplace, action: Action
) -> str | None:
    """An order that may be paid there, or, before a create, is on its way to be; the
    one begun first.
    """
    condition = _PAYING if action is Action.PAY else or_(_PAYING, _CREATING)
    statement = (
        select(orders.c.order_ref)
        .join(effects)
        .where(orders.c.marketplace == marketplace, condition)
    )
    order_ref: str | None = connection.execute(
        statement.order_by(effects.c.intent_at).limit(1)
    ).scalar()
    return order_ref


def _is_free(connection: Connection, marketplace: Marketplace) -> bool:
    """Whether the question is answered, or goods of an order have arrived."""
    arrived = exists().where(
        orders.c.state == OrderState.DELIVERED, orders.c.marketplace == marketplace
    )
    return _is_answered(connection, marketplace) or bool(
        connection.execute(select(arrived)).scalar()
    )


def _question(connection: Connection, marketplace: Marketplace) -> str | None:
    return newest(connection, Note.ASKED.at(marketplace))


def _is_answered(connection: Connection, marketplace: Marketplace) -> bool:
    return newest(connection, Note.PAID.at(marketplace)) is not None
