"""1688's order list with the basic part of each order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

LIST = "/v2/alibaba/order/page"


def _basic(order: dict[str, Any]) -> dict[str, Any]:
    base = {
        name: value
        for name, value in order["baseInfo"].items()
        if name != "sellerOpenId"
    }
    items = [
        {name: value for name, value in item.items() if name != "subItemIDString"}
        | {"subItemID": int(item["subItemIDString"])}
        for item in order["productItems"]
    ]
    return {"baseInfo": base, "productItems": items}


def _answer(_world: World, path: str, _call: Call, data: Any) -> Any:
    return (
        data | {"result": [_basic(order) for order in data["result"]]}
        if path == LIST
        else data
    )


LIST_BASIC = Dialect(
    name="list-basic",
    sentence="The order list of 1688 shows neither parcels nor the seller, and sub-items by a number.",
    source="1688's sample of its order list has the basic part alone.",
    mark=Mark.UPSTREAM,
    changes_answer=_answer,
)
