"""The current state: one row a key in the folder of its table, whatever the snapshots
hold and whoever reads it.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import timedelta
from errno import ENOSPC
from pathlib import Path
from unittest.mock import patch

import duckdb
import pandas as pd
import polars as pl
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.snapshots import Snapshots
from connectors.snapshots.current import (
    FEW,
    ManyRows,
    Merging,
    Months,
    damaged_files,
    mend,
)
from connectors.snapshots.manifests import (
    STATE,
    WORK,
    SnapshotError,
    list_snapshots,
    read_current,
    verify_snapshot,
)
from connectors.snapshots.reader import sql
from connectors.snapshots.rows import Growing
from connectors.snapshots.tables import Table
from connectors.snapshots.writer import drop_tables
from tests.connectors.snapshots.sample import AT, order, payment, prune, write
from tests.connectors.snapshots.test_crashes import Killed, killed_at
from tests.everyday import examples

MONTH = timedelta(days=31)

REFS, STATES = (
    st.sampled_from(["A-1", "A-2", "A-3", "A-4"]),
    st.sampled_from(["paid", "booked"]),
)
WRITES = st.lists(
    st.tuples(
        st.sampled_from(["s-1", "s-2", "s-3"]),
        st.integers(0, 3),
        st.dictionaries(REFS, STATES),
    ),
    max_size=6,
)
BY_KEY, BY_STATE = pc.field("order_ref") <= "A-2", pc.field("state") == "paid"
CONDITIONS = {"none": None, "key": BY_KEY, "state": BY_STATE, "both": BY_KEY & BY_STATE}


def plain(root: Path) -> dict[str, str]:
    """The orders as a plain read of their folder has them; no reference twice."""
    frame = pd.read_parquet(root / "orders")
    assert frame["order_ref"].is_unique
    return dict(zip(frame["order_ref"], frame["state"], strict=True))


def by_sql(root: Path) -> dict[str, str]:
    return {
        str(ref): str(state)
        for ref, state in sql(root, "select order_ref, state from orders").rows
    }


def by_duckdb(root: Path) -> object:
    with duckdb.connect() as connection:
        query = f"select sum(paid_minor) from read_parquet('{root}/orders/*.parquet')"
        return connection.execute(query).fetchall()[0][0]


def files(root: Path, table: str = "orders") -> dict[str, list[str]]:
    return {
        path.stem: sorted(pd.read_parquet(path)["order_ref"])
        for path in sorted(root.glob(f"{table}/*.parquet"))
    }


@settings(max_examples=examples(10))
@given(WRITES, st.sampled_from([*CONDITIONS]), st.sampled_from([FEW, 1, -1]))
def test_the_newest_row_of_each_key_is_the_current_one(
    tmp_path_factory: pytest.TempPathFactory,
    writes: list[tuple[str, int, dict[str, str]]],
    asked: str,
    few: int,
) -> None:
    """Against the plainest way: keep the last writing of each snapshot, go through all
    rows, keep the newest.

    Few rows, which are chosen in memory, are many, one, or none; two are read at once,
    of files with groups of one.
    """
    root = tmp_path_factory.mktemp("root")
    written: dict[str, tuple[int, dict[str, str]]] = {}
    at_once = patch.multiple("connectors.snapshots.current", FEW=few, AT_ONCE=2)
    with at_once, patch("connectors.snapshots.rows.MOST_IN_GROUP", 1):
        for name, months, rows in writes:
            write(
                root,
                name,
                orders=[order(ref, state=state) for ref, state in rows.items()],
                at=AT + months * MONTH,
            )
            written[name] = (months, rows)
    newest: dict[str, tuple[int, str, str]] = {}
    for name, (months, rows) in written.items():
        for ref, state in rows.items():
            newest[ref] = max(newest.get(ref, (-1, "", "")), (months, name, state))
    wanted = {ref: state for ref, (_, _, state) in newest.items()}
    if writes:
        assert plain(root) == wanted
    for path in root.glob("orders/*.parquet"):
        assert pd.read_parquet(path)["order_ref"].is_monotonic_increasing
    met = {
        ref: state
        for ref, state in wanted.items()
        if (asked not in ("state", "both") or state == "paid")
        and (asked not in ("key", "both") or ref <= "A-2")
    }
    for _ in range(2):
        frame = Snapshots(root).table(
            "orders", columns=["state", "order_ref"], where=CONDITIONS[asked]
        )
        assert dict(zip(frame["order_ref"], frame["state"], strict=True)) == met
        assert by_sql(root) == wanted
        (root / STATE).unlink(missing_ok=True)  # then from the snapshots


def test_rows_that_win_are_read_a_part_at_a_time_also_before_one_of_the_file(
    tmp_path: Path,
) -> None:
    """A whole night's rows in memory, beside a run that is buying, were too many."""
    write(tmp_path, "a", orders=[order("Z-1")])
    parts: list[list[str]] = []

    class Watched(Growing):
        def take(self, table: pa.Table) -> None:
            parts.append(table["order_ref"].to_pylist())
            super().take(table)

    with patch.multiple("connectors.snapshots.current", AT_ONCE=2, Growing=Watched):
        write(tmp_path, "b", orders=[order(f"A-{number}") for number in range(5)])
    assert parts == [["A-0", "A-1"], ["A-2", "A-3"], ["A-4"], ["Z-1"]]


