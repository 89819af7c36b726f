"""What a snapshot leaves on disk, and what it refuses."""

from __future__ import annotations

import json
from datetime import UTC, date, datetime, timedelta, timezone
from enum import Enum
from errno import ENOSPC
from hashlib import sha256
from pathlib import Path

import duckdb
import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pyarrow import parquet

from connectors.snapshots.manifests import (
    WORK,
    SnapshotError,
    list_snapshots,
    verify_snapshot,
)
from connectors.snapshots.rows import Growing, SnapshotValueError, to_arrow
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.writer import write_snapshot
from tests.connectors.snapshots.sample import (
    AT,
    DAY,
    files_below,
    order,
    payment,
    write,
)
from tests.everyday import examples

NAIVE = AT.replace(tzinfo=None)


def test_files_stand_by_table_and_date_and_the_manifest_names_them(
    tmp_path: Path,
) -> None:
    manifest = write(
        tmp_path, orders=[order("A-1"), order("A-2")], payments=[payment()]
    )
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_history/orders/date=2026-01-02/batch-1.parquet",
        "_history/payments/date=2026-01-02/batch-1.parquet",
    ]
    content = (
        tmp_path / "_history/orders/date=2026-01-02/batch-1.parquet"
    ).read_bytes()
    written = json.loads((tmp_path / "_manifests/batch-1.json").read_text())
    del written["checksum"]
    assert written | {"files": written["files"][:1]} == {
        "snapshot_id": "batch-1",
        "batch_id": "batch",
        "date": "2026-01-02",
        "written_at": "2026-01-02T03:04:05.678901+00:00",
        "files": [
            {
                "table": "orders",
                "path": "_history/orders/date=2026-01-02/batch-1.parquet",
                "rows": 2,
                "bytes": len(content),
                "sha256": sha256(content).hexdigest(),
            }
        ],
    }
    assert list_snapshots(tmp_path) == (manifest,)
    assert verify_snapshot(tmp_path, "batch-1") == manifest


def test_a_file_tells_its_table_and_compression(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()])
    file = parquet.ParquetFile(
        tmp_path / "_history/orders/date=2026-01-02/batch-1.parquet"
    )
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


def test_the_same_rows_give_the_same_bytes(tmp_path: Path) -> None:
    one = write(tmp_path / "one", orders=[order()])
    other = write(tmp_path / "other", orders=[order()])
    assert one == other


def test_a_rerun_replaces_and_never_duplicates(tmp_path: Path) -> None:
    write(tmp_path, orders=[order(paid_minor=0)], payments=[])
    write(
        tmp_path,
        orders=[order(paid_minor=1990)],
        payments=[payment()],
        at=AT + timedelta(hours=1),
    )
    assert pd.read_parquet(tmp_path / "orders")["paid_minor"].tolist() == [1990]
    assert len(pd.read_parquet(tmp_path / "payments")) == 1
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_history/orders/date=2026-01-02/batch-1.parquet",
        "_history/payments/date=2026-01-02/batch-1.parquet",
    ]


def test_a_rerun_on_another_day_with_fewer_tables_leaves_nothing_behind(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders=[order()], payments=[payment()])
    write(tmp_path, orders=[order()], day=date(2026, 1, 3))
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_history/orders/date=2026-01-03/batch-1.parquet",
    ]


def test_a_rerun_removes_files_of_its_id_that_no_manifest_names(tmp_path: Path) -> None:
    """A crash before the manifest, then the rerun after midnight."""
    write(tmp_path, orders=[order()], payments=[payment()])
    (tmp_path / "_manifests/batch-1.json").unlink()
    write(tmp_path, orders=[order()], day=date(2026, 1, 3))
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_history/orders/date=2026-01-03/batch-1.parquet",
    ]


def test_a_rerun_leaves_other_ids_alone(tmp_path: Path) -> None:
    write(tmp_path, "batch-1", orders=[order()])
    write(tmp_path, "batch-10", orders=[order()])
    write(tmp_path, "batch-1", orders=[order()], day=date(2026, 1, 3))
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_manifests/batch-10.json",
        "_history/orders/date=2026-01-02/batch-10.parquet",
        "_history/orders/date=2026-01-03/batch-1.parquet",
    ]


