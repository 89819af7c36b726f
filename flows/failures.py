"""Failures that a person can mend end a run with one message; only defects leave a traceback."""

from __future__ import annotations

import logging
from typing import Any

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.states import Failed
from pydantic import ValidationError

from connectors.ledger.engine import LedgerUnusable
from connectors.request_files import UnreadableFile
from connectors.settings import BadSetting, MissingSetting
from connectors.snapshots.manifests import SnapshotError
from connectors.xportcn.errors import XportcnError
from domain.bad_requests import BadRequests
from flows.parameters import BadInput

EXPECTED = (
    BadInput,
    BadRequests,
    BadSetting,
    LedgerUnusable,
    MissingSetting,
    OSError,
    SnapshotError,
    UnreadableFile,
    ValidationError,
    XportcnError,
)
Logger = logging.Logger | logging.LoggerAdapter[Any]


def run_logger() -> Logger:
    """The logger whose lines the Prefect UI shows with the run; a plain one where there is no run."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("sourcing")


def failed(error: Exception) -> Any:
    """The state that ends a flow run with a message. Whoever called the flow as a function gets the error raised."""
    return Failed(message=str(error), data=error)


class _Plainly(logging.Filter):
    """Takes the traceback off log records about expected failures; the message stays."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], EXPECTED):
            record.exc_info = record.exc_text = None
        return True


PLAINLY = _Plainly()


def speak_plainly() -> None:
    """No tracebacks for expected failures in the logs of this process's runs."""
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(PLAINLY)  # adding it again changes nothing
