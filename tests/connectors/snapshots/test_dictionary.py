"""The data dictionary: the page, the words in SQL, and whether the types it names are
those of the files.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from cli import export
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.reader import sql
from connectors.snapshots.sources import Source
from connectors.snapshots.tables import TABLES, Table
from tests.connectors.snapshots.sample import AT, DAY, EACH_TABLE, write
from tests.dictionary_page import PAGE, TYPES, Type, page

EACH = pytest.mark.parametrize("name", EACH_TABLE)


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A snapshot with a row of examples in every table, as the real writer writes
    it.
    """
    root = tmp_path_factory.mktemp("snapshots")
    tables = {name: [dict(_examples(table))] for name, table in TABLES.items()}
    write(root, "examples", DAY, AT, **tables)
    return root


def _examples(table: Table) -> Iterator[tuple[str, object]]:
    return ((name, column.example) for name, column in table.columns.items())


def test_the_page_is_what_the_schemas_say() -> None:
    assert PAGE.read_text(encoding="utf-8") == page(), "make dictionary"


@EACH
def test_types_in_duckdb_and_pandas_are_as_the_page_says(root: Path, name: str) -> None:
    import duckdb
    import pandas as pd

    table = TABLES[name]
    (file,) = Source(root, table).current
    types: dict[str, Type] = {
        text: TYPES[column.dtype] for text, column in table.columns.items()
    }
    with duckdb.connect() as connection:
        rows = connection.execute(
            "DESCRIBE SELECT * FROM read_parquet($1, hive_partitioning = false)",
            [str(file)],
        ).fetchall()
    assert {row[0]: row[1] for row in rows} == {
        text: type_.duckdb for text, type_ in types.items()
    }
    assert dict(pd.read_parquet(file).dtypes.astype(str)) == {
        text: type_.pandas for text, type_ in types.items()
    }
    frame = Snapshots(root).table(table.name)
    assert dict(frame.dtypes.astype(str)) == {
        field.name: f"{field.type}[pyarrow]" for field in table.schema
    }


@EACH
def test_describing_a_table_shows_the_words(tmp_path: Path, name: str) -> None:
    table = TABLES[name]
    notices = ("description", "unit", "example", "personal")
    answer = sql(tmp_path, f"describe {table.name}")
    assert answer.columns == (
        "column_name",
        "column_type",
        "null",
        "key",
        "default",
        "extra",
        *notices,
    )
    assert [row[0] for row in answer.rows] == list(table.columns)
    for column_name, _, _, _, _, _, description, unit, example, personal in answer.rows:
        column = table.columns[str(column_name)]
        assert (description, unit, personal) == (
            column.words,
            column.unit or None,
            column.personal,
        )
        assert example == column.shown_example
    assert sql(tmp_path, f'DESC "{table.name}_history" ;').rows == answer.rows


def test_what_describes_no_table_stays_as_it_is(tmp_path: Path) -> None:
    assert sql(tmp_path, "DESCRIBE SELECT 1 AS one").rows == (
        ("one", "INTEGER", "YES", None, None, None),
    )


def test_personal_columns_are_listed_by_a_query(tmp_path: Path) -> None:
    query = "SELECT column_name FROM dictionary WHERE personal AND table_name = 'requests' ORDER BY position LIMIT 2"
    assert sql(tmp_path, query).rows == (("state",), ("city",))


def test_the_terminal_shows_what_a_column_means(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SOURCING_SNAPSHOTS", str(tmp_path))
    export.sql("describe requests")
    output = capsys.readouterr().out
    assert "city personal" in output
    assert "BIGINT · pieces · such as 2" in output
    assert "0 beside a null `currency`: no limit." in output
