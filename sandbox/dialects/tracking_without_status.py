"""Steps of a parcel that have a time and words alone."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.dialects.parcel_steps import Step, last_digit, step_with, steps_changed

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

ON_ITS_WAY = {
    "CONSIGN": "商家已发货",
    "ACCEPT": "快件已揽收",
    "TRANSPORT": "快件已到达转运中心",
    "DELIVERING": "快件正在派送,请准备签收",
}
ENDS = {
    "6": ["包裹已入库"],
    "7": ["快件已退回发件人", "发件人已签收"],
    "8": ["收件人拒收"],
}
SIGNED = ["快件已由前台签收,感谢使用"]


def _steps(number: str, steps: Sequence[Step]) -> list[Step]:
    ends = ENDS.get(last_digit(number), SIGNED)
    return [
        step_with(step, None, words)
        for step in steps
        for words in (
            [ON_ITS_WAY[step["status"]]] if step["status"] != "SIGN" else ends
        )
    ]


def _answer(_world: World, _path: str, _call: Call, data: Any) -> Any:
    return steps_changed(data, _steps)


TRACKING_WITHOUT_STATUS = Dialect(
    name="tracking-without-status",
    sentence=(
        "A step of a parcel has its time and words, and no status. A number that ends in 6 is taken in, "
        "in 7 returned and signed for by its sender, in 8 refused at the door; each other is signed for."
    ),
    source="1688's manual of the trace interface: a step has acceptTime and remark.",
    mark=Mark.UPSTREAM,
    changes_answer=_answer,
)
