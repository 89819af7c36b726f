"""A create that is answered before the marketplace has a number for the order."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

PATHS = (
    "/open/purchase/create/v2",
    "/alibaba/order/create",
    "/alibaba/ka/order/create",
)
NUMBERS = ("purchaseId", "orderId", "orderNo")


def _leave_out(_world: World, path: str, _call: Call, data: Any) -> Any:
    return (
        each(data, lambda name, value: "" if name in NUMBERS else value)
        if path in PATHS
        else data
    )


CREATE_BEFORE_NUMBER = Dialect(
    name="create-before-number",
    sentence="A create of Taobao, 1688 or big_major succeeds without the order's number; lists and details show it.",
    source="The console shows orders whose marketplace number is empty until refreshed, and a tab of failed syncs.",
    mark=Mark.INFERRED,
    changes_answer=_leave_out,
)
