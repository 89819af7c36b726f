"""Book the international shipment of paid orders."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.records import Intent, OrderChange, OrderRecord
from domain.decisions import judge_booking
from domain.effects import Action
from domain.freight import ChosenFreight
from domain.states import OrderState
from tasks.effects.book import Book
from tasks.effects.protocol import perform
from tasks.reading_orders import read_each
from tasks.resources import Resources


@task(name="book_shipment", task_run_name="book {label}", cache_policy=NO_CACHE, persist_result=False, retries=0)
async def book_shipments(
    resources: Resources, orders: Mapping[str, OrderRecord], freight: Mapping[str, ChosenFreight], *, label: str
) -> None:
    """Book each order once with its chosen freight. Never retried, and never sent again on a guess."""
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
    await perform(Book(resources, freight), intents, orders)


async def still_to_book(resources: Resources, orders: Mapping[str, OrderRecord]) -> dict[str, OrderRecord]:
    """The orders that the service shows as paid and not yet booked. Others are held, or booked already after all.

    There is neither key nor refusal against a second booking, so the service is read before the first.
    """
    shown, unread = await read_each(resources, orders.values())
    gone = "paid, not booked: the service does not show the order; look it up there"
    changes = [_kept(order, unread.get(ref, gone)) for ref, order in orders.items() if ref not in shown]
    ready: dict[str, OrderRecord] = {}
    for ref, order in orders.items():
        if ref not in shown:
            continue
        if shown[ref].shipments:
            booked = Book(resources).seen(order, shown[ref].shipments)
            changes.append(replace(booked, expected=order.state))
        elif reason := judge_booking(shown[ref]):
            change = OrderChange(order_ref=ref, state=OrderState.HELD, expected=order.state, reason=reason)
            changes.append(change)
        else:
            ready[ref] = order
    await asyncio.to_thread(resources.ledger.change, changes)
    return ready


def _kept(order: OrderRecord, reason: str) -> OrderChange:
    return OrderChange(order_ref=order.order_ref, state=order.state, expected=order.state, reason=reason)
