"""Where a run says how far it is: the terminal listens, a scheduled run has nobody listening."""

from __future__ import annotations

from contextvars import ContextVar
from typing import Protocol


class Progress(Protocol):
    """Hears of stages as they go on."""

    def start(self, stage: str, total: int) -> None:
        """A stage begins that will handle `total` things."""

    def advance(self, stage: str, done: int) -> None:
        """`done` more things of a stage are handled."""


class Silent:
    """Nobody listens."""

    def start(self, stage: str, total: int) -> None:
        pass

    def advance(self, stage: str, done: int) -> None:
        pass


SILENT = Silent()

progress: ContextVar[Progress] = ContextVar("progress", default=SILENT)
