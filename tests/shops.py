"""A shop of Shopify and one of WooCommerce, as far as tracking numbers go, with faults;
here or on a port.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any

from aiohttp import web

from connectors.http import HttpAnswer, _current

Answer = tuple[int, Any]
NO_ROUTE: Answer = (404, {"code": "rest_no_route", "message": "No route was found"})


class Fault(StrEnum):
    """What befalls the next call that gives a number."""

    NONE = "none"
    LOST_BEFORE = "lost before"
    LOST_AFTER = "lost after"
    BROKEN_BEFORE = "500 before"
    BROKEN_AFTER = "500 after"
    TOO_MANY = "too many"
    DEATH_BEFORE = "death before"
    DEATH_AFTER = "death after"


class Death(BaseException):
    """The process dies at this place."""


@dataclass
class Order:
    """An order: its lines by id as (SKU, pieces), and what was sent."""

    lines: dict[str, tuple[str, int]]
    sent: Counter[str] = field(default_factory=Counter)
    numbers: list[str] = field(default_factory=list)
    cancelled: list[str] = field(default_factory=list)


@dataclass
class ShopServer:
    """Both shops with the same orders; WooCommerce has fulfillments, or the
    extension.
    """

    orders: dict[str, Order]
    has_fulfillments: bool = True
    faults: Iterator[Fault] = field(default_factory=lambda: iter(()))
    calls: list[str] = field(default_factory=list)
    headers: list[dict[str, str]] = field(default_factory=list)
    standings: dict[str, dict[str, str]] = field(default_factory=dict)

    @property
    def given(self) -> list[str]:
        """Every number that an order was given, as often as it was."""
        return [number for order in self.orders.values() for number in order.numbers]

    def answer(self, method: str, path: str, body: bytes) -> Answer:
        content = json.loads(body) if body else {}
        if path.startswith("/admin/"):
            return self._shopify(content)
        if path == "/wp-json/wc/v3/orders":
            return 200, [
                *self._woo_waiting(),
                {**self._woo_waiting()[0], "id": 9, "date_paid": None},
            ]
        if path == "/wp-json/wc/v3/products":
            return 200, [{"id": 5, "sku": "SCARF"}]
        found = re.fullmatch(
            r"/wp-json/(wc|wc-shipment-tracking)/v3/orders/([0-9]+)(/[a-z-]+)?", path
        )
        assert found, path
        return self._woo(method, found[1], found[2], found[3] or "", content)

    def is_effect(self, method: str, path: str, body: bytes) -> bool:
        return (
            b"fulfillmentCreate" in body
            if path.startswith("/admin/")
            else method == "POST"
        )

    def _shopify(self, content: Any) -> Answer:
        query, given = content["query"], content["variables"]
        if "orders(first: 5" in query:
            ref = re.fullmatch('name:"#(.+)"', given["query"])
            assert ref
            alike = [
                name for name in self.orders if name.startswith(ref[1])
            ]  # a search finds more than the name
            stands = {
                "cancelledAt": None,
                "displayFinancialStatus": "PAID",
                "displayFulfillmentStatus": "UNFULFILLED",
            }
            named = [
                {
                    "id": f"gid:{at}",
                    "name": f"#{at}",
                    **stands,
                    **self.standings.get(at, {}),
                }
                for at in alike
            ]
            return 200, {"data": {"orders": {"nodes": named}}}
        if "financial_status:paid" in query:
            names = sorted(self.orders)
            at = int(given["after"] or 0)
            page = {"hasNextPage": at + 1 < len(names), "endCursor": str(at + 1)}
            nodes = [self._waiting(name) for name in names[at : at + 1]]
            return 200, {"data": {"orders": {"pageInfo": page, "nodes": nodes}}}
        if "order(id" in query:
            return 200, {
                "data": {"order": self._shown(given["id"].removeprefix("gid:"))}
            }
        (part,) = given["fulfillment"]["lineItemsByFulfillmentOrder"]
        order = self.orders[part["fulfillmentOrderId"].removeprefix("fo:")]
        sent = {
            one["id"].removeprefix("fl:"): one["quantity"]
            for one in part["fulfillmentOrderLineItems"]
        }
        if any(
            order.sent[line] + count > order.lines[line][1]
            for line, count in sent.items()
        ):
            errors = [
                {
                    "field": None,
                    "message": "Invalid fulfillment order line item quantity requested.",
                }
            ]
            return 200, {
                "data": {
                    "fulfillmentCreate": {"fulfillment": None, "userErrors": errors}
                }
            }
        order.sent += Counter(sent)
        order.numbers.append(given["fulfillment"]["trackingInfo"]["number"])
        return 200, {
            "data": {
                "fulfillmentCreate": {"fulfillment": {"id": "f"}, "userErrors": []}
            }
        }

    def _shown(self, ref: str) -> Any:
        order, whole = self.orders[ref], {"hasNextPage": False}
        lines = [
            {
                "id": f"fl:{line}",
                "remainingQuantity": pieces - order.sent[line],
                "lineItem": {"id": line, "sku": sku, "name": sku.title()},
            }
            for line, (sku, pieces) in order.lines.items()
        ]
        part = {
            "id": f"fo:{ref}",
            "status": "OPEN",
            "lineItems": {"pageInfo": whole, "nodes": lines},
        }
        return {
            "fulfillments": [
                {"status": status, "trackingInfo": [{"number": number}]}
                for status, numbers in (
                    ("SUCCESS", order.numbers),
                    ("CANCELLED", order.cancelled),
                )
                for number in numbers
            ],
            "fulfillmentOrders": {"pageInfo": whole, "nodes": [part]},
        }

    def _waiting(self, name: str) -> Any:
        lines = [
            {
                "id": f"gid:{line}",
                "sku": sku,
                "name": "A fern",
                "requiresShipping": True,
                "unfulfilledQuantity": pieces,
            }
            for line, (sku, pieces) in self.orders[name].lines.items()
        ]
        at = {
            **{
                "name": "Jane Doe",
                "phone": None,
                "address1": "1 Main St",
                "address2": None,
                "company": "=Doe & Co",
            },
            **{
                "city": "Boston",
                "zip": "02134",
                "province": "MA",
                "countryCodeV2": "US",
            },
        }
        return {
            **{
                "name": f"#{name}",
                "test": False,
                "email": "jane@example.com",
                "phone": "+1 617 555 0100",
                "displayFinancialStatus": "PAID",
                "displayFulfillmentStatus": "UNFULFILLED",
                "shippingAddress": at,
            },
            "lineItems": {"pageInfo": {"hasNextPage": False}, "nodes": lines},
        }

    def _woo_waiting(self) -> Any:
        at = {
            **{
                "first_name": "Jane",
                "last_name": "Doe",
                "address_1": "1 Main St",
                "company": "=Doe & Co",
            },
            **{"city": "Boston", "state": "MA", "postcode": "02134", "country": "US"},
        }
        return [
            {
                **{
                    "id": int(name),
                    "status": "processing",
                    "shipping": at,
                    "date_paid": "2026-01-01T00:00:00",
                },
                "billing": {"email": "jane@example.com", "phone": "+1 617 555 0100"},
                "line_items": [
                    {"id": int(line), "name": "A fern", "sku": sku, "quantity": pieces}
                    for line, (sku, pieces) in self.orders[name].lines.items()
                ],
            }
            for name in sorted(self.orders)
        ]

    def _woo(
        self, method: str, space: str, ref: str, what: str, content: Any
    ) -> Answer:
        if (order := self.orders.get(ref)) is None:
            return 404, {
                "code": "woocommerce_rest_shop_order_invalid_id",
                "message": "Invalid ID.",
            }
        if what == "":
            items = [
                {"id": int(line), "name": sku.title(), "sku": sku, "quantity": pieces}
                for line, (sku, pieces) in order.lines.items()
            ]
            shown = {
                "status": "processing",
                "line_items": items,
                "billing": {"email": "jane@example.com"},
            }
            return 200, shown | self.standings.get(ref, {})
        if (what == "/fulfillments") is not self.has_fulfillments or (
            space == "wc"
        ) is not self.has_fulfillments:
            return NO_ROUTE
        if not self.has_fulfillments:
            order.numbers += [content["tracking_number"]] if method == "POST" else []
            return 200, [{"tracking_number": number} for number in order.numbers]
        if method == "GET":
            items = [
                {"item_id": int(line), "qty": count}
                for line, count in order.sent.items()
            ]
            facts = [
                {"key": "_tracking_number", "value": number} for number in order.numbers
            ]
            return 200, [
                {"meta_data": [*facts, {"key": "_items", "value": items}]}
            ] if items or facts else []
        given = {one["key"]: one["value"] for one in content["meta_data"]}
        order.sent += Counter(
            {str(one["item_id"]): one["qty"] for one in given["_items"]}
        )
        order.numbers.append(given["_tracking_number"])
        return 201, {"id": 1}

    def application(self) -> web.Application:
        """The shops on a port, without faults."""

        async def answer(request: web.Request) -> web.Response:
            status, content = self.answer(
                request.method, request.path, await request.read()
            )
            return web.json_response(content, status=status)

        made = web.Application()
        made.router.add_route("*", "/{path:.*}", answer)
        return made


class InProcess:
    """The way to the shops in this process: in place of the exchanges of `Http`."""

    def __init__(self, server: ShopServer) -> None:
        self._server = server

    async def exchange(
        self,
        method: str,
        path: str,
        *,
        headers: Mapping[str, str],
        query: Mapping[str, str],
        body: str = "",
    ) -> HttpAnswer:
        server, content = self._server, body.encode()
        is_effect = server.is_effect(method, path, content)
        fault = next(server.faults, Fault.NONE) if is_effect else Fault.NONE
        if fault is Fault.DEATH_BEFORE:
            raise Death
        _current.get().first_byte()
        server.calls.append(f"{method} {path}")
        server.headers.append({name.lower(): value for name, value in headers.items()})
        if fault is Fault.TOO_MANY:
            return HttpAnswer(429, {}, b'{"message": "slow down"}')
        if fault in (Fault.LOST_BEFORE, Fault.BROKEN_BEFORE):
            return _broken(fault)
        status, answer = server.answer(method, path, content)
        if fault is Fault.DEATH_AFTER:
            raise Death
        if fault in (Fault.LOST_AFTER, Fault.BROKEN_AFTER):
            return _broken(fault)
        return HttpAnswer(status, {}, json.dumps(answer).encode())


def _broken(fault: Fault) -> HttpAnswer:
    if fault in (Fault.LOST_BEFORE, Fault.LOST_AFTER):
        raise ConnectionResetError("cut")
    return HttpAnswer(500, {}, b"<html>")