def test_a_damaged_manifest_is_mended_by_writing_the_snapshot_again(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders=[order()])
    (tmp_path / "_manifests/batch-1.json").write_text("{")
    manifest = write(tmp_path, orders=[order()])
    assert list_snapshots(tmp_path) == (manifest,)


def test_rows_may_bring_their_own_snapshot_and_batch(tmp_path: Path) -> None:
    """Compaction writes rows of many snapshots into one."""
    earlier = AT - timedelta(days=1)
    own = {"snapshot_id": "batch-0", "snapshot_at": earlier, "batch_id": None}
    write(tmp_path, orders=[order(), order() | own])
    frame = pl.read_parquet(tmp_path / "_history/orders")
    assert frame.select("snapshot_id", "batch_id", "snapshot_at").rows() == [
        ("batch-1", "batch", AT),
        ("batch-0", None, earlier),
    ]


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


@pytest.mark.parametrize(
    "snapshot_id", ["", ".hidden", "_work", "a/b", "../up", "a b", "x" * 151, "a\n"]
)
def test_an_id_that_can_not_be_a_file_name_is_refused(
    tmp_path: Path, snapshot_id: str
) -> None:
    with pytest.raises(
        ValueError, match="can't be a file name; give 1 to 150 letters, digits"
    ):
        write(tmp_path, snapshot_id, orders=[order()])


def test_a_time_without_zone_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match=r"written_at 2026-01-02 03:04:05\.678901 has no time zone; give UTC",
    ):
        write(tmp_path, orders=[], at=NAIVE)


def test_a_time_for_a_date_still_makes_a_day_folder(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()], day=AT)
    assert files_below(tmp_path) == [
        "_manifests/batch-1.json",
        "_history/orders/date=2026-01-02/batch-1.parquet",
    ]
    assert list_snapshots(tmp_path)[0].date == DAY


def test_an_unknown_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(
        ValueError,
        match="unknown table ordres; there are requests, offers, quotes, orders",
    ):
        write(tmp_path, ordres=[order()])


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


def test_slices_grow_into_the_same_files(tmp_path: Path) -> None:
    """Rows that come a part at a time give the bytes of a snapshot that was written
    whole, empty tables as well.
    """
    whole, parts = tmp_path / "whole", tmp_path / "parts"
    first, second = order("A-1"), order("A-2")
    tables: list[dict[str, list[dict[str, object]]]] = [
        {"orders": [first], "payments": []},
        {"orders": [second], "payments": []},
    ]
    one = write_snapshot(
        whole,
        "s",
        DAY,
        {"orders": [first, second], "payments": []},
        batch_id=None,
        written_at=AT,
    )
    other = write_snapshot(parts, "s", DAY, tables, batch_id=None, written_at=AT)
    assert other == one


def test_a_snapshot_that_fills_the_disk_leaves_nothing_of_itself(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The ledger stands on the same disk; what waits aside for a manifest that counts
    stays.
    """
    aside = tmp_path / WORK / "batch-2" / "of-a-manifest.parquet"

    def full(growing: Growing, _: object) -> None:
        aside.write_bytes(b"it counts")
        growing._writer.close()
        raise OSError(ENOSPC, "No space left on device")

    with monkeypatch.context() as patch:
        patch.setattr(Growing, "write", full)
        with pytest.raises(
            SnapshotError,
            match=r"^snapshot batch-2 can't be written .* run again to write the snapshot",
        ):
            write(tmp_path, "batch-2", orders=[order("A-1")], payments=[payment()])
    assert [
        path
        for path in (tmp_path / WORK).rglob("*")
        if path.is_file() and path.name != ".lock"
    ] == [aside]
    write(tmp_path, "batch-2", orders=[order("A-1")])
    assert not aside.exists()


def test_half_a_character_of_a_foreign_text_is_replaced() -> None:
    """No file can hold it, and one odd title keeps no table from being written."""
    rows = to_arrow(TABLES["orders"], [full("A-1") | {"reason": "half \ud83d"}])
    assert rows["reason"].to_pylist() == ["half ?"]
