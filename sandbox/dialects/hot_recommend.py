"""Best sellers by another path, in another form."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.refusals import NO_SUCH_OPERATION, Refusal

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

ASSUMED = "/open/product/hot/list"


def _call(_world: World, path: str, call: Call) -> Call:
    if path == ASSUMED:
        raise Refusal(NO_SUCH_OPERATION, f"no operation at {path}", status=404)
    return call


HOT_RECOMMEND = Dialect(
    name="hot-recommend",
    sentence="Taobao's best sellers are at /open/product/recommend alone: without total, prices as text in yuan.",
    source="A public client of the service has this path, and types price and couponPrice as texts.",
    mark=Mark.SERVICE,
    changes_call=_call,
)
