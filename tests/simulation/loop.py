"""An event loop whose time stands still while anything can run, and jumps to the next
timer when nothing can.
"""

from __future__ import annotations

import asyncio
import heapq
from collections.abc import Callable
from contextvars import Context, ContextVar, copy_context
from typing import Any, Protocol

START = 1_767_268_800.0  # 2026-01-01 12:00 UTC


class Stoppable(Protocol):
    """What the loop asks of the process that a step belongs to."""

    frozen: list[asyncio.Handle]

    @property
    def stopped(self) -> bool:
        """Whether nothing of it runs now."""


PROCESS: ContextVar[Stoppable | None] = ContextVar("process", default=None)


class Deadlock(Exception):
    """Somebody waits, and nothing is left that could ever wake them."""


class VirtualLoop(asyncio.BaseEventLoop):
    """Without sockets and threads, so that the order of everything follows from the
    times of its timers.

    What a stopped process should do waits until it goes on; a function for an executor
    runs in a timer of its own.
    """

    def __init__(self, executor_delay_s: Callable[[], float]) -> None:
        super().__init__()
        self._now = START
        self._executor_delay_s = executor_delay_s

    def time(self) -> float:
        return self._now

    def _run_once(self) -> None:
        timers: list[Any] = self._scheduled  # type: ignore[attr-defined]
        is_ready: Any = self._ready  # type: ignore[attr-defined]
        while timers and timers[0]._cancelled:
            heapq.heappop(timers)._scheduled = False
        if not is_ready:
            if not timers:
                raise Deadlock("nothing is ready and no timer runs")
            self._now = max(self._now, timers[0]._when)
        while timers and (timers[0]._cancelled or timers[0]._when <= self._now):
            timer = heapq.heappop(timers)
            timer._scheduled = False
            is_ready.append(timer)
        for _ in range(len(is_ready)):
            handle = is_ready.popleft()
            if handle._cancelled:
                continue
            process = handle._context.get(PROCESS)
            if process is not None and process.stopped:
                process.frozen.append(handle)
            else:
                handle._run()

    def go_on(self, handles: list[asyncio.Handle]) -> None:
        """Let a process that was stopped do what it would have done."""
        self._ready.extend(handles)  # type: ignore[attr-defined]

    def run_in_executor(  # type: ignore[override]
        self, executor: Any, func: Callable[..., Any], *args: Any
    ) -> asyncio.Future[Any]:
        done: asyncio.Future[Any] = self.create_future()
        self.call_later(
            self._executor_delay_s(), _work, done, func, args, context=copy_context()
        )
        return done

    def outside(
        self, delay_s: float, callback: Callable[..., None], *args: Any
    ) -> None:
        """Call back later as the world, not as a process: no crash and no stop of one
        keeps it from happening.
        """
        self.call_later(max(delay_s, 0), callback, *args, context=Context())


def _work(
    done: asyncio.Future[Any], func: Callable[..., Any], args: tuple[Any, ...]
) -> None:
    if done.cancelled():
        return
    try:
        result = func(*args)
    except BaseException as error:  # noqa: BLE001 - a crash of the process must reach who waits
        if not done.cancelled():
            done.set_exception(error)
    else:
        if not done.cancelled():
            done.set_result(result)
