"""Orders that a person does not want: closed in the ledger alone, while nothing of them was begun."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from datetime import datetime

from sqlalchemy import Connection, bindparam, select

from connectors.ledger.engine import chunked, one_of
from connectors.ledger.order_mover import OrderMover
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import orders
from connectors.ledger.spending import BEGUN
from connectors.ledger.transactions import Transactions, repeating
from domain.reasons import Reason, ReasonCode, because
from domain.states import NEVER_BEGUN, OrderState

NOT_THERE = because(ReasonCode.NOT_IN_LEDGER)
_THESE = one_of(orders.c.order_ref, "refs")
_IDS = select(orders.c.order_ref, orders.c.order_id).where(_THESE)
_DROPPED = select(orders.c.order_ref).where(
    _THESE,
    orders.c.state == OrderState.CANCELLED,
    orders.c.reason_code == ReasonCode.NOT_WANTED,
    orders.c.updated_at >= bindparam("since"),
)


def drop(ledger: Transactions, order_refs: Collection[str], *, by: str, note: str = "") -> dict[str, Reason]:
    """Close orders of which nothing was begun, approved ones too; answers why not, for those that stay as they are.

    A run that is at work on such an order can't begin it any more, nor plan it anew; a run that starts later may.
    """
    stay: dict[str, Reason] = {}
    for refs in chunked(order_refs):
        stay |= _drop(ledger, refs, because(ReasonCode.NOT_WANTED, by=by, note=note), by=by)
    return stay


@repeating
def _drop(ledger: Transactions, refs: Collection[str], why: Reason, *, by: str) -> Mapping[str, Reason]:
    stay = dict.fromkeys(refs, NOT_THERE)
    with ledger.transaction(refs) as connection:
        # this locks the orders: what another run claims is either seen below or waits for this commit
        mover = OrderMover(ledger, connection, refs, by=by)
        begun = {*connection.scalars(BEGUN, {"refs": refs})}
        for ref, order_id in connection.execute(_IDS, {"refs": refs}):
            state = mover.state(ref)
            if state not in NEVER_BEGUN or ref in begun or order_id is not None:
                stay[ref] = because(ReasonCode.NOT_DROPPED, state=state)
                continue
            del stay[ref]
            if state is not OrderState.CANCELLED:
                writes = OrderUpdate.approval_withdrawn()
                mover.change(OrderChange(order_ref=ref, state=OrderState.CANCELLED, why=why, writes=writes))
        mover.write()
    return stay


def dropped_since(connection: Connection, order_refs: Collection[str], since: datetime) -> Collection[str]:
    """Those of these orders that were dropped since then: a run that began before neither plans nor holds them."""
    return connection.scalars(_DROPPED, {"refs": order_refs, "since": since}).all()
