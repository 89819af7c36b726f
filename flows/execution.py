"""Create, pay, render, book: chunk by chunk, each order as far as it can go."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence

from connectors.ledger.records import OrderRecord, SpendLimits
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.xportcn.carts import cart_for
from domain.effects import Action
from domain.states import OrderState
from flows.chunks import chunks
from flows.shown.events import EventFeed
from flows.shown.expected_failures import run_logger
from tasks.book_shipment import book_shipments, settle_bookings, still_to_book
from tasks.create_order import create_orders, settle_creates
from tasks.opaque import opaque
from tasks.order_cart import order_cart, settle_cart_order
from tasks.pay import pay_orders, settle_payments
from tasks.progress import progress
from tasks.render_freight import render_freights
from tasks.resources import Resources
from tasks.settle_after_sale import settle_after_sale

STAGES = ("create", "pay", "render freight", "book")


async def execute(
    resources: Resources,
    order_refs: Sequence[str],
    approved: Mapping[str, str],
    *,
    limits: SpendLimits,
    chunk_size: int,
    feed: EventFeed | None = None,
) -> None:
    """Take these orders as far as they can go; what became of each is in the ledger, and told to `feed`.

    `approved` has the hash of each plan that was approved (see `plan_hash`): only those are created.
    """
    feed = feed or EventFeed(resources.ledger, order_refs)
    listener = progress.get()
    for stage in STAGES:
        listener.start(stage, len(order_refs))
    for label, chunk in chunks(order_refs, chunk_size):
        await _execute_chunk(resources, chunk, approved, limits, label)
        states = Counter(str(order.state) for order in (await feed.tell(chunk)).values())
        counts = ", ".join(f"{count:,} {state}" for state, count in states.most_common())
        run_logger().info("Orders %s: %s", label, counts)


async def settle_open_effects(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Read what became of every effect of these orders that an earlier run left open."""
    waiting = resources.ledger.unsettled(orders)
    if not waiting:
        return
    for order in orders.values():
        if order.order_ref in waiting and cart_for(order.marketplace, resources.client) and order.order_id is None:
            await settle_cart_order(resources, order)
    await settle_creates(resources, {ref: order for ref, order in orders.items() if ref in waiting})
    await settle_payments(resources, resources.ledger.orders(waiting))
    await settle_bookings(resources, resources.ledger.orders(waiting))
    # one that was taken back is neither paid nor booked while nobody knows what became of that
    await settle_after_sale(resources, resources.ledger.orders(waiting))


async def _execute_chunk(
    resources: Resources, refs: Sequence[str], approved: Mapping[str, str], limits: SpendLimits, label: str
) -> None:
    listener = progress.get()

    def now(ready: Callable[[OrderRecord], bool]) -> Mapping[str, OrderRecord]:
        return opaque({ref: order for ref, order in resources.ledger.orders(refs).items() if ready(order)})

    if creatable := now(lambda order: may_create(order, approved.get(order.order_ref))):
        effects = resources.ledger.effects_of(creatable)
        in_carts = {one.order_ref for one in effects if one.action is Action.CART and one.status in COUNTS_AS_SPENT}
        carted = opaque({ref: order for ref, order in creatable.items() if ref in in_carts})
        direct = opaque({ref: order for ref, order in creatable.items() if ref not in in_carts})
        await create_orders(resources, direct, limits, label=label)
        await order_cart(resources, carted, approved, limits, label=label)
    listener.advance("create", len(refs))
    if payable := now(may_pay):
        await pay_orders(resources, payable, label=label)
    listener.advance("pay", len(refs))
    bookable = await still_to_book(resources, paid) if (paid := now(may_book)) else {}
    freight = await render_freights(resources, bookable, label=label) if bookable else {}
    listener.advance("render freight", len(refs))
    if freight:
        to_book = opaque({ref: bookable[ref] for ref in freight})
        await book_shipments(resources, to_book, opaque(freight), label=label)
    listener.advance("book", len(refs))


def may_create(order: OrderRecord, approved_plan: str | None) -> bool:
    """Whether the plan in the ledger is the one that was approved; another run may have made another since."""
    waiting = order.state is OrderState.PLANNED and order.order_id is None
    return waiting and approved_plan is not None and order.plan_hash == approved_plan


def may_pay(order: OrderRecord) -> bool:
    waiting = order.state in (OrderState.ORDERED, OrderState.PAYMENT_PENDING, OrderState.HELD)
    return waiting and order.order_id is not None and order.paid_minor is None


def may_book(order: OrderRecord) -> bool:
    waiting = order.state in (OrderState.PAID, OrderState.HELD)
    return waiting and order.paid_minor is not None and order.paid <= order.payable and order.shipment is None
