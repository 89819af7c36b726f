"""Runs a flow for a command: on the data folder's own Prefect server, with progress bars, and nothing else to see."""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Callable, Coroutine, Iterator
from contextlib import contextmanager
from typing import Any, TypeVar

from cli.terminal import progress_bars, quiet_prefect
from connectors.foreign import prefect_errors, words_of
from connectors.settings import SourcingSettings
from deployments.local_server import ServerFailed, prefect_server

R = TypeVar("R")
SELDOM = 50_000, 10, 10
"""A run makes many lasting objects and few rings: by Python's own thresholds, collecting takes a tenth of it."""


def nothing() -> None:
    pass


def run_flow(flow: Callable[[], Coroutine[Any, Any, R]], *, first: Callable[[], object] = nothing) -> R:
    """The flow's answer.

    `flow` itself imports its modules of `flows`, so that the server starts beside that. So does `first`, work such as
    reading a file; its error ends the command, and the server with it.
    """

    def meanwhile() -> None:
        first()
        _load()

    with prefect_server(SourcingSettings().data_dir, meanwhile) as url:
        from tasks.engine.progress import listening, progress

        quiet_prefect()
        with progress_bars() as bars, listening(bars.waits), _server_is_well(url):
            progress.set(bars)
            return asyncio.run(flow())


def _load() -> None:
    """Import what every flow needs, also what would be imported late, while the server starts.

    Without garbage collection: imports leave little garbage.
    """
    if "prefect" in sys.modules:
        return
    gc.disable()
    import fastapi.encoders  # noqa: F401 - Prefect's, for the parameters of a run
    import prefect.flow_engine  # noqa: F401

    import flows.buy_from_file  # noqa: F401
    from connectors.marketplaces import load_all

    load_all()
    gc.freeze()
    gc.set_threshold(*SELDOM)
    gc.enable()


@contextmanager
def _server_is_well(url: str) -> Iterator[None]:
    """Errors of Prefect's own client end in a sentence; the service's failures have errors of their own.

    With the data folder its server may have gone too: then the run's own account comes before that.
    """
    from connectors.ledger.engine import LedgerUnusable
    from tasks.engine.resources import last_replaced

    losses: list[str] = []
    last_replaced.set(losses)
    try:
        yield
    except Exception as error:
        if losses:
            raise LedgerUnusable(losses[-1]) from error
        if not isinstance(error, prefect_errors()):
            raise
        raise ServerFailed(
            f"the Prefect server at {url} did not do what was asked ({words_of(error)}): see its log "
            "(prefect/server.log in the data folder, if it is the folder's own), and run the same command again"
        ) from error
