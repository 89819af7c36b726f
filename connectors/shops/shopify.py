"""Shopify's GraphQL API: fulfillment orders have what is left to send (assumed: no shop
was asked).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ConfigDict
from pydantic.alias_generators import to_camel

from connectors.foreign import clean, shortened
from connectors.shops.protocol import (
    THROTTLED,
    Shop,
    ShownLine,
    ShownOrder,
    WaitingLine,
    WaitingOrder,
    fitting,
    read_each,
)
from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
)
from domain.shop_tracking import Parcel

PATH = "/admin/api/2026-10/graphql.json"
OPEN = ("OPEN", "IN_PROGRESS")
FIND = """query($query: String!) { orders(first: 5, query: $query) { nodes {
  id name cancelledAt displayFinancialStatus displayFulfillmentStatus } } }"""
SHOW = """query($id: ID!) { order(id: $id) {
  fulfillments(first: 50) { status trackingInfo { number } }
  fulfillmentOrders(first: 5) { pageInfo { hasNextPage } nodes { id status
    lineItems(first: 50) { pageInfo { hasNextPage } nodes { id remainingQuantity lineItem { id sku name } } } } } } }"""
FULFIL = """mutation($fulfillment: FulfillmentInput!) { fulfillmentCreate(fulfillment: $fulfillment) {
  fulfillment { id } userErrors { message } } }"""
WAITING = """query($after: String) { orders(first: 20, after: $after, sortKey: CREATED_AT,
    query: "status:open -fulfillment_status:fulfilled (financial_status:paid OR financial_status:partially_refunded)") {
  pageInfo { hasNextPage endCursor } nodes {
  name test email phone displayFinancialStatus displayFulfillmentStatus
  shippingAddress { name phone address1 address2 company city zip province countryCodeV2 }
  lineItems(first: 30) { pageInfo { hasNextPage } nodes { id sku name requiresShipping unfulfilledQuantity } } } } }"""
OVER = ("cancelled", "REFUNDED", "VOIDED", "FULFILLED")
USER_ERRORS = "user_errors"
MOST_PAGES = 500
N = TypeVar("N")


class Node(BaseModel):
    """A part of an answer."""

    model_config = ConfigDict(alias_generator=to_camel)


class Named(Node):
    id: str
    name: str
    cancelled_at: str | None
    display_financial_status: str | None
    display_fulfillment_status: str | None


class PageInfo(Node):
    has_next_page: bool
    end_cursor: str | None = None


class Page(Node, Generic[N]):
    page_info: PageInfo
    nodes: list[N]


class LineItem(Node):
    id: str
    sku: str | None
    name: str


class Line(Node):
    id: str
    remaining_quantity: int
    line_item: LineItem


class Part(Node):
    """A fulfillment order: what one location sends."""

    id: str
    status: str
    line_items: Page[Line]


class TrackingInfo(Node):
    number: str | None


class Fulfillment(Node):
    status: str
    tracking_info: list[TrackingInfo]


class Order(Node):
    fulfillments: list[Fulfillment]
    fulfillment_orders: Page[Part]


class Address(Node):
    name: str | None
    phone: str | None
    address1: str | None
    address2: str | None
    company: str | None
    city: str | None
    zip: str | None
    province: str | None
    country_code_v2: str | None


class WaitingItem(LineItem):
    requires_shipping: bool
    unfulfilled_quantity: int


class Waiting(Node):
    """An order that is not sent as a whole; nothing was paid for a `test`."""

    name: str
    test: bool
    email: str | None
    phone: str | None
    display_financial_status: str
    display_fulfillment_status: str
    shipping_address: Address | None
    line_items: Page[WaitingItem]


class UserError(Node):
    message: str


class Shopify(Shop):
    """A shop of Shopify, by the access token of a custom app."""

    @staticmethod
    def headers(user: str, password: str) -> Mapping[str, str]:
        return {"x-shopify-access-token": password}

    async def over(self, shop_ref: str) -> str:
        if len(found := await self._found(shop_ref)) != 1:
            return ""
        words = (
            "cancelled",
            found[0].display_financial_status,
            found[0].display_fulfillment_status,
        )
        return next(
            (
                f"it is {one.lower()}"
                for one in words[not found[0].cancelled_at :]
                if one in OVER
            ),
            "",
        )

    async def _found(self, shop_ref: str) -> list[Named]:
        found = await self._asked(
            FIND, {"query": f'name:"{shop_ref}"'}, "orders", "nodes"
        )
        return [one for one in fitting(list[Named], found) if one.name == shop_ref]

    async def read(self, shop_ref: str) -> ShownOrder:
        found = await self._found(shop_ref)
        if len(found) != 1:
            return ShownOrder(
                why=f"the shop has {'several orders' if found else 'no order'} of this name"
            )
        order = fitting(Order, await self._asked(SHOW, {"id": found[0].id}, "order"))
        sent = [one for one in order.fulfillments if one.status != "CANCELLED"]
        numbers = frozenset(
            one.number for each in sent for one in each.tracking_info if one.number
        )
        parts = order.fulfillment_orders.nodes
        pages: list[Page[Any]] = [
            order.fulfillment_orders,
            *(one.line_items for one in parts),
        ]
        if any(page.page_info.has_next_page for page in pages):
            return ShownOrder(numbers=numbers, why="it has more lines than are read")
        lines = [_line(part, one) for part in parts for one in part.line_items.nodes]
        return ShownOrder(numbers=numbers, lines=tuple(lines))

    async def waiting(self) -> list[WaitingOrder]:
        orders, after = list[WaitingOrder](), None
        for _ in range(MOST_PAGES):
            page = fitting(
                Page[Any],
                await self.patiently(self._asked, WAITING, {"after": after}, "orders"),
            )
            orders += read_each(Waiting, page.nodes, "name", _waiting)
            after = page.page_info.end_cursor
            if not page.page_info.has_next_page:
                return orders
        raise ContractMismatch(
            f"more than {MOST_PAGES} pages of orders", operation="shopify"
        )

    async def fulfil(
        self, shown: ShownOrder, parcel: Parcel, carrier: str, leave: Callable[[], None]
    ) -> None:
        parts: dict[str, list[dict[str, object]]] = {}
        for line, count in shown.pieces(parcel):
            parts.setdefault(line.of, []).append({"id": line.ref, "quantity": count})
        fulfillment = {
            "lineItemsByFulfillmentOrder": [
                {"fulfillmentOrderId": of, "fulfillmentOrderLineItems": lines}
                for of, lines in parts.items()
            ],
            "notifyCustomer": True,
            "trackingInfo": {"company": carrier, "number": parcel.number},
        }
        found = await self._asked(
            FULFIL,
            {"fulfillment": fulfillment},
            "fulfillmentCreate",
            "userErrors",
            leave=leave,
        )
        if errors := fitting(list[UserError], found):
            words = "; ".join(shortened(clean(one.message), 200) for one in errors)
            raise Refused(words, operation="shopify", code=USER_ERRORS)

    async def _asked(
        self,
        query: str,
        variables: object,
        *path: str,
        leave: Callable[[], None] | None = None,
    ) -> object:
        """What stands at the end of a path of an answer's data."""
        body = {"query": query, "variables": variables}
        found: Any = await (
            self.calls.post(PATH, body, leave)
            if leave
            else self.calls.read("POST", PATH, body=body)
        )
        answer = fitting(dict[str, Any], found)
        if errors := answer.get("errors"):
            _raise(errors)
        data: Any = answer.get("data")
        for name in path:
            data = fitting(dict[str, Any], data).get(name)
        return data


