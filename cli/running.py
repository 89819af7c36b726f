"""Runs a flow for a command: on the data folder's own Prefect server, with progress bars, and nothing else to see."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cli.terminal import progress_bars, quiet_prefect
from connectors.ledger.engine import LedgerUnusable
from connectors.settings import SourcingSettings
from deployments.local_server import ServerFailed, prefect_server

R = TypeVar("R")
OF_PREFECTS_CLIENT = ("httpx", "prefect.exceptions")


def run_flow(flow: Callable[[], Coroutine[Any, Any, R]]) -> R:
    """What the flow answers. `flow` itself imports what it needs of `flows`: before it is called is too soon."""
    _require_no_prefect()
    with prefect_server(SourcingSettings().data_dir) as url:
        from tasks.progress import hearing, progress

        quiet_prefect()
        with progress_bars() as bars, hearing(bars.waits), _server_is_well(url):
            progress.set(bars)
            return asyncio.run(flow())


@contextmanager
def _server_is_well(url: str) -> Iterator[None]:
    """What Prefect's own client raises ends in a sentence; the service's failures have errors of their own.

    With the data folder its server may have gone too: then what the run told of itself comes before that.
    """
    from tasks.resources import last_loss

    losses: list[str] = []
    last_loss.set(losses)
    try:
        yield
    except Exception as error:
        if losses:
            raise LedgerUnusable(losses[-1]) from error
        if not type(error).__module__.startswith(OF_PREFECTS_CLIENT):
            raise
        told = (str(error).strip().splitlines() or [""])[0]
        raise ServerFailed(
            f"the Prefect server at {url} did not do what was asked ({type(error).__name__}: {told}): look at its log "
            "(prefect/server.log in the data folder, if it is the folder's own), and run the same command again"
        ) from error


def _require_no_prefect() -> None:
    """Prefect reads its server's address as it is imported, and without one it starts a server of its own."""
    if "prefect" in sys.modules and not os.environ.get("PREFECT_API_URL"):
        raise RuntimeError("Prefect was imported before its server is known: import flows inside the function given")
