"""1688's own form of times, in answers and in filters."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each
from sandbox.fields import Fields
from sandbox.refusals import bad_request
from sandbox.times import alibaba_text, read_china_text

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

COMPACT = re.compile(r"(\d{4})(\d\d)(\d\d)(\d\d)(\d\d)(\d\d)\d{3}\+0800")
SPACED = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d")
LIST = "/v2/alibaba/order/page"
FILTERS = ("createStartTime", "createEndTime", "modifyStartTime", "modifyEndTime")


def _call(_world: World, path: str, call: Call) -> Call:
    if path != LIST:
        return call
    raw = dict(call.body.raw)
    for name in FILTERS:
        if text := raw.get(name):
            raw[name] = _spaced(call.body.named(name), str(text))
    return replace(call, body=Fields(raw))


def _spaced(name: str, text: str) -> str:
    if not (found := COMPACT.fullmatch(text)):
        raise bad_request(name, "must be yyyyMMddHHmmssSSSZ")
    year, month, day, hour, minute, second = found.groups()
    return f"{year}-{month}-{day} {hour}:{minute}:{second}"


def _answer(_world: World, path: str, _call: Call, data: Any) -> Any:
    def change(_name: str, value: Any) -> Any:
        is_time = isinstance(value, str) and SPACED.fullmatch(value)
        return alibaba_text(read_china_text(value)) if is_time else value

    return each(data, change) if "/alibaba/" in path else data


TIME_COMPACT = Dialect(
    name="time-compact",
    sentence="Times of 1688 and big_major are like 20260903120000000+0800; filters of 1688's list take no others.",
    source="1688's manual of the order list: yyyyMMddHHmmssSSSZ, in filters too.",
    mark=Mark.UPSTREAM,
    changes_call=_call,
    changes_answer=_answer,
)
