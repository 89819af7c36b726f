"""Searches of Taobao with prices as text in yuan."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.dialects.taobao_yuan import amounts

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

SEARCHES = (
    "/open/product/search",
    "/open/product/image/search",
    "/open/product/hot/list",
)


def _in_text(world: World, path: str, call: Call, data: Any) -> Any:
    return amounts(data, lambda fen: f"{fen / 100:.2f}") if path in SEARCHES else data


SEARCH_YUAN_TEXT = Dialect(
    name="search-yuan-text",
    sentence="Taobao's searches and best sellers tell prices as text in yuan, such as 12.90.",
    source="A public client of the service types prices of best sellers as text; the marketplace's search has yuan.",
    mark=Mark.SERVICE,
    changes_answer=_in_text,
)
