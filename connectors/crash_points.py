"""Named points at which a test makes this process die or stop, so that "whatever
crashes" is tested for real.

`SOURCING_CRASH_AT=[kill@|stop@]POINT[:DETAIL[:COUNT]]` names one: at the COUNTth time
(the first, when not given) that this process reaches POINT with that DETAIL (any, when
not given) it sends itself SIGKILL, or SIGSTOP with `stop@`. Examples:
`after-intent:pay`, `after-send:book:3`, `stop@before-send:pay`.

| point | what is durable, and what has left | detail |
|---|---|---|
| `before-intent` | nothing | action |
| `after-intent` | the intents of the chunk; nothing has left | action |
| `before-send` | the intent; the lease is not yet checked and the send log has no note | action |
| `before-first-byte` | the intent and the note; not one byte has left | action |
| `after-send` | the service has carried it out; only the headers of its answer are read | action |
| `after-answer` | the answer is read and judged; the outcome is not recorded | action |
| `after-record` | the outcome and the move of its order | action |
| `before-marks` | the tables' files are in their places; the orders are still marked as unwritten | snapshot id |
| `during-forget` | a receiver is erased in so many places | `runs`, `ledger`, `snapshots` |
| `message-claimed` | that a message is tried at a recipient; it has not left | |
| `message-sent` | that a message is tried at a recipient; it has left, and that is not recorded | |
| `tracking-written` | a file of tracking numbers; that they are exported is not recorded | shop |

Every command that opens a ledger or writes a snapshot refuses an unknown value: a test
that arms a misspelt point would prove nothing. Without the variable a point costs one
reading of the environment.
"""

from __future__ import annotations

import os
import re
import signal
import time
from collections import Counter
from dataclasses import dataclass
from functools import cache

VARIABLE = "SOURCING_CRASH_AT"

BEFORE_INTENT = "before-intent"
AFTER_INTENT = "after-intent"
BEFORE_SEND = "before-send"
BEFORE_FIRST_BYTE = "before-first-byte"
AFTER_SEND = "after-send"
AFTER_ANSWER = "after-answer"
AFTER_RECORD = "after-record"
BEFORE_MARKS = "before-marks"
DURING_FORGET = "during-forget"
MESSAGE_CLAIMED = "message-claimed"
MESSAGE_SENT = "message-sent"
TRACKING_WRITTEN = "tracking-written"

EFFECT_POINTS = (
    BEFORE_INTENT,
    AFTER_INTENT,
    BEFORE_SEND,
    BEFORE_FIRST_BYTE,
    AFTER_SEND,
    AFTER_ANSWER,
    AFTER_RECORD,
)
OTHERS = (
    BEFORE_MARKS,
    DURING_FORGET,
    MESSAGE_CLAIMED,
    MESSAGE_SENT,
    TRACKING_WRITTEN,
)
POINTS = (*EFFECT_POINTS, *OTHERS)
SIGNALS = {"kill": signal.SIGKILL, "stop": signal.SIGSTOP}
FORM = re.compile(
    r"((?P<how>kill|stop)@)?(?P<point>[a-z-]+)(:(?P<detail>[^:]*)(:(?P<count>[1-9][0-9]*))?)?"
)


class UnknownCrashPoint(ValueError):
    """`SOURCING_CRASH_AT` names an unknown point. Nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class _Armed:
    signal: signal.Signals
    point: str
    detail: str
    count: int


_reached: Counter[str] = Counter()


def reach(point: str, detail: str = "") -> None:
    """Pass a point, at which this process may end. `detail` distinguishes places of one
    point.
    """
    if text := os.environ.get(VARIABLE):
        _strike(_parsed(text), point, detail)


def is_armed() -> bool:
    """Whether a point is armed in this process. Raises `UnknownCrashPoint`."""
    text = os.environ.get(VARIABLE)
    return bool(text and _parsed(text))


def _strike(armed: _Armed, point: str, detail: str) -> None:
    if point != armed.point or armed.detail not in ("", detail):
        return
    _reached[point] += 1
    if _reached[point] == armed.count:
        os.kill(os.getpid(), armed.signal)
        if armed.signal is signal.SIGKILL:
            time.sleep(
                60
            )  # a thread other than the first may run on for a moment, beyond the point


@cache
def _parsed(text: str) -> _Armed:
    form_match = FORM.fullmatch(text)
    if form_match is None or form_match["point"] not in POINTS:
        raise UnknownCrashPoint(
            f"{VARIABLE}={text}: must be [kill@|stop@]POINT[:DETAIL[:COUNT]] with one of the points "
            f"{', '.join(POINTS)}. It is for tests: take it out of the environment. Nothing was sent."
        )
    return _Armed(
        signal=SIGNALS[form_match["how"] or "kill"],
        point=form_match["point"],
        detail=form_match["detail"] or "",
        count=int(form_match["count"] or 1),
    )
