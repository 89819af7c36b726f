"""Days and months that are over become one snapshot each: no reader sees a difference,
and no crash leaves one.
"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from errno import ENOSPC
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import duckdb
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pyarrow import dataset as datasets
from pyarrow import parquet

from connectors.snapshots import Snapshots, manifests, pruning
from connectors.snapshots.manifests import (
    Manifest,
    SnapshotDamaged,
    SnapshotError,
    list_snapshots,
    manifest_path,
    verify_snapshot,
)
from connectors.snapshots.pruning import _due, compact
from connectors.snapshots.reader import sql
from connectors.snapshots.writer import write_snapshot
from tests.connectors.snapshots.sample import order, payment, prune
from tests.connectors.snapshots.test_crashes import Killed, killed_at

FIRST = datetime(2026, 1, 28, 6, tzinfo=UTC)
DAY = timedelta(days=1)
LATER = FIRST + 60 * DAY
KEPT = 400
STATES = ("ordered", "paid", "booked", "shipped", "delivered")


def tell(
    root: Path,
    name: str,
    at: datetime,
    *refs: str,
    paid: int = 1,
    batch: str | None = None,
) -> None:
    orders = [order(ref, paid_minor=paid) for ref in refs]
    payments = [payment(ref, amount_minor=paid) for ref in refs]
    tables = {"orders": orders, "payments": payments}
    write_snapshot(root, name, at.date(), tables, batch_id=batch, written_at=at)


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two snapshots a day on four days, over the end of a month."""
    root = tmp_path_factory.mktemp("template")
    for day in (0, 1, 3, 4):
        for hour in range(2):
            at = FIRST + day * DAY + timedelta(hours=hour)
            tell(
                root, f"t-{day}-{hour}", at, f"A-{day}", "A-9", paid=10 * day + hour + 1
            )
    return root


@pytest.fixture
def days(template: Path, tmp_path: Path) -> Path:
    """A copy of the template."""
    return shutil.copytree(template, tmp_path, dirs_exist_ok=True)


def names(root: Path) -> list[str]:
    return [one.snapshot_id for one in list_snapshots(root)]


def by_every_reader(root: Path, moments: Sequence[datetime] = ()) -> list[object]:
    """The tables as our readers have them, now and then, and as others read the
    files.
    """
    snapshots, found = Snapshots(root), list[object]()
    for table in ("orders", "payments"):
        found.append(snapshots.arrow(table).sort_by("order_ref").to_pylist())
        keys = [("order_ref", "ascending"), ("snapshot_at", "ascending")]
        found.append(
            sorted(
                snapshots.history(table)[[name for name, _ in keys]].itertuples(
                    index=False, name=None
                )
            )
        )
        found += [
            snapshots.arrow(table, at=at).sort_by("order_ref").to_pylist()
            for at in moments
        ]
        found.append(sql(root, f"SELECT * FROM {table} ORDER BY order_ref").rows)
        plain = f"{root}/{table}/*.parquet"
        with duckdb.connect() as connection:
            query = f"SELECT * FROM read_parquet('{plain}') ORDER BY order_ref"
            found.append(connection.execute(query).fetchall())
        found.append(
            pd.read_parquet(root / table)
            .sort_values("order_ref")["snapshot_id"]
            .tolist()
        )
    return found


