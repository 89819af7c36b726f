"""A warehouse that knows Taobao's goods by distribution ids."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each
from sandbox.fields import Fields
from sandbox.refusals import product_not_found

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

FREIGHT = "/open/pp/logistics/"
GOODS = ("renderItems", "lineItems", "lineItem", "itemInfos")


def _call(world: World, path: str, call: Call) -> Call:
    """A freight call by the shop's ids. Raises `Refusal` where it came with them."""

    def named(row: Mapping[str, Any]) -> Mapping[str, Any]:
        shelf = world.catalogue.shelf("taobao")
        asked, sku_id = str(row.get("itemId")), str(row.get("skuId"))
        item = shelf.by_mp_id.get(asked)
        if item is None:
            if asked in shelf.by_id:
                raise product_not_found(f"of itemId {asked} (no distribution id)")
            return row
        sku = item.sku_by_mp_id(sku_id)
        return {**row, "itemId": item.id, "skuId": sku.id if sku else sku_id}

    return (
        replace(call, body=Fields(_goods(call.body.raw, named)))
        if path.startswith(FREIGHT)
        else call
    )


def _answer(world: World, path: str, call: Call, data: Any) -> Any:
    """The goods of a booking, by the ids that were asked with."""

    def named(row: Mapping[str, Any]) -> Mapping[str, Any]:
        item = world.catalogue.shelf("taobao").by_id.get(row["itemId"])
        sku = item.sku(row["skuId"]) if item else None
        return (
            {**row, "itemId": item.mp_id, "skuId": sku.mp_id} if item and sku else row
        )

    return _goods(data, named) if path.startswith(FREIGHT) else data


def _goods(data: Any, named: Any) -> Any:
    def change(name: str, value: Any) -> Any:
        if name not in GOODS or not isinstance(value, list | Mapping):
            return value
        return (
            [named(row) for row in value] if isinstance(value, list) else named(value)
        )

    return each(data, change)


FREIGHT_DISTRIBUTION_IDS = Dialect(
    name="freight-distribution-ids",
    sentence="Freight calls know Taobao's goods by their distribution ids and refuse the shop's.",
    source="The ids in the service's own sample of a booking have the shape of Taobao's public distribution ids.",
    mark=Mark.SERVICE,
    changes_call=_call,
    changes_answer=_answer,
)
