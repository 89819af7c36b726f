"""The items and orders that a request of any operation names: the subjects of price and
stock faults.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.entities import Order
from sandbox.goods import Item
from sandbox.map_ids import item_with_map_id
from sandbox.operations import Call
from sandbox.world import World

ITEM_FIELDS = frozenset(
    {"itemId", "offerId", "mpId", "productId", "dwSpuId", "distSpuId"}
)
CART_FIELDS = frozenset({"ids", "cartIds"})
ORDER_FIELDS = frozenset(
    {
        *("orderId", "orderIds", "orderIdList", "tmallOrderId"),
        *("purchaseId", "purchaseIds", "purchaseOrderId", "purchaseOrderIdList"),
        *("subPurchaseOrderId", "subOrderId"),
        *("tradeId", "tradeIds", "distOrderNo", "distOrderNos"),
    }
)


@dataclass(frozen=True, slots=True)
class Subjects:
    items: list[Item]
    unpaid_orders: list[Order]

    def goods(self, world: World) -> list[Item]:
        """The named items and those of the named unpaid orders."""
        ordered = {line.item_id for order in self.unpaid_orders for line in order.lines}
        found = [
            world.catalogue.find(item_id)
            for item_id in ordered - {item.id for item in self.items}
        ]
        return self.items + [item for item in found if item]


def subjects_of(world: World, call: Call) -> Subjects:
    found = [*_ids(call.query.raw), *_ids(call.body.raw)]
    items = {
        item.id: item for kind, text in found if (item := _item(world, kind, text))
    }
    orders = {
        order.id: order
        for kind, text in found
        if kind == "order" and (order := _order(world, text))
    }
    return Subjects(
        list(items.values()), [order for order in orders.values() if order.unpaid]
    )


def _item(world: World, kind: str, text: str) -> Item | None:
    if kind == "cart":
        row = world.carts.named(int(text)) if text.isdecimal() else None
        return (
            world.catalogue.shelf(row.marketplace).by_id[row.item_id] if row else None
        )
    if kind == "map":
        return item_with_map_id(world.catalogue.shelf("taobao"), text)
    return world.catalogue.named(text) if kind == "item" else None


def _order(world: World, text: str) -> Order | None:
    line = world.books.order_of_line(text)
    return line[0] if line else world.books.orders.get(text)


def _ids(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of ("item", "map", "cart" or "order", id), also from JSON that travels as
    text.
    """
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _ids(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner, field)
    elif isinstance(value, str) and value.startswith(("[", "{")):
        yield from _ids(_parsed(value), field)
    elif field in ITEM_FIELDS:
        yield "item", str(value)
    elif field == "itemMapId":
        yield "map", str(value)
    elif field in CART_FIELDS:
        yield "cart", str(value)
    elif field in ORDER_FIELDS:
        yield "order", str(value)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
