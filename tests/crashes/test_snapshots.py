"""A run that is killed between the tables' files and the marks of what they tell."""

from __future__ import annotations

from pathlib import Path

from connectors.snapshots.reader import sql
from tests.crashes.books import assert_books_are_exact
from tests.crashes.light import Job, killed, run, states
from tests.running import RunningSandbox, single_line_orders, write_csv


def told(root: Path) -> list[tuple[object, ...]]:
    return list(sql(root, "SELECT order_ref, state FROM orders ORDER BY ALL").rows)


def test_what_a_killed_run_wrote_is_written_once_more(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Each order stands once, as the ledger has it."""
    rows = single_line_orders(sandbox, {"taobao": 1, "1688": 1})
    job = Job(
        url=sandbox.url,
        folder=tmp_path,
        file=write_csv(tmp_path / "requests.csv", rows[:1]),
    )
    root = tmp_path / "data" / "snapshots"
    killed(job, "before-marks")
    assert told(root) == [("taobao-000", "booked")]
    assert states(run(job)) == {"taobao-000": "booked"}
    assert told(root) == [("taobao-000", "booked")]
    assert len(list(root.glob("history/orders/*/*.parquet"))) == 2
    write_csv(tmp_path / "requests.csv", rows)
    killed(job, "before-marks")
    assert len(sandbox.books()["shipments"]) == 2
    assert states(run(job)) == {"taobao-000": "booked", "1688-000": "booked"}
    assert told(root) == [("1688-000", "booked"), ("taobao-000", "booked")]
    assert_books_are_exact(sandbox, job)
