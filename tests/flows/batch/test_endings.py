"""How a batch's run ends in the UI."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from prefect.client.schemas.objects import State

import flows.batch.reporting
from connectors.book_file import of_a_night
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.ledger.store import Ledger
from domain.holds import Pause
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.batch.reporting import ended, notifies_when_stopped, so_far
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan

WAITING = ReportLine(
    order_ref="A-1", marketplace="taobao", state=OrderState.HELD, reason="dear"
)
REPORT = BatchReport(
    batch_id="b",
    orders=[WAITING],
    spent_this_run_fen=0,
    bought_this_run=0,
    snapshot_id="b",
    snapshot_root="/s",
)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=MovableClock(), owner="run"
    ) as opened:
        yield opened


def test_a_run_whose_orders_all_wait_is_held_and_not_plainly_completed() -> None:
    """Held, refused and unknown ones; a kind of completed, so that nothing is tried
    again; the report is its data.
    """
    lines = [
        replace(WAITING, state=state)
        for state in (OrderState.HELD, OrderState.REFUSED, OrderState.UNKNOWN)
    ]
    state: State[Any] = ended(replace(REPORT, orders=lines))
    assert (state.name, state.is_completed(), state.message) == (
        "Held",
        True,
        "No order went on: 1 held, 1 refused, 1 unknown",
    )
    paused = replace(
        REPORT,
        orders=[replace(WAITING, state=OrderState.PAID)],
        paused=Pause(by="mei", at=MovableClock().now),
    )
    assert ended(paused).message == (
        "Buying is paused since 2026-01-01 12:00 UTC by mei. It goes on after resume-buying in the Prefect UI, or: "
        "sourcing resume. 1 paid"
    )
    assert ended(replace(paused, dry_run=True)).dry_run
    for went_on in ([], [WAITING, replace(WAITING, state=OrderState.BOOKED)]):
        report = replace(REPORT, orders=went_on)
        assert ended(report) is report


def test_what_a_stopped_run_bought_is_read_from_the_ledger(ledger: Ledger) -> None:
    """Also by a process that knows nothing of the run."""
    ledger.start_batch("b", "orders.csv")
    put_rows(ledger, [plan(ref, batch_id="b") for ref in ("A-1", "A-2")])
    ledger.change([OrderChange(order_ref="A-1", state=OrderState.ORDERED)])
    ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.PAID,
                writes=Columns({"paid_minor": 1200}),
            )
        ]
    )
    report = so_far(ledger, "b")
    assert (report.counts, report.spent_fen, report.snapshot_id) == (
        {"paid": 1, "planned": 1},
        1200,
        None,
    )
    assert report.broken_off.startswith(
        "the run was stopped; what is not bought stays as it is"
    )
    assert so_far(ledger, "nothing").orders == []
    token = of_a_night.set({})
    given_up = "the next night begins with it. To give it up, take its file out of the inbox (`working`, `open`)"
    assert so_far(ledger, "b").broken_off == f"{report.broken_off}; {given_up}"
    of_a_night.reset(token)


@pytest.mark.parametrize(
    ("deployed", "shows"),
    [(True, ["b"]), (False, [])],
)
async def test_a_cancelled_run_of_a_worker_shows_what_it_bought(
    ledger: Ledger,
    monkeypatch: pytest.MonkeyPatch,
    *,
    deployed: bool,
    shows: list[str],
) -> None:
    """And is cancelled all the same; at a terminal nobody waits for it."""
    listing: list[str] = []

    async def show(report: BatchReport, _orders: Mapping[str, OrderRecord]) -> None:
        await asyncio.sleep(0)
        listing.append(report.batch_id)

    async def work() -> None:
        async with notifies_when_stopped(ledger, "b"):
            await asyncio.Event().wait()

    monkeypatch.setattr(flows.batch.reporting, "show_outcome", show)
    monkeypatch.setattr(flows.batch.reporting, "deployed_run", lambda: deployed)
    task = asyncio.create_task(work())
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert listing == shows


@pytest.mark.parametrize("error", [OSError("the disk is full"), ZeroDivisionError()])
async def test_a_run_that_fails_shows_what_it_bought(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch, error: Exception
) -> None:
    """And fails with its own words, also where nothing can be shown."""
    monkeypatch.setattr(flows.batch.reporting, "deployed_run", lambda: True)
    monkeypatch.setattr(flows.batch.reporting, "so_far", lambda *_: 1 / 0)
    with pytest.raises(type(error)):
        async with notifies_when_stopped(ledger, "b"):
            raise error
