"""Parcels that reached the warehouse, as it reports them: compared with what the
service shows and what was booked.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass

from connectors.callbacks.schema import Callback
from connectors.callbacks.store import CallbackStore
from connectors.concurrently import concurrently
from connectors.foreign import clean, shortened
from connectors.ledger.records import OrderRecord
from connectors.marketplaces.freight import estimate
from connectors.snapshots.tables.callbacks import PARCELS_RECEIVED
from connectors.snapshots.tables.table import Row
from connectors.xportcn.callback_reader import parse_callback
from connectors.xportcn.errors import Misconfigured, ServiceAway, XportcnError
from connectors.xportcn.operations.callbacks import PackageInbound
from domain.money import Money
from domain.offers import choose_freight
from domain.reasons import Reason
from domain.received import CallbackKind, CallbackState, Parcel, problems_of
from domain.service_orders import ServiceOrder
from tasks.effects.reading_orders import read_each
from tasks.engine.resources import Resources

EARLIER = 2_000
LONGEST = 200
MOST_IMAGES = 20


@dataclass(frozen=True, slots=True, kw_only=True)
class Received:
    """One parcel of one order of ours, and what is wrong with it."""

    order_ref: str
    parcel: Parcel
    why: Reason | None
    row: Row


async def received_parcels(
    resources: Resources,
    store: CallbackStore,
    messages: Sequence[Callback],
    orders: Mapping[str, OrderRecord],
) -> list[Received]:
    """The parcels of these reports for these orders. One that the service does not show
    is listed, not believed.
    """
    told = [
        (message, report, order)
        for message, report, order in _of_ours(messages, orders)
    ]
    if not told:
        return []
    shown, _ = await read_each(
        resources, {order.order_ref: order for _, _, order in told}.values()
    )
    earlier = await asyncio.to_thread(
        _grams_by_goods, resources, store, {message.id for message, _, _ in told}
    )
    freights = await _freights_now(
        resources, [order for _, _, order in told if order.order_ref in shown]
    )
    return [
        _received(
            message,
            report,
            order,
            shown.get(order.order_ref),
            earlier,
            freights.get(order.order_ref),
        )
        for message, report, order in told
    ]


async def _freights_now(
    resources: Resources, orders: Iterable[OrderRecord]
) -> dict[str, Money]:
    """The present price of the booked service, by order. That it already counts the
    weight is assumed.
    """

    async def one(order: OrderRecord) -> tuple[str, Money | None]:
        try:
            quote = await estimate(
                resources.client, order.shipped_order(unsent[order.order_ref])
            )
        except (Misconfigured, ServiceAway):
            raise
        except XportcnError:
            return order.order_ref, None
        service = choose_freight(quote.services, order.freight_service or "")
        return order.order_ref, service.price if service else None

    booked = {
        order.order_ref: order
        for order in orders
        if _booked(order) and order.freight_service
    }
    unsent = resources.ledger.refunds.unsent(booked)
    travelling = [
        order for ref, order in booked.items() if order.shipped_order(unsent[ref]).lines
    ]
    found = await concurrently(travelling, one, at_once=resources.concurrency)
    return {ref: price for ref, price in found if price}


def _booked(order: OrderRecord) -> Money | None:
    if order.shipment and order.shipment.fee:
        return order.shipment.fee
    if order.freight_minor is None or order.freight_currency is None:
        return None
    return Money(order.freight_minor, order.freight_currency)


def _of_ours(
    messages: Iterable[Callback], orders: Mapping[str, OrderRecord]
) -> Iterator[tuple[Callback, PackageInbound, OrderRecord]]:
    by_id = {order.order_id: order for order in orders.values()}
    for message in messages:
        parcel = parse_callback(message.body).parcel
        if parcel and (order := by_id.get(parcel.order_id)):
            yield message, parcel, order


def _received(
    message: Callback,
    report: PackageInbound,
    order: OrderRecord,
    shown: ServiceOrder | None,
    earlier: Mapping[tuple[str, str], Sequence[int]],
    freight_now: Money | None,
) -> Received:
    parcel = _parcel(report)
    numbers = {one.tracking_number for one in shown.parcels} if shown else set()
    why = problems_of(
        parcel,
        shown=numbers,
        per_piece=earlier.get(goods, ()) if (goods := _goods(order)) else (),
        pieces=order.lines[0].quantity,
        booked=_booked(order),
        estimated=freight_now,
    )
    return Received(
        order_ref=order.order_ref,
        parcel=parcel,
        why=why,
        row=PARCELS_RECEIVED.row(
            {
                "message": message,
                "parcel": parcel,
                "order": order,
                "shown": numbers,
                "why": why,
            },
            **{
                name: _words(getattr(report.inspection, name))
                for name in ("weight", "length", "width", "height")
            },
            images=[_words(image) for image in report.inspection.images[:MOST_IMAGES]],
        ),
    )


def _goods(order: OrderRecord) -> tuple[str, str] | None:
    """The goods of a parcel, where it is one thing: its weight gives that of a
    piece.
    """
    return (
        (order.lines[0].item_id, order.lines[0].sku_id)
        if len(order.lines) == 1
        else None
    )


def _grams_by_goods(
    resources: Resources, store: CallbackStore, but: set[int]
) -> dict[tuple[str, str], list[int]]:
    """Grams a piece, from the newest parcels with one kind of goods in them."""
    done = store.listed(
        kind=CallbackKind.INBOUND, state=CallbackState.DONE, most=EARLIER
    )
    known = [message for message in done if message.id not in but]
    orders = resources.ledger.orders_with_ids(
        {order_id for message in known for order_id in message.order_ids}
    )
    found = defaultdict[tuple[str, str], list[int]](list)
    for _, report, order in _of_ours(known, orders):
        grams, goods = _parcel(report).grams, _goods(order)
        if grams and goods:
            found[goods].append(grams // order.lines[0].quantity)
    return found


def _parcel(report: PackageInbound) -> Parcel:
    found = report.inspection
    return Parcel(
        tracking_number=_words(report.tracking_number),
        status=_words(found.status),
        weight=found.weight,
        failed_remark=_words(found.failed_remark),
    )


def _words(text: str) -> str:
    return shortened(clean(text), LONGEST)
