"""SQL over the snapshots, with DuckDB, and nothing but reading."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from connectors.snapshots.manifests import (
    SnapshotDamaged,
    SnapshotError,
    list_snapshots,
    locate,
    manifest_path,
    verify_snapshot,
)
from connectors.snapshots.schemas import TABLES, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.dataset import Dataset

TRIES = 5
PAUSE_S = 0.05
READING = {"SELECT", "EXPLAIN", "MULTI"}  # to DuckDB, DESCRIBE, SHOW and SUMMARIZE are SELECT, and PIVOT is MULTI
CLOSED = (
    "SET TimeZone = 'UTC'",
    "SET temp_directory = ''",
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


class QueryError(SnapshotError):
    """The query doesn't work, or does more than read; the message is DuckDB's or says what is allowed."""


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query; times are in UTC."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True)
class _Sources:
    """The files of each table, and the state of all files read, to be compared with a later look."""

    paths: Mapping[str, Sequence[Path]]
    state: frozenset[tuple[Path, int, int, int]]


def sql(root: Path, query: str) -> QueryResult:
    """Run one reading statement over the snapshots below `root`.

    Each table is a view with the newest row of each key (by `snapshot_at`, then `snapshot_id`), and `<table>_history`
    has all rows. Only files that a manifest names count; a column that an older file lacks is null there. The
    statement reaches no other file, writes none and changes no setting.

    Raises `QueryError` for a statement that doesn't work or does more than read, and `SnapshotDamaged` for a missing
    or damaged file.
    """
    trouble: SnapshotError
    for _ in range(TRIES):
        try:
            sources = _sources(root)
            result = _run(root, sources, query)
            if _unchanged(root, sources):
                return result
            trouble = SnapshotError(f"the snapshots below {root} kept changing during the query; run it again")
        except QueryError as error:
            if _unchanged(root, sources):
                raise
            trouble = error
        except SnapshotDamaged as error:
            trouble = error
        time.sleep(PAUSE_S)  # a snapshot may be just being replaced: look again
    raise trouble


def _unchanged(root: Path, sources: _Sources) -> bool:
    """Whether all that was read is as it was; snapshots that have come since don't matter."""
    return sources.state <= _sources(root).state


def _sources(root: Path) -> _Sources:
    paths: dict[str, list[Path]] = defaultdict(list)
    read: list[Path] = []
    for manifest in list_snapshots(root):
        read.append(manifest_path(root, manifest.snapshot_id))
        for file in manifest.files:
            paths[file.table].append(locate(root, manifest, file))
    read.extend(path for files in paths.values() for path in files)
    return _Sources(paths, frozenset(_states(read)))


def _states(paths: Iterable[Path]) -> Iterator[tuple[Path, int, int, int]]:
    for path in paths:
        try:
            stat = path.stat()
        except OSError as error:
            raise SnapshotDamaged(f"{path} has just gone; run the query again") from error
        yield path, stat.st_ino, stat.st_size, stat.st_mtime_ns


def _run(root: Path, sources: _Sources, query: str) -> QueryResult:
    import duckdb

    about_the_query = (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
        duckdb.DataError,
    )
    with duckdb.connect(":memory:") as connection:
        for table in TABLES.values():
            _offer(connection, table, sources.paths.get(table.name, ()))
        for statement in CLOSED:
            connection.execute(statement)
        try:
            return _answer(connection, query)
        except about_the_query as error:
            raise QueryError(str(error)) from error
        except duckdb.Error as error:
            for manifest in list_snapshots(root):
                verify_snapshot(root, manifest.snapshot_id)
            raise QueryError(str(error)) from error


def _offer(connection: DuckDBPyConnection, table: Table, paths: Sequence[Path]) -> None:
    """Make a table's two views.

    They read through Arrow: DuckDB would have to be allowed to open the files itself, and what it may open a
    statement such as `WITH t AS (COPY ...) SELECT` could overwrite.
    """
    history = f"{table.name}_history"
    connection.register(history, _rows_in(paths, table) if paths else table.schema.empty_table())
    connection.execute(
        f"CREATE TEMP VIEW {table.name} AS SELECT * FROM {history} QUALIFY row_number() OVER "
        f"(PARTITION BY {', '.join(table.key)} ORDER BY snapshot_at DESC, snapshot_id DESC) = 1"
    )


def _rows_in(paths: Sequence[Path], table: Table) -> Dataset:
    from pyarrow.dataset import ParquetFileFormat, ParquetFragmentScanOptions, dataset

    checked = ParquetFileFormat(
        default_fragment_scan_options=ParquetFragmentScanOptions(page_checksum_verification=True)
    )
    try:
        return dataset([str(path) for path in paths], schema=table.schema, format=checked)
    except OSError as error:
        raise SnapshotDamaged(f"{error} has just gone; run the query again") from error


def _answer(connection: DuckDBPyConnection, query: str) -> QueryResult:
    statements = connection.extract_statements(query)
    if len(statements) != 1 or statements[0].type.name not in READING:
        raise QueryError("give one statement that reads: SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN")
    answer = connection.execute(statements[0])
    columns = tuple(str(column[0]) for column in answer.description or ())
    return QueryResult(columns, tuple(tuple(row) for row in answer.fetchall()))