@given(
    st.lists(
        st.tuples(
            st.integers(0, 40),
            st.sets(st.sampled_from(["A-1", "A-2", "A-3"]), min_size=1),
            st.booleans(),
        ),
        min_size=1,
        max_size=4,
    ),
    st.integers(0, 50),
)
@settings(max_examples=4, deadline=None)
@pytest.mark.endurance
def test_every_reader_sees_what_it_saw(
    tmp_path_factory: pytest.TempPathFactory,
    told: Sequence[tuple[int, set[str], bool]],
    days: int,
) -> None:
    root, moments = (
        tmp_path_factory.mktemp("any"),
        [FIRST + day * DAY for day in (0, 7, 33)],
    )
    for number, (day, refs, is_batch) in enumerate(told):
        at = FIRST + day * DAY + timedelta(minutes=number)
        tell(
            root,
            f"s-{number}",
            at,
            *sorted(refs),
            paid=number,
            batch="b" if is_batch else None,
        )
    before = by_every_reader(root, moments)
    compact(root, FIRST + days * DAY, keep_days=KEPT)
    assert by_every_reader(root, moments) == before
    compact(root, LATER, keep_days=KEPT)
    assert by_every_reader(root, moments) == before
    assert len(list_snapshots(root)) == len(
        {(FIRST + day * DAY).month for day, _, _ in told}
    )


def test_a_day_is_one_snapshot_after_a_day_and_a_month_a_week_after_its_end(
    days: Path,
) -> None:
    now = FIRST + 5 * DAY
    merged = [f"of-2026-01-{day}-20260202T060000000000" for day in (28, 29, 31)]
    assert compact(days, now, keep_days=KEPT) == merged
    assert names(days) == [*merged, "t-4-0", "t-4-1"]
    assert compact(days, now + 6 * DAY, keep_days=KEPT) == [
        "of-2026-01-20260208T060000000000",
        "of-2026-02-01-20260208T060000000000",
    ]
    files = sorted(
        str(path.relative_to(days))
        for path in (days / "_history/orders").rglob("*.parquet")
    )
    assert len(files) == 7, (
        "the merged days are there for their readers until the next merge"
    )
    tell(days, "new", now + 7 * DAY, "A-1")
    tell(days, "newer", now + 7 * DAY, "A-2")
    compact(days, now + 9 * DAY, keep_days=KEPT)
    assert len(names(days)) == 3
    assert all(verify_snapshot(days, name).replaces == {} for name in names(days)[:2])


def test_a_second_call_writes_nothing(days: Path) -> None:
    compact(days, LATER, keep_days=KEPT)
    seen = {
        path: path.stat().st_mtime_ns
        for path in days.rglob("*")
        if path.is_file() and path.name != ".lock"
    }
    assert compact(days, LATER + DAY, keep_days=KEPT) == []
    assert seen == {path: path.stat().st_mtime_ns for path in seen}


def test_the_current_state_is_not_written_anew(days: Path) -> None:
    before = {path: path.stat().st_ino for path in days.glob("orders/*")}
    compact(days, LATER, keep_days=KEPT)
    assert {path: path.stat().st_ino for path in days.glob("orders/*")} == before
    assert manifests.read_current(days).snapshots.keys() == set(names(days))  # type: ignore[union-attr]


def test_a_batch_joins_its_day_once_its_runs_no_longer_replace_it(
    tmp_path: Path,
) -> None:
    tell(tmp_path, "night", FIRST, "A-1", "A-2", batch="night")
    tell(tmp_path, "t-1", FIRST, "A-3")
    tell(tmp_path, "t-2", FIRST, "A-3", paid=2)
    compact(tmp_path, FIRST + 3 * DAY, keep_days=KEPT)
    assert names(tmp_path) == ["night", "of-2026-01-28-20260131T060000000000"]
    tell(tmp_path, "night", FIRST + 4 * DAY, "A-1", batch="night")
    assert [
        row["order_ref"] for row in Snapshots(tmp_path).arrow("orders").to_pylist()
    ] == ["A-1", "A-3"]
    compact(tmp_path, LATER, keep_days=KEPT)
    assert len(names(tmp_path)) == 2


def test_a_batch_that_is_written_again_after_its_merge_counts(tmp_path: Path) -> None:
    tell(tmp_path, "night", FIRST, "A-1", batch="night")
    tell(tmp_path, "t-1", FIRST, "A-3")
    compact(tmp_path, LATER, keep_days=KEPT)
    tell(tmp_path, "night", LATER, "A-1", paid=7, batch="night")
    for now in (LATER, LATER + 2 * DAY):
        compact(tmp_path, now, keep_days=KEPT)
        rows = (
            Snapshots(tmp_path)
            .arrow("orders", columns=["order_ref", "paid_minor"])
            .to_pylist()
        )
        assert rows == [
            {"order_ref": "A-1", "paid_minor": 7},
            {"order_ref": "A-3", "paid_minor": 1},
        ]


