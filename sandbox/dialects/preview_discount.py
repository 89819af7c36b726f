"""Previews with their parts before a discount."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

RENDERS = ("/open/purchase/render", "/open/purchase/render/v2")
PARTS = (
    ("productAmount", "domesticPostFee"),
    ("sumPaymentNoCarriage", "sumCarriage"),
    ("goodsAmount", "freightAmount"),
)
"""Goods and postage beside a total, as the marketplaces name them."""


def sums(
    path: str, data: Any, change: Callable[[dict[str, Any], str, str], dict[str, Any]]
) -> Any:
    """A preview with each object of sums changed; other answers stay."""
    if not (path in RENDERS or "preview" in path.lower()):
        return data
    if isinstance(data, list | tuple):
        return [sums(path, one, change) for one in data]
    if not isinstance(data, dict):
        return data
    inner = {name: sums(path, value, change) for name, value in data.items()}
    named = next((parts for parts in PARTS if parts[0] in inner), None)
    return change(inner, *named) if named else inner


def _before_discount(
    preview: dict[str, Any], goods: str, postage: str
) -> dict[str, Any]:
    if isinstance(preview[goods], str):
        off = round(float(preview[goods]) / 20, 2)
        return {**preview, postage: f"{float(preview[postage]) + off:.2f}"}
    off = preview[goods] // 20
    known = {"discountFee": off} if "discountFee" in preview else {}
    return {**preview, postage: preview[postage] + off, **known}


def _discounted(world: World, path: str, call: Call, data: Any) -> Any:
    return sums(path, data, _before_discount)


PREVIEW_DISCOUNT = Dialect(
    name="preview-discount",
    sentence="Previews tell goods and postage before a discount, and the total after it; 1688 tells the discount too.",
    source="Orders in a public copy of the service's admin have such sums: goods 20.40, postage 4.00, total 23.38.",
    mark=Mark.SERVICE,
    changes_answer=_discounted,
)
