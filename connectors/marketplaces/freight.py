"""The warehouse: its address, and international freight from it: estimate, render,
book, update.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from types import MappingProxyType
from typing import Any, TypeVar

from connectors.marketplaces.lines import distinct
from connectors.marketplaces.protocol import Warehouse
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, Unanswered
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import warehouse
from connectors.xportcn.settings import DISTRIBUTION, SHOP
from connectors.xportcn.wire import unix_text
from domain.effects import Claim
from domain.marketplace import Marketplace
from domain.offers import FreightQuote, FreightService
from domain.orders import OrderLine, Receiver, SourcingOrder
from domain.service_orders import DomesticParcel, Shipment, ShipmentItem

NO_OTHER_IDS: Mapping[tuple[str, str], tuple[str, str]] = MappingProxyType({})
Address = TypeVar("Address", warehouse.RenderAddress, warehouse.BookingAddress)


Addresses = Sequence[warehouse.UserAddress]


async def addresses_of(client: XportcnClient) -> Addresses:
    """The account's addresses in China."""
    return await client.read(warehouse.ADDRESSES, Nothing())


def warehouse_of(addresses: Addresses) -> Warehouse:
    """The default or only address. Raises `Misconfigured` where no one address is."""
    every = distinct(map(_warehouse, addresses))
    defaults = distinct(
        _warehouse(address) for address in addresses if address.is_default
    )
    meant = defaults or every
    if len(meant) != 1:
        raise Misconfigured(_unclear(every), operation=warehouse.ADDRESSES.name)
    return meant[0]


def _unclear(every: Sequence[Warehouse]) -> str:
    if not every:
        return "the account has no warehouse address: add one in the service's console"
    named = ", ".join(
        f"{warehouse.name} ({warehouse.province} {warehouse.city})"
        for warehouse in every
    )
    return (
        f"the account has {len(every)} addresses of which none alone is the default: {named}. Make one the default in "
        "the service's console"
    )


def _warehouse(address: warehouse.UserAddress) -> Warehouse:
    return Warehouse(
        name=address.name,
        phone=address.phone,
        province=address.province,
        city=address.city,
        district=address.district,
        address=address.address,
        zip=address.post_code,
    )


async def estimate(client: XportcnClient, order: SourcingOrder) -> FreightQuote:
    """The estimated freight; not bookable. Raises `Refused` 42001 for a country without
    a service.
    """
    receiver = order.request.receiver
    by = _by(client, order.request.marketplace)
    request = warehouse.EstimateRequest(
        country=receiver.country,
        zip=receiver.zip or None,
        render_items=tuple(
            warehouse.EstimateItem(**_goods(line, by)) for line in order.lines
        ),
    )
    answer = await client.read(warehouse.ESTIMATE, request)
    return FreightQuote(render_id="", services=_services(answer.services))


async def render(client: XportcnClient, order: SourcingOrder) -> FreightQuote:
    """The freight of an order; bookable for 24 hours. Raises `Refused` as `estimate`
    does.
    """
    by = _by(client, order.request.marketplace)
    request = warehouse.RenderRequest(
        receiver_address=_address(order.request.receiver, warehouse.RenderAddress),
        render_items=tuple(
            warehouse.RenderItem(
                **_goods(line, by),
                price=line.unit_price,
                currency=line.unit_price.currency,
            )
            for line in order.lines
        ),
    )
    answer = await client.read(warehouse.RENDER, request)
    return FreightQuote(render_id=answer.render_id, services=_services(answer.services))


def _by(client: XportcnClient, marketplace: Marketplace) -> str:
    """The ids that freight wants. Those of other marketplaces than Taobao have one
    sort.
    """
    is_open = marketplace is Marketplace.TAOBAO
    return client.settings.ids_of_freight if is_open else SHOP


def _ids(line: OrderLine, by: str) -> tuple[str, str]:
    """Item and SKU of a line, as freight calls name them."""
    return (
        (line.distribution_item_id, line.distribution_sku_id)
        if by == DISTRIBUTION
        else (line.item_id, line.sku_id)
    )


def _goods(line: OrderLine, by: str) -> dict[str, Any]:
    item_id, sku_id = _ids(line, by)
    return {"item_id": item_id, "sku_id": sku_id, "quantity": line.quantity}


def _services(services: Iterable[warehouse.Service]) -> tuple[FreightService, ...]:
    return tuple(
        FreightService(
            service_id=service.service_id,
            company=service.company_name,
            category=service.service_category,
            price=service.amount,
            min_days=service.min_days,
            max_days=service.max_days,
        )
        for service in services
    )


async def book(
    client: XportcnClient,
    claim: Claim,
    order: SourcingOrder,
    order_id: str,
    quote: FreightQuote,
    service: FreightService,
) -> Shipment:
    """Book one service for all lines of a paid order. The service does not prevent a
    second booking.
    """
    by = _by(client, order.request.marketplace)
    answer = await client.effect(
        warehouse.BOOK,
        booking_request(order, order_id, quote, service, by),
        claim=claim,
    )
    return shipment(
        answer,
        quote.render_id,
        {_ids(line, by): (line.item_id, line.sku_id) for line in order.lines},
    )