def test_the_history_before_its_time_goes_and_current_rows_stay(tmp_path: Path) -> None:
    """A month is merged before what is old of it goes, so that neither reads many
    files.
    """
    tell(tmp_path, "s-1", FIRST, "A-1", "A-2", paid=1)
    tell(tmp_path, "s-2", FIRST + DAY, "A-1", paid=2)
    tell(tmp_path, "s-3", FIRST + 90 * DAY, "A-3", paid=3)
    before = by_every_reader(tmp_path)[0]
    assert compact(tmp_path, FIRST + 99 * DAY, keep_days=30) == [
        "of-2026-01-20260507T060000000000"
    ]
    assert compact(tmp_path, FIRST + 100 * DAY, keep_days=30) == [
        "pruned-20260508T060000000000"
    ]
    assert by_every_reader(tmp_path)[0] == before
    assert len(Snapshots(tmp_path).history("orders")) == 3


def test_a_killed_merge_is_ended_by_the_next(template: Path, tmp_path: Path) -> None:
    before = by_every_reader(template)
    for step in count(1, 17):
        root = tmp_path / str(step)
        shutil.copytree(template, root)
        try:
            with killed_at(step):
                compact(root, LATER, keep_days=KEPT)
        except Killed:
            assert by_every_reader(root) == before
            assert [
                verify_snapshot(root, one.snapshot_id) for one in list_snapshots(root)
            ]
        else:
            assert step > 20
            break
        compact(root, LATER + DAY, keep_days=KEPT)
        assert (by_every_reader(root)[:1], len(names(root))) == (before[:1], 2)


