"""The flow run of this process, and which ones Prefect's server is asked for."""

from __future__ import annotations

from contextlib import suppress
from datetime import datetime
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.context import FlowRunContext
from prefect.states import Crashed

from connectors.book_file import of_a_night
from connectors.foreign import prefect_errors
from connectors.process_locks import deployed_run


def current_run() -> FlowRun | None:
    """The flow run that this code runs in, as it was when it began; None outside
    one.
    """
    context = FlowRunContext.get()
    return context.flow_run if context else None


STOPPED = (StateType.CANCELLING, StateType.CANCELLED, StateType.PAUSED)


async def is_stopped_by_person(run_id: str) -> bool:
    """Whether a person has cancelled a run, or paused it on its page; False where the
    server does not say.
    """
    with suppress(*prefect_errors()):
        async with get_client() as client:
            state = (await client.read_flow_run(UUID(run_id))).state
            return state is not None and state.type in STOPPED
    return False


async def show_as_crashed(run_id: str, message: str) -> None:
    """Give a run whose process is gone the state that its page lacks."""
    with suppress(*prefect_errors()):
        async with get_client() as client:
            run = await client.read_flow_run(UUID(run_id))
            if run.state and not run.state.is_final():
                state: State[None] = Crashed(message=message)
                await client.set_flow_run_state(run.id, state, force=True)


def is_deployed() -> bool:
    """Whether this is a run of a deployment, or below one: people follow it in the UI,
    and a later run can go on.
    """
    run = current_run()
    return bool(run and (run.deployment_id or deployed_run()))


def is_by_a_person() -> bool:
    """Whether a person started this run for one file: no schedule, and no inbox."""
    run = current_run()
    is_scheduled = run is not None and run.auto_scheduled
    return not is_scheduled and of_a_night.get(None) is None


async def retried_at() -> datetime | None:
    """When a person last pressed *Retry* for this deployment's run: what counts from
    its start counts from then.
    """
    if not (run_id := deployed_run()):
        return None
    with suppress(*prefect_errors()):
        async with get_client() as client:
            states = await client.read_flow_run_states(UUID(run_id))
        again = [state for state in states if state.name == "AwaitingRetry"]
        return max((state.timestamp for state in again), default=None)
    return None


def runs_in(
    *states: StateType,
    tag: str = "",
    deployment: UUID | None = None,
    ended_since: datetime | None = None,
) -> FlowRunFilter:
    """Runs in these states."""
    run_filter = {
        "state": {"type": {"any_": states}},
        "tags": {"all_": [tag]} if tag else None,
        "deployment_id": {"any_": [deployment]} if deployment else None,
        "end_time": {"after_": ended_since} if ended_since else None,
    }
    return FlowRunFilter.model_validate(run_filter)


async def next_start(client: PrefectClient, deployment: UUID) -> datetime | None:
    """When the next run of a deployment is planned."""
    planned = runs_in(StateType.SCHEDULED, deployment=deployment)
    first = FlowRunSort.EXPECTED_START_TIME_ASC
    runs = await client.read_flow_runs(flow_run_filter=planned, sort=first, limit=1)
    return runs[0].expected_start_time if runs else None
