"""The ledger's refunds: recorded before they are requested, followed to their end,
never deleted.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, Select, select

from connectors.ledger.engine import one_of
from connectors.ledger.forgetting import forgotten_in
from connectors.ledger.order_mover import change_order
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.ledger.schema import (
    from_json,
    minor_sum,
    orders,
    refund_events,
    refunds,
    to_json,
)
from connectors.ledger.transactions import LedgerRows, Transactions, repeating
from connectors.ledger.unwritten import mark
from domain.after_sale import (
    Refund,
    RefundEvent,
    RefundState,
    unsent_lines,
)
from domain.money import Money

_NOT_REQUESTED = (RefundState.ASKING, RefundState.DECLINED)


class RefundRows(LedgerRows):
    """The tables `refunds` and `refund_events` of one ledger."""

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
        refunds = self.of_orders(orders)
        return {
            ref: lines_unsent(
                [refund for refund in refunds if refund.order_ref == ref], orders[ref]
            )
            for ref in orders
        }

    def in_states(self, states: Collection[RefundState]) -> list[Refund]:
        """All refunds in any of these states, oldest first."""
        return self._refunds(select(refunds).where(refunds.c.state.in_(list(states))))

    def with_ids(self, refund_ids: Iterable[str]) -> set[str]:
        """Those of these ids of the service that refunds of the ledger have."""
        known_ids = select(refunds.c.refund_id).where(
            one_of(refunds.c.refund_id, "ids")
        )
        return {*self._ledger.column(known_ids, ids=[*refund_ids])}

    @repeating
    def put(self, refund: Refund) -> None:
        """Record a refund, or replace it while it is not requested yet."""
        moment = self._ledger.clock()
        row = {**_row(refund), "recorded_at": moment, "updated_at": moment}
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
    def follow(self, refund: Refund, events: Sequence[RefundEvent]) -> int:
        """Write a refund's new state and its events, in one commit; returns how many
        events were new.

        The service lists all events each time, the newest first or last (assumed). The
        order's `refunded_minor` is kept as the sum over its refunds, which is no more
        than was paid: it makes room in budgets, and one refund may be shown under two
        ids. Where it is the same, nothing is written to the order: a yes that waits
        stays one.
        """
        moment = self._ledger.clock()
        if events and events[0].occurred_at > events[-1].occurred_at:
            events = events[::-1]
        rows = [
            asdict(event)
            | {
                "key": refund.key,
                "sequence": number,
                "order_ref": refund.order_ref,
                "refund_id": refund.refund_id,
                "recorded_at": moment,
            }
            for number, event in enumerate(events, start=1)
        ]
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
                refunds.update()
                .where(refunds.c.key == refund.key)
                .values({**_row(refund), "updated_at": moment})
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
            if not rows:
                return 0
            if forgotten_in(connection, [refund.order_ref]):
                rows = [{**row, "description": ""} for row in rows]
            statement = (
                self._ledger.insert(refund_events).values(rows).on_conflict_do_nothing()
            )
            return len(
                connection.execute(statement.returning(refund_events.c.sequence)).all()
            )

    def events(self, *, order_refs: Iterable[str]) -> list[dict[str, Any]]:
        """The events of the refunds of these orders."""
        c = refund_events.c
        order = (
            select(refund_events)
            .where(one_of(c.order_ref, "refs"))
            .order_by(c.order_ref, c.key, c.sequence)
        )
        return self._ledger.rows(order, refs=[*order_refs])

    def _refunds(self, statement: Select[Any], **given: Any) -> list[Refund]:
        rows = self._ledger.rows(
            statement.order_by(refunds.c.recorded_at, refunds.c.key), **given
        )
        return [from_json(Refund, row["refund"]) for row in rows]


def taken_above(order: OrderRecord) -> Money:
    """What was taken for an order above what might be paid for it, also where a person
    has accepted that since.
    """
    amount = (
        order.quote.total
        if order.quote and order.approved == order.paid
        else order.payable
    )
    return max(order.paid - amount, Money(0, order.currency))


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
