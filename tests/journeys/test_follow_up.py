"""A second look under deployments: asked of a real Prefect server, once, and carried
out when it is due.
"""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any

import pytest
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.filters import FlowFilter, FlowFilterName
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async
from prefect.states import Cancelled, Scheduled

from flows.buy_from_file import finish_batch
from flows.buy_from_inbox import buy_from_inbox
from tests.journeys.seen_in_prefect import newest_run
from tests.running import (
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)

LATE = {
    "path": "/open/purchase/pay",
    "kind": "late_effect",
    "probability": 1,
    "times": None,
    "delay_s": 600,
}
FOLLOW_UPS = FlowFilter(name=FlowFilterName(any_=["finish-batch"]))


class Deployments:
    """Runs of deployments, carried out in this process as a worker's process does."""

    def __init__(self, client: PrefectClient) -> None:
        self.client = client

    async def deploy(self, flow: Flow[Any, Any], name: str) -> Any:
        schema = flow.parameters.model_dump()
        flow_id = await self.client.create_flow(flow)
        return await self.client.create_deployment(
            flow_id, name, parameter_openapi_schema=schema
        )

    async def night(self, inbox: str) -> Any:
        """One run over the inbox; answers its report."""
        deployment = await self.deploy(buy_from_inbox, "buy-from-inbox")
        run = await self.client.create_flow_run_from_deployment(deployment)
        given = {"yes": True, "budget_cny": "900", "chunk_size": 0, "concurrency": 0}
        return await self.carry_out(
            buy_from_inbox, run, inbox=inbox, quiet_s=0, **given
        )

    async def follow_ups(self) -> list[FlowRun]:
        """The looks that wait for their time."""
        runs = await self.client.read_flow_runs(flow_filter=FOLLOW_UPS)
        return [run for run in runs if run.state and run.state.is_scheduled()]

    async def carry_out(
        self, flow: Flow[Any, Any], run: FlowRun, **parameters: Any
    ) -> Any:
        state: Any = await run_flow_async(
            flow, flow_run=run, parameters=parameters, return_type="state"
        )
        return await state.aresult()


@pytest.mark.endurance
async def test_prefect_starts_one_look_when_it_is_due(
    merchant: Merchant, prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two nights agree on it; one that was cancelled is asked for anew; it ends the
    batch and asks for no other.
    """
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)
    (merchant.folder / "inbox").mkdir()
    file = merchant.folder / "inbox" / "monday.csv"
    write_csv(file, single_line_orders(merchant.sandbox, {"taobao": 2, "1688": 1}))
    merchant.sandbox.faults(LATE)
    async with get_client() as client:
        deployments = Deployments(client)
        deployment = await deployments.deploy(finish_batch, "finish-batch")
        for _ in range(2):
            (night,) = (await deployments.night(str(merchant.folder / "inbox"))).files
            (follow_up,) = await deployments.follow_ups()
        assert follow_up.name == f"finish {night.batch_id}: 2 orders"
        assert follow_up.parameters == {
            "batch": night.batch_id,
            "limits": {"budget_cny": "900", "done_by": ""},
            "look": 1,
        }
        assert follow_up.parent_task_run_id is None
        at = f"{follow_up.next_scheduled_start_time:%Y-%m-%d %H:}"
        assert f"; 2 orders are read again at {at}" in night.note
        assert night.note.endswith(" UTC by finish-batch")

        await client.set_flow_run_state(follow_up.id, Cancelled(), force=True)
        await deployments.night(str(merchant.folder / "inbox"))
        (again,) = await deployments.follow_ups()
        assert (again.next_scheduled_start_time, again.id != follow_up.id) == (
            follow_up.next_scheduled_start_time,
            True,
        )

        merchant.sandbox.advance(601)
        await client.set_flow_run_state(again.id, Scheduled(), force=True)  # Run now
        report = await deployments.carry_out(finish_batch, again, **again.parameters)
        assert (report.counts, await deployments.follow_ups()) == ({"booked": 3}, [])
        assert_books_are_exact(merchant.sandbox.books(), report.to_json())

        over = await client.create_flow_run_from_deployment(
            deployment, parameters=again.parameters
        )
        assert (
            await deployments.carry_out(finish_batch, over, **again.parameters)
        ).counts == {"booked": 3}
    seen = await asyncio.to_thread(newest_run, prefect_url)
    assert (seen.name, seen.state) == (
        f"finish {night.batch_id}: 3 booked",
        "Completed",
    )
    assert f"Batch {night.batch_id}: nothing is left to do: 3 booked" in seen.logs


@pytest.mark.endurance
async def test_what_a_pause_keeps_back_goes_on_as_soon_as_buying_is_resumed(
    merchant: Merchant, prefect_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A night that begins meanwhile plans, buys nothing and says so; the look that
    waits is begun by `resume`.
    """
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)
    (merchant.folder / "inbox").mkdir()
    write_csv(
        merchant.folder / "inbox" / "night.csv",
        single_line_orders(merchant.sandbox, {"taobao": 1, "1688": 1}),
    )
    rows = single_line_orders(merchant.sandbox, {"taobao": 1})
    looked_at = write_csv(merchant.folder / "looked_at.csv", rows)
    await asyncio.to_thread(
        merchant.report, "run", looked_at, "--dry-run"
    )  # which begins a ledger
    assert (
        await asyncio.to_thread(
            merchant.sourcing, "pause", "--why", "prices", "--by", "mei"
        )
    ).exit_code == 0
    async with get_client() as client:
        deployments = Deployments(client)
        await deployments.deploy(finish_batch, "finish-batch")
        (night,) = (await deployments.night(str(merchant.folder / "inbox"))).files
        (follow_up,) = await deployments.follow_ups()
        assert (night.counts, merchant.sandbox.books()["orders"]) == (
            {"planned": 2},
            [],
        )
        assert follow_up.next_scheduled_start_time
        assert (follow_up.next_scheduled_start_time.minute, follow_up.tags) == (
            0,
            ["waits until buying is resumed"],
        )
        done = await asyncio.to_thread(merchant.sourcing, "resume", "--json")
        assert json.loads(done.stdout)["looks"] == [follow_up.name]
        (follow_up,) = await deployments.follow_ups()
        assert follow_up.next_scheduled_start_time
        assert follow_up.next_scheduled_start_time <= datetime.now(UTC)
        report = await deployments.carry_out(
            finish_batch, follow_up, **follow_up.parameters
        )
    assert report.counts == {"booked": 2}
    assert_books_are_exact(merchant.sandbox.books(), report.to_json())
