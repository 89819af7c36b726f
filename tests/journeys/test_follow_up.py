"""The sweep under deployments, on a real Prefect server."""

from __future__ import annotations

import asyncio
import json
from datetime import UTC, datetime
from typing import Any
from unittest.mock import patch

import pytest
from prefect import Flow
from prefect.client.orchestration import PrefectClient, get_client
from prefect.client.schemas.objects import FlowRun
from prefect.flow_engine import run_flow_async

from connectors.ledger.batches import OpenBatch
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.money import Money
from domain.report import BatchReport
from flows.buy_from_inbox import buy_from_inbox
from flows.finish_open import finish_open
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

    async def night(self) -> Any:
        """One run over the inbox; answers its report."""
        deployment = await self.deploy(buy_from_inbox, "buy-from-inbox")
        run = await self.client.create_flow_run_from_deployment(deployment)
        given = {"yes": True, "budget_cny": "900"}
        with patch("flows.buy_from_inbox.QUIET_S", 0):
            return await self.carry_out(buy_from_inbox, run, **given)

    async def sweep(self, **parameters: Any) -> Any:
        """One run of finish-open; answers its report."""
        deployment = await self.deploy(finish_open, "finish-open")
        run = await self.client.create_flow_run_from_deployment(deployment)
        return await self.carry_out(finish_open, run, **parameters)

    async def carry_out(
        self, flow: Flow[Any, Any], run: FlowRun, **parameters: Any
    ) -> Any:
        state: Any = await run_flow_async(
            flow, flow_run=run, parameters=parameters, return_type="state"
        )
        return await state.aresult()


@pytest.fixture
def night(merchant: Merchant, monkeypatch: pytest.MonkeyPatch) -> Merchant:
    """A merchant with a file in the inbox, whose settings this process has."""
    for name, value in merchant.environment.items():
        monkeypatch.setenv(name, value)
    inbox = merchant.folder / "data" / "inbox"
    inbox.mkdir(parents=True)
    file = inbox / "monday.csv"
    write_csv(file, single_line_orders(merchant.sandbox, {"taobao": 2, "1688": 1}))
    return merchant


def as_printed(report: BatchReport) -> Any:
    return json.loads(json.dumps(report.to_json()))


def open_batches() -> list[OpenBatch]:
    url = SourcingSettings().ledger_url
    with Ledger(url, clock=lambda: datetime.now(UTC), owner="test") as ledger:
        return ledger.batches.open()


@pytest.mark.endurance
async def test_the_sweep_ends_what_a_night_left_open(
    night: Merchant, prefect_url: str
) -> None:
    """Not before it is due, unless a person names the batch; a further look finds
    nothing.
    """
    night.sandbox.faults(LATE)
    async with get_client() as client:
        deployments = Deployments(client)
        (file,) = (await deployments.night()).files
        (batch,) = open_batches()
        assert batch.due_at is not None
        at = f"{batch.due_at:%Y-%m-%d %H:}"
        assert f"; 2 orders are read again by finish-open at {at}" in file.note
        assert (batch.file, batch.options.budget) == (None, Money(90_000))
        assert (await deployments.sweep()).batches == []

        night.sandbox.advance(601)
        (report,) = (await deployments.sweep(batch=file.batch_id)).batches
        assert (report.counts, open_batches()) == ({"booked": 3}, [])
        assert_books_are_exact(night.sandbox.books(), as_printed(report))
    seen = await asyncio.to_thread(newest_run, prefect_url)
    assert (seen.name, seen.state) == (
        f"finish {file.batch_id}: 3 booked",
        "Completed",
    )


@pytest.mark.endurance
@pytest.mark.usefixtures("prefect_url")
async def test_what_a_pause_keeps_back_is_due_when_buying_is_resumed(
    night: Merchant,
) -> None:
    """A night that begins meanwhile plans, buys nothing and says so."""
    rows = single_line_orders(night.sandbox, {"taobao": 1})
    begins_a_ledger = write_csv(night.folder / "first.csv", rows)
    await asyncio.to_thread(night.report, "run", begins_a_ledger, "--dry-run")
    await asyncio.to_thread(night.sourcing, "pause")
    async with get_client() as client:
        deployments = Deployments(client)
        (file,) = (await deployments.night()).files
        assert (file.counts, night.sandbox.books()["orders"]) == ({"planned": 3}, [])
        assert (await deployments.sweep()).batches == []
        await asyncio.to_thread(night.sourcing, "resume")
        (report,) = (await deployments.sweep()).batches
    assert report.counts == {"booked": 3}
    assert_books_are_exact(night.sandbox.books(), as_printed(report))
