"""What a service saw of one way to buy: every call with its request, its answer, and
when it came and was answered.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from time import monotonic
from typing import Any

import orjson


@dataclass(frozen=True, slots=True)
class Recorded:
    """One call; times are seconds of the service's monotonic clock, `delay_s` of them
    it kept its answer back.
    """

    method: str
    target: str
    body: str
    answer: str
    begun: float
    ended: float
    delay_s: float

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


class Record:
    """The calls as they are answered, in a file if one is named; their times in
    memory.
    """

    def __init__(self, file: str) -> None:
        self._file = Path(file).open("wb", buffering=1 << 20) if file else None  # noqa: SIM115 - closed by `ended`
        self._spans: list[tuple[float, float]] = []

    def add(
        self,
        method: str,
        target: str,
        body: bytes,
        answer: bytes,
        *,
        begun: float,
        delay_s: float,
    ) -> None:
        ended = monotonic()
        self._spans.append((begun, ended))
        if self._file is not None:
            notices = (
                method,
                target,
                body.decode(),
                answer.decode(),
                begun,
                ended,
                delay_s,
            )
            self._file.write(orjson.dumps(notices) + b"\n")

    def ended(self, at_once: int) -> dict[str, Any]:
        if self._file is not None:
            self._file.close()
        return sums(self._spans, at_once)


def sums(spans: Sequence[tuple[float, float]], at_once: int) -> dict[str, Any]:
    """Calls, when the first came, seconds from it to the end of the last, and how many
    were under way in the mean.

    That over all, and while work is left. Work is left until the last `at_once` calls
    begin.
    """
    if not spans:
        return {
            "calls": 0,
            "first": 0.0,
            "seconds": 0.0,
            "in_flight": 0.0,
            "in_flight_left": 0.0,
        }
    begins = sorted(started_at for started_at, _ in spans)
    first = begins[0]
    last = max(ended for _, ended in spans)
    left_until = begins[-min(at_once, len(begins))]
    return {
        "calls": len(spans),
        "first": first,
        "seconds": last - first,
        "in_flight": _mean(spans, first, last),
        "in_flight_left": _mean(spans, first, left_until),
    }


def _mean(spans: Sequence[tuple[float, float]], since: float, until: float) -> float:
    under_way = sum(
        max(0.0, min(ended, until) - started_at) for started_at, ended in spans
    )
    return under_way / (until - since) if until > since else 0.0


def read_record(file: Path) -> list[Recorded]:
    """The calls of a file, in the order in which they came."""
    with file.open("rb") as lines:
        return sorted(
            (Recorded(*orjson.loads(line)) for line in lines),
            key=lambda call: call.begun,
        )
