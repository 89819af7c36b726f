"""How far a run is, and what it waits for, reported to the terminal and the Prefect
UI.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from datetime import datetime

from connectors.xportcn.breaker import BACK, BreakerNews


class Progress:
    """A listener to the stages of a run; this one reports nothing."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that will handle `total` things, beside those it was begun
        with before.
        """

    def advance(self, stage: str, done: int) -> None:
        """`done` more things of a stage are handled."""


STALE_AFTER_S = 30.0
SILENT = Progress()

progress: ContextVar[Progress] = ContextVar("progress", default=SILENT)

STEP_S = 5.0


async def wait_until(until: datetime, clock: Callable[[], datetime]) -> None:
    """Wait, as a stage of its own; by the clock, since a machine may sleep
    meanwhile.
    """

    def left_s() -> float:
        return (until - clock()).total_seconds()

    stage = f"until {until:%H:%M:%S} UTC"
    listener = progress.get()
    listener.start(stage, round(left_s()))
    while (left := left_s()) > 0:
        await asyncio.sleep(min(STEP_S, left))
        listener.advance(stage, round(min(STEP_S, left)))


_listeners: list[Callable[[BreakerNews], None]] = []


@contextmanager
def listening(listener: Callable[[BreakerNews], None]) -> Iterator[None]:
    """Report the news of this process's circuit breakers; several may listen, since
    runs share a breaker.
    """
    _listeners.append(listener)
    try:
        yield
    finally:
        _listeners.remove(listener)


def notify_listeners(news: BreakerNews) -> None:
    """Pass news to every listener: in the middle of a call, whose answer no broken pipe
    may swallow.
    """
    for listener in tuple(_listeners):
        with suppress(Exception):
            listener(news)


def waiting_words(news: BreakerNews, later_s: float = 0.0) -> str:
    """`the service is away for 40 s, next try in 15 s (no answer)`, as it stands
    `later_s` after the news.
    """
    head, _, cause = news.why.partition(" (")
    next_try_s = max(0.0, news.next_try_s - later_s)
    message = f" ({cause}" if cause else ""
    return f"{head} for {_span(news.for_s + later_s)}, next try in {_span(next_try_s)}{message}"


class Waiting:
    """The waiting as one listener knows it. It is reported as it begins, once in
    `report_every_s`, and at its end.
    """

    def __init__(self, report_every_s: float) -> None:
        self._report_every_s = report_every_s
        self._news = BACK
        self._updated_at = 0.0
        self._since: float | None = None
        self._reported_at = 0.0

    @property
    def is_waiting(self) -> bool:
        """Whether calls wait, as far as is known."""
        return self._since is not None and not self._is_stale()

    @property
    def words(self) -> str:
        """The cause of the present waiting; empty for none."""
        return waiting_words(self._news, self._later_s()) if self.is_waiting else ""

    def update(self, news: BreakerNews) -> str:
        """Take the news; answers the line to report, empty when that was reported a
        moment ago.
        """
        seconds = time.monotonic()
        goes_on = self.is_waiting
        self._news = news
        self._updated_at = seconds
        if not news.why:
            since = self._since
            self._since = None
            return (
                ""
                if since is None
                else f"the service is back after {_span(seconds - since)}"
            )
        if not goes_on:
            self._since = seconds - news.for_s
        elif seconds - self._reported_at < self._report_every_s:
            return ""
        self._reported_at = seconds
        return self.words

    def _later_s(self) -> float:
        return time.monotonic() - self._updated_at

    def _is_stale(self) -> bool:
        """No event ends throttling: there would have been further news by now."""
        return self._later_s() > self._news.next_try_s + STALE_AFTER_S


def _span(seconds: float) -> str:
    return f"{seconds / 60:,.0f} min" if seconds >= 120 else f"{seconds:.0f} s"
