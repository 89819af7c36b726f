"""SQL over snapshots: what it shows, and what it can't do."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, timedelta
from pathlib import Path

import pyarrow as pa
import pytest
from pyarrow import parquet

from connectors.snapshots import Snapshots, sources
from connectors.snapshots.files import QueryError, SnapshotDamaged
from connectors.snapshots.reader import QueryBounds, QueryResult, sql
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import TEXT, Column
from tests.connectors.snapshots.sample import AT, DAY, order, write
from tests.in_turn import in_turn

LATER = AT + timedelta(hours=1)
FILE = "history/orders/2026-01-02/batch-1.parquet"


def test_a_view_has_the_newest_row_of_each_key_and_history_has_all(
    tmp_path: Path,
) -> None:
    write(
        tmp_path,
        "batch-1",
        orders=[order("A-1", state="paid"), order("A-2", state="held")],
    )
    write(tmp_path, "batch-2", orders=[order("A-1", state="booked")], at=LATER)
    assert sql(
        tmp_path, "SELECT order_ref, state, snapshot_id FROM orders ORDER BY order_ref"
    ) == QueryResult(
        ("order_ref", "state", "snapshot_id"),
        (("A-1", "booked", "batch-2"), ("A-2", "held", "batch-1")),
    )
    assert sql(tmp_path, "SELECT count(*) AS n FROM orders_history") == QueryResult(
        ("n",), ((3,),)
    )


@pytest.mark.parametrize("name", [*TABLES, *(f"{name}_history" for name in TABLES)])
def test_a_table_without_a_snapshot_is_empty_and_has_its_columns(
    tmp_path: Path, name: str
) -> None:
    answer = sql(tmp_path / "not there yet", f"SELECT * FROM {name}")
    assert answer.columns == tuple(TABLES[name.removesuffix("_history")].schema.names)
    assert answer.rows == ()


def test_values_come_back_as_they_are(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()])
    row = sql(
        tmp_path,
        "SELECT order_id, paid_minor, tracking_numbers, paid_at, reason FROM orders",
    ).rows[0]
    assert row == ("2542285634920880794", 1990, ["FARJP2408000013YQ"], AT, None)
    assert sql(
        tmp_path, "SELECT sum(paid_minor), paid_at::VARCHAR FROM orders GROUP BY ALL"
    ).rows == ((1990, "2026-01-02 03:04:05.678901+00"),)


def test_times_are_utc_wherever_the_machine_is(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TZ", "Asia/Shanghai")
    write(tmp_path, orders=[order()])
    paid_at = sql(tmp_path, "SELECT paid_at FROM orders").rows[0][0]
    assert str(paid_at) == "2026-01-02 03:04:05.678901+00:00"
    assert AT.tzinfo is UTC


def test_a_column_that_an_older_file_lacks_is_null_there(tmp_path: Path) -> None:
    write(tmp_path, "new", orders=[order("A-2", reason="price changed")], at=LATER)
    write(tmp_path, "old", orders=[order("A-1")], day=DAY + timedelta(days=1))
    path = tmp_path / "orders/day=2026-01-03/part.parquet"
    older = parquet.ParquetFile(path).read().drop_columns(["reason", "seller_id"])
    parquet.write_table(older.append_column("since_dropped", pa.array([1])), path)
    assert sql(tmp_path, "SELECT order_ref, reason FROM orders ORDER BY 1").rows == (
        ("A-1", None),
        ("A-2", "price changed"),
    )


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """Snapshots with one order."""
    write(tmp_path / "root", orders=[order()])
    return tmp_path / "root"


@in_turn(
    "query",
    [
        "SELECT 1",
        "select order_ref from orders;",
        "FROM orders",
        "WITH paid AS (SELECT * FROM orders) SELECT count(*) FROM paid",
        "DESCRIBE orders",
        "SHOW TABLES",
        "SUMMARIZE orders",
        "EXPLAIN SELECT * FROM orders",
        "EXPLAIN ANALYZE SELECT * FROM orders",
        "PIVOT orders ON state USING count(*) GROUP BY order_ref",
        "-- a comment\nVALUES (1)",
    ],
)
def test_what_reads_is_allowed(root: Path, query: str) -> None:
    answer = sql(root, query)
    assert answer.columns
    assert answer.rows


@in_turn(
    "query",
    [
        "",
        "SELECT 1; SELECT 2",
        "CREATE TABLE t (a INT)",
        "DROP VIEW orders",
        "INSERT INTO orders SELECT * FROM orders",
        "DELETE FROM orders",
        "SET threads = 1",
        "PRAGMA version",
        "BEGIN",
        "INSTALL httpfs",
        "LOAD httpfs",
        "ATTACH '{root}/new.db'",
        "EXPORT DATABASE '{root}/export'",
        "COPY orders TO '{root}/copy.csv'",
        "COPY orders TO '{file}' (USE_TMP_FILE false)",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{root}/copy.csv'",
        "EXPLAIN ANALYZE COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)",
        "WITH t AS (COPY (SELECT 1) TO '{file}' (USE_TMP_FILE false)) SELECT 1",
        "SELECT * FROM query('COPY (SELECT 1) TO ''{root}/copy.csv''')",
        "SELECT * FROM enable_logging(storage = 'file', storage_config = {{'path': '{root}'}})",
        "SELECT * FROM enable_profiling(save_location = '{root}/profile.json')",
        "SELECT * FROM read_text('{file}')",
        "SELECT * FROM read_parquet('{file}')",
        "SELECT * FROM '{file}'",
        "SELECT * FROM glob('{root}/*')",
        "SELECT * FROM read_csv('/etc/passwd')",
        "SELECT * FROM a_python_variable",
    ],
)
def test_what_does_more_than_read_is_refused_and_changes_nothing(
    tmp_path: Path, root: Path, monkeypatch: pytest.MonkeyPatch, query: str
) -> None:
    a_python_variable = pa.table({"secret": [1]})
    monkeypatch.chdir(tmp_path)
    before = everything_below(tmp_path)
    with pytest.raises(QueryError):
        sql(root, query.format(root=root, file=root / FILE))
    assert everything_below(tmp_path) == before
    assert a_python_variable.num_rows == 1


def everything_below(folder: Path) -> dict[Path, bytes]:
    return {
        path: path.read_bytes() if path.is_file() else b"" for path in folder.rglob("*")
    }


def test_a_wrong_query_is_explained_in_duckdbs_words_unless_these_may_quote_a_row(
    tmp_path: Path,
) -> None:
    with pytest.raises(QueryError, match=r'Referenced column "stat" not found'):
        sql(tmp_path, "SELECT stat FROM orders")
    with pytest.raises(
        QueryError,
        match=r"^a value does not fit what the query does with it \(ConversionException\)$",
    ):
        sql(tmp_path, "SELECT 'Jane Doe'::INT")
    with pytest.raises(
        QueryError, match="give one statement that reads: SELECT, WITH, DESCRIBE"
    ):
        sql(tmp_path, "DROP VIEW orders")


def test_a_file_with_changed_bytes_is_named_when_it_can_not_be_read(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders=[order()])
    content = bytearray((tmp_path / FILE).read_bytes())
    content[4:400] = bytes(396)
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(
        SnapshotDamaged,
        match=r"batch-1\.parquet can't be read",
    ):
        sql(tmp_path, "SELECT * FROM orders_history")


def test_no_changed_byte_of_the_data_passes_unseen(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sources, "TRIES", 1)
    write(tmp_path, orders=[order(f"A-{number}") for number in range(50)])
    good = (tmp_path / FILE).read_bytes()
    answer = sql(tmp_path, "SELECT * FROM orders_history ORDER BY ALL")
    group = parquet.ParquetFile(tmp_path / FILE).metadata.row_group(0)
    caught = 0
    for position in range(
        100, sum(group.column(number).total_compressed_size for number in range(19)), 97
    ):
        (tmp_path / FILE).write_bytes(
            good[:position] + bytes([good[position] ^ 0x55]) + good[position + 1 :]
        )
        try:
            assert sql(tmp_path, "SELECT * FROM orders_history ORDER BY ALL") == answer
        except SnapshotDamaged:
            caught += 1
    assert caught > 10


def test_duckdb_is_imported_only_by_a_query() -> None:
    script = "import sys, connectors.snapshots; print('duckdb' in sys.modules, 'pandas' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script],
        cwd=Path(__file__).parents[3],
        capture_output=True,
        text=True,
        check=True,
    )
    assert done.stdout == "False False\n"


def test_a_query_ends_where_its_bounds_are_and_says_so(tmp_path: Path) -> None:
    write(tmp_path, orders=[order()])
    endless = "SELECT count(*) FROM range(1000000) a, range(10000000) b WHERE a.range * b.range % 7 = 3"
    with pytest.raises(
        QueryError,
        match=r"^the query took more than 0.2 s: narrow it down .*$",
    ):
        sql(tmp_path, endless, QueryBounds(seconds=0.2))
    large = "SELECT count(DISTINCT a.range || '-' || b.range) FROM range(10000) a, range(10000) b"
    with pytest.raises(
        QueryError,
        match=r"^the query needs more than 64 MB: narrow it down .*$",
    ):
        sql(tmp_path, large, QueryBounds(memory_mb=64))
    assert sql(tmp_path, "SELECT order_ref FROM orders", QueryBounds()).rows


def test_files_of_a_later_version_read_without_what_is_not_known_here(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also beside files of this version, whose columns have other words."""
    mood = Column(TEXT, "How it went.", "a later version", "well", null="nobody said")
    other_words = {
        name: replace(column, words="Other words.")
        for name, column in TABLES["orders"].columns.items()
    }
    later = Table("orders", ("order_ref",), "Orders.", {**other_words, "mood": mood})
    with monkeypatch.context() as patch:
        patch.setitem(TABLES, "orders", later)
        write(tmp_path, orders=[order(mood="well")])
    write(tmp_path, "batch-2", orders=[order("A-2")])
    query = "SELECT order_ref, paid_minor FROM orders ORDER BY order_ref"
    assert sql(tmp_path, query).rows == (("A-1", 1990), ("A-2", 1990))
    frame = Snapshots(tmp_path).table("orders")
    assert (list(frame.columns), len(frame)) == (TABLES["orders"].schema.names, 2)
