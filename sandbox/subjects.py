"""Which items and orders a request names, whatever the operation: what price and stock faults act on."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

import orjson

from sandbox.entities import Order
from sandbox.goods import Item
from sandbox.operations import Call
from sandbox.world import World

ITEM_FIELDS = frozenset({"itemId", "offerId"})
ORDER_FIELDS = frozenset(
    {
        "orderId",
        "orderIds",
        "purchaseOrderId",
        "purchaseOrderIdList",
        "purchaseIds",
        "subPurchaseOrderId",
        "tmallOrderId",
    }
)


@dataclass(frozen=True, slots=True)
class Subjects:
    items: list[Item]
    unpaid_orders: list[Order]

    def goods(self, world: World) -> list[Item]:
        """The named items and those of the named unpaid orders."""
        ordered = {line.item_id for order in self.unpaid_orders for line in order.lines}
        found = [world.catalogue.find(item_id) for item_id in ordered - {item.id for item in self.items}]
        return self.items + [item for item in found if item]


def subjects_of(world: World, call: Call) -> Subjects:
    found = [*_ids(call.query.raw), *_ids(call.body.raw)]
    items = {item.id: item for kind, text in found if kind == "item" and (item := world.catalogue.named(text))}
    orders = {order.id: order for kind, text in found if kind == "order" and (order := _order(world, text))}
    return Subjects(list(items.values()), [order for order in orders.values() if order.unpaid])


def _order(world: World, text: str) -> Order | None:
    line = world.books.order_of_line(text)
    return line[0] if line else world.books.orders.get(text)


def _ids(value: Any, field: str = "") -> Iterator[tuple[str, str]]:
    """Pairs of ("item" or "order", id), also from JSON that travels as text."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _ids(inner, name)
    elif isinstance(value, list):
        for inner in value:
            yield from _ids(inner, field)
    elif isinstance(value, str) and value.startswith("["):
        yield from _ids(_parsed(value), field)
    elif field in ITEM_FIELDS:
        yield "item", str(value)
    elif field in ORDER_FIELDS:
        yield "order", str(value)


def _parsed(text: str) -> Any:
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return None
