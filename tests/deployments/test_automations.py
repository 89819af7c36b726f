"""Each automation fires on a real server, and what it tells says what to do."""

from __future__ import annotations

import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta

from prefect.client.orchestration import get_client
from prefect.events import emit_event
from prefect.events.clients import get_events_client
from prefect.events.schemas.automations import EventTrigger
from prefect.events.schemas.events import ResourceSpecification

from deployments.automations import automations
from deployments.freshness import OVERDUE, about, expect_completions
from deployments.lost_runs import call_the_roll
from tests.deployments.served import Served

SHORT = timedelta(seconds=10)


def test_nobody_is_told_when_nobody_is_named() -> None:
    kinds = {
        one.name: [action.type for action in one.actions]
        for one in automations(notify_with=None, unknown_after=timedelta(hours=1))
    }
    assert kinds == {
        "sourcing: run lost": ["change-flow-run-state"],
        "sourcing: run again": ["change-flow-run-state"],
        "sourcing: run failed": ["do-nothing"],
        "sourcing: outcome unknown": ["do-nothing"],
        "sourcing: budget used up": ["do-nothing"],
        "sourcing: parcel stalled": ["do-nothing"],
        "sourcing: ledger and service differ": ["do-nothing"],
        "sourcing: nightly is overdue": ["do-nothing"],
        "sourcing: sync-tracking is overdue": ["do-nothing"],
        "sourcing: overdue at the start": ["do-nothing"],
    }


async def test_each_fires_and_says_what_to_do(served: Served) -> None:
    lost = _running_flow_run(served)
    async with impatient(lost, "sourcing: nightly is overdue"):
        await _registered_again()
        _emit("sourcing.effect.unknown", "effect.U-1:book", order_ref="U-1", batch_id="spring", action="book")
        _emit("sourcing.effect.unknown", "effect.U-2:pay", order_ref="U-2", batch_id="spring", action="pay")
        _emit("sourcing.effect.settled", "effect.U-2:pay", order_ref="U-2", batch_id="spring", action="pay")
        _emit("sourcing.budget.used-up", "batch.spring", orders=3, reason="it does not fit the day's limit")
        _emit("sourcing.tracking.stalled", "order.T-1", order_ref="T-1", days=9)
        _emit("sourcing.tracking.stalled", "order.T-1", order_ref="T-1", days=9)
        _emit("sourcing.reconciliation.differs", "reconciliation", summary="1 orphan: order 77 of 1688")
        await call_roll()
        served.ask(f"flow_runs/{lost}/set_state", {"state": {"type": "RUNNING"}, "force": True})  # as an answer does
        assert "1 orphan: order 77" in served.await_alert("the ledger and the service differ")["body"]
        budget = served.await_alert("budget is used up")
        assert "reason: it does not fit the day's limit" in budget["body"]
        assert "SOURCING_DAY_LIMIT_CNY" in budget["body"]
        assert "sourcing status T-1" in served.await_alert("a parcel does not move")["body"]
        unknown = served.await_alert("only you can find out")
        assert "batch_id: spring" in unknown["body"]
        assert "sourcing resolve U-1" in unknown["body"]
        served.await_state(lost, "Crashed")
        assert "Crashed" in served.await_alert("No sign of life for 10 seconds")["subject"]
        overdue = served.await_alert("Sourcing: nightly has not completed for 26 hours")
        assert "is the deployment's schedule on?" in overdue["body"]
        away = served.await_alert("Sourcing: sync-tracking has not completed in time")
        assert "since 2026-01-02 03:04 UTC, 9 hours ago. Was the machine off?" in " ".join(away["body"].split())
        assert not [one for one in served.alerts() if "U-2" in one["body"]]
        assert len([one for one in served.alerts() if "T-1" in one["body"]]) == 1


@asynccontextmanager
async def impatient(run_id: str, *further: str) -> AsyncIterator[None]:
    """The automations that wait, and `further` ones, beside the registered ones, with ten seconds of patience; the one
    for lost runs looks at this run only."""
    async with get_client() as client:
        block = next(one for one in await client.read_block_documents() if one.name == "sourcing-alerts")
        made = []
        for one in automations(notify_with=block.id, unknown_after=SHORT, lost_after=SHORT):
            assert isinstance(one.trigger, EventTrigger)
            if one.trigger.within == SHORT or one.name in further:
                one.trigger.within = SHORT
                if one.name == "sourcing: run lost":
                    one.trigger.match = ResourceSpecification(
                        root={"prefect.resource.id": f"prefect.flow-run.{run_id}"}
                    )
                made.append(await client.create_automation(one.model_copy(update={"name": f"short {one.name}"})))
        assert len(made) == 2 + len(further)
        yield
        for automation_id in made:
            await client.delete_automation(automation_id)


def _emit(event: str, about: str, **payload: object) -> None:
    emit_event(event=event, resource={"prefect.resource.id": f"sourcing.{about}"}, payload=payload)


async def _registered_again() -> None:
    """The waits that are not under way begin; of one deployment it is found that it is overdue already."""
    found = {"deployment": "sync-tracking", "completed_at": "2026-01-02 03:04 UTC", "hours": 9}
    async with get_client() as client, get_events_client() as events:
        await expect_completions(client)
        await events.emit(about("sync-tracking", OVERDUE, found))


async def call_roll() -> None:
    async with get_client() as client:
        await call_the_roll(client)


def _running_flow_run(served: Served) -> str:
    """A run of ours that says it is running, without a process."""
    flow = served.ask("flows/", {"name": f"nobody-{uuid.uuid4()}"})
    run = served.ask("flow_runs/", {"flow_id": flow["id"], "tags": ["sourcing"], "state": {"type": "PENDING"}})
    served.ask(f"flow_runs/{run['id']}/set_state", {"state": {"type": "RUNNING"}, "force": True})
    return str(run["id"])
