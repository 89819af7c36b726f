"""Starts runs again whose process is gone, whatever Prefect missed. Each process worker
does it.

| a run's state | and | it is started again |
|---|---|---|
| Running, Paused | its process was on this machine and is gone (`process_locks.py`) | at once; see `PATIENCE` |
| Pending | since before this worker began: its worker is gone | a minute after that |
| Crashed | for a minute, and no longer than a day: no automation was there | then |
| any other | unknown to this machine | by the automations, without a sign of life |

Events alone can't do it: Prefect's server loses those that it had not yet acted on when
it is killed.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from uuid import UUID

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterParentFlowRunId
from prefect.client.schemas.objects import FlowRun, State, StateType
from prefect.client.schemas.sorting import FlowRunSort
from prefect.events import Event, RelatedResource, Resource, get_events_client

from connectors.foreign import words_of
from connectors.process_locks import folder_in, forget, has_died, prune
from connectors.settings import SourcingSettings
from deployments import TAG
from deployments.registration import (
    OF_A_DEPLOYMENT,
    OUR_TAG,
    RUN_AGAIN,
    STARTED_AGAIN_AT_MOST,
    TAKEN_UP,
)
from domain.reasons import Reason, ReasonCode, because
from domain.wording import GOES_ON
from flows.prefect_ui.runs import runs_in

SUSPENDED = "Suspended"
AWAITING_RETRY = "AwaitingRetry"
POLLS_EVERY_S = 10.0
PATIENCE = timedelta(seconds=60)
"""A living worker goes first, which reports a killed process twice, seconds apart; and
so does the automation.
"""
FORGOTTEN_AFTER = timedelta(days=1)
AT_WORK = (StateType.PENDING, StateType.RUNNING, StateType.PAUSED)


def why_lost(
    state: State, *, died: datetime | None, began: datetime, now: datetime
) -> Reason | None:
    """Why a run in this state has to be started again; None while another may start it,
    or while it may live.

    `died` is when its process was first seen to be gone, `began` when the worker began.
    A time that lies as far ahead is of a clock that was.
    """

    def is_past(moment: datetime) -> bool:
        return abs(now - moment) >= PATIENCE

    if state.type is StateType.CRASHED and is_past(state.timestamp):
        return because(ReasonCode.RUN_CRASHED)
    if state.type is StateType.PENDING and state.timestamp < began <= now - PATIENCE:
        return because(ReasonCode.RUN_NEVER_BEGAN)
    at_work = (
        state.type in (StateType.RUNNING, StateType.PAUSED) and state.name != SUSPENDED
    )
    if at_work and died and (state.timestamp < began or is_past(died)):
        return because(ReasonCode.RUN_PROCESS_GONE)
    return None


@dataclass(eq=False, kw_only=True)
class RunRecovery:
    """One worker's view of the runs of its machine. `locks` is the folder of their
    locks.
    """

    locks: Path
    began: datetime
    died: dict[UUID, datetime] = field(default_factory=dict)
    has_resynced: bool = False

    async def poll(self, client: PrefectClient) -> list[FlowRun]:
        """Start again what is lost; answers which. Runs that can't be judged here are
        left to the automations.
        """
        lost = []
        for run in await candidates(client):
            is_told = bool(run.state and run.state.type is StateType.CRASHED)
            if (why := self._why(run)) and await take_up(client, run, why):
                lost.append(run)
                is_told = True
            if is_told:
                forget(self.locks, str(run.id))
        if not self.has_resynced:
            await resync_heartbeats(client)
            self.has_resynced = True
        return lost

    def _why(self, run: FlowRun) -> Reason | None:
        state, now = run.state, datetime.now(UTC)
        if state is None or run.deployment_id is None:
            return None
        if has_died(self.locks, str(run.id)):
            self.died.setdefault(state.id, now)
        else:
            self.died.pop(state.id, None)
        return why_lost(state, died=self.died.get(state.id), began=self.began, now=now)


async def take_up(client: PrefectClient, run: FlowRun, why: Reason) -> bool:
    """Start a lost run again and emit the event, unless another process did; mark it
    crashed after the last time.
    """
    if await _may_be_started(
        client, run
    ):  # the server accepts Running → Scheduled also while a process works
        done = await _set(
            client, run, StateType.SCHEDULED, AWAITING_RETRY, f"{why}; {GOES_ON}"
        )
        if done:
            await _emit_taken_up(run, f"{why}. It is started again.")
        return done
    if run.state and run.state.type is not StateType.CRASHED:
        await _set(
            client,
            run,
            StateType.CRASHED,
            "Crashed",
            f"{why}, and it is not started again: look why.",
        )
    return False


async def resync_heartbeats(client: PrefectClient) -> None:
    """Expect a sign of life of every run that is in state running, or waits for an
    answer.

    After a restart the automation for lost runs knows nothing of runs whose last sign
    it missed.
    """
    runs = await client.read_flow_runs(flow_run_filter=ours(*AT_WORK))
    async with get_events_client() as events:
        for run in runs:
            if (
                run.state_name != SUSPENDED
            ):  # it has no process; one that is paused has, and asks
                await events.emit(_event("prefect.flow-run.heartbeat", run))


async def forget_early_runs(client: PrefectClient) -> None:
    """Delete the planned runs that a clock that was ahead began, and that bought
    nothing: Prefect plans a time once.

    A batch of a night is a run below its own.
    """
    wanted, latest_first = (
        ours(StateType.FAILED, StateType.COMPLETED),
        FlowRunSort.EXPECTED_START_TIME_DESC,
    )
    soon = datetime.now(UTC) + PATIENCE
    for run in await client.read_flow_runs(flow_run_filter=wanted, sort=latest_first):
        times = (run.expected_start_time, run.start_time)
        if run.auto_scheduled and all(time and time > soon for time in times):
            below = FlowRunFilter(
                parent_flow_run_id=FlowRunFilterParentFlowRunId(any_=[run.id])
            )
            if not await client.read_flow_runs(flow_run_filter=below, limit=1):
                await client.delete_flow_run(run.id)


def watch(began: datetime) -> None:
    """Recover the runs of this machine as long as this process, or thread, lives; its
    worker began then.
    """
    locks = folder_in(SourcingSettings().data_dir)
    prune(locks)
    asyncio.run(_watch(RunRecovery(locks=locks, began=began)))


async def _watch(watching: RunRecovery) -> None:
    while True:
        try:
            async with get_client() as client:
                for run in await watching.poll(client):
                    print(f"{run.name} was lost and is started again", flush=True)
        except Exception as error:  # noqa: BLE001 - whatever it is, the next look must follow
            print(f"lost runs can't be looked for now: {words_of(error)}", flush=True)
            watching.has_resynced = False  # the server may have missed signs of life
        await asyncio.sleep(POLLS_EVERY_S)


ours = partial(runs_in, tag=TAG)
"""The runs of our deployments."""


async def candidates(client: PrefectClient) -> list[FlowRun]:
    """The runs that may be lost."""
    since = datetime.now(UTC) - FORGOTTEN_AFTER
    crashed = await client.read_flow_runs(
        flow_run_filter=ours(StateType.CRASHED, ended_since=since)
    )
    return [*await client.read_flow_runs(flow_run_filter=ours(*AT_WORK)), *crashed]


async def _may_be_started(client: PrefectClient, run: FlowRun) -> bool:
    """Up to five times, as the automation does it; not at all while that one is
    switched off.
    """
    known = await client.read_automations_by_name(RUN_AGAIN)
    times = times_started_again(run, await client.read_flow_run_states(run.id))
    return times < STARTED_AGAIN_AT_MOST and all(one.enabled for one in known)


def times_started_again(run: FlowRun, states: Iterable[State]) -> int:
    """A process that dies before its run begins is not counted by `run_count`."""
    return max(
        run.run_count - 1, [state.name for state in states].count(AWAITING_RETRY)
    )


async def _set(
    client: PrefectClient, run: FlowRun, kind: StateType, name: str, message: str
) -> bool:
    """Move a run from the state that was seen; False when it has another by now.

    Of two transitions at once Prefect takes the first: both are named after the state
    that was seen.
    """
    assert run.state
    now = await client.read_flow_run(run.id)
    if now.state is None or now.state.id != run.state.id:
        return False
    details = {"transition_id": str(run.state.id)}
    state = {
        "type": kind.value,
        "name": name,
        "message": message,
        "state_details": details,
    }
    answer = await client.request(
        "POST",
        "/flow_runs/{id}/set_state",
        path_params={"id": run.id},
        json={"state": state, "force": False},
    )
    return bool(answer.json()["status"] == "ACCEPT")


async def _emit_taken_up(run: FlowRun, why: str) -> None:
    """An event that waits for no other one: the automations get it at once, whatever
    they missed.
    """
    about = {
        "prefect.state-name": "lost",
        "prefect.state-message": why,
        "prefect.run-count": str(run.run_count),
    }
    async with get_events_client() as events:
        await events.emit(_event(TAKEN_UP, run, **about))


def _event(name: str, run: FlowRun, **about: str) -> Event:
    flow = {
        "prefect.resource.id": f"prefect.flow.{run.flow_id}",
        "prefect.resource.role": "flow",
    }
    deployment = {
        "prefect.resource.id": f"prefect.deployment.{run.deployment_id}",
        **OF_A_DEPLOYMENT,
    }
    return Event(
        event=name,
        resource=Resource(
            {"prefect.resource.id": f"prefect.flow-run.{run.id}", **about}
        ),
        related=[
            RelatedResource(one)
            for one in (OUR_TAG, flow, *([deployment] if run.deployment_id else []))
        ],
    )
