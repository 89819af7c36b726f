"""A run that is killed between the files of its snapshot and their manifest."""

from __future__ import annotations

from pathlib import Path

from connectors.snapshots.manifests import list_snapshots, verify_snapshot
from connectors.snapshots.reader import sql
from tests.crashes.books import assert_books_are_exact
from tests.crashes.light import Job, killed, run, states
from tests.running import RunningSandbox, single_line_orders, write_csv


def told(root: Path) -> list[tuple[object, ...]]:
    return list(sql(root, "SELECT order_ref, state FROM orders ORDER BY ALL").rows)


def test_the_old_snapshot_counts_until_the_new_one_is_whole(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """First there is none, later the one before; the next run writes what the ledger
    says, once.
    """
    rows = single_line_orders(sandbox, {"taobao": 1, "1688": 1})
    job = Job(
        url=sandbox.url,
        folder=tmp_path,
        file=write_csv(tmp_path / "requests.csv", rows[:1]),
    )
    root = tmp_path / "data" / "snapshots"
    killed(job, "before-manifest")
    assert told(root) == []
    assert states(run(job)) == {"taobao-000": "booked"}
    assert told(root) == [("taobao-000", "booked")]
    write_csv(tmp_path / "requests.csv", rows)
    killed(job, "before-manifest")
    assert told(root) == [("taobao-000", "booked")]
    assert len(sandbox.books()["shipments"]) == 2
    assert states(run(job)) == {"taobao-000": "booked", "1688-000": "booked"}
    assert told(root) == [("1688-000", "booked"), ("taobao-000", "booked")]
    assert [
        verify_snapshot(root, manifest.snapshot_id) for manifest in list_snapshots(root)
    ]
    assert_books_are_exact(sandbox, job)
