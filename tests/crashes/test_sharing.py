"""A batch that helpers work on, each a real process in a home of its own: who dies
costs nothing but time.
"""

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
    rows = single_line_orders(sandbox, {"taobao": 7, "1688": 7})
    sandbox.faults(
        {"path": "*", "kind": "latency", "probability": 1, "delay_s": 0.1}
    )  # or one takes all of so few
    file = write_csv(tmp_path / "requests.csv", rows)
    settings = {
        "SOURCING_LEDGER_URL": postgres.new_ledger(),
        "SOURCING_CONCURRENCY": "1",  # or the first one would hold all of so few orders at once
        "SOURCING_LEASE_S": "10",
        "SOURCING_SETTLE_S": "0",
    }
    quick = Speed(times=3, since=time.time())
    return Job(
        url=sandbox.url,
        folder=tmp_path,
        file=file,
        chunk_size=4,
        helpers=2,
        settings=settings,
        clock=quick,
    )


def test_what_a_dead_and_a_stopped_helper_had_taken_the_run_does(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Once their leases are over: the batch ends by itself. The stopped one, when it
    goes on, pays nothing again.
    """
    dies = start(replace(helper_of(job, "one"), crash_at="after-send:pay"))
    stops = start(replace(helper_of(job, "two"), crash_at="stop@before-send:pay"))
    run = start(job)  # who helps waits for it
    pid, dying, stopped = run.pid, dies.pid, stops.pid
    assert dies.ends() == KILLED
    claimed = [
        effect
        for effect in kept(job)[1]
        if effect.status == "sending" and f"-{dying}-" in effect.owner
    ]
    assert (
        len(claimed) == 1
    )  # as many as calls in flight, however many orders it had taken
    stops.stands_still()
    assert run.ends() == 0
    report = job.told(pid)
    assert set(states(report).values()) == {"booked"}
    assert report["bought_this_run"] == 14  # what a helper paid counts as the run's
    stops.goes_on()
    assert stops.ends() == 0
    assert job.told(stopped)["why_ended"] == "the batch is done, or was stopped"
    assert_books_are_exact(sandbox, job)


@pytest.mark.endurance
def test_a_run_that_is_killed_and_started_again_does_what_is_left(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Its helper ends once the batch is shared anew; what that has begun stays begun,
    and is bought once.
    """
    helping, first = start(helper_of(job, "one")), start(job)
    while (
        len(sandbox.books()["orders"]) < 4
    ):  # the run itself buys the first at each marketplace
        time.sleep(0.02)
    os.kill(first.pid, signal.SIGKILL)
    assert first.ends() == KILLED
    again = start(job)
    pids = helping.pid, again.pid
    assert (helping.ends(), again.ends()) == (0, 0)
    helped, report = (job.told(pid) for pid in pids)
    assert helped["why_ended"] == "the batch is done, or was stopped"
    assert set(states(report).values()) <= {"booked", "unknown"}
    with ledger_of(job) as ledger:
        assert ledger.chunks.of_batch("batch") is None
    assert_books_are_exact(sandbox, job)
