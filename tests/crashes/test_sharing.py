"""A batch that helpers work on, each a real process in a home of its own: who dies costs nothing but time."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import pytest

from tests.crashes.books import assert_books_are_exact, kept
from tests.crashes.light import Job, start, states
from tests.postgres import Postgres
from tests.running import RunningSandbox, single_line_orders, write_csv


@pytest.fixture
def job(sandbox: RunningSandbox, tmp_path: Path, postgres: Postgres) -> Job:
    rows = single_line_orders(sandbox, {"taobao": 20, "1688": 20})
    file = write_csv(tmp_path / "requests.csv", rows)
    settings = {"SOURCING_LEDGER_URL": postgres.new_database()}
    return Job(url=sandbox.url, folder=tmp_path, file=file, chunk_size=4, helpers=2, settings=settings)


def helper(job: Job, name: str) -> Job:
    """A helper of the job's batch in a home of its own."""
    home = {"SOURCING_DATA_DIR": str(job.folder / name)}
    return replace(job, does="help", settings={**job.settings, **home})


def test_helpers_do_all_of_it(sandbox: RunningSandbox, job: Job) -> None:
    """The run itself plans and buys nothing: it asks once, follows, and reports what was bought as its own."""
    runs = [start(job), start(helper(job, "one")), start(helper(job, "two"))]
    pids = [one.pid for one in runs]
    assert [one.ends() for one in runs] == [0, 0, 0]
    report, *helped = [job.told(pid) for pid in pids]
    assert set(states(report).values()) == {"booked"}
    assert report["bought_this_run"] == 40
    assert sum(one["orders"] for one in helped) == 80
    assert min(one["orders"] for one in helped) > 0
    assert len({effect.sender for effect in kept(job)[1]}) == 2
    assert_books_are_exact(sandbox, job)
