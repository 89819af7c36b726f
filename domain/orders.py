"""A request line, the order that lines make, and its receiver."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass, field, fields

from domain.marketplace import Marketplace
from domain.money import Money


@dataclass(frozen=True, slots=True, kw_only=True)
class Receiver:
    """The recipient of the parcel abroad. `country` is an ISO 3166-1 alpha-2 code; empty text stands for not given."""

    name: str
    phone: str
    email: str
    country: str
    state: str
    city: str
    zip: str
    address: str


ADDRESS = tuple(part.name for part in fields(Receiver))
CONTACT = ("name", "phone", "email", "address")
"""The parts that point to a person: a city or a postcode alone is many people's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One row of the merchant's file.

    `row` counts as the file does (the header is row 1). `item` is an id, a product URL or words to search;
    `sku` may be empty. `max_unit_price` is in CNY; None is no limit.
    """

    row: int
    item: str
    sku: str
    quantity: int
    max_unit_price: Money | None
    note: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """The lines that share an `order_ref`: one marketplace, one seller, one receiver.

    `freight` is `cheapest`, `fastest` or a service id.
    """

    order_ref: str
    marketplace: Marketplace
    receiver: Receiver
    freight: str
    lines: tuple[RequestLine, ...]

    @property
    def fingerprint(self) -> str:
        """A hash of goods and receiver; two orders of one `order_ref` must not differ in it."""
        content = {
            "order_ref": self.order_ref,
            "marketplace": self.marketplace,
            "receiver": {name: getattr(self.receiver, name) for name in ADDRESS},
            "freight": self.freight,
            "lines": [{"item": line.item, "sku": line.sku, "quantity": line.quantity} for line in self.lines],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def lines_without_limit(requests: Iterable[OrderRequest]) -> int:
    """How many lines have no price limit, so that budgets alone bound them."""
    return sum(1 for request in requests for line in request.lines if line.max_unit_price is None)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A request line matched to one SKU of one offer.

    `sku_id` is the marketplace's SKU; `spec_id` is 1688's 32-hex twin of it; `distribution_item_id` and
    `distribution_sku_id` are the ids that Taobao orders need (contract 2.2). Unused ones are empty.
    """

    line_no: int
    item_id: str
    sku_id: str
    title: str
    image_url: str
    quantity: int
    unit_price: Money
    spec_id: str = ""
    distribution_item_id: str = ""
    distribution_sku_id: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class SourcingOrder:
    """An order ready to be quoted, created, paid and booked: the request with every line matched.

    `flow` and `trade_type` are those of its quote.
    """

    request: OrderRequest
    seller_id: str
    lines: tuple[OrderLine, ...] = field(default_factory=tuple)
    flow: str = ""
    trade_type: str = ""

    @property
    def order_ref(self) -> str:
        return self.request.order_ref
