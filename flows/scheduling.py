"""Scheduling the follow-up of a batch in Prefect."""

from __future__ import annotations

import asyncio
from dataclasses import replace

from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowRunFilter, FlowRunFilterState, FlowRunFilterStateType, FlowRunFilterTags
from prefect.client.schemas.objects import FlowRun, StateType
from prefect.deployments import arun_deployment
from prefect.exceptions import ObjectNotFound
from prefect.states import Scheduled

from domain.follow_ups import FollowUp
from domain.wording import pluralize
from flows.approval import asks_in_the_ui, has_deployment
from flows.parameters import Limits
from flows.shown.expected_errors import run_logger

DEPLOYMENT = "finish-batch"
PAUSED = "waits until buying is resumed"
PAUSES_S = (0.0, 1.0, 3.0, 10.0)
PATIENCE_S = 10.0
MOST_ENDED = 5


def is_deployed() -> bool:
    """Whether a worker runs this, so that a worker can run a follow-up later; true also for the batches of an inbox."""
    return asks_in_the_ui.get() or has_deployment()


async def scheduled(follow_up: FollowUp, limits: Limits) -> FollowUp:
    """The follow-up with its deployment, once Prefect has scheduled it; unchanged when Prefect fails, without an error.

    The `limits` of this run bound the follow-up.
    """
    for pause in PAUSES_S:
        await asyncio.sleep(pause)
        try:
            await asyncio.wait_for(_schedule(follow_up, limits), PATIENCE_S)
        except ObjectNotFound:
            run_logger().warning("There is no deployment %s: register the deployments again", DEPLOYMENT)
            return follow_up
        except Exception as error:  # noqa: BLE001 - whatever keeps Prefect from taking it is no reason to stop
            why = type(error).__name__
        else:
            return replace(follow_up, by=DEPLOYMENT)
    run_logger().warning("The Prefect server did not take the look at %s (%s)", ", ".join(follow_up.batches), why)
    return follow_up


async def begin_paused_follow_ups() -> list[str]:
    """Start the follow-ups that wait for buying to be resumed; answers the names of their runs."""
    waiting = FlowRunFilter(
        tags=FlowRunFilterTags(all_=[PAUSED]),
        state=FlowRunFilterState(type=FlowRunFilterStateType(any_=[StateType.SCHEDULED])),
    )
    async with get_client() as client:
        runs = await client.read_flow_runs(flow_run_filter=waiting)
        for run in runs:
            await client.set_flow_run_state(run.id, Scheduled())
    return [run.name for run in runs]


async def _schedule(follow_up: FollowUp, limits: Limits) -> None:
    (batch,) = follow_up.batches
    key = f"finish {batch} at {follow_up.at.isoformat()}"
    async with get_client() as client:
        for _ in range(MOST_ENDED):
            run = await _run(
                client, follow_up, {"batch": batch, "limits": limits.model_dump(), "look": follow_up.number}, key
            )
            if run.state is None or not run.state.is_final():
                return
            key = f"{key} after {run.id}"  # a used key answers the old run: a cancelled one follows nothing up


async def _run(client: PrefectClient, follow_up: FollowUp, parameters: dict[str, object], key: str) -> FlowRun:
    """Start it not as a subflow: this run ends long before, and a parent would show a task that never ends."""
    waiting = f": {pluralize(follow_up.orders, 'order')}" if follow_up.orders else ""
    return await arun_deployment(
        f"{DEPLOYMENT}/{DEPLOYMENT}",
        client=client,
        parameters=parameters,
        scheduled_time=follow_up.at,
        flow_run_name=f"finish {parameters['batch']}{waiting}",
        timeout=0,
        idempotency_key=key,
        as_subflow=False,
        tags=[PAUSED] if follow_up.is_paused else None,
    )