def _raise(errors: object) -> None:
    """Raise what the errors of an answer mean."""
    listed = errors if isinstance(errors, list) else []
    codes = {
        (one.get("extensions") or {}).get("code")
        for one in listed
        if isinstance(one, dict)
    }
    words = shortened(clean(str(errors)), 200)
    if (
        THROTTLED in codes
    ):  # by the cost of a query, which is known before it is carried out
        raise NotSent("too many calls", operation="shopify", code=THROTTLED)
    if "ACCESS_DENIED" in codes:
        raise Misconfigured(
            f"shopify refuses the credentials: {words}", code="ACCESS_DENIED"
        )
    raise Unanswered(words, operation="shopify")


def _line(part: Part, one: Line) -> ShownLine:
    item, left = one.line_item, one.remaining_quantity if part.status in OPEN else 0
    return ShownLine(
        ref=one.id,
        line=item.id,
        sku=item.sku or "",
        name=item.name,
        left=left,
        of=part.id,
    )


def _waiting(order: Waiting) -> WaitingOrder | None:
    """The order with its lines to be shipped; None where there is nothing to ship, or
    nothing was paid.
    """
    items = [
        one
        for one in order.line_items.nodes
        if one.requires_shipping and one.unfulfilled_quantity > 0
    ]
    is_cut = order.line_items.page_info.has_next_page
    if order.test or not (items or is_cut):
        return None
    state = order.display_financial_status, order.display_fulfillment_status
    if state not in (("PAID", "UNFULFILLED"), ("PAID", "OPEN")):
        words = " and ".join(state).lower().replace("_", " ")
        return WaitingOrder(
            name=order.name,
            why=f"it is {words}",
            sent=state == ("PAID", "PARTIALLY_FULFILLED"),
        )
    if (at := order.shipping_address) is None or is_cut:
        why = (
            "it has more lines than are read"
            if is_cut
            else "it has no shipping address"
        )
        return WaitingOrder(name=order.name, why=why)
    lines = [
        WaitingLine(
            order=order.name,
            line=item.id,
            sku=item.sku or "",
            name=item.name,
            quantity=item.unfulfilled_quantity,
            receiver_name=at.name or "",
            receiver_phone=at.phone or order.phone or "",
            receiver_email=order.email or "",
            country=at.country_code_v2 or "",
            state=at.province or "",
            city=at.city or "",
            zip=at.zip or "",
            address=", ".join(filter(None, (at.address1, at.address2, at.company))),
        )
        for item in items
    ]
    return WaitingOrder(name=order.name, lines=tuple(lines))
