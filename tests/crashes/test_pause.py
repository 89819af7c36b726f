"""All buying is paused while real processes buy: the books stay as they are when
`pause` returns.
"""

from __future__ import annotations

import time
from dataclasses import replace
from pathlib import Path

import pytest

from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from flows.answers.pausing import effects_leaving, pause
from tests.crashes.books import assert_books_are_exact
from tests.crashes.conftest import in_endurance
from tests.crashes.light import Job, run, start, states
from tests.running import RunningSandbox, single_line_orders, write_csv

KINDS = ("orders", "payments", "shipments")
SLOW = {"path": "/open/*", "kind": "latency", "probability": 1, "delay_s": 0.05}


@pytest.fixture
def job(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str]
) -> Job:
    rows = single_line_orders(sandbox, {"taobao": 6, "1688": 6})
    file = write_csv(tmp_path / "requests.csv", rows)
    settings = {**ledger_settings, "SOURCING_CONCURRENCY": "2"}
    return Job(
        url=sandbox.url, folder=tmp_path, file=file, chunk_size=4, settings=settings
    )


def counts(sandbox: RunningSandbox) -> list[int]:
    books = sandbox.books()
    return [len(books[kind]) for kind in KINDS]


def switch_of(job: Job) -> Ledger:
    """The ledger in the hands of a person, who is no run."""
    url = (
        job.settings.get("SOURCING_LEDGER_URL")
        or f"sqlite:///{job.folder / 'data' / 'ledger.db'}"
    )
    return Ledger(url, clock=job.clock, owner="mei")


@pytest.mark.parametrize(
    "ledger_settings", ["sqlite", *in_endurance("postgresql")], indirect=True
)
def test_nothing_is_bought_after_pause_has_returned(
    sandbox: RunningSandbox, job: Job
) -> None:
    """Two runs in the midst of it end in order, their orders keep their state and say
    why; resume finishes, once.
    """
    sandbox.faults(SLOW)
    output: list[str] = []
    with switch_of(job) as ledger:
        runs = [start(job) for _ in range(2)]
        pids = [item.pid for item in runs]
        while counts(sandbox)[1] < 2:
            time.sleep(0.02)
        settings = SourcingSettings(data_dir=job.folder / "data")
        paused = pause(ledger, settings, by="mei", why="prices", notify=output.append)
        bought = counts(sandbox)
        assert [item.ends() for item in runs] == [0, 0]
        assert counts(sandbox) == bought
        assert paused
        assert (effects_leaving(ledger, settings), output[0]) == ([], paused.words)
        for report in map(job.told, pids):
            waiting = [line for line in report["orders"] if line["state"] != "booked"]
            assert report["paused"]["why"] == "prices"
            assert {line["state"] for line in waiting} <= {
                "planned",
                "ordered",
                "payment_pending",
                "paid",
            }
            assert all(paused.notice in line["reason"] for line in waiting)
            assert waiting
        assert {*states(run(job)).values()} != {"booked"}
        assert counts(sandbox) == bought
        ledger.resume_buying("mei")
    assert {
        *states(run(replace(job, does="finish", arguments={"batch": "batch"}))).values()
    } == {"booked"}
    assert counts(sandbox) == [12, 12, 12]
    assert_books_are_exact(sandbox, job)
