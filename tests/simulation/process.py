"""A simulated process: it can die and be stopped wherever it touches something that
outlives it.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Mapping
from contextvars import ContextVar
from dataclasses import dataclass, field
from typing import Protocol

from tests.simulation.loop import PROCESS, VirtualLoop

in_the_ui: ContextVar[bool] = ContextVar("in_the_ui", default=False)
"""Whether the process is a deployment's run, whose plan a person answers in another
one.
"""


@dataclass(frozen=True, kw_only=True)
class Shown:
    """A plan as a person was shown it: its hash, and the hash of each order's own."""

    batch: str
    question_hash: str
    plans: Mapping[str, str]


class Crash(BaseException):
    """The process is dead; nothing of it may catch this."""


class Fate(Protocol):
    """Decides at each boundary what befalls a process. `refused` are orders that a
    person's last word was no to, or that wait for it; `questions` the plans that
    persons were shown, the oldest first.
    """

    refused: set[str]
    questions: list[Shown]

    def befalls(self, process: Process, point: str) -> Crash | float | None:
        """A crash, the seconds for which the process is stopped, or nothing."""

    def died(self, process: Process, point: str) -> None:
        """The process is dead by now, its files are closed."""

    def broken(self, what: str) -> None:
        """A promise is broken."""


@dataclass(eq=False)
class Process:
    """One run of a flow. `approved` are the plans its person said yes to: their hashes
    by `order_ref`.
    """

    name: str
    batch: str
    fate: Fate
    loop: VirtualLoop
    alive: bool = True
    stopped_until: float = 0.0
    frozen: list[asyncio.Handle] = field(default_factory=list)
    main: asyncio.Task[None] | None = None
    owner: str = ""
    open_files: set[int] = field(default_factory=set)
    approved: dict[str, str] = field(default_factory=dict)
    interrupted: bool = False

    @property
    def stopped(self) -> bool:
        return self.alive and self.loop.time() < self.stopped_until

    def approves(self, order_ref: str, plan: str) -> None:
        """A plan is approved: by the person of this run, or else by a yes given
        beforehand.
        """
        if self.approved.get(order_ref) == plan:
            self.fate.refused.discard(order_ref)
        elif order_ref in self.fate.refused:
            self.fate.broken(f"approved beforehand after a person's no: {order_ref}")
        self.approved[order_ref] = plan

    def boundary(self, point: str) -> None:
        """Between this and the next one nothing outside changes. Raises `Crash` in a
        dead process.
        """
        if not self.alive:
            raise Crash(point)
        befalls = self.fate.befalls(self, point)
        if isinstance(befalls, Crash):
            self.die(point)
            raise befalls
        if befalls is not None:
            self.stop(befalls)

    def die(self, point: str) -> None:
        """Like `kill -9`: the system closes its files, its tasks never do anything
        again that lasts.
        """
        self.alive = False
        for file in self.open_files:
            os.close(file)
        self.open_files.clear()
        if self.main is not None:
            self.main.cancel()
        self.fate.died(self, point)

    def interrupt(self) -> None:
        """Like Ctrl-C: what it does is cancelled, and it hears what is on the wire
        before it ends.
        """
        if self.alive and self.main is not None:
            self.interrupted = True
            self.main.cancel()

    def stop(self, seconds: float) -> None:
        """Like `SIGSTOP`, and `SIGCONT` later: from the end of this step on nothing of
        it runs.
        """
        self.stopped_until = max(self.stopped_until, self.loop.time() + seconds)
        self.loop.outside(seconds, self._continue)

    def _continue(self) -> None:
        if not self.stopped:
            handles = self.frozen
            self.frozen = []
            self.loop.go_on(handles)


def current() -> Process | None:
    """The process whose step runs now; None outside of all."""
    process = PROCESS.get()
    assert process is None or isinstance(process, Process)
    return process


def boundary(point: str) -> None:
    """A boundary of the process that runs now, if one does."""
    process = current()
    if process is not None:
        process.boundary(point)
