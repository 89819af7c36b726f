"""The steps of each parcel in an answer, wherever the marketplace puts them."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

STEPS = ("logisticsTraces", "logisticsSteps", "traces")
NUMBERS = ("mailNo", "logisticsBillNo", "expressNo", "logisticNumber", "trackingNumber")
WORDS = ("desc", "remark", "statusDesc", "standerdDesc")

Step = dict[str, Any]


def steps_changed(
    data: Any, change: Callable[[str, Sequence[Step]], list[Step]]
) -> Any:
    """An answer with the steps of each parcel changed, by the parcel's number."""
    if isinstance(data, dict):
        number = next((str(data[name]) for name in NUMBERS if data.get(name)), "")
        return {
            name: change(number, value)
            if name in STEPS
            else steps_changed(value, change)
            for name, value in data.items()
        }
    return (
        [steps_changed(value, change) for value in data]
        if isinstance(data, list)
        else data
    )


def last_digit(number: str) -> str:
    """What decides how a domestic parcel ends; international numbers end in a
    letter.
    """
    return number[-1:]


def step_with(step: Step, status: str | None, words: str) -> Step:
    """A step with another status, and words in each place that has some."""
    return {**step, "status": status, **{name: words for name in WORDS if name in step}}
