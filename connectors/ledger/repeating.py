"""Repeats a ledger operation that the database rolled back or could not take for a moment."""

from __future__ import annotations

import functools
import logging
import math
import time
from collections.abc import Callable
from typing import ParamSpec, TypeVar

from sqlalchemy.exc import DBAPIError

from connectors.ledger.engine import LedgerUnusable

P = ParamSpec("P")
R = TypeVar("R")

PATIENCE_S = 60.0
FIRST_PAUSE_S = 0.05
LONGEST_PAUSE_S = 2.0
UNDONE = ("40001", "40P01")  # serialization failure, deadlock: of two transactions PostgreSQL rolled one back
AWAY = ("08", "57P")  # no connection; the server is going down or coming up
HOPELESS = ("password", "pg_hba.conf", "does not exist")  # refused for good; while connecting there is no SQLSTATE

log = logging.getLogger("sourcing")


def repeating(operation: Callable[P, R]) -> Callable[P, R]:
    """Retry after a deadlock or a lost server, for a minute from the first failure.

    The minute does not count from the start: a process that was stopped meanwhile would have used it up. The operation
    must be idempotent: its first commit may have succeeded although the confirmation was lost.
    """

    @functools.wraps(operation)
    def repeated(*args: P.args, **kwargs: P.kwargs) -> R:
        deadline, pause = math.inf, FIRST_PAUSE_S
        while True:
            try:
                return operation(*args, **kwargs)
            except LedgerUnusable as error:
                deadline = min(deadline, time.monotonic() + PATIENCE_S)
                if not passes(error.__cause__) or time.monotonic() >= deadline:
                    raise
                if pause == 2 * FIRST_PAUSE_S:  # a failure that passes at once is not worth a line
                    log.warning("The ledger's database does not answer; waiting for it up to %.0f s", PATIENCE_S)
                time.sleep(pause)
                pause = min(2 * pause, LONGEST_PAUSE_S)

    return repeated


def passes(cause: BaseException | None) -> bool:
    """Whether waiting may help. Never for SQLite, which waits for locks by itself."""
    if not isinstance(cause, DBAPIError) or not type(cause.orig).__module__.startswith("psycopg"):
        return False
    state = getattr(cause.orig, "sqlstate", None)
    if state is None:
        return not any(sign in str(cause.orig) for sign in HOPELESS)
    return cause.connection_invalidated or state in UNDONE or state.startswith(AWAY)
