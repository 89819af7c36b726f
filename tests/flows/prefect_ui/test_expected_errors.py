"""How the flows that look after orders end, and what their forms do not take."""

from __future__ import annotations

import asyncio
from typing import Any, cast
from uuid import uuid4

import pytest
from prefect import Flow, flow
from prefect.client.orchestration import get_client
from prefect.client.schemas.objects import State
from prefect.context import FlowRunContext
from prefect.exceptions import CancelledRun, ParameterTypeError, Pause
from prefect.flow_engine import run_flow_async
from prefect.settings import PREFECT_API_URL, temporary_settings
from prefect.states import Cancelling, Failed, Scheduled, Suspended

from connectors.xportcn.errors import Misconfigured
from domain.after_sale import RefundFault
from domain.marketplace import Marketplace
from domain.request_remarks import BadRequests, Fault
from flows.after_sale import request_refund
from flows.prefect_ui import expected_errors
from flows.prefect_ui.expected_errors import sourcing_flow
from flows.reconcile import reconcile_ledger
from flows.sync_tracking import sync_tracking
from tasks.engine.retrying import begins_no_task, file_task

pytestmark = pytest.mark.filterwarnings(
    "ignore::pytest.PytestUnraisableExceptionWarning"
)
"""Prefect leaves its sockets to the garbage collector when a flow's event loop ends."""


@sourcing_flow("a run", RefundFault)
async def work(
    fault: Exception | None = None, where: Marketplace = Marketplace.TAOBAO
) -> str:
    """Work that fails as it is told."""
    if fault:
        raise fault
    return where


async def test_a_failure_that_a_person_can_mend_is_the_runs_message() -> None:
    """A state with the message, and with the failure for whoever called the flow as a
    function.
    """
    for fault in (Misconfigured("the key is wrong"), RefundFault("no such order")):
        state: Any = await work.fn(fault)
        assert (
            state.is_failed(),
            state.message,
            await state.aresult(raise_on_failure=False),
        ) == (
            True,
            str(fault),
            fault,
        )


async def test_a_defect_leaves_its_traceback_in_the_log_and_its_type_alone_in_prefect(
    caplog: pytest.LogCaptureFixture,
) -> None:
    state: Any = await work.fn(KeyError("Jane Doe"))
    assert (state.type, state.message) == (
        "FAILED",
        "a defect, KeyError: see the log of this run",
    )
    assert "raise fault" in caplog.text
    assert "Jane Doe" not in caplog.text
    assert await work.fn(where=Marketplace.POIZON) == "poizon"


async def test_a_failed_run_keeps_its_reason_with_its_start(prefect_url: str) -> None:
    """As Prefect answers it."""

    @sourcing_flow("a run")
    async def nightly() -> None:
        raise BadRequests([Fault(3, "receiver_name", "Mei Chen is not a name")])

    with temporary_settings({PREFECT_API_URL: prefect_url}):
        state = await nightly(return_state=True)
        async with get_client() as client:
            assert state.state_details.flow_run_id
            run = await client.read_flow_run(state.state_details.flow_run_id)
    assert (state.is_failed(), run.run_count) == (True, 1)
    assert run.labels["sourcing.reason.1"] == "run_file_faulty"


@pytest.mark.parametrize(
    "meanwhile", [None, Failed(message="never resumed"), Scheduled(name="Resuming")]
)
async def test_a_run_that_is_paused_on_its_page_ends_at_once_as_a_cancelled_one(
    prefect_url: str, monkeypatch: pytest.MonkeyPatch, meanwhile: State | None
) -> None:
    """It reports on its way out, and stays suspended: resumed, it goes on.

    It ends too where it was resumed, or given up as never resumed, before it looks.
    """
    monkeypatch.setattr(expected_errors, "PAGE_POLL_S", 0.5)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(uuid4()))
    began = asyncio.Event()
    wrote = list[str]()

    @file_task("write")
    async def write() -> None:
        wrote.append("tables")

    @sourcing_flow("a run")
    async def buys() -> None:
        try:
            began.set()
            await asyncio.sleep(60)
        except BaseException as error:
            begins_no_task.set(True)
            await write()
            wrote.append(type(error).__name__)
            raise

    with temporary_settings({PREFECT_API_URL: prefect_url}):
        async with get_client() as client:
            deployment = await client.create_deployment(
                await client.create_flow(buys), "nobody-pauses"
            )
            run = await client.create_flow_run_from_deployment(deployment)
            running = asyncio.create_task(
                run_flow_async(cast(Any, buys), flow_run=run, parameters={})
            )
            await began.wait()
            await client.set_flow_run_state(
                run.id, Suspended(timeout_seconds=300), force=True
            )
            if meanwhile:
                await client.set_flow_run_state(run.id, meanwhile, force=True)
            with pytest.raises(Pause):
                await asyncio.wait_for(running, 20)
            state = (await client.read_flow_run(run.id)).state
            await client.delete_deployment(deployment)
    assert state is not None
    assert (state.name, wrote) == (
        meanwhile.name if meanwhile else "Suspended",
        ["tables", "CancelledError"],
    )


async def test_a_run_below_that_is_cancelled_on_its_page_ends_and_the_night_goes_on(
    prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It has no process of its own."""
    monkeypatch.setattr(expected_errors, "PAGE_POLL_S", 0.1)
    monkeypatch.setenv("PREFECT__FLOW_RUN_ID", str(uuid4()))
    ends = list[str]()

    @sourcing_flow("a run")
    async def batch() -> None:
        async with get_client() as client:
            run = FlowRunContext.get()
            assert run
            assert run.flow_run
            await client.set_flow_run_state(run.flow_run.id, Cancelling(), force=True)
        await asyncio.sleep(60)

    @flow(persist_result=False)
    async def night() -> None:
        try:
            await batch()
        except CancelledRun:
            ends.append("cancelled")
        ends.append("goes on")

    with temporary_settings({PREFECT_API_URL: prefect_url}):
        await asyncio.wait_for(night(), 20)
    assert ends == ["cancelled", "goes on"]


@pytest.mark.parametrize(
    ("flow", "parameters"),
    [
        (reconcile_ledger, {"since_days": -2}),
        (reconcile_ledger, {"marketplaces": ["ebay"]}),
        (sync_tracking, {"due_only": "perhaps"}),
        (request_refund, {"order_ref": "A-1", "kind": "gift", "reason": "1"}),
    ],
)
def test_what_can_not_be_done_is_not_taken(
    flow: Flow[..., Any], parameters: dict[str, object]
) -> None:
    """The form's limits hold for whoever starts the flow."""
    with pytest.raises(ParameterTypeError):
        flow.validate_parameters(parameters)
