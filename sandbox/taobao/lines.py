"""The lines of a Taobao render, create or cart, and their problems."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.ordering import Pick, by_depot, goods_fen, postage_fen
from sandbox.refusals import bad_request, product_not_found
from sandbox.world import World

SOLD_OUT = "OUT_OF_STOCK"
PROBLEMS = {
    "ITEM_OFFLINE": "the item is offline",
    "SKU_NOT_FOUND": "the item has no such SKU",
    "BELOW_MIN_QUANTITY": "below the item's minimum quantity",
    SOLD_OUT: "not enough stock",
    "SELLER_MISMATCH": "the lines are from more than one seller",
    "ADDRESS_INVALID": "receiver or warehouse address is not complete",
    "DUPLICATE_OUTER_ID": "outerPurchaseId was used for other lines",
    "PRICE_CHANGED": "the order costs more than purchaseAmount",
}


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One asked line; `problem` is the line's error code, empty when it can be
    bought.
    """

    item: Item
    sku: Sku | None
    sku_mp_id: str
    quantity: int
    number: str
    problem: str
    cart_id: int | None = None

    def pick(self) -> Pick:
        assert self.sku is not None, "only what can be bought is picked"
        return Pick(self.item, self.sku, self.quantity, self.sku.price_fen, self.number)


def read_lines(world: World, entries: Sequence[Fields]) -> list[WantedLine]:
    quantities: Counter[str] = Counter()
    for entry in entries:
        quantities[entry.identifier("skuId")] += entry.whole("quantity", minimum=1)
    return [_read_line(world, entry, quantities) for entry in entries]


def _read_line(
    world: World, entry: Fields, quantities: Mapping[str, int]
) -> WantedLine:
    mp_id, sku_mp_id = entry.identifier("itemId"), entry.identifier("skuId")
    item = world.catalogue.shelf("taobao").by_mp_id.get(mp_id)
    if item is None:
        raise product_not_found(mp_id)
    sku, quantity = item.sku_by_mp_id(sku_mp_id), entry.whole("quantity", minimum=1)
    problem = problem_of(item, sku, quantity, quantities[sku_mp_id])
    return WantedLine(
        item,
        sku,
        sku_mp_id,
        quantity,
        entry.optional_identifier("orderLineNo"),
        problem,
    )


def problem_of(item: Item, sku: Sku | None, quantity: int, of_sku_in_order: int) -> str:
    if item.offline:
        return "ITEM_OFFLINE"
    if sku is None:
        return "SKU_NOT_FOUND"
    if quantity < item.min_quantity:
        return "BELOW_MIN_QUANTITY"
    return SOLD_OUT if of_sku_in_order > sku.stock else ""


def first_problem(lines: Sequence[WantedLine]) -> str:
    return next((line.problem for line in lines if line.problem), "")


def as_orders(lines: Sequence[WantedLine]) -> list[list[WantedLine]]:
    """Lines as they become orders: one a seller and depot."""
    sellers = groupby(sorted(lines, key=_seller_id), key=_seller_id)
    return [
        depot
        for _, sold in sellers
        for depot in by_depot(list(sold), lambda line: line.item)
    ]


def _seller_id(line: WantedLine) -> str:
    return line.item.seller.id


def amount_fen(lines: Sequence[WantedLine]) -> int:
    """Goods and postage of all orders together."""
    orders = [[line.pick() for line in order] for order in as_orders(lines)]
    return sum(goods_fen(picks) + postage_fen(picks) for picks in orders)


def rendered(lines: Sequence[WantedLine]) -> dict[str, Any]:
    return {"orders": [_rendered_order(order) for order in as_orders(lines)]}


def _rendered_order(lines: Sequence[WantedLine]) -> dict[str, Any]:
    picks = [line.pick() for line in lines if not line.problem]
    goods, post = goods_fen(picks), postage_fen(picks)
    return {
        "supplierNick": lines[0].item.seller.nick,
        "productAmount": goods,
        "domesticPostFee": post,
        "purchaseAmount": goods + post,
        "currency": "CNY",
        "lines": [_rendered_line(line) for line in lines],
    }


def _rendered_line(line: WantedLine) -> dict[str, Any]:
    cart = {} if line.cart_id is None else {"cartId": line.cart_id}
    return {
        "itemId": line.item.mp_id,
        "skuId": line.sku_mp_id,
        "quantity": line.quantity,
        "price": line.sku.price_fen if line.sku else None,
        "available": not line.problem,
        "stock": line.sku.stock if line.sku else None,
        "minQuantity": line.item.min_quantity,
        "errorCode": line.problem or None,
        "errorMessage": PROBLEMS.get(line.problem),
        **cart,
    }


def is_complete(address: Mapping[str, Any], *more: str) -> bool:
    """Whether the address is enough for a parcel; `more` are further required
    fields.
    """
    needed = ("state", "city", "address", "name", *more)
    filled = all(
        isinstance(address.get(name), str) and address[name].strip() for name in needed
    )
    return filled and bool(address.get("phone") or address.get("mobilePhone"))


def check_address(address: Fields, mobile: str = "mobilePhone") -> None:
    """A TaobaoAddress with all its fields, for calls that have no error code for an
    incomplete one.
    """
    for name in ("country", "state", "city", "address", "name"):
        address.text(name)
    if (
        not address.optional_text("phone").strip()
        and not address.optional_text(mobile).strip()
    ):
        raise bad_request(address.named("phone"), f"phone or {mobile} is required")
