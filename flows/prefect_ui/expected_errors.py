"""Failures that a person can mend end a run with one message; what is only for show
ends none.
"""

from __future__ import annotations

import asyncio
import functools
import inspect
import logging
import time
from collections.abc import AsyncIterator, Callable, Coroutine
from contextlib import asynccontextmanager, suppress
from typing import Any, ParamSpec, TypeVar

from prefect import Flow, flow, get_run_logger
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import FlowRun, State
from prefect.context import FlowRunContext
from prefect.exceptions import MissingContextError, Pause
from prefect.states import Cancelled, Failed
from pydantic import ValidationError

from connectors.foreign import prefect_errors, shut_logs, traceback_of, words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.process_locks import deployed_run
from connectors.request_files import UnreadableFile
from connectors.settings import BadSetting, MissingSetting, enter_folder
from connectors.snapshots.files import SnapshotError
from connectors.xportcn.errors import Misconfigured, XportcnError
from domain.reasons import ReasonCode, run_label
from domain.request_remarks import BadInput, BadRequests
from flows.prefect_ui.parameters import form_field
from flows.prefect_ui.runs import current_run

CODES: dict[type[Exception], ReasonCode] = {
    BadInput: ReasonCode.RUN_INPUT_WRONG,
    BadRequests: ReasonCode.RUN_FILE_FAULTY,
    BadSetting: ReasonCode.RUN_SETTING_WRONG,
    LedgerUnusable: ReasonCode.RUN_LEDGER_UNUSABLE,
    MissingSetting: ReasonCode.RUN_SETTING_WRONG,
    OSError: ReasonCode.RUN_MACHINE_FAILED,
    SnapshotError: ReasonCode.RUN_SNAPSHOT_FAILED,
    UnreadableFile: ReasonCode.RUN_FILE_UNREADABLE,
    ValidationError: ReasonCode.RUN_INPUT_WRONG,
    Misconfigured: ReasonCode.RUN_SETTING_WRONG,
    XportcnError: ReasonCode.RUN_SERVICE_FAILED,
}
"""Why a run failed, by the first kind that its error is of."""
EXPECTED = tuple(CODES)
Logger = logging.Logger | logging.LoggerAdapter[Any]
P = ParamSpec("P")
R = TypeVar("R")
Work = Callable[P, Coroutine[Any, Any, R]]


def run_logger() -> Logger:
    """The logger whose lines the Prefect UI shows with the run; a plain logger outside
    a run.
    """
    try:
        return get_run_logger()
    except MissingContextError:
        return logging.getLogger("sourcing")


async def _label(code: ReasonCode) -> None:
    """Leave the code of a failure with its run in Prefect, for alerts. The words are
    the state's message.
    """
    if run := current_run():
        async with get_client() as client:
            await client.update_flow_run_labels(
                run.id, {run_label(run.run_count): str(code)}
            )


class _WithoutTracebacks(logging.Filter):
    """A log filter that removes the tracebacks of expected failures; the message
    stays.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and isinstance(record.exc_info[1], EXPECTED):
            record.exc_info = record.exc_text = None
        return True


PAGE_POLL_S = 3.0
WITHOUT_TRACEBACKS = _WithoutTracebacks()


def hide_tracebacks() -> None:
    """Remove tracebacks of expected failures from the logs of this process's runs, and
    foreign words from all.
    """
    shut_logs()
    for name in ("prefect.flow_runs", "prefect.task_runs"):
        logging.getLogger(name).addFilter(
            WITHOUT_TRACEBACKS
        )  # adding it again changes nothing


class _CancelledOnItsPage(Exception):
    """A run below a deployment's was cancelled: no worker ends its process, which is
    its parent's.
    """


@asynccontextmanager
async def _stops_on_its_page() -> AsyncIterator[None]:
    """Cancel a deployment's run in the block once *Pause* is pressed on its page, also
    if it goes on elsewhere since.

    And a run below it, such as a night's batch, once *Cancel* is pressed on its own.
    Prefect alone would let the one buy on to the end of a chunk, and end without a
    word, and the other buy all.
    """
    task = asyncio.current_task()
    stopped: list[State] = []

    async def watch(run: FlowRun) -> None:
        while not stopped:
            await asyncio.sleep(PAGE_POLL_S)
            stopped.extend(await _stopped(run))
        if task:
            task.cancel()

    run = current_run() if deployed_run() else None
    watching = asyncio.create_task(watch(run)) if run else None
    try:
        yield
    finally:
        if watching:
            watching.cancel()
        if stopped and task and run:
            task.uncancel()
            raise Pause(state=stopped[0]) if run.deployment_id else _CancelledOnItsPage


async def _stopped(run: FlowRun) -> list[State]:
    """The state in which this run can't go on here; none while it can."""
    with suppress(*prefect_errors()):
        async with get_client() as client:
            flow_run = await client.read_flow_run(run.id)
        state = flow_run.state
        if state and (
            _is_suspended(state) or flow_run.run_count > run.run_count
            if run.deployment_id
            else state.is_cancelling() or state.is_cancelled()
        ):
            return [state]
    return []


