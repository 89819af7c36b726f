"""What a snapshot leaves on disk, and what it refuses."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from enum import Enum
from errno import ENOSPC
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from connectors.snapshots.files import SnapshotDamaged, SnapshotError
from connectors.snapshots.reader import sql
from connectors.snapshots.rows import Growing, SnapshotValueError, to_arrow
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.writer import end_history, erase_orders, write_whole
from tests.connectors.snapshots.sample import (
    AT,
    DAY,
    files_below,
    offer,
    order,
    payment,
    write,
)
from tests.everyday import examples

LATER = AT + timedelta(hours=1)
NAIVE = AT.replace(tzinfo=None)


def test_files_stand_by_table_and_day(tmp_path: Path) -> None:
    """Tables of orders have a file from the first write on: plain pandas fails on a
    folder without one.
    """
    write(tmp_path, orders=[order("A-1")], offers=[offer()])
    by_day = [name for name, table in TABLES.items() if table.is_by_day]
    assert files_below(tmp_path) == sorted(
        [
            *(f"{name}/day=2026-01-02/part.parquet" for name in by_day),
            "history/orders/2026-01-02/batch-1.parquet",
            "history/offers/2026-01-02/batch-1.parquet",
        ]
    )


def test_an_order_is_replaced_and_the_others_of_its_day_stay(tmp_path: Path) -> None:
    """Its lines that are gone leave with it."""
    write(
        tmp_path,
        orders=[order("A-1", paid_minor=0), order("A-2", paid_minor=7)],
        payments=[payment("A-1"), payment("A-2")],
    )
    write(tmp_path, "batch-2", orders=[order("A-1", paid_minor=9)], at=LATER)
    write(tmp_path, "batch-3", day=DAY + timedelta(days=1), orders=[order("A-3")])
    message = "SELECT order_ref, paid_minor, snapshot_id FROM orders ORDER BY 1"
    assert sql(tmp_path, message).rows == (
        ("A-1", 9, "batch-2"),
        ("A-2", 7, "batch-1"),
        ("A-3", 1990, "batch-3"),
    )
    assert sql(tmp_path, "SELECT order_ref FROM payments").rows == (("A-2",),)
    history = "SELECT order_ref, paid_minor FROM orders_history ORDER BY ALL"
    assert sql(tmp_path, history).rows == (
        ("A-1", 0),
        ("A-1", 9),
        ("A-2", 7),
        ("A-3", 1990),
    )


def test_costs_are_replaced_whole(tmp_path: Path) -> None:
    for numbers in ((1, 2), (3,)):
        write_whole(
            tmp_path, "landed_costs", [[cost(number) for number in numbers]], "c", AT
        )
    for table in ("landed_costs", "landed_costs_history"):
        assert sql(tmp_path, f"SELECT line_no FROM {table}").rows == ((3,),)


def cost(line_no: int) -> dict[str, object]:
    empty = {"string": "", "int64": 0, "bool": False}
    row = {
        field.name: empty.get(str(field.type), AT)
        for field in TABLES["landed_costs"].schema
        if not field.nullable
    }
    return row | {"order_ref": "A-1", "line_no": line_no}


def test_rows_that_fill_the_disk_leave_nothing_of_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger stands on the same disk."""
    write(tmp_path, orders=[order("A-1")])
    before = files_below(tmp_path)

    def full(growing: Growing, _: object) -> None:
        growing._writer.close()
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Growing, "write", full)
        with pytest.raises(
            SnapshotError,
            match=r"^the tables can't be written .* run again to write them",
        ):
            write(tmp_path, "batch-2", orders=[order("A-2")], payments=[payment()])
    assert files_below(tmp_path) == before
    assert [path.name for path in (tmp_path / "_work").iterdir()] == [".lock"]


