"""Failures that a person can mend end a run with one message; only defects leave a traceback."""

from __future__ import annotations

import functools
import inspect
import logging
from collections.abc import Callable, Coroutine
from typing import Any, ParamSpec, TypeVar

from prefect import get_run_logger
from prefect.exceptions import MissingContextError
from prefect.states import Failed
from pydantic import ValidationError

from connectors.foreign import shut_logs, traceback_of, words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.request_files import UnreadableFile
from connectors.settings import BadSetting, MissingSetting
from connectors.snapshots.manifests import SnapshotError
from connectors.xportcn.errors import XportcnError
from domain.bad_requests import BadRequests
from flows.prefect_ui.parameters import BadInput

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
P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[P, Coroutine[Any, Any, R]]


def run_logger() -> Logger:
    """The logger whose lines the Prefect UI shows with the run; a plain logger outside a run."""
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("sourcing")


def failed(error: Exception) -> Any:
    """The state that ends a flow run with a message. A caller of the flow as a function gets the error raised."""
    return Failed(message=words_of(error), data=error)


class _WithoutTracebacks(logging.Filter):
    """A log filter that removes the tracebacks of expected failures; the message stays.

    It drops the lines of completed tasks: each stage logs its progress.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.name == "prefect.task_runs" and record.getMessage() == "Finished in state Completed()":
            return False
        if record.exc_info and isinstance(record.exc_info[1], EXPECTED):
            record.exc_info = record.exc_text = None
        return True


WITHOUT_TRACEBACKS = _WithoutTracebacks()


def hide_tracebacks() -> None:
    """Remove tracebacks of expected failures from the logs of this process's runs, and foreign words from all."""
    shut_logs()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(WITHOUT_TRACEBACKS)  # adding it again changes nothing


def report_expected_errors(*further: type[Exception]) -> Callable[[Work[P, R]], Work[P, R]]:
    """Decorate a flow's function: failures that a person can mend, and `further` ones, become the run's message.

    A defect leaves its traceback in the run's log. A caller of the flow as a function gets all of them raised.
    """

    expected: tuple[type[Exception], ...] = (*EXPECTED, *further)

    def decorated(work: Work[P, R]) -> Work[P, R]:
        @functools.wraps(work)
        async def worked(*args: P.args, **kwargs: P.kwargs) -> R:
            hide_tracebacks()
            try:
                return await work(*args, **kwargs)
            except expected as error:
                ended = failed(error)
            except Exception as error:  # noqa: BLE001 - a defect: Prefect would keep its text, which may quote an answer
                run_logger().error("%s", traceback_of(error))
                ended = Failed(message=f"a defect, {words_of(error)}: see the log of this run", data=error)
            state: R = ended
            return state

        # Prefect reads the form's fields in the module that the function is of, which is this one
        vars(worked)["__signature__"] = inspect.signature(work, eval_str=True)
        worked.__annotations__ = inspect.get_annotations(work, eval_str=True)
        return worked

    return decorated