def _is_suspended(state: State) -> bool:
    """Also one that was, and is resumed or given up; a worker ends what is being
    cancelled.
    """
    return not (state.is_running() or state.is_cancelling())


def sourcing_flow(
    run_name: str | Callable[[], str], *further: type[Exception]
) -> Callable[[Work[P, R]], Flow[P, Coroutine[Any, Any, R]]]:
    """Make a flow without stored results. Failures that a person can mend, and
    `further` ones, become the run's message.

    A defect leaves its traceback in the run's log. A caller of the flow as a function
    gets all of them raised.
    """

    expected: tuple[type[Exception], ...] = (*EXPECTED, *further)

    def decorated(work: Work[P, R]) -> Flow[P, Coroutine[Any, Any, R]]:
        @functools.wraps(work)
        async def worked(*args: P.args, **kwargs: P.kwargs) -> R:
            hide_tracebacks()
            enter_folder()
            try:
                async with _stops_on_its_page():
                    return await work(*args, **kwargs)
            except _CancelledOnItsPage:
                state: Any = Cancelled(message="cancelled on its page")
            except Exception as error:  # noqa: BLE001 - of a defect Prefect would keep the text, which may quote an answer
                reason_codes = (
                    code for kind, code in CODES.items() if isinstance(error, kind)
                )
                code = next(reason_codes, ReasonCode.RUN_INPUT_WRONG)
                message = words_of(error)
                code = (
                    code
                    if (is_expected := isinstance(error, expected))
                    else ReasonCode.RUN_DEFECT
                )
                if not is_expected:
                    run_logger().error("%s", traceback_of(error))
                    message = f"a defect, {message}: see the log of this run"
                with suppress(Exception):  # the run fails all the same
                    await asyncio.wait_for(_label(code), timeout=5)
                state = Failed(message=message, data=error)
            ended: R = state
            return ended

        # Prefect reads the form's fields in the module that the function is of, which
        # is this one
        signature = inspect.signature(work, eval_str=True)
        fields = [
            parameter.replace(annotation=form_field(parameter.annotation))
            for parameter in signature.parameters.values()
        ]
        vars(worked)["__signature__"] = signature.replace(parameters=fields)
        worked.__annotations__ = {field.name: field.annotation for field in fields}
        return flow(flow_run_name=run_name, persist_result=False)(worked)

    return decorated


PATIENCE_S = 5.0
TRY_AGAIN_S = 60.0


class _Reach:
    """Whether the Prefect server can be reached. While it can't, only one call in
    `TRY_AGAIN_S` waits for it.
    """

    lost_at: float | None = None

    @classmethod
    def is_lost(cls) -> bool:
        return cls.lost_at is not None and time.monotonic() - cls.lost_at < TRY_AGAIN_S


async def best_effort(
    what: str, work: Coroutine[Any, Any, object], *, without_run: bool = False
) -> bool:
    """Wait a few seconds for the UI to take something; a failure is logged and ignored.

    Outside a flow run Prefect would start a server of its own: there it is shown only
    `without_run`.
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
        run_logger().warning(
            "The Prefect server did not take %s (%s); the run goes on",
            what,
            type(error).__name__,
        )
        return False
    _Reach.lost_at = None
    return True


async def rename_run(name: str) -> None:
    """Give the flow run a name that says more than the first one; nothing outside a
    run.
    """
    if run := current_run():
        async with get_client() as client:
            await client.update_flow_run(run.id, name=name)
