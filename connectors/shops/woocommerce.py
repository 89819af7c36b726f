"""WooCommerce's REST API: fulfillments, or the extension Shipment Tracking (assumed: no
shop was asked).
"""

from __future__ import annotations

import base64
from collections import Counter
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any, ClassVar

from pydantic import BaseModel

from connectors.shops.protocol import (
    Shop,
    ShownLine,
    ShownOrder,
    WaitingLine,
    WaitingOrder,
    fitting,
    read_each,
)
from connectors.xportcn.errors import ContractMismatch, Misconfigured, Refused
from domain.shop_tracking import Parcel

ORDERS = "/wp-json/wc/v3/orders"
ORDER = ORDERS + "/{}"
PRODUCTS = "/wp-json/wc/v3/products"
FULFILLMENTS = ORDER + "/fulfillments"
TRACKINGS = "/wp-json/wc-shipment-tracking/v3/orders/{}/shipment-trackings"
NO_ROUTE, NO_ORDER = "rest_no_route", "woocommerce_rest_shop_order_invalid_id"
OVER = ("cancelled", "completed", "refunded", "failed", "trash")
A_PAGE, MOST_PAGES = 50, 500


class LineItem(BaseModel):
    """A line. A variation without a SKU shows its product's, and with many attributes
    its product's name.
    """

    id: int
    name: str
    sku: str | None = None
    quantity: int
    product_id: int = 0
    variation_id: int = 0
    parent_name: str | None = None


class Product(BaseModel):
    id: int
    sku: str | None = None


class Order(BaseModel):
    """An order. `number` is what a plugin may show the merchant in place of the id."""

    number: str = ""
    refunds: list[Any] = []
    status: str
    line_items: list[LineItem]


class Place(BaseModel):
    first_name: str = ""
    last_name: str = ""
    company: str = ""
    address_1: str = ""
    address_2: str = ""
    city: str = ""
    state: str = ""
    postcode: str = ""
    country: str = ""
    phone: str = ""
    email: str = ""


class Waiting(Order):
    """An order in `processing`, which also has those that are paid on delivery, sent or
    refunded in part.
    """

    id: int
    date_paid: str | None = None
    billing: Place
    shipping: Place


class Meta(BaseModel):
    key: str
    value: Any


class Fulfillment(BaseModel):
    """What was sent, unless it is a draft."""

    is_fulfilled: bool = True
    meta_data: list[Meta]


class Item(BaseModel):
    item_id: int
    qty: int


class Tracking(BaseModel):
    tracking_number: str


