"""The past: tables as of a time, and what changed between two, in Python and SQL."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.snapshots import Snapshots
from connectors.snapshots.manifests import list_snapshots
from connectors.snapshots.pruning import Old, prune
from connectors.snapshots.reader import changes_schema, sql
from connectors.snapshots.sources import QueryError
from connectors.snapshots.tables import TABLES
from tests.connectors.snapshots.sample import AT, EACH_TABLE, order, write

HOUR = timedelta(hours=1)
SEEN = ["change", "order_ref", "columns", "state", "was_state"]


def write_three(root: Path) -> None:
    """A-1 is paid, then booked; A-2 stays held; A-3 comes later."""
    write(
        root,
        "batch-1",
        orders=[order("A-1", state="paid", created_at=AT), order("A-2", state="held")],
    )
    write(
        root,
        "track-1",
        orders=[order("A-1", state="booked", created_at=AT)],
        at=AT + HOUR,
    )
    write(root, "batch-2", orders=[order("A-3", state="paid")], at=AT + 2 * HOUR)


def changes(
    root: Path, since: object = None, until: object = None, table: str = "orders"
) -> list[tuple[object, ...]]:
    frame = Snapshots(root).changes(table, since, until)  # type: ignore[arg-type]
    return [
        tuple(row[name] for name in SEEN)
        for row in pa.Table.from_pandas(frame).to_pylist()
    ]


def test_changes_between_two_moments(tmp_path: Path) -> None:
    write_three(tmp_path)
    booked = ("changed", "A-1", ["state"], "booked", "paid")
    assert changes(tmp_path, AT, "track-1") == [booked]
    assert changes(tmp_path, "batch-1") == [booked, ("new", "A-3", [], "paid", None)]
    assert changes(tmp_path, AT + 2 * HOUR) == []


def test_without_a_beginning_all_is_new(tmp_path: Path) -> None:
    write_three(tmp_path)
    assert [row[:2] for row in changes(tmp_path)] == [
        ("new", "A-1"),
        ("new", "A-2"),
        ("new", "A-3"),
    ]


def test_a_look_alone_is_no_change(tmp_path: Path) -> None:
    write(tmp_path, "a", orders=[order(updated_at=AT)])
    write(tmp_path, "b", orders=[order(updated_at=AT + HOUR)], at=AT + HOUR)
    assert changes(tmp_path, "a") == []


def test_a_row_of_a_snapshot_that_was_replaced_since_is_not_called_new(
    tmp_path: Path,
) -> None:
    """The rerun replaced what the batch had said: nothing is known of before, except
    when the order was made.
    """
    write(tmp_path, "batch-1", orders=[order("A-1", state="paid", created_at=AT)])
    again = [order("A-1", created_at=AT), order("A-2", created_at=AT + 2 * HOUR)]
    for after in (2 * HOUR, 3 * HOUR):
        write(tmp_path, "batch-1", orders=again, at=AT + after)
    assert [manifest.first_written_at for manifest in list_snapshots(tmp_path)] == [AT]
    found = changes(tmp_path, AT + HOUR)
    assert found == [
        ("rewritten", "A-1", [], "booked", None),
        ("new", "A-2", [], "booked", None),
    ]


def test_before_what_was_merged_nothing_is_known_and_nothing_called_new(
    tmp_path: Path,
) -> None:
    """The rows keep the id of a snapshot that is no more."""
    write(tmp_path, "batch-1", orders=[order("A-1", state="paid", created_at=AT)])
    write(tmp_path, "track-1", orders=[order("A-1", created_at=AT)], at=AT + HOUR)
    write(tmp_path, "track-2", orders=[order("A-2")], at=AT + 3 * HOUR)
    prune(tmp_path, Old(before=AT + 2 * HOUR), now=AT + 4 * HOUR)
    assert [row[:2] for row in changes(tmp_path, AT + HOUR / 2)] == [
        ("rewritten", "A-1"),
        ("new", "A-2"),
    ]
    assert [row[:2] for row in changes(tmp_path, AT + 2 * HOUR)] == [("new", "A-2")]


@pytest.mark.parametrize("name", EACH_TABLE)
def test_a_table_without_a_snapshot_has_no_changes_but_their_types(
    tmp_path: Path, name: str
) -> None:
    frame = Snapshots(tmp_path).changes(name, AT, AT + HOUR)
    assert list(frame.columns) == changes_schema(TABLES[name]).names
    assert len(frame) == 0


def test_sql_has_the_same_as_macros(tmp_path: Path) -> None:
    write_three(tmp_path)
    then = f"TIMESTAMPTZ '{AT}'"
    assert sql(tmp_path, f"SELECT state FROM orders_at({then}) ORDER BY 1").rows == (
        ("held",),
        ("paid",),
    )
    assert sql(tmp_path, "SELECT state FROM orders_at('track-1') ORDER BY 1").rows == (
        ("booked",),
        ("held",),
    )
    assert sql(
        tmp_path, "SELECT state FROM orders_at('2026-01-02 03:30') ORDER BY 1"
    ).rows == (("held",), ("paid",))
    moved = "SELECT was_state, state FROM orders_changes(since := 'batch-1', until := 'track-1')"
    assert sql(tmp_path, moved).rows == (("paid", "booked"),)
    assert sql(tmp_path, "SELECT snapshot_id, tables, rows FROM snapshots").rows[0] == (
        "batch-1",
        ["orders"],
        2,
    )


def test_sql_and_frames_see_the_same_past(tmp_path: Path) -> None:
    write_three(tmp_path)
    for at in ("batch-1", "track-1", "batch-2"):
        frame = (
            Snapshots(tmp_path)
            .arrow("orders", at, ["order_ref", "state"])
            .sort_by("order_ref")
        )
        rows = sql(
            tmp_path, f"SELECT order_ref, state FROM orders_at('{at}') ORDER BY 1"
        ).rows
        assert [tuple(row.values()) for row in frame.to_pylist()] == list(rows)


def test_of_two_snapshots_of_one_moment_the_named_one_is_the_last_that_counts(
    tmp_path: Path,
) -> None:
    write(tmp_path, "a", orders=[order(state="paid")])
    write(tmp_path, "b", orders=[order(state="booked")])
    assert [
        Snapshots(tmp_path).table("orders", at)["state"].item() for at in ("a", "b", AT)
    ] == [
        "paid",
        "booked",
        "booked",
    ]
    assert sql(tmp_path, "SELECT state FROM orders_at('a')").rows == (("paid",),)


def test_an_unknown_snapshot_is_told(tmp_path: Path) -> None:
    write_three(tmp_path)
    with pytest.raises(
        QueryError, match="there is no snapshot batch-9; give the id of one, or a time"
    ):
        changes(tmp_path, "batch-9")
    with pytest.raises(QueryError, match="has no time zone; give UTC"):
        changes(tmp_path, AT.replace(tzinfo=None))
    with pytest.raises(QueryError, match="there is no snapshot batch-9"):
        sql(tmp_path, "FROM orders_at('batch-9')")
