"""The ledger's refunds: recorded before they are requested, followed to their end,
never deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from connectors.ledger.engine import one_of
from connectors.ledger.order_mover import change_order
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.ledger.schema import (
    from_json,
    minor_sum,
    orders,
    refunds,
    to_json,
)
from connectors.ledger.transactions import LedgerRows, Transactions, repeating
from connectors.ledger.unwritten import mark
from domain.after_sale import (
    Refund,
    RefundState,
    unsent_lines,
)
from domain.money import Money

_NOT_REQUESTED = (RefundState.ASKING, RefundState.DECLINED)


class RefundRows(LedgerRows):
    """The table `refunds` of one ledger."""

    def of_orders(self, order_refs: Iterable[str]) -> list[Refund]:
        """The refunds of these orders, oldest first."""
        return self._refunds(
            select(refunds).where(one_of(refunds.c.order_ref, "refs")),
            refs=[*order_refs],
        )

    def unsent(self, orders: Mapping[str, OrderRecord]) -> dict[str, frozenset[int]]:
        """The lines of each of these orders whose goods never arrive at the
        warehouse.
        """
        known = self.of_orders(orders)
        return {
            ref: lines_unsent(
                [refund for refund in known if refund.order_ref == ref], orders[ref]
            )
            for ref in orders
        }

    def in_states(self, states: Collection[RefundState]) -> list[Refund]:
        """All refunds in any of these states, oldest first."""
        return self._refunds(select(refunds).where(refunds.c.state.in_(list(states))))

    def with_id(self, refund_id: str) -> list[Refund]:
        """The refunds that have this id of the service."""
        return self._refunds(select(refunds).where(refunds.c.refund_id == refund_id))

    @repeating
    def put(self, refund: Refund) -> None:
        """Record a refund, or replace it while it is not requested yet."""
        now = self._ledger.clock()
        row = {**_row(refund), "recorded_at": now, "updated_at": now}
        is_free = refunds.c.state.in_(_NOT_REQUESTED)
        written = self._ledger.upsert(refunds, row.keys() - {"key"}, is_free)
        with self._ledger.transaction() as connection:
            connection.execute(written.values(row))
            mark(connection, [refund.order_ref])

    def is_left(self, key: str, *, since: datetime) -> bool:
        """Whether nothing was written about a refund since that moment."""
        return bool(
            self._ledger.column(
                select(refunds.c.key).where(
                    refunds.c.key == key, refunds.c.updated_at < since
                )
            )
        )

    @repeating
    def follow(self, refund: Refund) -> None:
        """Write a refund's new state.

        The order's `refunded_minor` is kept as the sum over its refunds, which is no
        more than was paid: it makes room in budgets, and one refund may be shown under
        two ids. Where it is the same, nothing is written to the order: a yes that waits
        stays one.
        """
        row = {**_row(refund), "updated_at": self._ledger.clock()}
        with self._ledger.transaction() as connection:
            # another refund of the order may be followed at this moment: the sum below
            # must see both
            of_order = select(
                orders.c.paid_minor, orders.c.refunded_minor
            ).with_for_update()
            paid, before = connection.execute(
                of_order.where(orders.c.order_ref == refund.order_ref)
            ).one()
            connection.execute(
                refunds.update().where(refunds.c.key == refund.key).values(row)
            )
            back = select(minor_sum(refunds.c.refunded_minor)).where(
                refunds.c.order_ref == refund.order_ref
            )
            total = connection.execute(back).scalar_one()
            total = total if paid is None else min(total, paid)
            mark(connection, [refund.order_ref])
            if total != (before or 0):
                change = OrderChange(
                    order_ref=refund.order_ref,
                    writes=OrderUpdate.refunded(amount_minor=total),
                )
                change_order(self._ledger, connection, change)

    def _refunds(self, statement: Select[Any], **given: Any) -> list[Refund]:
        rows = self._ledger.rows(
            statement.order_by(refunds.c.recorded_at, refunds.c.key), **given
        )
        return [from_json(Refund, row["refund"]) for row in rows]


def taken_above(order: OrderRecord) -> Money:
    """What was taken for an order above what might be paid for it, also where a person
    has accepted that since.
    """
    most = (
        order.quote.total
        if order.quote and order.approved == order.paid
        else order.payable
    )
    return max(order.paid - most, Money(0, order.currency))


def lines_unsent(refunds: Sequence[Refund], order: OrderRecord) -> frozenset[int]:
    """The lines of an order with these refunds, oldest first, whose goods never arrive
    at the warehouse.
    """
    return frozenset(
        unsent_lines(
            refunds, order.priced_lines, paid=order.paid, above=taken_above(order)
        )
    )


def add_refund(ledger: Transactions, connection: Connection, refund: Refund) -> bool:
    """Record a refund that this ledger did not ask for, unless there is one of its
    key.
    """
    row = {**_row(refund), "recorded_at": ledger.clock(), "updated_at": ledger.clock()}
    added = (
        ledger.insert(refunds)
        .values(row)
        .on_conflict_do_nothing()
        .returning(refunds.c.key)
    )
    is_new = connection.execute(added).scalar() is not None
    mark(connection, [refund.order_ref] if is_new else ())
    return is_new


def _row(refund: Refund) -> dict[str, Any]:
    return {
        "key": refund.key,
        "order_ref": refund.order_ref,
        "order_id": refund.order_id,
        "part": refund.part,
        "number": refund.number,
        "kind": refund.kind,
        "state": refund.state,
        "asked_minor": refund.asked.minor,
        "approved_minor": refund.approved.minor,
        "refunded_minor": refund.refunded.minor,
        "currency": refund.refunded.currency,
        "refund_id": refund.refund_id,
        "refund": to_json(refund),
    }
