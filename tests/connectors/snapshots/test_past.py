"""The past: tables as of a time, in Python and SQL."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.snapshots import Snapshots
from connectors.snapshots.files import QueryError, snapshot_name
from connectors.snapshots.reader import moment_of, sql
from tests.connectors.snapshots.sample import AT, order, write

HOUR = timedelta(hours=1)
TRACK = snapshot_name("track-1", AT + HOUR)
BATCHES = [
    snapshot_name(f"batch-{number + 1}", AT + number * 2 * HOUR) for number in range(2)
]
NOW = datetime(2026, 11, 26, 7, 30, tzinfo=UTC)


def write_three(root: Path) -> None:
    """A-1 is paid, then booked; A-2 stays held; A-3 comes later."""
    write(
        root,
        BATCHES[0],
        orders=[order("A-1", state="paid", created_at=AT), order("A-2", state="held")],
    )
    write(
        root,
        TRACK,
        orders=[order("A-1", state="booked", created_at=AT)],
        at=AT + HOUR,
    )
    write(root, BATCHES[1], orders=[order("A-3", state="paid")], at=AT + 2 * HOUR)


def test_sql_has_the_same_as_macros(tmp_path: Path) -> None:
    write_three(tmp_path)
    then = f"TIMESTAMPTZ '{AT}'"
    assert sql(tmp_path, f"SELECT state FROM orders_at({then}) ORDER BY 1").rows == (
        ("held",),
        ("paid",),
    )
    assert sql(tmp_path, f"SELECT state FROM orders_at('{TRACK}') ORDER BY 1").rows == (
        ("booked",),
        ("held",),
    )
    assert sql(
        tmp_path, "SELECT state FROM orders_at('2026-01-02 03:30') ORDER BY 1"
    ).rows == (("held",), ("paid",))
    assert sql(tmp_path, "SELECT snapshot_id, tables, rows FROM snapshots").rows[0] == (
        BATCHES[0],
        ["orders"],
        2,
    )


def test_sql_and_frames_see_the_same_past(tmp_path: Path) -> None:
    write_three(tmp_path)
    for at in (BATCHES[0], TRACK, BATCHES[1]):
        frame = (
            Snapshots(tmp_path)
            .arrow("orders", at, ["order_ref", "state"])
            .sort_by("order_ref")
        )
        rows = sql(
            tmp_path, f"SELECT order_ref, state FROM orders_at('{at}') ORDER BY 1"
        ).rows
        assert [tuple(row.values()) for row in frame.to_pylist()] == list(rows)


def test_an_unknown_snapshot_is_told(tmp_path: Path) -> None:
    write_three(tmp_path)
    with pytest.raises(
        QueryError, match="there is no snapshot batch-9; give the id of one, or a time"
    ):
        Snapshots(tmp_path).table("orders", "batch-9")
    with pytest.raises(QueryError, match="has no time zone; give UTC"):
        Snapshots(tmp_path).table("orders", AT.replace(tzinfo=None))
    with pytest.raises(QueryError, match="there is no snapshot batch-9"):
        sql(tmp_path, "FROM orders_at('batch-9')")


@pytest.mark.parametrize(
    ("text", "moment"),
    [
        ("12h", datetime(2026, 11, 25, 19, 30, tzinfo=UTC)),
        ("7d", datetime(2026, 11, 19, 7, 30, tzinfo=UTC)),
        ("15:00", datetime(2026, 11, 26, 7, 0, tzinfo=UTC)),
        ("16:00", datetime(2026, 11, 25, 8, 0, tzinfo=UTC)),
        ("2026-11-26", datetime(2026, 11, 25, 16, 0, tzinfo=UTC)),
        ("2026-11-26 06:00", datetime(2026, 11, 25, 22, 0, tzinfo=UTC)),
        ("2026-11-26T06:00:00Z", datetime(2026, 11, 26, 6, 0, tzinfo=UTC)),
        ("try-out", "try-out"),
    ],
)
def test_times_are_the_merchants(text: str, moment: object) -> None:
    assert moment_of(text, NOW, "Asia/Shanghai") == moment