def test_a_merge_that_has_begun_leaves_alone_what_a_writer_replaced(
    days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The plan is made once, and each merge waits for its lock anew."""
    planned = _due

    def replaced_meanwhile(*args: Any) -> list[Any]:
        plan = list(planned(*args))
        manifest_path(days, "t-0-0").unlink(missing_ok=True)
        return plan

    monkeypatch.setattr("connectors.snapshots.pruning._due", replaced_meanwhile)
    compact(days, FIRST + 5 * DAY, keep_days=KEPT)
    assert names(days)[0] == "t-0-1"


@pytest.mark.parametrize(
    "fault",
    [
        pytest.param(duckdb.OutOfMemoryException("full"), marks=pytest.mark.endurance),
        OSError(ENOSPC, "No space left on device"),
        pytest.param(SnapshotDamaged("gone"), marks=pytest.mark.endurance),
    ],
)
def test_what_can_not_be_merged_stays_and_the_other_days_are_merged(
    days: Path, monkeypatch: pytest.MonkeyPatch, fault: Exception
) -> None:
    """What a merge has staged by then goes with it: the next night needs the disk."""
    before, merge = by_every_reader(days), pruning._write

    def fails_once(root: Path, old: Sequence[Manifest], *further: Any) -> int:
        rows = merge(root, old, *further)
        if old[0].snapshot_id == "t-1-0":
            raise fault
        return rows

    monkeypatch.setattr(pruning, "_write", fails_once)
    with pytest.raises(SnapshotError, match=r"stay as they were|gone"):
        compact(days, FIRST + 5 * DAY, keep_days=KEPT)
    assert [name[:13] for name in names(days)] == [
        "of-2026-01-28",
        "t-1-0",
        "t-1-1",
        "of-2026-01-31",
        "t-4-0",
        "t-4-1",
    ]
    assert by_every_reader(days) == before
    assert not [*(days / manifests.WORK).glob("of-*")]


def test_nothing_is_merged_without_twice_its_size_of_free_disk(
    days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    before, free = names(days), SimpleNamespace(free=5_000)
    monkeypatch.setattr(shutil, "disk_usage", lambda _root: free)
    with pytest.raises(
        SnapshotError, match=r"need .* MB of free disk space: they stay as they were"
    ):
        compact(days, LATER, keep_days=KEPT)
    assert names(days) == before
    free.free = 1_000_000_000
    assert compact(days, LATER, keep_days=KEPT)


def test_what_is_merged_is_pruned_too_and_no_file_of_it_counts_as_a_dead_writers(
    days: Path,
) -> None:
    before = by_every_reader(days)[0]
    compact(days, LATER, keep_days=KEPT)
    prune(days, LATER)
    assert (len(list_snapshots(days)), by_every_reader(days)[0]) == (1, before)


@pytest.mark.endurance
def test_two_years_of_nights_and_hours_are_few_files() -> None:
    """A batch a night, tracking every hour, merged every night."""

    def written(at: datetime, batch: str | None = None) -> Manifest:
        return Manifest(
            snapshot_id=f"{at}-{batch}",
            batch_id=batch,
            date=at.date(),
            written_at=at,
            files=(),
        )

    found, most = list[Manifest](), 0
    for night in range(730):
        now = FIRST + night * DAY
        found += [
            written(now, "night"),
            *(written(now + timedelta(hours=hour)) for hour in range(1, 24)),
        ]
        most = max(most, len(found))
        for _, old in _due(found, now + DAY, timedelta(days=KEPT)):
            found = [one for one in found if one not in old] + [
                written(old[-1].written_at)
            ]
            found.sort(key=lambda one: one.written_at)
    assert most <= 120


def test_one_key_is_in_one_group_of_a_file(tmp_path: Path) -> None:
    tell(tmp_path, "s-1", FIRST, *(f"A-{number:05}" for number in range(25_000)))
    for path in (
        tmp_path.glob("orders/*.parquet"),
        tmp_path.glob("_history/orders/*/*.parquet"),
    ):
        (file,) = path
        (fragment,) = datasets.dataset(file).get_fragments()
        assert parquet.ParquetFile(file).num_row_groups == 3
        assert (
            fragment.subset(datasets.field("order_ref") == "A-12345").num_row_groups
            == 1
        )


def test_a_reading_opens_each_manifest_once(
    days: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    opened, read = list[Path](), manifests.read_manifest

    def counted(path: Path) -> Manifest:
        opened.append(path)
        return read(path)

    monkeypatch.setattr(manifests, "read_manifest", counted)
    assert len(Snapshots(days).table("orders")) == 5
    assert len(opened) == len({*opened}) == 8


@pytest.mark.parametrize(
    "most", [3, *(pytest.param(most, marks=pytest.mark.endurance) for most in (1, 7))]
)
def test_rows_are_merged_some_at_a_time_in_the_order_of_their_keys(
    days: Path, monkeypatch: pytest.MonkeyPatch, most: int
) -> None:
    """Months with all rows, and then the newest row of each key."""
    monkeypatch.setattr(pruning, "SLICE", most)
    before = by_every_reader(days, [FIRST + DAY])
    compact(days, LATER, keep_days=KEPT)
    assert by_every_reader(days, [FIRST + DAY]) == before
    (january, *_) = sorted(days.glob("_history/orders/*/of-2026-01-*.parquet"))
    assert (
        parquet.read_table(january)["order_ref"].to_pylist()
        == ["A-0"] * 2 + ["A-1"] * 2 + ["A-3"] * 2 + ["A-9"] * 6
    )
    prune(days, LATER + DAY)
    assert by_every_reader(days)[0] == before[0]
    (pruned,) = days.glob("_history/orders/*/pruned-*.parquet")
    assert parquet.read_table(pruned)["order_ref"].to_pylist() == [
        "A-0",
        "A-1",
        "A-3",
        "A-4",
        "A-9",
    ]