def test_a_key_stays_in_the_file_of_the_month_in_which_it_was_first_seen(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a", orders=[order("A-1"), order("A-2")])
    write(
        tmp_path,
        "b",
        orders=[order("A-1", state="shipped"), order("A-3")],
        at=AT + MONTH,
    )
    assert files(tmp_path) == {"2026-01": ["A-1", "A-2"], "2026-02": ["A-3"]}
    before = (tmp_path / "orders/2026-01.parquet").stat().st_ino
    write(tmp_path, "c", orders=[order("A-3", state="held")], at=AT + 2 * MONTH)
    assert (tmp_path / "orders/2026-01.parquet").stat().st_ino == before
    assert plain(tmp_path) == {"A-1": "shipped", "A-2": "booked", "A-3": "held"}
    prune(tmp_path, AT + 3 * MONTH)
    (tmp_path / STATE).unlink()
    write(tmp_path, "d", orders=[], at=AT + 3 * MONTH)
    assert files(tmp_path) == {"2026-01": ["A-1", "A-2"], "2026-02": ["A-3"]}


@pytest.mark.parametrize(
    "spent",
    [
        by_duckdb,
        lambda root: pl.read_parquet(f"{root}/orders/*.parquet")["paid_minor"].sum(),
        lambda root: pl.read_parquet(f"{root}/orders")["paid_minor"].sum(),
        lambda root: pd.read_parquet(root / "orders")["paid_minor"].sum(),
    ],
    ids=["duckdb", "polars, files", "polars, folder", "pandas"],
)
def test_a_plain_read_sums_each_order_once(
    tmp_path: Path, spent: Callable[[Path], object]
) -> None:
    write(
        tmp_path,
        "night",
        orders=[order("A-1", paid_minor=100), order("A-2", paid_minor=0)],
    )
    for hour in range(1, 4):
        rows = [order("A-1", paid_minor=100), order("A-2", paid_minor=50)]
        write(tmp_path, f"tracking-{hour}", orders=rows, at=AT + timedelta(hours=hour))
    assert spent(tmp_path) == 150


def test_a_table_that_is_dropped_uncovers_what_was_before_it(tmp_path: Path) -> None:
    write(tmp_path, "a", orders=[order("A-1", state="paid")])
    write(tmp_path, "b", orders=[order("A-1"), order("A-2")], at=AT + MONTH)
    drop_tables(tmp_path, "b", ["orders"])
    assert plain(tmp_path) == {"A-1": "paid"}


@pytest.mark.parametrize("damage", ["removed", "cut", "changed"])
def test_a_damaged_file_is_not_read_and_the_next_write_makes_it_anew(
    tmp_path: Path, damage: str
) -> None:
    write(tmp_path, "a", orders=[order("A-1"), order("A-2")])
    path = tmp_path / "orders/2026-01.parquet"
    content = path.read_bytes()
    if damage == "removed":
        path.unlink()
    else:
        path.write_bytes(
            content[:-9]
            if damage == "cut"
            else content[:4] + bytes(300) + content[304:]
        )
    assert sorted(Snapshots(tmp_path).table("orders")["order_ref"]) == ["A-1", "A-2"]
    write(tmp_path, "b", orders=[order("A-2", state="held")], at=AT + MONTH)
    assert plain(tmp_path) == {"A-1": "booked", "A-2": "held"}


@pytest.mark.parametrize("damage", ["cut", "changed"])
@pytest.mark.parametrize("cause", ["state gone", "row gone"])
def test_a_damaged_snapshot_of_long_ago_fails_no_later_write(
    tmp_path: Path, cause: str, damage: str
) -> None:
    """It is read where the state is made anew. Later readers tell of it, and what was
    written counts.
    """
    old = write(tmp_path, "spring", orders=[order("A-1", paid_minor=1)])
    write(tmp_path, "now", orders=[order("A-1"), order("A-2")], at=AT + MONTH)
    path = tmp_path / old.files[0].path
    content = path.read_bytes()
    path.write_bytes(
        content[:-9] if damage == "cut" else content[:4] + bytes(300) + content[304:]
    )
    if cause == "state gone":
        (tmp_path / STATE).unlink()
    write(tmp_path, "now", orders=[order("A-2", state="held")], at=AT + 2 * MONTH)
    verify_snapshot(tmp_path, "now")
    with pytest.raises(SnapshotError, match="spring"):
        Snapshots(tmp_path).table("orders")


def test_damage_is_found_and_mended_by_a_command(tmp_path: Path) -> None:
    write(tmp_path, "a", orders=[order("A-1")])
    path = tmp_path / "orders/2026-01.parquet"
    path.write_bytes(path.read_bytes()[::-1])
    assert damaged_files(tmp_path) == [path]
    mend(tmp_path)
    assert (damaged_files(tmp_path), plain(tmp_path)) == ([], {"A-1": "booked"})


def write_twice(root: Path) -> None:
    """A snapshot with orders in two months; then, of the same id, other rows of
    them.
    """
    write(
        root,
        "a",
        orders=[order("A-1", state="paid")],
        payments=[payment("A-1", amount_minor=1)],
    )
    write(
        root,
        "b",
        orders=[order("A-1", state="paid"), order("A-2", state="paid")],
        at=AT + MONTH,
    )


OLD, NEW = (
    {"A-1": "paid", "A-2": "paid"},
    {"A-1": "shipped", "A-2": "shipped", "A-3": "paid"},
)


@pytest.mark.parametrize(
    "step",
    [
        pytest.param(step, marks=[pytest.mark.endurance] if step % 8 else [])
        for step in range(0, 60, 2)
    ],
)
def test_a_write_that_dies_anywhere_leaves_each_row_old_or_new_and_the_next_write_mends_it(
    tmp_path: Path, step: int
) -> None:
    write_twice(tmp_path)
    rows = [
        order("A-1", state="shipped"),
        order("A-2", state="shipped"),
        order("A-3", state="paid"),
    ]
    try:
        with killed_at(step):
            write(tmp_path, "b", orders=rows, at=AT + 2 * MONTH)
    except Killed:
        pass
    seen = plain(tmp_path)
    assert all(state in (OLD.get(ref), NEW[ref]) for ref, state in seen.items())
    assert seen.keys() >= OLD.keys()
    whole = by_sql(tmp_path)
    assert whole in (OLD, NEW)
    write(tmp_path, "c", orders=[order("A-4", state="held")], at=AT + 3 * MONTH)
    assert plain(tmp_path) == {**whole, "A-4": "held"}
    state = read_current(tmp_path)
    assert state
    assert state.snapshots == {
        one.snapshot_id: one.digest for one in list_snapshots(tmp_path)
    }


def test_a_disk_that_is_full_is_told_and_the_snapshot_counts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr("connectors.snapshots.current._put_in_place", full)
        with pytest.raises(
            SnapshotError,
            match=r"is complete; the tables with it .*free some disk space.* write them",
        ):
            write(tmp_path, orders=[order("A-1")])
    assert list(Snapshots(tmp_path).table("orders")["order_ref"]) == ["A-1"]
    write(tmp_path, orders=[order("A-1", state="held")], at=AT + MONTH)
    assert plain(tmp_path) == {"A-1": "held"}


def test_what_breaks_tables_off_is_told_though_its_files_can_t_be_removed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On a Windows share one that is still open can't be, after tables that were cut
    before.
    """
    write(tmp_path, "one", orders=[order("A-1")])
    (tmp_path / WORK / "_current").mkdir()

    def cut(*_: object) -> Months:
        monkeypatch.setattr(
            "connectors.snapshots.current.rmtree", lambda *_, **__: None
        )
        raise KeyboardInterrupt

    monkeypatch.setattr(Merging, "files", cut)
    with pytest.raises(KeyboardInterrupt):
        write(tmp_path, "two", orders=[order("A-1", state="held")], at=AT + MONTH)


@pytest.mark.parametrize("was_cut", [True, False])
def test_months_that_fill_the_disk_leave_nothing_of_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, was_cut: bool
) -> None:
    """Only that an earlier one was cut while it put its months in place is still
    known.
    """
    write(tmp_path, "one", orders=[order("A-1")])
    staged = tmp_path / WORK / "_current"
    if was_cut:
        staged.mkdir()
    made = Merging.files

    def full(merging: Merging, table: Table) -> Months:
        made(merging, table)
        if table.name == "payments":
            raise OSError(ENOSPC, "No space left on device")
        return made(merging, table)

    with monkeypatch.context() as patch:
        patch.setattr(Merging, "files", full)
        with pytest.raises(SnapshotError, match="is complete"):
            write(
                tmp_path,
                "two",
                orders=[order("A-1", state="held")],
                payments=[payment()],
                at=AT + MONTH,
            )
    assert (staged.exists(), [*staged.glob("*")]) == (was_cut, [])
    write(tmp_path, "three", orders=[order("A-2")], at=AT + MONTH)
    assert plain(tmp_path) == {"A-1": "held", "A-2": "booked"}


def test_memory_that_runs_out_loses_no_snapshot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The folders stay as they were; our readers go by the snapshots, and the next
    write brings them up to date.
    """
    write(tmp_path, "one", orders=[order("A-1", paid_minor=1)])

    def runs_out(*_: object) -> None:
        raise duckdb.OutOfMemoryException("failed to allocate")

    with monkeypatch.context() as patch:
        patch.setattr("connectors.snapshots.current.FEW", -1)
        patch.setattr(ManyRows, "of_month", runs_out)
        write(
            tmp_path,
            "two",
            orders=[order("A-1", paid_minor=2)],
            at=AT + timedelta(hours=1),
        )
        with pytest.raises(
            SnapshotError,
            match=r"stay as they were \(OutOfMemoryException\); the next write tries again",
        ):
            mend(tmp_path)
    assert Snapshots(tmp_path).table("orders")["paid_minor"].tolist() == [2]
    assert pd.read_parquet(tmp_path / "orders")["paid_minor"].tolist() == [1]
    write(
        tmp_path,
        "three",
        orders=[order("A-2", paid_minor=3)],
        at=AT + timedelta(hours=2),
    )
    assert sorted(pd.read_parquet(tmp_path / "orders")["paid_minor"]) == [2, 3]