def test_history_ends_and_the_newest_offers_stay(tmp_path: Path) -> None:
    """Orders are in their own files. What stays of offers is written once."""
    for day, stock in enumerate((1, 2, 3)):
        at = AT + timedelta(days=day)
        rows = [offer("1", stock=stock), offer(f"old-{day}", stock=stock)]
        write(tmp_path, f"crawl-{day}", at=at, offers=rows, orders=[order("A-1")])
    end_history(tmp_path, AT + timedelta(days=12), keep_days=10)
    message = "SELECT sku_id, stock FROM offers ORDER BY 1"
    assert sql(tmp_path, message).rows == (
        ("1", 3),
        ("old-0", 1),
        ("old-1", 2),
        ("old-2", 3),
    )
    assert files_below(tmp_path / "history") == [
        "offers/2026-01-03/older.parquet",
        "offers/2026-01-04/crawl-2.parquet",
        "orders/2026-01-04/crawl-2.parquet",
    ]
    assert sql(tmp_path, "SELECT count(*) FROM orders").rows == ((1,),)
    folded = tmp_path / "history/offers/2026-01-03/older.parquet"
    written = folded.stat()
    end_history(tmp_path, AT + timedelta(days=12), keep_days=10)
    assert folded.stat() == written
    end_history(tmp_path, AT + timedelta(days=30), keep_days=10)
    assert files_below(tmp_path / "history") == ["offers/2026-01-04/older.parquet"]
    assert len(sql(tmp_path, message).rows) == 4


def test_forgotten_orders_leave_the_history(tmp_path: Path) -> None:
    write(tmp_path, orders=[order("A-1"), order("A-2")], payments=[payment("A-1")])
    write(tmp_path, "batch-2", orders=[order("A-2")], at=LATER)
    assert erase_orders(tmp_path, ["A-1"]) == ["batch-1"]
    assert erase_orders(tmp_path, ["A-1"]) == []
    assert sql(tmp_path, "SELECT order_ref FROM orders_history").rows == (
        ("A-2",),
        ("A-2",),
    )
    assert sql(tmp_path, "SELECT order_ref FROM payments_history").rows == ()


@pytest.mark.parametrize(
    "file",
    [
        "orders/day=2026-01-02/part.parquet",
        "history/orders/2026-01-02/batch-1.parquet",
    ],
)
def test_a_damaged_file_is_named_with_the_remedy(tmp_path: Path, file: str) -> None:
    write(tmp_path, orders=[order("A-1")])
    (tmp_path / file).write_bytes((tmp_path / file).read_bytes()[:-9])
    name = "orders_history" if file.startswith("history") else "orders"
    with pytest.raises(
        SnapshotDamaged, match=rf"{file} can't be read .*sourcing snapshot rebuild"
    ):
        sql(tmp_path, f"SELECT * FROM {name}")


def test_a_file_tells_its_table_and_compression(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()])
    file = parquet.ParquetFile(tmp_path / "history/orders/2026-01-02/batch-1.parquet")
    assert file.metadata.row_group(0).column(0).compression == "ZSTD"
    assert file.schema_arrow.equals(TABLES["orders"].schema)
    metadata = file.schema_arrow.metadata
    assert (metadata[b"table"], metadata[b"key"]) == (b"orders", b"order_ref")


def test_pandas_reads_a_table_folder_with_whole_amounts_and_utc_times(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        orders=[
            order("A-1"),
            order(
                "A-2",
                state="held",
                paid_minor=0,
                paid_at=None,
                freight_minor=0,
                freight_currency=None,
            ),
        ],
    )
    frame = pd.read_parquet(tmp_path / "orders")
    assert str(frame["paid_minor"].dtype) == "int64"
    assert frame["paid_minor"].sum() == 1990
    assert str(frame["snapshot_at"].dtype) == "datetime64[us, UTC]"
    assert frame["order_id"].tolist() == ["2542285634920880794"] * 2
    assert [list(numbers) for numbers in frame["tracking_numbers"]] == [
        ["FARJP2408000013YQ"]
    ] * 2


def test_polars_and_duckdb_read_a_table_folder(tmp_path: Path) -> None:
    write(tmp_path, orders=[order("A-1"), order("A-2", paid_minor=1)])
    assert pl.read_parquet(tmp_path / "orders")["paid_minor"].to_list() == [1990, 1]
    query = f"SELECT sum(paid_minor), max(snapshot_id) FROM read_parquet('{tmp_path}/orders/**/*.parquet')"
    assert duckdb.execute(query).fetchall() == [(1991, "batch-1")]


def test_a_table_without_rows_reads_as_an_empty_table(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()], payments=[])
    frame = pd.read_parquet(tmp_path / "payments")
    assert len(frame) == 0
    assert str(frame["amount_minor"].dtype) == "int64"


