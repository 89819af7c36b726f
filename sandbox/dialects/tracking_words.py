"""Upstream's words for the stages of a parcel."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.dialects.parcel_steps import Step, last_digit, step_with, steps_changed

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

STAGES = {
    "CONSIGN": "WAITING_COLLECT",
    "ACCEPT": "COLLECTED",
    "TRANSPORT": "DELIVERING",
    "DELIVERING": "DELIVERING",
    "SIGN": "SIGNED",
}
CUSTOMS = "清关完成"
STRANGE = "AT_SORTING_CENTER"


def _steps(number: str, steps: Sequence[Step]) -> list[Step]:
    return [one for step in steps for one in _step(step, last_digit(number))]


def _step(step: Step, digit: str) -> list[Step]:
    words = str(
        step.get("remark") or step.get("desc") or step.get("standerdDesc") or ""
    )
    if words == CUSTOMS:
        return [step_with(step, "CUSTOMS_CLEARANCE", words)]
    if step["status"] == "DELIVERING" and digit == "9":
        return [step_with(step, STRANGE, words)]
    if step["status"] == "SIGN" and digit == "8":
        return [step_with(step, "REJECTED", "包裹已处理")]
    if step["status"] == "SIGN" and digit == "7":
        return [
            step_with(step, "RETURNED", "包裹已处理"),
            step_with(step, "SIGNED", "包裹已处理完毕"),
        ]
    return [step_with(step, STAGES[step["status"]], words)]


def _answer(_world: World, _path: str, _call: Call, data: Any) -> Any:
    return steps_changed(data, _steps)


TRACKING_WORDS = Dialect(
    name="tracking-words",
    sentence=(
        "The stages of a parcel are WAITING_COLLECT, COLLECTED, DELIVERING, CUSTOMS_CLEARANCE, SIGNED. A number that "
        "ends in 8 is REJECTED, in 7 RETURNED and signed for by its sender; in 9 it has a stage that is on no page."
    ),
    source="An SDK of Taobao Global lists these words; the sibling's sample has another of the contract's.",
    mark=Mark.UPSTREAM,
    changes_answer=_answer,
)
