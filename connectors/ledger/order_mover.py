"""Outcomes of effects and moves of orders, within a transaction: what counts, what
follows, and the audit trail.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cache
from typing import Any

from sqlalchemy import Connection, Update, bindparam, insert, select, update

from connectors.ledger.engine import one_of
from connectors.ledger.order_ids import IdOwners
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.schema import REASON, STATUS_OF_THESE, effects, moves, orders
from connectors.ledger.spending import PAYABLE, count_spending
from connectors.ledger.switches import hold
from connectors.ledger.transactions import Transactions
from connectors.ledger.unwritten import mark
from domain.effects import OPEN
from domain.marketplace import Marketplace
from domain.reasons import Reason, ReasonCode, because, read, stored
from domain.states import OrderState, can_move, is_behind, move
from domain.witnessed import Contradicted, Gap, RefusedForGood, words_of

# built once: building a statement costs several times what running it does
_APPROVAL = ("plan_hash", "currency", "freight_approved_minor", "freight_currency")
LOCKED_ORDERS = (
    select(
        *(
            orders.c[name]
            for name in (
                "order_ref",
                "batch_id",
                "marketplace",
                "state",
                "spent_at",
                *_APPROVAL,
                *REASON,
            )
        ),
        PAYABLE,
    )
    .where(one_of(orders.c.order_ref, "refs"))
    .order_by(orders.c.order_ref)
    .with_for_update()
)
"""The state of orders (`refs`). Locks them until the commit, always in one order, so
that two runs never deadlock.
"""
_AUDIT = insert(moves)
_TAKEN_BACK = (OrderState.CANCELLED, OrderState.REFUNDING, OrderState.REFUNDED)


class OrderMover:
    """Moves of some orders in one transaction: read and locked at once, written in few
    statements by `write`.
    """

    def __init__(
        self,
        ledger: Transactions,
        connection: Connection,
        refs: Iterable[str],
        *,
        by: str = "",
    ) -> None:
        self._connection = connection
        self._ledger = ledger
        self._now = ledger.clock()
        self._by = by or ledger.owner
        rows = connection.execute(LOCKED_ORDERS, {"refs": {*refs}})
        self._locked = dict[str, tuple[OrderState, Reason | None]]()
        self._marketplaces = dict[str, str]()
        for row in rows:
            reason = read(row.reason_code, row.reason_facts)
            self._locked[row.order_ref] = (OrderState(row.state), reason)
            self._marketplaces[row.order_ref] = row.marketplace
        self._held = defaultdict[str, list[str]](list)
        self._written = defaultdict[str, dict[str, Any]](dict)
        self._trail: list[dict[str, Any]] = []

    def change(self, change: OrderChange, *, is_fact: bool = False) -> None:
        """Move an order. What an effect did (`is_fact`) is recorded also if the order
        has moved on meanwhile.

        The move may have been undone; or another run saw the effect and went on, and
        this one only knows of a doubt. A fact that fits neither (an accepted
        cancellation of an order that was paid meanwhile) waits for a person.
        """
        if change.contradicted:
            self.contradict(change.order_ref, change.contradicted)
        old, cause = self._locked[change.order_ref]
        if change.expected is not None and old is not change.expected:
            return
        if change.state is not None and is_behind(change.state, old):
            return  # another run saw more of the order than this one
        # a payment that happened is written down wherever the order stands by now, or
        # it would be made again
        if is_fact and change.state is not None and not can_move(old, change.state):
            change = self._overtaken(change, old)
        written = self._written[change.order_ref]
        written |= change.writes.columns
        if change.state is None:
            return
        written |= {"state": move(old, change.state), **stored(change.why)}
        self._locked[change.order_ref] = (change.state, change.why)
        if (old, cause) != (change.state, change.why):
            self.audit(change.order_ref, old, change.state, change.why)

    def contradict(self, order_ref: str, verdict: Contradicted) -> None:
        """Hold the marketplace of an order whose two readings are a unit apart."""
        if verdict.gap is Gap.UNIT:
            self._held[self._marketplaces[order_ref]].append(
                f"{order_ref}: {words_of(verdict)}"
            )

    def state(self, order_ref: str) -> OrderState:
        """The state of an order, with the changes made here."""
        return self._locked[order_ref][0]

    def why(self, order_ref: str) -> Reason | None:
        """The reason of that state."""
        return self._locked[order_ref][1]

    def audit(
        self, order_ref: str, old: str | None, new: str, reason: Reason | None
    ) -> None:
        """Add a move to the audit trail, by this run or by a person."""
        if old != new or reason:
            row = {
                "order_ref": order_ref,
                "at": self._now,
                "old_state": old,
                "new_state": new,
                **stored(reason),
            }
            self._trail.append({**row, "by": self._by})

    def write(self) -> None:
        """Write all changes, their audit trail, and what the orders cost or may cost.
        Effects are written before. Orders that fill the same columns share a statement.
        """
        mark(self._connection, self._written)
        alike = defaultdict[tuple[str, ...], list[dict[str, Any]]](list)
        for order_ref, written in self._written.items():
            row = {"at_ref": order_ref, "to_updated_at": self._now}
            alike[tuple(sorted(written))].append(
                row | {f"to_{name}": value for name, value in written.items()}
            )
        for names, rows in alike.items():
            self._connection.execute(_filling(names), rows)
        if self._trail:
            self._connection.execute(_AUDIT, self._trail)
        count_spending(self._connection, self._locked)
        for marketplace, reasons in self._held.items():
            hold(
                self._connection,
                Marketplace(marketplace),
                reasons,
                by=self._by,
                at=self._now,
            )

    def _overtaken(self, change: OrderChange, old: OrderState) -> OrderChange:
        reasons = {"what": change.why or change.state, "old": old}
        overtaken = old in _TAKEN_BACK or change.state is OrderState.UNKNOWN
        if not overtaken and can_move(old, OrderState.HELD):
            return replace(
                change,
                state=OrderState.HELD,
                why=because(ReasonCode.OVERTAKEN, **reasons),
            )
        self.audit(change.order_ref, old, old, because(ReasonCode.CAME_LATE, **reasons))
        return replace(change, state=None)


@cache
def _filling(names: tuple[str, ...]) -> Update:
    """The statement that writes these columns of one order."""
    statement = update(orders).where(orders.c.order_ref == bindparam("at_ref"))
    return statement.values(
        {name: bindparam(f"to_{name}") for name in (*names, "updated_at")}
    )


def change_order(
    ledger: Transactions, connection: Connection, change: OrderChange, *, by: str = ""
) -> None:
    """Move one order, in this transaction."""
    mover = OrderMover(ledger, connection, [change.order_ref], by=by)
    mover.change(change)
    mover.write()


_OPEN = (
    select(effects.c.key, effects.c.fence)
    .where(one_of(effects.c.key, "keys"), STATUS_OF_THESE.in_(OPEN))
    .order_by(effects.c.key)
    .with_for_update()
)
_SETTLE = (
    update(effects)
    .where(effects.c.key == bindparam("at_key"))
    .values(
        doubtful_sends=effects.c.doubtful_sends - bindparam("came_to_nothing"),
        **{
            name: bindparam(name)
            for name in ("status", *REASON, "answer", "settled_at", "lease_until")
        },
    )
)


def write_all(
    ledger: Transactions,
    connection: Connection,
    outcomes: Sequence[Outcome],
    changes: Sequence[OrderChange],
) -> list[bool]:
    """Write outcomes with what they do to their orders, then changes; returns for each
    outcome whether it counts.
    """
    names = IdOwners(connection, [*(outcome.change for outcome in outcomes), *changes])
    refs = [
        *(outcome.claim.order_ref for outcome in outcomes),
        *(change.order_ref for change in changes),
    ]
    mover = OrderMover(ledger, connection, refs)
    ordered = sorted(
        outcomes, key=lambda outcome: outcome.claim.key
    )  # of two with one id the first key gets it
    counts = _settle(
        connection,
        [names.outcome(outcome) for outcome in ordered],
        mover,
        ledger.clock(),
    )
    for change in sorted(changes, key=lambda change: change.order_ref):
        mover.change(names.change(change))
    mover.write()
    by_outcome = {
        id(outcome): count for outcome, count in zip(ordered, counts, strict=True)
    }
    return [by_outcome[id(outcome)] for outcome in outcomes]


def _settle(
    connection: Connection,
    outcomes: Sequence[Outcome],
    mover: OrderMover,
    moment: datetime,
) -> list[bool]:
    # By the fence: a holder that was stopped past its lease must not overwrite what the
    # next holder found out.
    keys = [outcome.claim.key for outcome in outcomes]
    fences = (
        {key: fence for key, fence in connection.execute(_OPEN, {"keys": keys})}
        if keys
        else {}
    )
    counts = []
    settled = []
    for outcome in outcomes:
        claim = outcome.claim
        counts.append(fences.get(claim.key) == claim.fence)
        if not counts[-1]:
            continue
        if outcome.status not in OPEN:
            del fences[claim.key]
        settled.append(_row(outcome, moment))
        if outcome.change:
            mover.change(outcome.change, is_fact=True)
    if settled:
        connection.execute(_SETTLE, settled)
    return counts


def _row(outcome: Outcome, moment: datetime) -> dict[str, Any]:
    return {
        "at_key": outcome.claim.key,
        "came_to_nothing": int(
            outcome.came_to_nothing or isinstance(outcome.proof, RefusedForGood)
        ),
        "status": outcome.status,
        **stored(outcome.why),
        "answer": outcome.answer,
        "settled_at": moment,
        "lease_until": moment,
    }