def booking_request(
    order: SourcingOrder,
    order_id: str,
    quote: FreightQuote,
    service: FreightService,
    by: str = SHOP,
) -> warehouse.BookingRequest:
    chosen = warehouse.FreightInfo(
        service_id=service.service_id,
        company_name=service.company,
        service_category=service.category,
    )
    return warehouse.BookingRequest(
        render_id=quote.render_id,
        tmall_order_info=warehouse.TmallOrderInfo(tmall_order_id=order_id),
        receiver_address=_address(order.request.receiver, warehouse.BookingAddress),
        line_items=tuple(
            warehouse.BookingLine(
                **_goods(line, by),
                title=line.title,
                image_url=line.image_url,
                freight_info=chosen,
            )
            for line in order.lines
        ),
    )


def shipment(
    booking: warehouse.Booking,
    render_id: str,
    shop_ids: Mapping[tuple[str, str], tuple[str, str]] = NO_OTHER_IDS,
) -> Shipment:
    """A booking in the terms of the domain: one tracking number a service, with the
    lines under it, by `shop_ids`.
    """
    parcels = [sub_order.parcel for sub_order in booking.sub_orders]
    return Shipment(
        shipment_order_id=booking.order_id,
        tracking_numbers=tuple(
            parcel.logistic_number for parcel in parcels if parcel.logistic_number
        ),
        company=next((parcel.logistic_company_name for parcel in parcels), ""),
        tracking_urls=tuple(
            parcel.tracking_url for parcel in parcels if parcel.tracking_url
        ),
        render_id=render_id,
        fee=booking.order_fee.amount if booking.order_fee else None,
        items=tuple(
            ShipmentItem(
                tracking_number=sub_order.parcel.logistic_number,
                item_id=item_id,
                sku_id=sku_id,
                quantity=item.quantity,
                title=item.title,
            )
            for sub_order in (
                ()
                if any(not sub_order.item_infos for sub_order in booking.sub_orders)
                else booking.sub_orders
            )
            for item in sub_order.item_infos
            for item_id, sku_id in [
                shop_ids.get((item.item_id, item.sku_id), (item.item_id, item.sku_id))
            ]
        ),
    )


async def update_domestic(
    client: XportcnClient,
    claim: Claim,
    shipment: Shipment,
    order_id: str,
    parcels: Sequence[DomesticParcel],
    *,
    marketplace: Marketplace,
    lines: Sequence[OrderLine] = (),
) -> None:
    """Report to the warehouse the domestic parcels that bring the goods of a shipment.

    Every parcel is named for every item, since the contents of parcels are unknown.
    `lines` add pictures, and replace the items of a shipment that was read back without
    them.
    """
    request = update_request(
        shipment, order_id, parcels, lines, _by(client, marketplace)
    )
    if not await client.effect(warehouse.UPDATE, request, claim=claim):
        name = warehouse.UPDATE.name
        raise Unanswered(
            "the answer is `false` inside a success; it may be stored",
            operation=name,
            status=200,
        )


def update_request(
    shipment: Shipment,
    order_id: str,
    parcels: Sequence[DomesticParcel],
    lines: Sequence[OrderLine] = (),
    by: str = SHOP,
) -> warehouse.UpdateRequest:
    domestic = tuple(
        warehouse.DomesticLogisticInfo(
            logistic_number=parcel.tracking_number,
            logistic_company_name=parcel.company,
            rts_time=unix_text(parcel.sent_at) if parcel.sent_at else None,
        )
        for parcel in parcels
    )
    pictures = {(line.item_id, line.sku_id): line.image_url for line in lines}
    ids = {
        _ids(line, channel): _ids(line, by)
        for line in lines
        for channel in (DISTRIBUTION, SHOP)
    }
    return warehouse.UpdateRequest(
        order_id=shipment.shipment_order_id,
        tmall_order_id=order_id,
        logistic_infos=tuple(
            warehouse.LogisticInfo(
                line_item=warehouse.UpdatedItem(
                    item_id=item_id,
                    sku_id=sku_id,
                    quantity=item.quantity,
                    title=item.title,
                    image_url=pictures.get((item.item_id, item.sku_id), ""),
                ),
                logistic_number=item.tracking_number,
                domestic_logistic_info=domestic,
            )
            for item in shipment.items or _items_of(lines, shipment)
            for item_id, sku_id in [
                ids.get((item.item_id, item.sku_id), (item.item_id, item.sku_id))
            ]
        ),
    )


def _items_of(
    lines: Iterable[OrderLine], shipment: Shipment
) -> tuple[ShipmentItem, ...]:
    """All lines under the first tracking number: we book one service an order."""
    number = next(iter(shipment.tracking_numbers), "")
    return tuple(
        ShipmentItem(
            tracking_number=number,
            item_id=line.item_id,
            sku_id=line.sku_id,
            quantity=line.quantity,
            title=line.title,
        )
        for line in lines
    )


def _address(receiver: Receiver, form: type[Address]) -> Address:
    """The final address of the goods, in the model `form`."""
    return form(**asdict(receiver), mobile_phone=receiver.phone)
