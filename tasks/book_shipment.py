"""Book the international shipment of paid orders."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

from prefect import task

from connectors.ledger.records import Intent, OrderRecord
from connectors.xportcn.errors import ServiceAway
from domain.decisions import judge_booking
from domain.effects import Action
from domain.offers import ChosenFreight
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tasks.effects.book import Book
from tasks.effects.protocol import perform
from tasks.effects.reading_orders import read_each
from tasks.engine.lost_ledger import maybe_booked
from tasks.engine.resources import Resources
from tasks.engine.retrying import RETRYING, behind_breaker
from tasks.engine.tries import raise_if_it_passes, this_try
from tasks.pay import left_as
from tasks.steps import Orders, Step


@task(task_run_name="book {label}", **RETRYING)
@behind_breaker
async def book_shipments(resources: Resources, step: Step, freight: Mapping[str, ChosenFreight], *, label: str) -> None:
    """Book each order once with its chosen freight; a further try first reads whether it is booked after all."""
    await step.each_group(resources, lambda orders: _book(resources, step, orders, freight), waits=_waits)


async def _book(resources: Resources, step: Step, orders: Orders, freight: Mapping[str, ChosenFreight]) -> None:
    if this_try().this > 1:
        try:
            orders = await still_to_book(resources, orders)
        except ServiceAway as away:
            raise_if_it_passes(resources, away)
            return
    intents = [
        Intent(
            order_ref=ref,
            action=Action.BOOK,
            amount=freight[ref].service.price,
            request_hash=f"{freight[ref].quote.render_id}/{freight[ref].service.service_id}"[:64],
            seen_in=order.state,
        )
        for ref, order in orders.items()
    ]
    await perform(Book(resources, freight, await maybe_booked(resources, orders)), intents, orders, then=step.through)


def _waits(order: OrderRecord, given: OrderRecord) -> bool:
    """Whether it is in the state in which it was given, or in that of an order whose booking was turned away."""
    return order.state in (given.state, OrderState.PAID) and order.shipment is None


async def still_to_book(resources: Resources, orders: Orders) -> dict[str, OrderRecord]:
    """The orders that the service shows as paid and not yet booked. Others are held, or booked already after all.

    There is neither key nor refusal against a second booking, so the service is read before the first.
    """
    async with resources.slots.one():
        shown, unread = await read_each(resources, orders.values())
    gone = because(ReasonCode.PAID_NOT_SHOWN)
    changes = [order.stays(unread.get(ref, gone)) for ref, order in orders.items() if ref not in shown]
    ready: dict[str, OrderRecord] = {}
    for ref, order in orders.items():
        if ref not in shown:
            continue
        if shown[ref].shipments:
            booked = Book(resources).seen(order, shown[ref].shipments)
            changes.append(replace(booked, expected=order.state))
        elif left := judge_booking(shown[ref]):
            changes.append(left_as(order, left))
        else:
            ready[ref] = order
    await resources.group_commit.change(changes)
    return ready
