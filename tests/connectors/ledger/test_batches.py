"""Batches as they were begun, whether a run lives, and leases of the sweep."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from connectors.ledger.batches import BatchOptions, OpenBatch
from connectors.ledger.store import Ledger
from domain.money import Money
from tests.clock import MovableClock
from tests.postgres import Postgres

MINUTE = timedelta(minutes=1)


@pytest.fixture(params=["sqlite", "postgresql"])
def url(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        return server.new_ledger()
    return f"sqlite:///{tmp_path / 'ledger.db'}"


@pytest.fixture
def ledger(url: str, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(url, clock=clock, owner="first") as ledger:
        yield ledger


@pytest.fixture
def other(url: str, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(url, clock=clock, owner="second") as ledger:
        yield ledger


def begin(ledger: Ledger, options: BatchOptions | None = None) -> None:
    ledger.batches.begin(
        "night",
        "night.csv",
        options or BatchOptions(),
        file="/data/requests/night.csv",
        digest="d",
        flow_run="",
    )


def night(ledger: Ledger) -> OpenBatch:
    (batch,) = ledger.batches.open("night")
    return batch


def nobody_is_dead(_owner: str) -> bool:
    return False


def is_due(ledger: Ledger, *, is_paused: bool = False, dead: str = "") -> bool:
    batch = night(ledger)
    return batch.is_due(ledger.clock(), dead.__eq__, is_paused=is_paused)


def test_a_batch_keeps_what_decides_about_its_money(ledger: Ledger) -> None:
    options = BatchOptions(yes=True, budget=Money(50_000), done_by="2026-12-02 06:00")
    begin(ledger, options)
    assert night(ledger).options == options
    assert ledger.batches.open() == [night(ledger)]


def test_the_newest_asking_decides(ledger: Ledger, other: Ledger) -> None:
    """A yes given beforehand is gone once the file is run without it."""
    begin(ledger, BatchOptions(yes=True))
    begin(other)
    assert (night(ledger).options.yes, night(ledger).worker) == (False, "second")


def test_a_batch_is_left_alone_while_its_run_renews_it(
    ledger: Ledger, clock: MovableClock
) -> None:
    begin(ledger)
    for _ in range(5):
        clock.advance(60)
        ledger.batches.renew("night")
        assert not is_due(ledger)
    clock.advance(91)
    assert is_due(ledger)


def test_a_batch_of_a_dead_process_is_due_at_once(ledger: Ledger) -> None:
    begin(ledger)
    assert is_due(ledger, dead="first")
    assert not is_due(ledger, dead="second")


def test_a_time_of_a_clock_that_was_ahead_holds_no_batch(
    ledger: Ledger, clock: MovableClock
) -> None:
    clock.advance(86_400)
    begin(ledger)
    clock.advance(-86_400)
    assert is_due(ledger)


def test_a_batch_is_due_when_its_look_is(ledger: Ledger, clock: MovableClock) -> None:
    begin(ledger)
    ledger.batches.leave("night", due_at=clock.now + 10 * MINUTE, follow_ups=0)
    assert not is_due(ledger)
    clock.advance(600)
    assert is_due(ledger)


def test_a_batch_that_can_only_buy_waits_for_the_end_of_a_pause(
    ledger: Ledger, clock: MovableClock
) -> None:
    begin(ledger)
    ledger.batches.leave("night", due_at=clock.now, follow_ups=0, waits_for_resume=True)
    assert (is_due(ledger, is_paused=True), is_due(ledger)) == (False, True)


def test_a_batch_is_looked_at_five_times(ledger: Ledger) -> None:
    """Also where each look dies: the sixth would die too."""
    begin(ledger)
    due = []
    for number in range(1, 7):
        due.append(is_due(ledger, dead="first"))
        ledger.batches.take("night", flow_run="", follow_ups=number)
    assert due == [True] * 5 + [False]


def test_a_batch_that_a_person_stopped_is_not_open(ledger: Ledger) -> None:
    begin(ledger)
    ledger.batches.stop("night")
    assert ledger.batches.open() == []


def test_a_run_does_not_end_the_work_of_another(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    begin(ledger)
    begin(other)
    ledger.batches.leave("night", due_at=None, follow_ups=0)
    assert night(ledger).worked_until is not None


def test_one_process_has_a_lease_until_it_ends(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    until = clock.now + 10 * MINUTE
    assert ledger.batches.lease("sweep", until, nobody_is_dead)
    assert not other.batches.lease("sweep", until, nobody_is_dead)
    clock.advance(601)
    assert other.batches.lease("sweep", clock.now + MINUTE, nobody_is_dead)
    ledger.batches.release("sweep")
    assert not ledger.batches.lease("sweep", clock.now + MINUTE, nobody_is_dead)


def test_a_lease_of_a_dead_process_or_of_another_time_is_free(
    ledger: Ledger, other: Ledger, clock: MovableClock
) -> None:
    until = clock.now + 10 * MINUTE
    assert ledger.batches.lease("sweep", until, nobody_is_dead)
    assert other.batches.lease("sweep", until, "first".__eq__)
    assert other.batches.lease("sweep", until + timedelta(days=400), "second".__eq__)
    assert ledger.batches.lease("sweep", until, nobody_is_dead)
