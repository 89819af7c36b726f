"""The lines and the address of a Poizon preview or create, and their problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from sandbox.alibaba_1688.cargo import PROVINCES
from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.ordering import Pick
from sandbox.refusals import bad_request
from sandbox.world import World

MAX_SKUS = 50
ADDRESS_INVALID, SELLER_MISMATCH = "ADDRESS_INVALID", "SELLER_MISMATCH"
PROBLEMS = {
    "SPU_OFF_SALE": "the product is off sale",
    "SKU_NOT_FOUND": "the four ids do not belong together",
    "BELOW_MIN_QUANTITY": "below the product's minimum quantity",
    "OUT_OF_STOCK": "not enough stock",
    ADDRESS_INVALID: "shippingAddress is not a complete address in China",
    SELLER_MISMATCH: "the products are of more than one seller",
    "DUPLICATE_REQUEST_ID": "requestId was used for other lines",
    "PRICE_CHANGED": "a line costs more than its price",
}
ADDRESS_TEXTS = ("name", "phone", "province", "city", "district", "detailAddress")


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One asked line; `problem` is its error code, empty when it can be bought."""

    item: Item
    sku: Sku | None
    sku_id: str
    quantity: int
    problem: str

    def pick(self) -> Pick:
        assert self.sku is not None, "only what can be bought is picked"
        return Pick(self.item, self.sku, self.quantity, self.sku.price_fen)


def line_entries(body: Fields) -> list[Fields]:
    """The asked lines, with ids and quantities of the right kind."""
    entries = body.objects("productList")
    if len(entries) > MAX_SKUS:
        raise bad_request("productList", f"at most {MAX_SKUS} SKUs")
    for entry in entries:
        for name in ("dwSpuId", "dwSkuId", "distSpuId", "distSkuId"):
            entry.identifier(name)
        entry.whole("quantity", minimum=1)
    return entries


def wanted_lines(world: World, entries: Sequence[Fields]) -> list[WantedLine]:
    """Unknown products are refused; the minimum counts each line by itself."""
    of_sku: Counter[str] = Counter()
    for entry in entries:
        of_sku[entry.identifier("dwSkuId")] += entry.whole("quantity")
    return [
        _wanted(world, entry, of_sku[entry.identifier("dwSkuId")]) for entry in entries
    ]


def _wanted(world: World, entry: Fields, of_sku: int) -> WantedLine:
    spu_id, quantity = entry.identifier("dwSpuId"), entry.whole("quantity")
    item = world.catalogue.shelf("poizon").product(spu_id)
    sku = _belonging(item, entry)
    return WantedLine(
        item,
        sku,
        entry.identifier("dwSkuId"),
        quantity,
        _problem(item, sku, quantity, of_sku),
    )


def _belonging(item: Item, entry: Fields) -> Sku | None:
    sku = item.sku(entry.identifier("dwSkuId"))
    if sku is None or (item.mp_id, sku.mp_id) != (
        entry.identifier("distSpuId"),
        entry.identifier("distSkuId"),
    ):
        return None
    return sku


def _problem(item: Item, sku: Sku | None, quantity: int, of_sku: int) -> str:
    if item.offline:
        return "SPU_OFF_SALE"
    if sku is None:
        return "SKU_NOT_FOUND"
    if quantity < item.min_quantity:
        return "BELOW_MIN_QUANTITY"
    return "OUT_OF_STOCK" if of_sku > sku.stock else ""


def read_address(body: Fields) -> dict[str, Any]:
    address = body.object("shippingAddress")
    for name in ADDRESS_TEXTS:
        address.text_or_empty(name)
    address.optional_text("email")
    return dict(address.raw)


def order_problem(address: dict[str, Any], lines: Sequence[WantedLine]) -> str:
    """The problem of the order as a whole."""
    complete = all(address[name].strip() for name in ADDRESS_TEXTS)
    if not complete or not address["province"].startswith(PROVINCES):
        return ADDRESS_INVALID
    return SELLER_MISMATCH if len({line.item.seller.id for line in lines}) > 1 else ""
