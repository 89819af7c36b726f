"""A batch that helpers work on, each a real process in a home of its own: who dies costs nothing but time."""

from __future__ import annotations

import os
import signal
import time
from dataclasses import replace
from pathlib import Path

import pytest

from tests.crashes.books import assert_books_are_exact, kept, ledger_of
from tests.crashes.light import KILLED, Job, Speed, helper_of, start, states
from tests.postgres import Postgres
from tests.running import RunningSandbox, single_line_orders, write_csv


@pytest.fixture
def job(sandbox: RunningSandbox, tmp_path: Path, postgres: Postgres) -> Job:
    rows = single_line_orders(sandbox, {"taobao": 6, "1688": 6})
    file = write_csv(tmp_path / "requests.csv", rows)
    settings = {
        "SOURCING_LEDGER_URL": postgres.new_ledger(),
        "SOURCING_CONCURRENCY": "1",  # or the first one would hold all of so few orders at once
        "SOURCING_LEASE_S": "10",
        "SOURCING_SETTLE_S": "0",
    }
    quick = Speed(times=3, since=time.time())
    return Job(url=sandbox.url, folder=tmp_path, file=file, chunk_size=4, helpers=2, settings=settings, clock=quick)


def test_a_helper_that_dies_leaves_what_it_held_to_others(sandbox: RunningSandbox, job: Job) -> None:
    """Once its lease is over another one settles what it had begun, and what helpers bought is told as the run's."""
    dies, lives = start(replace(helper_of(job, "one"), crash_at="after-send:pay")), start(helper_of(job, "two"))
    run, dying = start(job), dies.pid  # who helps waits for it
    pid = run.pid
    assert dies.ends() == KILLED
    claimed = [effect for effect in kept(job)[1] if effect.status == "sending" and f"-{dying}-" in effect.owner]
    assert len(claimed) == 1  # as many as calls in flight, however many orders it held
    assert (run.ends(), lives.ends()) == (0, 0)
    report = job.told(pid)
    assert set(states(report).values()) == {"booked"}
    assert report["bought_this_run"] == 12
    assert_books_are_exact(sandbox, job)


@pytest.mark.endurance
def test_a_run_that_is_killed_and_started_again_goes_on_with_its_share(sandbox: RunningSandbox, job: Job) -> None:
    """A helper works meanwhile; nobody is asked twice, and nothing is planned anew under its hands."""
    helping, first = start(helper_of(job, "one")), start(job)
    while len(sandbox.books()["orders"]) < 3:  # the run itself buys the first at each marketplace
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    assert first.ends() == KILLED
    again = start(job)
    pids = helping.pid, again.pid
    assert (helping.ends(), again.ends()) == (0, 0)
    helped, report = (job.told(pid) for pid in pids)
    assert helped["bought"] > 0
    assert set(states(report).values()) <= {"booked", "unknown"}
    with ledger_of(job) as ledger:
        moves = {ref: [one["old_state"] for one in ledger.moves_of(ref)] for ref in states(report)}
        assert {len([before for before in one if before is None]) for one in moves.values()} == {1}
        assert ledger.shares.standing("batch") is None
    assert_books_are_exact(sandbox, job)