def test_times_of_any_zone_are_kept_as_utc_and_enums_as_their_values(
    tmp_path: Path,
) -> None:
    class State(str, Enum):  # noqa: UP042 - its `str` is "State.BOOKED", unlike a StrEnum's
        BOOKED = "booked"

    beijing = timezone(timedelta(hours=8))
    write(
        tmp_path,
        orders=[
            order(
                state=State.BOOKED, paid_at=datetime(2026, 1, 2, 8, 0, tzinfo=beijing)
            )
        ],
    )
    row = pl.read_parquet(tmp_path / "orders").row(0, named=True)
    assert (row["state"], row["paid_at"]) == (
        "booked",
        datetime(2026, 1, 2, tzinfo=UTC),
    )


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"paid_minor": 19.9}, "column paid_minor: 19.9 is not a whole number (amounts are whole minor units)"),
        ({"paid_minor": 1990.0}, "column paid_minor: 1990.0 is not a whole number (amounts are whole minor units)"),
        ({"paid_minor": "1990"}, "column paid_minor: '1990' is not a whole number (amounts are whole minor units)"),
        ({"paid_minor": True}, "column paid_minor: True is not a whole number (amounts are whole minor units)"),
        ({"paid_minor": 2**63}, "column paid_minor: 9223372036854775808 does not fit 64 bits"),
        ({"paid_minor": None}, "column paid_minor: there must be a value"),
        ({"order_id": 25422856}, "column order_id: 25422856 is not text (ids are text too)"),
        ({"tracking_numbers": "FAR1"}, "column tracking_numbers: 'FAR1' is not a list of texts"),
        ({"tracking_numbers": [1]}, "column tracking_numbers: 1 is not text (ids are text too)"),
        ({"paid_at": NAIVE}, f"column paid_at: {NAIVE!r} is not a time with a time zone"),
        ({"paid_at": "2026-01-02"}, "column paid_at: '2026-01-02' is not a time with a time zone"),
    ],
)  # fmt: skip
def test_a_value_that_does_not_fit_is_named(
    change: dict[str, object], message: str
) -> None:
    with pytest.raises(SnapshotValueError) as refusal:
        to_arrow(TABLES["orders"], [full("A-1"), full("A-2") | change])
    assert str(refusal.value) == f"table orders, row 2, {message}"


def full(order_ref: str) -> dict[str, object]:
    return order(order_ref) | {"snapshot_id": "batch-1", "snapshot_at": AT}


def test_a_column_that_its_table_does_not_have_is_a_defect_of_ours(
    tmp_path: Path,
) -> None:
    with pytest.raises(
        SnapshotValueError,
        match="table orders, row 2, column payed_minor: the table has no such",
    ):
        write(tmp_path, orders=[order("A-1"), order("A-2", payed_minor=1)])
    assert files_below(tmp_path) == []


VALUES = {
    "string": st.text(),
    "int64": st.integers(-(2**63) + 1, 2**63 - 1),
    "bool": st.booleans(),
    "timestamp[us, tz=UTC]": st.datetimes(
        datetime(1970, 1, 1),  # noqa: DTZ001
        datetime(2200, 1, 1),  # noqa: DTZ001
        timezones=st.just(UTC),
    ),
}


STEPS = st.lists(
    st.fixed_dictionaries(
        {name: VALUES["int64"] for name in ("start_quantity", "price_minor")}
    )
)


def value_of(kind: str) -> st.SearchStrategy[object]:
    if kind in VALUES:
        return VALUES[kind]
    return STEPS if "struct" in kind else st.lists(st.text())


@st.composite
def rows_of(draw: st.DrawFn, table: Table) -> list[dict[str, object]]:
    fields = {
        field.name: value_of(str(field.type)) | st.none()
        if field.nullable
        else value_of(str(field.type))
        for field in table.schema
    }
    return draw(
        st.lists(
            st.fixed_dictionaries(fields),
            max_size=3,
            unique_by=lambda row: tuple(str(row[column]) for column in table.key),
        )
    )


@pytest.mark.parametrize("table", TABLES.values(), ids=list(TABLES))
@given(data=st.data())
@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_every_value_reads_back_as_it_was_written(
    tmp_path: Path, table: Table, data: st.DataObject
) -> None:
    rows = data.draw(rows_of(table))
    with Growing(tmp_path / "any.parquet", table.schema) as file:
        file.take(to_arrow(table, rows))
    assert parquet.ParquetFile(tmp_path / "any.parquet").read().to_pylist() == rows


def test_half_a_character_of_a_foreign_text_is_replaced() -> None:
    """No file can hold it, and one odd title keeps no table from being written."""
    rows = to_arrow(TABLES["orders"], [full("A-1") | {"reason": "half \ud83d"}])
    assert rows["reason"].to_pylist() == ["half ?"]
