"""Showing results in the Prefect UI, which may never stop or slow a run that spends money."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Coroutine
from typing import Any

from prefect.client.orchestration import get_client
from prefect.context import FlowRunContext

from flows.prefect_ui.expected_errors import run_logger

PATIENCE_S = 5.0
TRY_AGAIN_S = 60.0


class _Reach:
    """Whether the Prefect server can be reached. While it can't, only one call in `TRY_AGAIN_S` waits for it."""

    lost_at: float | None = None

    @classmethod
    def is_lost(cls) -> bool:
        return cls.lost_at is not None and time.monotonic() - cls.lost_at < TRY_AGAIN_S


async def best_effort(what: str, work: Coroutine[Any, Any, object], *, without_run: bool = False) -> bool:
    """Wait a few seconds for the UI to take something; a failure is logged and ignored.

    Outside a flow run Prefect would start a server of its own: there it is shown only `without_run`.
    """
    if FlowRunContext.get() is None and not without_run:
        work.close()
        return True
    if _Reach.is_lost():
        work.close()
        return False
    try:
        await asyncio.wait_for(work, PATIENCE_S)
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
