"""Create, pay, render, book: chunk by chunk, each order as far as it can go."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress

from connectors.ledger.records import OrderRecord, SpendLimits
from connectors.xportcn.errors import ServiceAway
from domain.states import OrderState
from flows.chunks import chunks
from flows.shown.events import EventFeed
from flows.shown.expected_failures import run_logger
from tasks.asking import Found
from tasks.book_shipment import book_shipments, still_to_book
from tasks.create_order import create_orders
from tasks.opaque import opaque
from tasks.pay import pay_orders
from tasks.progress import progress
from tasks.render_freight import render_freights
from tasks.resources import Resources

STAGES = ("create", "pay", "render freight", "book")


async def execute(
    resources: Resources,
    order_refs: Sequence[str],
    approved: Mapping[str, str],
    *,
    limits: SpendLimits,
    chunk_size: int,
    feed: EventFeed,
    asks: bool = True,
) -> None:
    """Take these orders as far as they can go; what became of each is in the ledger, and told to `feed`.

    `approved` has the hash of each plan that was approved (see `plan_hash`): only those are created. A run that does
    not ask (`asks`) leaves alone what is held by now, or what somebody has said no to since.
    """
    listener = progress.get()
    for stage in STAGES:
        listener.start(stage, len(order_refs))
    for label, chunk in chunks(order_refs, chunk_size):
        if resources.gate.is_over:
            return
        with suppress(ServiceAway):  # patience or time is used up: what is left keeps its state
            await _execute_chunk(resources, chunk, approved, limits, label, asks=asks)
        counts = ", ".join(f"{count:,} {state}" for state, count in (await feed.tell(chunk)).most_common())
        run_logger().info("Orders %s: %s", label, counts)


async def _execute_chunk(
    resources: Resources,
    refs: Sequence[str],
    approved: Mapping[str, str],
    limits: SpendLimits,
    label: str,
    *,
    asks: bool,
) -> None:
    listener = progress.get()

    def now(ready: Callable[[OrderRecord], bool]) -> Mapping[str, OrderRecord]:
        orders = resources.ledger.orders(refs)
        return opaque({ref: one for ref, one in orders.items() if ready(one) and (asks or needs_nobody(one))})

    if creatable := now(lambda order: may_create(order, approved.get(order.order_ref))):
        await create_orders(resources, creatable, limits, label=label)
    listener.advance("create", len(refs))
    if payable := now(may_pay):
        await pay_orders(resources, payable, label=label)
    listener.advance("pay", len(refs))
    bookable = await still_to_book(resources, paid) if (paid := now(may_book)) else {}
    freight = await render_freights(resources, bookable, Found(), label=label) if bookable else {}
    listener.advance("render freight", len(refs))
    if freight:
        to_book = opaque({ref: bookable[ref] for ref in freight})
        await book_shipments(resources, to_book, opaque(freight), label=label)
    listener.advance("book", len(refs))


def needs_nobody(order: OrderRecord) -> bool:
    """Whether an order may go on without a person: its approval stands, and it is not held."""
    return order.plan_hash is not None and order.state is not OrderState.HELD


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
