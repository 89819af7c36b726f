"""Which of the recorded calls need which answers: what a replay may send when, and how
long the longest chain takes.

A call needs the answers that gave the ids it names; a call about an order, those of the
earlier calls about that order as well; and what spends needs all that was planned
before, since the whole plan is what is approved.

`python -m benchmarks.calls RECORD STEPS` writes down what `benchmarks.replay` sends.
"""

from __future__ import annotations

import pickle
import re
import sys
from collections import defaultdict
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Any

import orjson

from benchmarks.record import Recorded, read_record
from benchmarks.steps import Place, Step
from connectors.xportcn.operations import catalogue
from sandbox.app import LOGISTICS

ID = re.compile(r"[A-Za-z0-9]{12,}")
SIGNED = re.compile(r"(?<=[?&])(timestamp|sign)=[^&]*&?")
EFFECTS = {operation.path for operation in catalogue() if operation.effect}


def steps_of(calls: Sequence[Recorded]) -> list[Step]:
    """The calls as steps, in the order in which they came."""
    texts = [f"{_unsigned(call)}\n{call.body}" for call in calls]
    named = [set(ID.findall(text)) for text in texts]
    makers = _makers(calls, named)
    spending_since = min(
        (call.begun for call in calls if is_effect(call)), default=float("inf")
    )
    fresh = {
        text for text, maker in makers.items() if calls[maker].begun >= spending_since
    }
    steps = [
        _step(call, text, fresh, is_plan=call.begun < spending_since)
        for call, text in zip(calls, texts, strict=True)
    ]
    for index, needed in enumerate(_needs(calls, named, makers)):
        steps[index].needs = sorted(needed)
    for text in fresh:
        where = place_of(orjson.loads(calls[makers[text]].answer), text)
        assert where is not None, f"{text} is not a value of its own"
        steps[makers[text]].gives.append((text, where))
    return steps


def _step(call: Recorded, text: str, fresh: set[str], *, is_plan: bool) -> Step:
    target, _, body = text.partition("\n")
    return Step(
        method=call.method,
        target=_pieces(target, fresh),
        body=_pieces(body, fresh),
        signs_query=call.path.startswith(LOGISTICS),
        is_plan=is_plan,
        waits_for_plan=is_effect(call),
        needs=[],
    )


def _pieces(text: str, fresh: set[str]) -> tuple[str, ...]:
    pieces = []
    since = 0
    for match in ID.finditer(text):
        if match.group() in fresh:
            pieces += [text[since : match.start()], match.group()]
            since = match.end()
    return (*pieces, text[since:])


def _unsigned(call: Recorded) -> str:
    return SIGNED.sub("", call.target).rstrip("?&")


def is_effect(call: Recorded) -> bool:
    return call.path in EFFECTS


def _makers(calls: Sequence[Recorded], named: Sequence[set[str]]) -> dict[str, int]:
    """The call whose answer was the first to show an id that a later call names and
    nobody had named before.
    """
    union = set().union(*named)
    expected = set[str]()
    makers: dict[str, int] = {}
    asked = sorted((call.begun, index) for index, call in enumerate(calls))
    ended = sorted((call.ended, index) for index, call in enumerate(calls))
    for _, is_end, index in sorted(
        [*((at, 0, n) for at, n in asked), *((at, 1, n) for at, n in ended)]
    ):
        if not is_end:
            expected |= named[index]
            continue
        for item in {*ID.findall(calls[index].answer)} & union - expected:
            makers[item] = index
            expected.add(item)
    return makers


def _needs(
    calls: Sequence[Recorded], named: Sequence[set[str]], makers: dict[str, int]
) -> Iterator[set[int]]:
    """Of each call the others whose answers it needs."""
    about: dict[str, list[int]] = defaultdict(list)
    for index, call in enumerate(calls):
        needed = {makers[text] for text in named[index] if text in makers}
        for text in named[index]:
            if text in makers and is_effect(calls[makers[text]]):
                needed |= {
                    second
                    for second in about[text]
                    if calls[second].ended <= call.begun
                }
                about[text].append(index)
        yield needed


def place_of(data: Any, value: str) -> Place | None:
    """Where in an answer the value stands, as text or as a number."""
    if isinstance(data, dict | list):
        for key, inner in data.items() if isinstance(data, dict) else enumerate(data):
            if (result := place_of(inner, value)) is not None:
                return (key, *result)
        return None
    return () if str(data) == value else None


def longest_chain(calls: Sequence[Recorded], most_s: float = float("inf")) -> float:
    """Seconds that the slowest chain of calls takes if nothing ever waits for a
    connection.

    A call takes as long as the service kept its answer back, `most_s` at most: then the
    client gives up.
    """
    ends: list[float] = []
    steps = steps_of(calls)
    planned = 0.0
    for call, step in zip(calls, steps, strict=True):
        started_at = max(
            [ends[second] for second in step.needs]
            + [planned if step.waits_for_plan else 0.0]
        )
        ends.append(started_at + min(call.delay_s, most_s))
        if step.is_plan:
            planned = max(planned, ends[-1])
    return max(ends, default=0.0)


if __name__ == "__main__":
    Path(sys.argv[2]).write_bytes(
        pickle.dumps(steps_of(read_record(Path(sys.argv[1]))))
    )
