"""A run of a file that is killed, in real processes: the sweep alone ends its batch."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from flows.prefect_ui.parameters import Requests
from tests.crashes.books import assert_books_are_exact, ledger_of
from tests.crashes.light import Job, bought_before, context, killed, run, start
from tests.crashes.test_follow_up import AFTER_SETTLE_TIME, EACH_ONCE, counted
from tests.running import RunningSandbox, single_line_orders, write_csv


@pytest.fixture
def job(
    sandbox: RunningSandbox,
    tmp_path: Path,
    ledger_settings: dict[str, str],
) -> Job:
    file = write_csv(
        tmp_path / "requests.csv", single_line_orders(sandbox, {"taobao": 2, "1688": 1})
    )
    calls = {
        "requests": Requests(file=str(file)),
        "dry_run": False,
        "yes": True,
        "batch": "batch",
    }
    return Job(
        url=sandbox.url,
        folder=tmp_path,
        does="buy",
        file=file,
        arguments=calls,
        settings=ledger_settings,
    )


def sweep(job: Job) -> Job:
    return replace(job, does="sweep", arguments={}, clock=AFTER_SETTLE_TIME)


SQLITE, POSTGRESQL = (
    pytest.mark.parametrize("ledger_settings", [name], indirect=True)
    for name in ("sqlite", "postgresql")
)


@SQLITE
@pytest.mark.parametrize(
    "crash_at", ["before-intent:create", "after-send:create:2", "after-answer:pay"]
)
def test_the_sweep_ends_what_a_killed_run_began(
    sandbox: RunningSandbox, job: Job, crash_at: str
) -> None:
    """Whatever the run had got to; the file may be gone by then, and a second sweep
    finds nothing to do.
    """
    bought_before(replace(job, does="source"))
    killed(job, crash_at)
    Path(job.arguments["requests"].file).unlink()
    (batch,) = run(sweep(job))["batches"]
    assert [order["state"] for order in batch["orders"]] == ["booked"] * 3
    assert run(sweep(job))["batches"] == []
    assert counted(sandbox) == EACH_ONCE
    assert_books_are_exact(sandbox, job)


@POSTGRESQL
@pytest.mark.endurance
def test_sweeps_and_a_run_in_the_same_instant_buy_once(
    sandbox: RunningSandbox, job: Job
) -> None:
    killed(job, "after-record:create")
    barrier = context().Barrier(3)
    repeated = replace(job, clock=AFTER_SETTLE_TIME)
    runs = [start(item, barrier=barrier) for item in (sweep(job), sweep(job), repeated)]
    assert [item.ends() for item in runs] == [0, 0, 0]
    run(sweep(job))
    assert counted(sandbox) == EACH_ONCE
    assert_books_are_exact(sandbox, job)


@SQLITE
def test_a_copy_that_was_changed_is_not_planned(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Nothing is bought that no one asked for; the batch waits for its own file."""
    killed(job, "before-intent:create")
    with ledger_of(job) as ledger:
        ledger.put_plans(
            [order.plan for order in ledger.each_order(ledger.refs_in("batch"))],
            "batch",
        )
        copy = ledger.batches.open("batch")[0].file
    assert copy
    Path(copy).write_text(Path(copy).read_text().replace(",1,", ",9,"))
    report = run(sweep(job))
    (trouble,) = report["troubles"]
    assert trouble.startswith(f"batch batch: {copy} was changed after its batch")
    assert counted(sandbox) == [0, 0, 0]


@SQLITE
def test_a_copy_that_is_not_here_is_waited_for(
    sandbox: RunningSandbox, job: Job
) -> None:
    """It may lie on the machine of the run that was killed: the batch stays due."""
    killed(job, "before-intent:create")
    with ledger_of(job) as ledger:
        ledger.put_plans(
            [order.plan for order in ledger.each_order(ledger.refs_in("batch"))],
            "batch",
        )
        copy = ledger.batches.open("batch")[0].file
    assert copy
    Path(copy).rename(f"{copy}.away")
    (trouble,) = run(sweep(job))["troubles"]
    assert trouble.startswith("batch batch: ")
    with ledger_of(job) as ledger:
        (batch,) = ledger.batches.open("batch")
    assert (batch.due_at is not None, batch.follow_ups) == (True, 1)
    assert counted(sandbox) == [0, 0, 0]
