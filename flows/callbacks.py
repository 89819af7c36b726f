"""Orders that the service's messages name are read again, and that alone counts."""

from __future__ import annotations

import asyncio
from collections.abc import Collection

from connectors.callbacks import CallbackStore, are_received
from connectors.ledger.records import OrderRecord
from connectors.settings import SourcingSettings
from domain.after_sale import FOLLOWED
from domain.reasons import ReasonCode
from domain.states import OrderState
from domain.wording import pluralize
from flows.batch.opening import opened
from flows.prefect_ui.expected_errors import run_logger, sourcing_flow
from flows.sync_tracking import track
from tasks.engine.resources import Resources, utc_now
from tasks.pay import read_unpaid
from tasks.refund import follow_refunds
from tasks.snapshot import write_tables


async def read_again(
    resources: Resources, order_ids: Collection[str]
) -> set[str | None]:
    """Read the orders with these ids, and their open refunds, as tracking does.

    Orders that wait to be paid are checked as before a payment. Return the ids of
    orders that were not reached, since the service was away.
    """
    ledger = resources.ledger
    before = await asyncio.to_thread(ledger.orders_with_ids, order_ids)
    run_logger().info("Messages name %s", pluralize(len(before), "order"))
    if not before:
        return set()

    report = await track(resources, only=before)
    unpaid = {ref: order for ref, order in before.items() if _waits_to_be_paid(order)}
    if unpaid:
        await read_unpaid(resources, unpaid)
    refunds = ledger.refunds.of_orders(list(before))
    open_refunds = [refund for refund in refunds if refund.state in FOLLOWED]
    if open_refunds:
        unread_refunds = await follow_refunds(open_refunds, label="of messages")
        for ref, reason in unread_refunds.items():
            run_logger().warning("%s: its refund was not read: %s", ref, reason)

    await write_tables(resources, "callbacks")
    return {before[ref].order_id for ref in report.unasked}


def _waits_to_be_paid(order: OrderRecord) -> bool:
    """An order counts that is held for its price alone, which may have come down."""
    is_held_unpaid = order.state is OrderState.HELD and order.paid_minor is None
    return order.state is OrderState.ORDERED or (
        is_held_unpaid and order.reason_code is ReasonCode.PRICE_ROSE
    )


@sourcing_flow("read what messages name")
async def hear_callbacks() -> None:
    """Read the orders that the service's messages name, each at most once in two
    minutes. A message alone changes nothing.
    """
    ledger_url = SourcingSettings().ledger_url
    if not are_received(ledger_url):
        run_logger().info("No receiver of messages has run here")
        return
    with CallbackStore(ledger_url, clock=utc_now) as store:
        messages = store.take_due()
        order_ids = {id for message in messages for id in message.order_ids}
        unread = set[str | None]()
        if order_ids:
            async with opened() as resources:
                unread = await read_again(resources, order_ids)
        read = [message for message in messages if unread.isdisjoint(message.order_ids)]
        store.mark_read(read)
    run_logger().info("%s read", pluralize(len(read), "message"))
