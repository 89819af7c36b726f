"""Write refunds, their events and their orders as one Parquet snapshot."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from domain.after_sale import Refund
from tasks.resources import Resources
from tasks.snapshot import orders_now, write
from tasks.snapshot_rows import Row
from tasks.snapshot_sums import LedgerSums

EVENT_COLUMNS = ("order_ref", "sequence", "refund_id", "occurred_at", "status", "role", "description")


async def snapshot_refunds(resources: Resources, before: Mapping[str, OrderRecord]) -> str:
    """Orders that were so `before` the run, as they stand, with all their refunds and events; answers its id."""
    now, order_refs = resources.clock(), list(before)
    sums = LedgerSums(resources, order_refs, ("orders", "refunds"))
    tables = {**orders_now(resources, before), **refund_tables(resources.ledger, order_refs)}
    snapshot_id = f"after-sale-{now:%Y%m%dT%H%M%S%f}"
    return await write(resources, snapshot_id, tables, batch_id=None, as_of=now, agreement=sums)


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, list[Row]]:
    """The refunds of these orders and what happened to them, as rows."""
    events = ledger.refunds.events(order_refs=order_refs)  # before the refunds: an event's own is never missing then
    return {
        "refunds": [refund_row(refund) for refund in ledger.refunds.of_orders(order_refs)],
        "refund_events": [
            {"refund_key": event["key"], **{column: event[column] for column in EVENT_COLUMNS}} for event in events
        ],
    }


def refund_row(refund: Refund) -> Row:
    """One refund as a row of the table `refunds`."""
    return {
        "order_ref": refund.order_ref,
        "refund_key": refund.key,
        "marketplace": refund.marketplace,
        "order_id": refund.order_id,
        "refund_id": refund.refund_id or None,
        "part": refund.part,
        "number": refund.number,
        "kind": refund.kind,
        "state": refund.state,
        "reason": refund.reason or None,
        "description": refund.description or None,
        "refusal": refund.refusal or None,
        "asked_minor": refund.asked.minor,
        "approved_minor": refund.approved.minor,
        "refunded_minor": refund.refunded.minor,
        "currency": refund.asked.currency,
        "vouchers": list(refund.vouchers),
        "company": refund.company or None,
        "tracking_number": refund.tracking_number or None,
        "asked_at": refund.asked_at,
        "settled_at": refund.settled_at,
    }
