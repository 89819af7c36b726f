"""The logistics calls: estimate and render freight, book it, report domestic
numbers.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.entities import (
    DomesticUpdate,
    FreightLine,
    Order,
    Parcel,
    Render,
    Shipment,
)
from sandbox.fields import Fields
from sandbox.goods import decimal_text
from sandbox.operations import Call, Envelope, Operations
from sandbox.public_page import PUBLIC_RENDER, SHIPMENT_ID, TRACKING_NUMBERS
from sandbox.refusals import (
    COUNTRY_NOT_SERVED,
    RENDER_NOT_FOUND,
    SERVICE_NOT_FOUND,
    Refusal,
    bad_request,
    order_not_found,
    product_not_found,
)
from sandbox.times import DAY, china_text
from sandbox.warehouse.freight import CURRENCY, Service, service_view, services_to
from sandbox.warehouse.views import TRACKING_PAGE
from sandbox.world import World

operations = Operations(Envelope.B)

RENDER_LIVES = DAY
FIRST_FRESH_NUMBER = 100  # smaller numbers are the public page's
ADDRESS_FIELDS = ("country", "city", "address", "name")


@operations.post("/open/pp/logistics/orderEstimateFreight")
def estimate(world: World, call: Call) -> dict[str, Any]:
    services = _services_to(call.body.text("country"))
    grams = _weight(world, _read_lines(world, call.body.objects("renderItems")))
    return {
        "currency": CURRENCY,
        "services": [service_view(service, grams) for service in services],
    }


@operations.post("/open/pp/logistics/orderRenderFreight", effect=True)
def render_freight(world: World, call: Call) -> dict[str, Any]:
    country = call.body.object("receiverAddress").text("country")
    services = _services_to(country)
    lines = _read_lines(world, call.body.objects("renderItems"))
    number = world.books.next("render")
    expires_at = world.now() + RENDER_LIVES
    render = Render(
        number,
        f"FF20240802{FIRST_FRESH_NUMBER + number:05d}",
        country,
        lines,
        expires_at,
    )
    world.books.add_render(render)
    return {
        "renderId": render.id,
        "expireTime": china_text(expires_at),
        "services": [
            service_view(service, _weight(world, lines)) for service in services
        ],
    }


def _services_to(country: str) -> list[Service]:
    services = services_to(country)
    if not services:
        raise Refusal(COUNTRY_NOT_SERVED, f"nobody ships to {country}")
    return services


def _read_lines(world: World, entries: Sequence[Fields]) -> list[FreightLine]:
    return [_read_line(world, entry) for entry in entries]


def _read_line(world: World, entry: Fields) -> FreightLine:
    item_id, sku_id = entry.identifier("itemId"), entry.identifier("skuId")
    item = world.catalogue.find(item_id)
    if item is None or item.sku(sku_id) is None:
        raise product_not_found(f"{item_id} with SKU {sku_id}")
    return FreightLine(
        item_id,
        sku_id,
        entry.whole("quantity", minimum=1),
        entry.optional_text("title", item.title),
    )


def _weight(world: World, lines: Sequence[FreightLine]) -> int:
    found = ((world.catalogue.find(line.item_id), line.quantity) for line in lines)
    return sum(
        (item.weighed or item.grams) * quantity for item, quantity in found if item
    )


@operations.post("/open/pp/logistics/orderBookingFreight", effect=True)
def book(world: World, call: Call) -> dict[str, Any]:
    render = _valid_render(world, call.body.text("renderId"))
    order = _paid_order(
        world, call.body.object("tmallOrderInfo").identifier("tmallOrderId")
    )
    receiver = _receiver(call.body.object("receiverAddress"), render)
    entries = call.body.objects("lineItems")
    lines = _read_lines(world, entries)
    _check_lines(lines, render, order)
    groups = _by_service(lines, entries, render)
    shipment_id, numbers = _fresh_numbers(world, render, len(groups))
    shipment = Shipment(
        sequence=world.books.next("shipment"),
        id=shipment_id,
        tmall_order_id=order.id,
        render_id=render.id,
        amount_cents=sum(
            service.price_cents(_weight(world, group)) for service, group in groups
        ),
        currency=CURRENCY,
        parcels=[
            Parcel(number, service.id, service.company, group)
            for number, (service, group) in zip(numbers, groups, strict=True)
        ],
        receiver=receiver,
        created_at=world.now(),
    )
    world.books.add_shipment(shipment)
    return _booked(shipment)


def _valid_render(world: World, render_id: str) -> Render:
    render = world.books.renders.get(render_id)
    if render is None or (
        render.expires_at is not None and render.expires_at <= world.now()
    ):
        raise Refusal(
            RENDER_NOT_FOUND, f"render {render_id} does not exist or has expired"
        )
    return render


def _paid_order(world: World, order_id: str) -> Order:
    order = world.books.orders.get(order_id)
    if order is None or not order.bookable:
        raise order_not_found(f"{order_id} (paid, not closed, not refunded)")
    return order


def _receiver(address: Fields, render: Render) -> dict[str, Any]:
    for name in ADDRESS_FIELDS:
        address.text(name)
    if not address.has("mobilePhone"):
        address.text("phone")
    if address.text("country") != render.country:
        raise bad_request(
            address.named("country"), f"the render is for {render.country}"
        )
    return dict(address.raw)


def _check_lines(lines: Sequence[FreightLine], render: Render, order: Order) -> None:
    """Refuse lines that were not rendered, are not of the order, or exceed its
    quantities.
    """
    for ids in {line.ids for line in lines}:
        booked = sum(line.quantity for line in lines if line.ids == ids)
        if booked > render.quantity_of(ids):
            raise bad_request(
                "lineItems", f"item {ids[0]} with SKU {ids[1]}: more than was rendered"
            )
        if booked > order.quantity_of(*ids):
            raise bad_request(
                "lineItems",
                f"item {ids[0]} with SKU {ids[1]}: more than order {order.id} holds",
            )


def _by_service(
    lines: Sequence[FreightLine], entries: Sequence[Fields], render: Render
) -> list[tuple[Service, list[FreightLine]]]:
    offered = {service.id: service for service in services_to(render.country)}
    groups: dict[str, list[FreightLine]] = {}
    for line, entry in zip(lines, entries, strict=True):
        service_id = entry.object("freightInfo").identifier("serviceId")
        if service_id not in offered:
            raise Refusal(
                SERVICE_NOT_FOUND,
                f"service {service_id} is not among those of render {render.id}",
            )
        groups.setdefault(service_id, []).append(line)
    return [(offered[service_id], group) for service_id, group in groups.items()]


def _fresh_numbers(world: World, render: Render, parcels: int) -> tuple[str, list[str]]:
    """Booking number and tracking numbers; the public page's own for its first
    booking.
    """
    if render.id == PUBLIC_RENDER.id and SHIPMENT_ID not in world.books.shipments:
        return SHIPMENT_ID, list(TRACKING_NUMBERS[:parcels])
    numbers = [
        FIRST_FRESH_NUMBER + world.books.next("tracking") for _ in range(parcels)
    ]
    shipment_id = str(FIRST_FRESH_NUMBER + world.books.next("booking"))
    return shipment_id, [f"FARJP2408{number:06d}YQ" for number in numbers]


def _booked(shipment: Shipment) -> dict[str, Any]:
    return {
        "orderId": shipment.id,
        "orderFee": {
            "amount": decimal_text(shipment.amount_cents),
            "currency": shipment.currency,
        },
        "subOrders": [_sub_order(parcel) for parcel in shipment.parcels],
    }


def _sub_order(parcel: Parcel) -> dict[str, Any]:
    return {
        "itemInfos": [
            {
                "itemId": line.item_id,
                "skuId": line.sku_id,
                "quantity": line.quantity,
                "title": line.title,
            }
            for line in parcel.lines
        ],
        "internationalLogisticInfos": {
            "logisticNumer": parcel.tracking_number,
            "logisticCompanyName": parcel.company,
            "trackingUrl": TRACKING_PAGE + parcel.tracking_number,
            "logisticType": parcel.company,
        },
    }


@operations.post("/open/pp/logistics/updateLogisticInfo", effect=True)
def update_domestic(world: World, call: Call) -> bool:
    shipment = world.books.shipments.get(call.body.identifier("orderId"))
    if shipment is None or shipment.tmall_order_id != call.body.identifier(
        "tmallOrderId"
    ):
        raise order_not_found(call.body.identifier("orderId"))
    reports: dict[tuple[str, str], Fields] = {}
    for info in call.body.objects("logisticInfos"):
        reports.update(_reports(shipment, info))
    for (tracking_number, domestic_number), report in reports.items():
        update = DomesticUpdate(
            sequence=world.books.next("domestic_update"),
            order_id=shipment.id,
            tmall_order_id=shipment.tmall_order_id,
            logistic_number=tracking_number,
            domestic_number=domestic_number,
            company=report.text("logisticCompanyName"),
            rts_time=report.text("rtsTime"),
            at=world.now(),
        )
        world.books.add_domestic_update(update)
    return True


def _reports(shipment: Shipment, info: Fields) -> dict[tuple[str, str], Fields]:
    """One entry's reports by tracking and domestic number, all checked before anything
    is stored.
    """
    tracking_number, line = info.text("logisticNumer"), info.object("lineItem")
    parcel = shipment.parcel(tracking_number)
    if parcel is None:
        raise bad_request(
            info.named("logisticNumer"), f"is not of booking {shipment.id}"
        )
    if not parcel.carries(line.identifier("itemId"), line.identifier("skuId")):
        raise bad_request(
            info.named("lineItem"), f"does not travel under {tracking_number}"
        )
    reports = info.objects("domesticLogisticInfo")
    for report in reports:
        report.text("logisticCompanyName")
        if not report.text("rtsTime").isdigit():
            raise bad_request(report.named("rtsTime"), "must be unix seconds as text")
    return {
        (tracking_number, report.text("logisticNumer")): report for report in reports
    }