class WooCommerce(Shop):
    """A shop of WooCommerce, by the key and secret of its REST API.

    An order shows neither which lines are virtual nor what was sent without a number.
    """

    asks: ClassVar[bool] = True

    @staticmethod
    def headers(user: str, password: str) -> Mapping[str, str]:
        return {
            "authorization": "Basic "
            + base64.b64encode(f"{user}:{password}".encode()).decode()
        }

    async def over(self, shop_ref: str) -> str:
        order = await self._order(shop_ref.removeprefix("#"))
        return (
            f"it is {order.status}"
            if isinstance(order, Order) and order.status in OVER
            else ""
        )

    async def _order(self, ref: str) -> Order | str:
        """The order, or why there is none."""
        if not (ref.isascii() and ref.isdecimal()):
            return "this is no order's number there"
        try:
            return fitting(Order, await self.calls.read("GET", ORDER.format(ref)))
        except Refused as error:
            if error.code == NO_ROUTE:
                raise Misconfigured(
                    "SOURCING_WOOCOMMERCE leads to no REST API of WooCommerce"
                ) from error
            if error.code != NO_ORDER:
                raise
            return "the shop has no such order"

    async def read(self, shop_ref: str) -> ShownOrder:
        ref = shop_ref.removeprefix("#")
        if isinstance(order := await self._order(ref), str):
            return ShownOrder(why=order)
        route, given = await self._numbers_of(ref)
        if route == TRACKINGS:
            numbers, sent = (
                {one.tracking_number for one in fitting(list[Tracking], given)},
                Counter[int](),
            )
        else:
            told = [
                each for each in fitting(list[Fulfillment], given) if each.is_fulfilled
            ]
            facts = [one for each in told for one in each.meta_data]
            numbers = {
                str(one.value)
                for one in facts
                if one.key == "_tracking_number" and one.value
            }
            items = [
                one
                for each in facts
                if each.key == "_items"
                for one in fitting(list[Item], each.value)
            ]
            sent = Counter()
            for item in items:
                sent[item.item_id] += item.qty
        return ShownOrder(
            numbers=frozenset(numbers),
            lines=tuple(
                _line(one, sent[one.id], by_id=order.number not in ("", ref))
                for one in order.line_items
            ),
            why=_why(order, route),
            route=route,
            is_whole=route == TRACKINGS,
        )

    async def _numbers_of(self, ref: str) -> tuple[str, object]:
        """How this shop learns of parcels, and what it has of an order's."""
        try:
            return FULFILLMENTS, await self.calls.read("GET", FULFILLMENTS.format(ref))
        except Refused as error:
            if error.code != NO_ROUTE:
                raise
        try:
            return TRACKINGS, await self.calls.read("GET", TRACKINGS.format(ref))
        except Refused as error:
            if error.code != NO_ROUTE:
                raise
        return "", []

    async def waiting(self) -> list[WaitingOrder]:
        orders = list[WaitingOrder]()
        for number in range(1, MOST_PAGES):
            query = {
                "status": "processing",
                "orderby": "id",
                "order": "asc",
                "per_page": str(A_PAGE),
            }
            found = await self.patiently(
                self.calls.read, "GET", ORDERS, query | {"page": str(number)}
            )
            page = fitting(list[Any], found)
            orders += read_each(
                Waiting,
                page,
                "id",
                partial(_waiting, await self._skus_of_products(page)),
            )
            if len(page) < A_PAGE:
                return orders
        raise ContractMismatch(
            f"more than {MOST_PAGES} pages of orders", operation="woocommerce"
        )

    async def _skus_of_products(self, orders: list[Any]) -> Mapping[int, str]:
        """The SKUs of the products of which variations are ordered."""
        lines = [
            line
            for one in orders
            if isinstance(one, dict)
            for line in one.get("line_items") or ()
        ]
        ids = sorted(
            {
                str(one.get("product_id"))
                for one in lines
                if isinstance(one, dict) and one.get("variation_id")
            }
        )
        found = dict[int, str]()
        for at in range(0, len(ids), 100):
            query = {"include": ",".join(ids[at : at + 100]), "per_page": "100"}
            products = fitting(
                list[Product],
                await self.patiently(self.calls.read, "GET", PRODUCTS, query),
            )
            found |= {one.id: one.sku or "" for one in products}
        return found

    async def sent(self, name: str) -> str:
        return (
            "the shop has a shipment of it" if (await self._numbers_of(name))[1] else ""
        )

    async def fulfil(
        self, shown: ShownOrder, parcel: Parcel, carrier: str, leave: Callable[[], None]
    ) -> None:
        ref = parcel.shop_ref.removeprefix("#")
        if shown.route == TRACKINGS:
            body: dict[str, object] = {
                "custom_tracking_provider": carrier,
                "tracking_number": parcel.number,
                "date_shipped": parcel.day.isoformat(),
            }
            await self.calls.post(TRACKINGS.format(ref), body, leave)
            return
        items = [
            {"item_id": int(line.ref), "qty": count}
            for line, count in shown.pieces(parcel)
        ]
        facts = {
            "_items": items,
            "_tracking_number": parcel.number,
            "_shipment_provider": "other",
            "_provider_name": carrier,
        }
        body = {
            "status": "fulfilled",
            "meta_data": [{"key": key, "value": value} for key, value in facts.items()],
        }
        await self.calls.post(
            FULFILLMENTS.format(ref), body, leave, {"notify_customer": "true"}
        )


def _why(order: Order, route: str) -> str:
    """Why the order takes no number; pieces that were refunded there are still in its
    lines.
    """
    if not route:
        return "it takes no tracking numbers"
    if order.status in OVER:
        return f"it is {order.status}"
    return "a part of it was refunded there" if order.refunds else ""


def _line(item: LineItem, sent: int, *, by_id: bool) -> ShownLine:
    """A line; where orders have other numbers than ids, only its id shows that the
    order is the one that is meant.
    """
    ref, sku, name = str(item.id), item.sku or "", item.name
    left = max(item.quantity - sent, 0)
    return ShownLine(
        ref=ref,
        line=ref,
        sku="" if by_id else sku,
        name="" if by_id else name,
        left=left,
    )


def _own_sku(item: LineItem, products: Mapping[int, str]) -> str:
    """The SKU of a line, with the variation's id where other variations show the same;
    empty where its name will do.
    """
    if item.sku:  # noqa: SIM108
        is_shared = item.sku == products.get(item.product_id, item.sku)
    else:
        is_shared = item.parent_name in (None, item.name)
    return (
        f"{item.sku or item.name}-{item.variation_id}"
        if item.variation_id and is_shared
        else item.sku or ""
    )


def _waiting(products: Mapping[int, str], order: Waiting) -> WaitingOrder | None:
    """The order with all its lines; None for one that is not paid."""
    if not order.date_paid:
        return None
    if order.refunds:  # quantities stay as they were ordered
        return WaitingOrder(name=str(order.id), why="it was refunded in part")
    to, by = order.shipping, order.billing
    at = to if to.address_1 else by
    lines = [
        WaitingLine(
            order=str(order.id),
            line=str(item.id),
            sku=_own_sku(item, products),
            name=item.name,
            quantity=item.quantity,
            receiver_name=f"{at.first_name} {at.last_name}".strip(),
            receiver_phone=to.phone or by.phone,
            receiver_email=by.email,
            country=at.country,
            state=at.state,
            city=at.city,
            zip=at.postcode,
            address=", ".join(filter(None, (at.address_1, at.address_2, at.company))),
        )
        for item in order.line_items
    ]
    return WaitingOrder(name=str(order.id), lines=tuple(lines))
