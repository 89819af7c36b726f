"""Moves of orders, within a transaction: what may be written over what, and the audit trail of it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from sqlalchemy import Connection, bindparam, select, update

from connectors.ledger.records import OrderChange
from connectors.ledger.schema import moves, orders
from connectors.ledger.transactions import Transactions
from domain.states import OrderState, can_move, is_behind, move

# built once: making a statement costs several times what running it does
_ORDER_NOW = select(orders.c.state, orders.c.reason).where(orders.c.order_ref == bindparam("ref")).with_for_update()
_TAKEN_BACK = (OrderState.CANCELLED, OrderState.REFUNDING, OrderState.REFUNDED)


def change_order(
    ledger: Transactions, connection: Connection, change: OrderChange, *, by: str = "", is_fact: bool = False
) -> None:
    """Move an order. What an effect did (`is_fact`) is written down also if the order is elsewhere meanwhile.

    It may have been taken back; or another run saw the effect and went on, and this one only knows of a doubt. What
    fits neither (a cancellation that was accepted for an order that somebody paid meanwhile) waits for a person.
    """
    row = connection.execute(_ORDER_NOW, {"ref": change.order_ref}).one()
    old = OrderState(row.state)
    if change.expected is not None and old is not change.expected:
        return
    if change.state is not None and is_behind(change.state, old):
        return  # another run saw more of the order than this one
    values: dict[str, Any] = {**change.writes.columns, "updated_at": ledger.clock()}
    # a payment that happened is written down wherever the order stands by now, or it would be made again
    if is_fact and change.state is not None and not can_move(old, change.state):
        words = f"{change.reason or change.state} (came when the order was {old})"
        overtaken = old in _TAKEN_BACK or change.state is OrderState.UNKNOWN
        if not overtaken and can_move(old, OrderState.HELD):
            change = replace(change, state=OrderState.HELD, reason=f"{words}: look at it in the console")
        else:
            audit(ledger, connection, change.order_ref, old, old, words, by=by)
            change = replace(change, state=None)
    if change.state is not None:
        values |= {"state": move(old, change.state), "reason": change.reason}
    connection.execute(update(orders).where(orders.c.order_ref == change.order_ref).values(values))
    if change.state is not None and (old, row.reason) != (change.state, change.reason):
        audit(ledger, connection, change.order_ref, old, change.state, change.reason, by=by)


def audit(
    ledger: Transactions,
    connection: Connection,
    order_ref: str,
    old: str | None,
    new: str,
    reason: str,
    *,
    by: str = "",
) -> None:
    """Write a move into the audit trail, by this run or by a person."""
    if old == new and not reason:
        return
    row = {"order_ref": order_ref, "at": ledger.clock(), "old_state": old, "new_state": new, "reason": reason}
    connection.execute(moves.insert().values({**row, "by": by or ledger.owner}))
