"""Searches in small pages that count nothing."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.refusals import bad_request

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

LARGEST = 20
SEARCHES = (
    "/open/product/search",
    "/open/product/image/search",
    "/open/product/spu/page",
    "/open/product/hot/list",
    "/alibaba/product/keywords/query",
    "/alibaba/product/query/selleroffer",
    "/alibaba/ka/product/keywords/query",
    "/alibaba/international/product/list",
    "/poizon/product/keywordSearch",
)
COUNTS = ("totalRecords", "totalPage", "totalRecord")


def _call(_world: World, path: str, call: Call) -> Call:
    size = call.body.raw.get("pageSize")
    if path in SEARCHES and isinstance(size, int) and size > LARGEST:
        raise bad_request(call.body.named("pageSize"), f"at most {LARGEST}")
    return call


def _answer(_world: World, path: str, _call: Call, data: Any) -> Any:
    if path not in SEARCHES or not isinstance(data, dict):
        return data
    return {name: value for name, value in data.items() if name not in COUNTS}


PAGES_OF_20_WITHOUT_TOTAL = Dialect(
    name="pages-of-20-without-total",
    sentence="Searches and lists of products have 20 rows a page at most, and no total.",
    source="An SDK of Taobao Global: page size 20 at most, and an answer without a total; a reseller repeats the 20.",
    mark=Mark.UPSTREAM,
    changes_call=_call,
    changes_answer=_answer,
)
