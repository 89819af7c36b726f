"""Orders that show no reference of ours at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

PATHS = (
    "/v2/alibaba/order/page",
    "/alibaba/order/detail",
    "/alibaba/ka/order/page",
    "/alibaba/ka/order/detail",
)
REFERENCES = ("buyerFeedback", "message", "outOrderId")


def _hide(_world: World, path: str, _call: Call, data: Any) -> Any:
    return (
        each(data, lambda name, value: None if name in REFERENCES else value)
        if path in PATHS
        else data
    )


DETAIL_WITHOUT_REFERENCE = Dialect(
    name="detail-without-reference",
    sentence="Neither lists nor details of 1688 and big_major show message or outOrderId.",
    source="The written contract has no sample of such a detail, and outOrderId is 1688's word alone.",
    mark=Mark.INFERRED,
    changes_answer=_hide,
)
