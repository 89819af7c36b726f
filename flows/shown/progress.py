"""How far a run is, for those who follow it: log lines, and one progress artifact a stage.

Nothing here may stop or slow a run that spends money: artifacts are written beside the work, only the newest figure of
each stage, and what can't be shown is not shown.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import AsyncIterator, Coroutine
from contextlib import asynccontextmanager
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from flows.shown.expected_failures import run_logger
from tasks.progress import Progress, progress

PATIENCE_S = 5.0
TRY_AGAIN_S = 60.0


class _Reach:
    """Whether the Prefect server can be reached. While it can't, nobody waits for it more than once in a while."""

    lost_at: float | None = None

    @classmethod
    def is_lost(cls) -> bool:
        return cls.lost_at is not None and time.monotonic() - cls.lost_at < TRY_AGAIN_S


async def shown(what: str, showing: Coroutine[Any, Any, object], *, without_run: bool = False) -> bool:
    """Wait a few seconds for something to be shown in the UI; says so in the log, and no more, when it can't be.

    Outside a flow run nobody looks, and Prefect would start a server of its own: there it is shown only `without_run`.
    """
    if FlowRunContext.get() is None and not without_run:
        showing.close()
        return True
    if _Reach.is_lost():
        showing.close()
        return False
    try:
        await asyncio.wait_for(showing, PATIENCE_S)
    except Exception as error:  # noqa: BLE001 - whatever keeps Prefect from showing something is no reason to stop
        _Reach.lost_at = time.monotonic()
        run_logger().warning("The Prefect server did not take %s (%s); the run goes on", what, type(error).__name__)
        return False
    _Reach.lost_at = None
    return True


async def rename_run(name: str) -> None:
    """Give the flow run a name that says more than the first one; nothing outside a run."""
    context = FlowRunContext.get()
    if context is None or context.flow_run is None:
        return
    async with get_client() as client:
        await client.update_flow_run(context.flow_run.id, name=name)


@asynccontextmanager
async def progress_shown(key: str) -> AsyncIterator[None]:
    """Tell of the stages that go on in the block; whoever listens already, such as a terminal, still hears of them."""
    board = _Board(progress.get(), key)
    token = progress.set(board)
    try:
        yield
    finally:
        progress.reset(token)
        await board.close()


@dataclass(kw_only=True)
class _Stage:
    total: int
    done: int = 0
    artifact_id: UUID | None = None
    shown: int = -1

    @property
    def percent(self) -> float:
        return round(100 * self.done / self.total, 1)


class _Board:
    """Hears of progress, passes it on, logs a line a chunk, and leaves the artifacts to a task of its own."""

    def __init__(self, others: Progress, key: str) -> None:
        self._others = others
        self._key = key
        self._stages: dict[str, _Stage] = {}
        self._news = asyncio.Event()
        self._closing = False
        self._showing = asyncio.create_task(self._show_always()) if FlowRunContext.get() else None

    def start(self, stage: str, total: int) -> None:
        self._others.start(stage, total)
        if total:
            self._stages[stage] = _Stage(total=total)

    def advance(self, stage: str, done: int) -> None:
        self._others.advance(stage, done)
        if stage in self._stages:
            of = self._stages[stage]
            first, of.done = of.done + 1, of.done + done
            run_logger().info("%s: %s–%s of %s done", stage, f"{first:,}", f"{of.done:,}", f"{of.total:,}")
            self._news.set()

    async def close(self) -> None:
        """Show the last figures, and wait for that no longer than patience allows."""
        if self._showing is None:
            return
        self._closing = True
        self._news.set()
        await asyncio.wait({self._showing}, timeout=PATIENCE_S)
        self._showing.cancel()

    async def _show_always(self) -> None:
        closing = False
        while not closing:
            await self._news.wait()
            self._news.clear()
            closing = self._closing  # asked before showing: what is told meanwhile is shown once more
            await shown("the progress", self._show())

    async def _show(self) -> None:
        for name, stage in list(self._stages.items()):
            done = stage.done
            if done == stage.shown:
                continue
            words = f"{name}: {done:,} of {stage.total:,}"
            if stage.artifact_id is None:
                key = f"{name.replace(' ', '-')}-{self._key}"
                made = await acreate_progress_artifact(stage.percent, key=key, description=words)
                stage.artifact_id = UUID(str(made))
            else:
                await aupdate_progress_artifact(stage.artifact_id, progress=stage.percent, description=words)
            stage.shown = done
