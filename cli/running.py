"""Runs a flow for a command: on the data folder's own Prefect server, with progress bars, and nothing else to see."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine
from typing import Any, TypeVar

from cli.terminal import progress_bars, quiet_prefect
from connectors.settings import SourcingSettings
from deployments.local_server import prefect_server

R = TypeVar("R")


def run_flow(flow: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """What the flow answers. `flow` itself imports what it needs of `flows`: before it is called is too soon."""
    _require_no_prefect()
    with prefect_server(SourcingSettings().data_dir):
        from tasks.progress import progress

        quiet_prefect()
        with progress_bars() as bars:
            progress.set(bars)
            return asyncio.run(flow())


def _require_no_prefect() -> None:
    """Prefect reads its server's address as it is imported, and without one it starts a server of its own."""
    if "prefect" in sys.modules and not os.environ.get("PREFECT_API_URL"):
        raise RuntimeError("Prefect was imported before its server is known: import flows inside the function given")
