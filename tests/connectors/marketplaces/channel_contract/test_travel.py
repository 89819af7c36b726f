"""The way of the goods: booked, shipped, told to the warehouse, delivered."""

from __future__ import annotations

import pytest

from connectors.marketplaces import freight
from connectors.xportcn.errors import Refused
from domain.effects import Action
from domain.offers import choose_freight
from domain.service_orders import ServiceStatus, TraceStatus
from tests.connectors.marketplaces.channel_contract.shop import Shop
from tests.connectors.xportcn.orders import claim


async def test_an_order_travels_to_its_receiver(shop: Shop) -> None:
    """Parcels, shipment and trace tell it, from the seller to the last signature."""
    order = await shop.order()
    order_id = await shop.create(order)
    await shop.pay(order_id)
    estimate = await freight.estimate(shop.client, order)
    quote = await freight.render(shop.client, order)
    assert estimate.services == quote.services
    service = choose_freight(quote.services, "cheapest")
    assert service is not None
    shipment = await freight.book(
        shop.client, claim(Action.BOOK), order, order_id, quote, service
    )
    assert shipment.fee == service.price
    assert len(shipment.tracking_numbers) == 1
    (entry,) = shop.sandbox.books()["shipments"]
    assert (entry["tmall_order_id"], entry["tracking_numbers"]) == (
        order_id,
        list(shipment.tracking_numbers),
    )

    shop.sandbox.advance(days=2)
    shipped = (await shop.channel.read([order_id]))[order_id]
    (parcel,) = shipped.parcels
    assert (shipped.status, bool(parcel.company), bool(parcel.sent_at)) == (
        ServiceStatus.SHIPPED,
        True,
        True,
    )
    (observed,) = shipped.shipments
    assert (observed.shipment_order_id, observed.tracking_numbers) == (
        shipment.shipment_order_id,
        shipment.tracking_numbers,
    )
    on_the_way = await shop.channel.trace(shipped)
    assert {event.tracking_number for event in on_the_way} == {parcel.tracking_number}

    leave = claim(Action.NOTIFY)
    marketplace = order.request.marketplace
    await freight.update_domestic(
        shop.client,
        leave,
        observed,
        order_id,
        [parcel],
        marketplace=marketplace,
        lines=order.lines,
    )
    shop.sandbox.advance(days=20)
    events = await shop.channel.trace((await shop.channel.read([order_id]))[order_id])
    signed = [
        event.tracking_number for event in events if event.status is TraceStatus.SIGN
    ]
    assert signed == [parcel.tracking_number, shipment.tracking_numbers[0]]
    assert [event.occurred_at for event in events] == sorted(
        event.occurred_at for event in events
    )
    assert all(event.description for event in events)
    assert TraceStatus.OTHER not in {event.status for event in events}


async def test_an_unpaid_order_can_not_be_booked(shop: Shop) -> None:
    """Booking needs a paid order."""
    order = await shop.order()
    order_id = await shop.create(order)
    quote = await freight.render(shop.client, order)
    with pytest.raises(Refused):
        await freight.book(
            shop.client, claim(Action.BOOK), order, order_id, quote, quote.services[0]
        )
    assert shop.sandbox.books()["shipments"] == []
