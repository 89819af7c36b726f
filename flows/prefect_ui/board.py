"""The progress of a run: log lines, and one progress artifact while it is at work.

Both are written beside the work, now and then, with the newest figure of each stage
only: an artifact and its events take about 10 KB of Prefect's database each time.
Failures to show are ignored.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from uuid import UUID

from prefect.artifacts import acreate_progress_artifact, aupdate_progress_artifact
from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext
from prefect.events import Event

from connectors.xportcn.breaker import BreakerNews
from flows.prefect_ui.events import send, service_back, service_waits
from flows.prefect_ui.expected_errors import PATIENCE_S, best_effort, run_logger
from flows.prefect_ui.markdown import inert
from tasks.engine.progress import Progress, Waiting, listening, progress

LOG_EVERY_S = 60.0
SHOW_EVERY_S = 10.0


@asynccontextmanager
async def progress_shown(key: str) -> AsyncIterator[None]:
    """Show the progress of the block's stages; an earlier listener, such as a terminal,
    still gets it too.
    """
    board = _Board(progress.get(), key)
    token = progress.set(board)
    try:
        with listening(board.waits):
            yield
    finally:
        progress.reset(token)
        await board.close()


@dataclass(kw_only=True)
class _Stage:
    total: int
    done: int = 0
    shown: str = ""


class _Board(Progress):
    """A progress listener that passes it on, and leaves log lines and artifacts to a
    task of its own.
    """

    def __init__(self, others: Progress, key: str) -> None:
        self._others = others
        self._key = key
        self._stages: dict[str, _Stage] = {}
        self._artifact_id: UUID | None = None
        self._news = asyncio.Event()
        self._closing = False
        self._waiting = Waiting(LOG_EVERY_S)
        self._events: list[Event] = []
        self._showing = (
            asyncio.create_task(self._show_always()) if FlowRunContext.get() else None
        )

    def start(self, stage: str, total: int) -> None:
        self._others.start(stage, total)
        if stage in self._stages:
            self._stages[stage].total += total
        elif total:
            self._stages[stage] = _Stage(total=total)

    def advance(self, stage: str, done: int) -> None:
        self._others.advance(stage, done)
        if stage in self._stages:
            self._stages[stage].done += done

    def waits(self, news: BreakerNews) -> None:
        """The service keeps the run waiting, or is back: shown with each stage, logged
        now and then, sent as events.
        """
        was_waiting = self._waiting.is_waiting
        if message := self._waiting.update(news):
            run_logger().warning("%s", message)
            self._events += (
                [service_back(message)]
                if not news.why
                else []
                if was_waiting
                else [service_waits(news)]
            )
        self._news.set()

    async def close(self) -> None:
        """Show the last figures, and remove the artifact; wait at most `PATIENCE_S` for
        that.
        """
        if self._showing is None:
            return
        self._closing = True
        self._news.set()
        await asyncio.wait({self._showing}, timeout=PATIENCE_S)
        self._showing.cancel()

    async def _show_always(self) -> None:
        closing = False
        while not closing:
            with suppress(TimeoutError):
                await asyncio.wait_for(self._news.wait(), SHOW_EVERY_S)
            self._news.clear()
            closing = self._closing  # read before showing: figures that come meanwhile are shown in another round
            await best_effort("the progress", self._show())
            telling = self._events
            self._events = []
            if not await send(telling):
                self._events = [*telling, *self._events]
        if artifact_id := self._artifact_id:  # the run's report replaces it
            await best_effort("the end of the progress", _removed(artifact_id))

    async def _show(self) -> None:
        news = self._news_of_stages()
        if not news:
            return
        for news_line in news:
            run_logger().info("%s", news_line)
        done, total = (
            sum(getattr(stage, counter) for stage in self._stages.values())
            for counter in ("done", "total")
        )
        percent = round(100 * done / total, 1)
        message = inert(
            "; ".join(stage.shown for stage in self._stages.values() if stage.shown)
        )
        if self._artifact_id is None:
            artifact_id = await acreate_progress_artifact(
                percent, key=f"progress-{self._key}", description=message
            )
            self._artifact_id = UUID(str(artifact_id))
        else:
            await aupdate_progress_artifact(
                self._artifact_id, progress=percent, description=message
            )

    def _news_of_stages(self) -> list[str]:
        news = []
        for name, stage in list(self._stages.items()):
            waiting = self._waiting.words if stage.done < stage.total else ""
            news_line = f"{name}: {stage.done:,} of {stage.total:,}{f'; {waiting}' if waiting else ''}"
            if news_line != stage.shown and (stage.done or waiting):
                stage.shown = news_line
                news.append(news_line)
        return news


async def _removed(artifact_id: UUID) -> None:
    async with get_client() as client:
        await client.delete_artifact(artifact_id)
