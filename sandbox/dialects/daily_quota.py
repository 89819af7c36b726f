"""A number of calls a day."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.refusals import Refusal
from sandbox.times import china_text

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

CALLS_A_DAY = 1_000
TOO_MANY = 429


def _call(world: World, _path: str, call: Call) -> Call:
    day = china_text(world.now())[:10]
    world.calls_on[day] += 1
    if world.calls_on[day] > CALLS_A_DAY:
        raise Refusal(TOO_MANY, f"the {CALLS_A_DAY:,} calls of {day} are used up")
    return call


DAILY_QUOTA = Dialect(
    name="daily-quota",
    sentence="After 1,000 calls of a day all are refused with code 429, at HTTP 200, until midnight in China.",
    source="A reseller's manual has a daily share of each channel, refused with 429; another counts points a day.",
    mark=Mark.RESELLER,
    changes_call=_call,
)
