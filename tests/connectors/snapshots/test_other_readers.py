"""DuckDB, Polars, pandas and fastparquet read every table without us, and the examples
show how.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import duckdb
import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest
from fastparquet import ParquetFile

from connectors.snapshots.rows import Growing, to_arrow
from connectors.snapshots.tables import ENVELOPE, TABLES
from examples import with_duckdb, with_pandas, with_polars
from tests.connectors.snapshots.sample import AT, DAY, order, write
from tests.running import ROOT

HUGE = 2**60 + 1  # a float would lose its last digit


def rows_of(name: str) -> list[dict[str, Any]]:
    """Two rows: the columns' examples, and the least that a row can hold, with an
    amount that no float can.
    """
    columns = {
        column: notices
        for column, notices in TABLES[name].columns.items()
        if column not in ENVELOPE
    }
    full = {column: notices.example for column, notices in columns.items()}
    lower_bound = {
        column: None if notices.null else notices.example
        for column, notices in columns.items()
    }
    lower_bound |= {
        column: HUGE
        for column in columns
        if column.endswith("_minor") and not columns[column].null
    }
    lower_bound |= {TABLES[name].key[0]: f"{full[TABLES[name].key[0]]}-2"}
    return [full, lower_bound]


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Every table with two rows, in files as the writer makes them; not all of the rows
    would pass its checks.
    """
    folder = tmp_path_factory.mktemp("snapshots")
    envelope = {"snapshot_id": "all", "batch_id": None, "snapshot_at": AT}
    for name, table in TABLES.items():
        path = folder / name / f"date={DAY}" / "all.parquet"
        path.parent.mkdir(parents=True)
        with Growing(path, table.schema) as file:
            file.write(to_arrow(table, [envelope | row for row in rows_of(name)]))
    return folder


def with_arrow_types(folder: Path) -> list[dict[str, Any]]:
    frame = pd.read_parquet(folder, dtype_backend="pyarrow", partitioning=None)
    return pa.Table.from_pandas(frame).to_pylist()  # type: ignore[no-any-return]


def with_plain_pandas(folder: Path) -> list[dict[str, Any]]:
    return plain(pd.read_parquet(folder, partitioning=None))


def through_fastparquet(folder: Path) -> list[dict[str, Any]]:
    (file,) = folder.glob("*/*.parquet")
    with file.open("rb") as content:
        return plain(ParquetFile(content).to_pandas())


def plain(frame: pd.DataFrame) -> list[dict[str, Any]]:
    return frame.astype(object).where(frame.notna(), None).to_dict("records")  # type: ignore[return-value]


def through_duckdb(folder: Path) -> list[dict[str, Any]]:
    with duckdb.connect() as connection:
        connection.execute("SET TimeZone = 'UTC'")
        query = f"FROM read_parquet('{folder}/*/*.parquet', hive_partitioning = false)"
        answer = connection.sql(query).to_arrow_table()
    return answer.to_pylist()  # type: ignore[no-any-return]


def through_polars(folder: Path) -> list[dict[str, Any]]:
    return pl.read_parquet(f"{folder}/*/*.parquet").to_dicts()


READERS = [
    with_arrow_types,
    with_plain_pandas,
    through_fastparquet,
    through_duckdb,
    through_polars,
]


@pytest.mark.parametrize("read", READERS)
@pytest.mark.parametrize("name", TABLES)
def test_every_reader_has_the_values_as_they_were_written(
    root: Path, name: str, read: Callable[[Path], list[dict[str, Any]]]
) -> None:
    findings = read(root / name)
    assert len(findings) == 2
    for row, written in zip(findings, rows_of(name), strict=True):
        if read is through_fastparquet:
            written.pop(
                "volume_prices", None
            )  # it has no lists of structs: an empty column there, as the guide says
        assert {column: same(row[column]) for column in written} == {
            key: same(value) for key, value in written.items()
        }


def same(value: object) -> object:
    """What readers show differently: arrays are lists, times may be pandas' own."""
    if isinstance(value, Mapping):
        return {key: same(piece) for key, piece in value.items()}
    if isinstance(value, list | tuple | np.ndarray):
        return [same(piece) for piece in value]
    return value.timestamp() if isinstance(value, datetime) else value


def test_readers_have_the_types_of_the_dictionary(root: Path) -> None:
    frame = pd.read_parquet(root / "orders", dtype_backend="pyarrow", partitioning=None)
    polars = pl.read_parquet(f"{root}/orders/*/*.parquet").schema
    with duckdb.connect() as connection:
        columns = connection.execute(
            f"DESCRIBE FROM read_parquet('{root}/orders/*/*.parquet')"
        ).fetchall()
    types = {column: kind for column, kind, *_ in columns}
    for name, arrow, of_polars, of_duckdb in (
        ("order_id", "string[pyarrow]", pl.String, "VARCHAR"),
        ("paid_minor", "int64[pyarrow]", pl.Int64, "BIGINT"),
        (
            "paid_at",
            "timestamp[us, tz=UTC][pyarrow]",
            pl.Datetime("us", "UTC"),
            "TIMESTAMP WITH TIME ZONE",
        ),
    ):
        assert (str(frame[name].dtype), polars[name], types[name]) == (
            arrow,
            of_polars,
            of_duckdb,
        )


def test_the_examples_tell_what_was_spent(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """On a batch of three orders, one of them looked at again: each counts once."""
    held = order("A-3", state="held", paid_minor=0, reason="too dear")
    second = order("A-2", marketplace="1688", paid_minor=2500)
    write(tmp_path, orders=[order("A-1", paid_minor=0), second, held], offers=[])
    write(tmp_path, "later", orders=[order("A-1")], at=AT + timedelta(hours=1))
    spend = [
        "1688: 1 orders, 2500 minor units of CNY",
        "taobao: 2 orders, 1990 minor units of CNY",
    ]
    for example in (with_duckdb, with_polars):
        example.main(str(tmp_path))
        assert capsys.readouterr().out.splitlines() == spend
    with_pandas.main(str(tmp_path))
    assert [line.split() for line in capsys.readouterr().out.splitlines()] == [
        ["count", "sum"],
        ["marketplace", "currency"],
        ["1688", "CNY", "1", "2500"],
        ["taobao", "CNY", "2", "1990"],
        ["A-3", "is", "held:", "too", "dear"],
        ["0", "of", "0", "SKUs", "have", "had", "more", "than", "one", "price"],
    ]


def test_the_ten_lines_of_the_readme_run(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (lines,) = re.findall(
        "```python\n(from sourcing.*?)```",
        (ROOT / "docs/guide.md").read_text(),
        re.DOTALL,
    )
    code = [line for line in lines.splitlines() if line and line[0] != "#"]
    assert len(code) <= 11
    write(
        tmp_path / "data/snapshots", orders=[order("A-1"), order("A-2", state="held")]
    )
    monkeypatch.chdir(tmp_path)
    exec(lines, {})
    assert "taobao       booked    19.9" in capsys.readouterr().out
