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
    """The recipient of the parcel abroad. `country` is an ISO 3166-1 alpha-2 code;
    empty text stands for not given.
    """

    name: str
    phone: str
    email: str
    country: str
    state: str
    city: str
    zip: str
    address: str


ADDRESS = tuple(field.name for field in fields(Receiver))
CONTACT = ("name", "phone", "email", "address")
"""The parts that point to a person: a city or a postcode alone is many people's."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Component:
    """A row of the SKU book: `pieces` of an item for each own SKU. `max_unit_price` is
    in CNY; None is no limit.
    """

    item: str
    sku: str
    pieces: int
    max_unit_price: Money | None


@dataclass(frozen=True, slots=True, kw_only=True)
class ShopLine:
    """A line of the shop's order with its pieces. `line` is its id there, empty where
    the shop's file has none.
    """

    line: str
    quantity: int


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnSku:
    """An own SKU of the merchant, `quantity` of which a line asks for, and the entry of
    the SKU book as it was read.

    Of `ranks`, the best first, each is a bundle of components; the one at `rank` is
    bought. There is none where the book has no entry. Lines of one `group` and
    `marketplace` make an order. `shop_lines` are those that ask for it.
    """

    sku: str
    quantity: int
    marketplace: Marketplace | None = None
    group: str = ""
    ranks: tuple[tuple[Component, ...], ...] = ()
    rank: int = 0
    shop_lines: tuple[ShopLine, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class RequestLine:
    """One row of the merchant's file, or one component of its own SKU.

    `row` counts as the file does (the header is row 1). `item` is an id, a product URL
    or words to search; `sku` may be empty. `max_unit_price` is in CNY; None is no
    limit.
    """

    row: int
    item: str
    sku: str
    quantity: int
    max_unit_price: Money | None
    note: str = ""
    own: OwnSku | None = None

    @property
    def wanted(self) -> str:
        """The merchant's words for the item: the own SKU where the line has one."""
        return self.own.sku if self.own else self.item

    @property
    def is_in_book(self) -> bool:
        """Whether it is known what to buy; false for an own SKU that the SKU book
        lacks.
        """
        return self.own is None or bool(self.own.ranks)


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderRequest:
    """The lines that share an `order_ref`: one marketplace, one seller, one receiver.

    `freight` is `cheapest`, `fastest` or a service id. `shop_ref` is the order's id in
    the shop whose file it is of.
    """

    order_ref: str
    marketplace: Marketplace
    receiver: Receiver
    freight: str
    lines: tuple[RequestLine, ...]
    shop: str = ""
    shop_ref: str = ""

    @property
    def own_skus(self) -> tuple[OwnSku, ...]:
        """The own SKUs of its lines, each once."""
        return tuple(
            {line.own.sku: line.own for line in self.lines if line.own}.values()
        )

    @property
    def lacks_an_entry(self) -> bool:
        """Whether the SKU book lacks one of its own SKUs."""
        return not all(line.is_in_book for line in self.lines)

    @property
    def fingerprint(self) -> str:
        """A hash of goods and receiver; two orders of one `order_ref` must not differ
        in it.

        For own SKUs it is of what was asked for: it stands whatever the SKU book says.
        """
        own = self.own_skus
        content = {
            "order_ref": self.order_ref,
            "marketplace": "" if own else self.marketplace,
            "receiver": {name: getattr(self.receiver, name) for name in ADDRESS},
            "freight": self.freight,
            "lines": [
                {"own_sku": own_sku.sku, "quantity": own_sku.quantity}
                for own_sku in own
            ]
            or [
                {"item": line.item, "sku": line.sku, "quantity": line.quantity}
                for line in self.lines
            ],
        }
        return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()

    @property
    def limits(self) -> list[Money | None]:
        """What each line may cost; of own SKUs the SKU book says it."""
        return [line.max_unit_price for line in self.lines if line.own is None]


def marketplaces_of(requests: Iterable[OrderRequest]) -> dict[str, Marketplace]:
    """Each order's marketplace by its reference: all that a run of 100,000 orders keeps
    of requests it has planned.
    """
    return {request.order_ref: request.marketplace for request in requests}


def lines_without_limit(requests: Iterable[OrderRequest]) -> int:
    """How many lines have no price limit, so that budgets alone bound them."""
    return sum(
        1
        for request in requests
        for line in request.lines
        if line.max_unit_price is None
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class OrderLine:
    """A request line matched to one SKU of one offer.

    `sku_id` is the marketplace's SKU; `spec_id` is 1688's 32-hex twin of it;
    `distribution_item_id` and `distribution_sku_id` are the ids that Taobao orders need
    (contract 2.2). Unused ones are empty.
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
    """An order ready to be quoted, created, paid and booked: the request with every
    line matched.

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
