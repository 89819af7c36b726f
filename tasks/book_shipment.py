"""Book the international shipment of paid orders."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace

from prefect import task
from prefect.cache_policies import NO_CACHE

from connectors.ledger.codec import sourcing_order_of, to_json
from connectors.ledger.records import Intent, OrderChange, OrderRecord
from connectors.xportcn.errors import Refused
from connectors.xportcn.freight import book
from domain.decisions import judge_booking
from domain.effects import Action, Claim
from domain.freight import ChosenFreight
from domain.money import Money
from domain.service_orders import Shipment
from domain.states import OrderState
from tasks.by_channel import read_each, read_orders
from tasks.effects import Effect, Landed, perform, settle
from tasks.render_freight import freight_columns
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
    await perform(resources, book_effect(resources, freight), intents, orders)


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
            booked = _seen(resources, order, shown[ref].shipments).change
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


async def settle_bookings(resources: Resources, orders: Mapping[str, OrderRecord]) -> None:
    """Find out what became of bookings that got no answer."""
    await settle(resources, book_effect(resources, {}), orders)


def book_effect(resources: Resources, freight: Mapping[str, ChosenFreight]) -> Effect:
    async def send(claim: Claim, order: OrderRecord) -> Landed:
        chosen = freight[order.order_ref]
        shipment = await book(
            resources.client,
            claim,
            sourcing_order_of(order),
            str(order.order_id),
            chosen.quote,
            chosen.service,
        )
        return _booked(resources, order, shipment, freight_columns(chosen))

    async def look(orders: Sequence[OrderRecord]) -> Mapping[str, Landed]:
        shown = await read_orders(resources, orders)
        return {
            order.order_ref: _seen(resources, order, shown[order.order_ref].shipments)
            for order in orders
            if order.order_ref in shown and shown[order.order_ref].shipments
        }

    def on_refused(order: OrderRecord, error: Refused) -> OrderChange:
        reason = f"paid, not booked: {error.message}"
        return OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason)

    return Effect(
        action=Action.BOOK,
        undone=OrderState.PAID,
        send=send,
        look=look,
        absence_proves=False,
        question=lambda order: (
            f"Does the warehouse console show a shipment for order {order.order_id}? Answer with: "
            f"sourcing resolve {order.order_ref} --booked SHIPMENT_ORDER_ID --tracking NUMBER, or --not-booked"
        ),
        on_refused=on_refused,
    )


def _booked(resources: Resources, order: OrderRecord, shipment: Shipment, columns: Mapping[str, object]) -> Landed:
    booked = {
        "shipment": to_json(shipment),
        "shipment_order_id": shipment.shipment_order_id,
        "booked_at": resources.clock(),
        **columns,
    }
    reason = _dearer_than_approved(order, shipment)
    change = OrderChange(order_ref=order.order_ref, state=OrderState.BOOKED, reason=reason, columns=booked)
    return Landed(answer={"shipment_order_id": shipment.shipment_order_id}, change=change)


def _dearer_than_approved(order: OrderRecord, shipment: Shipment) -> str:
    fee, currency = shipment.fee, order.freight_currency
    if fee is None or order.freight_approved_minor is None or fee.currency != currency:
        return ""
    approved = Money(order.freight_approved_minor, currency)
    return f"the warehouse charges {fee}, approved was {approved}: ask for the difference" if fee > approved else ""


def _seen(resources: Resources, order: OrderRecord, shipments: Sequence[Shipment]) -> Landed:
    landed = _booked(resources, order, shipments[0], {})
    if len(shipments) == 1:
        return landed
    ids = ", ".join(shipment.shipment_order_id for shipment in shipments)
    reason = f"the warehouse shows {len(shipments)} shipments for this order: {ids}. Cancel all but one"
    change = OrderChange(order_ref=order.order_ref, state=OrderState.HELD, reason=reason, columns=landed.change.columns)
    return Landed(answer=landed.answer, change=change)
