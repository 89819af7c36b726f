"""The lines that an Alibaba.com freight calculation or create asks for, and their
problems (contract 1.6).
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.ordering import Pick
from sandbox.quotes import Line
from sandbox.refusals import Refusal, bad_request
from sandbox.world import World

MAX_SKUS = 50
CANNOT_SHIP, WRONG_DISPATCH, WRONG_CARRIER = 120019, 130608, 4028
OFFLINE, SKU_GONE, BELOW_MINIMUM, OUT_OF_STOCK = 130106, 10005, 10007, 130703
PROBLEMS = {
    OFFLINE: "the product is offline",
    SKU_GONE: "the product has no such SKU",
    BELOW_MINIMUM: "below the product's minimum order quantity",
    OUT_OF_STOCK: "the stock of the SKU is not enough",
}
ADDRESS_TEXTS = (
    "zip",
    "country",
    "countryCode",
    "province",
    "city",
    "address",
    "contactPerson",
)


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One asked line; `problem` is the ICBU code, 0 when it can be bought."""

    item: Item
    sku: Sku | None
    sku_id: str
    quantity: int
    unit_fen: int
    problem: int

    @property
    def words(self) -> str:
        return f"product {self.item.id}, SKU {self.sku_id}: {PROBLEMS[self.problem]}"

    def pick(self) -> Pick:
        assert self.sku is not None, "only what can be bought is picked"
        return Pick(self.item, self.sku, self.quantity, self.unit_fen)


def read_lines(body: Fields) -> list[Line]:
    """Product, SKU and quantity of each asked line."""
    entries = body.objects("productList")
    if len(entries) > MAX_SKUS:
        raise bad_request("productList", f"at most {MAX_SKUS} SKUs")
    return [
        (
            entry.identifier("productId"),
            entry.identifier("skuId"),
            entry.whole("quantity", minimum=1),
        )
        for entry in entries
    ]


def wanted_lines(world: World, lines: Sequence[Line]) -> list[WantedLine]:
    """Unknown products are refused; the minimum and the ladder price count all of a
    product in the order.
    """
    of_product: Counter[str] = Counter()
    of_sku: Counter[tuple[str, str]] = Counter()
    for product_id, sku_id, quantity in lines:
        of_product[product_id] += quantity
        of_sku[product_id, sku_id] += quantity
    return [
        _wanted(world, line, of_product[line[0]], of_sku[line[0], line[1]])
        for line in lines
    ]


def _wanted(world: World, line: Line, of_product: int, of_sku: int) -> WantedLine:
    product_id, sku_id, quantity = line
    item = world.catalogue.shelf("international").product(product_id)
    sku = item.sku(sku_id)
    unit_fen = item.unit_fen(sku, of_product) if sku else 0
    return WantedLine(
        item, sku, sku_id, quantity, unit_fen, _problem(item, sku, of_product, of_sku)
    )


def _problem(item: Item, sku: Sku | None, of_product: int, of_sku: int) -> int:
    if item.offline:
        return OFFLINE
    if sku is None:
        return SKU_GONE
    if of_product < item.min_quantity:
        return BELOW_MINIMUM
    return OUT_OF_STOCK if of_sku > sku.stock else 0


def check_one_seller(lines: Sequence[WantedLine]) -> None:
    if len({line.item.seller.id for line in lines}) > 1:
        raise bad_request("productList", "the products are of more than one seller")


def read_destination(body: Fields) -> tuple[str, str]:
    """Country code and dispatch location; the rest of the address must be there."""
    address = body.object("shipmentAddress")
    for name in ADDRESS_TEXTS:
        address.text(name)
    for name in ("alternateAddress", "provinceCode", "cityCode"):
        address.optional_text(name)
    telephone = address.object("telephone")
    for name in ("country", "number"):
        telephone.text(name)
    telephone.optional_text("area")
    return address.text("countryCode"), body.text("dispatchLocation")


def check_destination(country_code: str, dispatch_location: str) -> None:
    if country_code != "CN":
        raise Refusal(CANNOT_SHIP, f"no carrier goes to {country_code}")
    if dispatch_location != "CN":
        raise Refusal(WRONG_DISPATCH, f"nothing is dispatched from {dispatch_location}")
