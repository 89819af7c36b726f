"""Snapshots written again from the ledger, and what it can't give back."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.marks import RESTORED
from connectors.ledger.schema import marks
from connectors.snapshots.manifests import (
    MANIFESTS,
    SnapshotError,
    list_snapshots,
    verify_snapshot,
)
from connectors.snapshots.reader import sql
from connectors.snapshots.writer import drop_tables, write_snapshot
from domain.service_orders import TraceStatus, TrackingEvent
from tasks.engine.resources import Resources
from tasks.rebuild import find_damage, rebuild
from tasks.snapshot import snapshot_moved, snapshot_orders
from tests.connectors.snapshots.sample import offer
from tests.tasks.test_snapshot_sums import orders_alone, pay

AT = datetime(2026, 1, 2, tzinfo=UTC)
PAID = "select order_ref, paid_minor from orders order by 1"


@pytest.fixture(autouse=True)
def told_of_orders_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """These ledgers' plans have no requests."""
    monkeypatch.setattr("tasks.snapshot._batch_tables", orders_alone)


@pytest.fixture
def root(resources: Resources) -> Path:
    return resources.settings.snapshot_root


def cut(root: Path, pattern: str) -> None:
    """Take the end off each such file."""
    for path in root.glob(pattern):
        path.write_bytes(path.read_bytes()[:-9])


async def test_a_damaged_snapshot_of_a_batch_is_written_again_under_its_id(
    resources: Resources, root: Path
) -> None:
    pay(resources, "A-1", 700)
    await snapshot_orders(resources, "batch", AT)
    cut(root, "orders/*/batch.parquet")
    (root / MANIFESTS / "batch.json").write_text("{")
    done = await rebuild(resources, None)
    assert (done.written, done.dropped, done.lost, done.all_fine) == (
        ["batch"],
        [],
        [],
        True,
    )
    assert sql(root, PAID).rows == (("A-1", 700), ("A-2", 0))
    assert verify_snapshot(root, "batch").batch_id == "batch"


async def test_everything_lost_comes_back_as_far_as_the_ledger_knows_it(
    resources: Resources, root: Path
) -> None:
    scan = TrackingEvent(
        tracking_number="FAR1",
        occurred_at=AT,
        status=TraceStatus.SIGN,
        description="here",
    )
    resources.ledger.tracking.add({"A-1": [scan]})
    done = await rebuild(resources, None)
    assert done.written == ["batch", "batch-rebuilt"]
    assert [one.snapshot_id for one in list_snapshots(root)] == [
        "batch",
        "batch-rebuilt",
    ]
    assert sql(root, "select order_ref, status from tracking_events").rows == (
        ("A-1", "SIGN"),
    )
    assert await rebuild(resources, "batch") == done
    assert len(list_snapshots(root)) == 2


async def test_a_damaged_file_whose_rows_the_ledger_has_is_dropped(
    resources: Resources, root: Path
) -> None:
    """What else its snapshot has stays; what the ledger does not have is named and left
    as it is.
    """
    scan = TrackingEvent(
        tracking_number="FAR1",
        occurred_at=AT,
        status=TraceStatus.SIGN,
        description="here",
    )
    resources.ledger.tracking.add({"A-1": [scan]})
    tracking = await snapshot_moved(resources, "tracking")
    write_snapshot(
        root, "crawl", AT.date(), {"offers": [offer()]}, batch_id=None, written_at=AT
    )
    cut(root, "_history/tracking_events/*/*.parquet")
    cut(root, "_history/offers/*/*.parquet")
    done = await rebuild(resources, None)
    assert [(one.snapshot_id, one.tables) for one in done.dropped] == [
        (tracking, ("tracking_events",))
    ]
    assert [(one.snapshot_id, one.tables) for one in done.lost] == [
        ("crawl", ("offers",))
    ]
    assert not done.all_fine
    assert list(find_damage(root)) == list(done.lost)
    assert (await rebuild(resources, None, give_up=True)).all_fine
    assert list(find_damage(root)) == []
    left = next(one for one in list_snapshots(root) if one.snapshot_id == tracking)
    assert sorted(file.table for file in left.files) == ["orders", "outcomes"]


async def test_a_copied_manifest_goes_without_what_it_was_copied_from(
    resources: Resources, root: Path
) -> None:
    """As a folder that is kept in sync leaves it; the copy is older than the snapshot
    by now.
    """
    await snapshot_orders(resources, "batch", AT)
    copy = root / MANIFESTS / "batch (copy).json"
    copy.write_bytes((root / MANIFESTS / "batch.json").read_bytes())
    pay(resources, "A-1", 700)
    done = await rebuild(resources, None)
    assert [(one.snapshot_id, one.tables) for one in done.lost] == [
        ("batch (copy)", ())
    ]
    assert (await rebuild(resources, None, give_up=True)).all_fine
    assert (list(find_damage(root)), copy.exists()) == ([], False)
    (root / MANIFESTS / "batch.json").rename(copy)
    drop_tables(root, "batch (copy)", ())
    assert sql(root, PAID).rows == (("A-1", 700), ("A-2", 0))


async def test_a_restored_ledger_writes_nothing_over_what_knows_more(
    resources: Resources, root: Path
) -> None:
    pay(resources, "A-1", 700)
    await snapshot_orders(resources, "batch", AT)
    before = list_snapshots(root)
    with resources.ledger.transaction() as connection:
        row = {"name": RESTORED, "at": AT, "by": "ann", "words": "was put back"}
        connection.execute(marks.insert().values(**row))
    with pytest.raises(
        LedgerUnusable,
        match=r"was put back\. It has forgotten what was bought after that backup",
    ):
        await rebuild(resources, None)
    assert list_snapshots(root) == before


async def test_a_batch_that_the_ledger_does_not_know_is_named(
    resources: Resources,
) -> None:
    with pytest.raises(
        SnapshotError,
        match="the ledger knows no batch nihgt; without a name all batches are rebuilt",
    ):
        await rebuild(resources, "nihgt")
