"""SQL over the snapshots, with DuckDB, read only: the tables now, and as of a time."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import TIMEOUT_MAX, Timer
from typing import TYPE_CHECKING
from zoneinfo import ZoneInfo

import pyarrow as pa
from pyarrow import parquet

from connectors.foreign import words_of
from connectors.snapshots.files import QueryError, snapshots_below, written_at
from connectors.snapshots.sources import (
    WORK_MB,
    Source,
    connected,
    require_readable,
    rows_in,
    steady,
)
from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import MOMENT, TEXT, TEXTS, WHOLE

if TYPE_CHECKING:
    import duckdb
    from duckdb import DuckDBPyConnection, Statement

NO_MOMENT = re.compile(
    r"there is no snapshot .{0,100}; give the id of one, or a time such as [^()]{16} \(UTC if it names no zone\)"
)
MOMENT_OF = """
CREATE TEMP MACRO moment_of(moment) AS coalesce(
    (SELECT written_at FROM snapshots WHERE snapshot_id = moment::VARCHAR),
    TRY_CAST(moment AS TIMESTAMPTZ),
    error('there is no snapshot ' || moment::VARCHAR ||
        '; give the id of one, or a time such as 2026-11-26 06:00 (UTC if it names no zone)')
)
"""


def snapshots_table(root: Path) -> pa.Table:
    """One row per snapshot of the history: when it was written, its tables, and
    its number of rows.
    """
    kinds = {
        "snapshot_id": TEXT,
        "written_at": MOMENT,
        "tables": TEXTS,
        "rows": WHOLE,
        "bytes": WHOLE,
    }
    rows = [
        {
            "snapshot_id": snapshot_id,
            "written_at": written_at(snapshot_id),
            "tables": sorted(path.parent.parent.name for path in files),
            "rows": sum(parquet.read_metadata(path).num_rows for path in files),
            "bytes": sum(path.stat().st_size for path in files),
        }
        for snapshot_id, files in snapshots_below(root)
    ]
    return pa.Table.from_pylist(rows, pa.schema([*kinds.items()]))


def _at(table: Table) -> str:
    """`<table>_at(moment)`: the newest row of each key as of then."""
    until = "moment IS NULL OR snapshot_at <= moment_of(moment)"
    return f"CREATE TEMP MACRO {table.name}_at(moment) AS TABLE {table.newest(f'{table.name}_history', until)}"


AGO = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}


def moment_of(text: str, now: datetime, timezone: str) -> datetime | str:
    """The moment that a text means, without a zone of its own in `timezone`; what is no
    time is a snapshot's id.
    """
    if ago := re.fullmatch(r"(\d{1,4})([hdw])", text):
        return now - int(ago[1]) * AGO[ago[2]]
    current_time = now.astimezone(ZoneInfo(timezone))
    if re.fullmatch(r"([01]\d|2[0-3]):[0-5]\d", text):
        last = datetime.fromisoformat(f"{current_time:%Y-%m-%d} {text}").replace(
            tzinfo=current_time.tzinfo
        )
        return last if last <= current_time else last - timedelta(days=1)
    try:
        moment = datetime.fromisoformat(text)
    except ValueError:
        return text
    return moment if moment.tzinfo else moment.replace(tzinfo=current_time.tzinfo)


DESCRIBE = re.compile(
    r'\s*(?:describe|desc|show)\s+(?:table\s+)?"?(\w+)"?\s*;?\s*', re.IGNORECASE
)
READING = {
    "SELECT",
    "EXPLAIN",
    "MULTI",
}  # to DuckDB, DESCRIBE, SHOW and SUMMARIZE are SELECT, and PIVOT is MULTI
ASKS_WHEN = re.compile(r"_at\s*\(|\bsnapshots\b|\bshow\b", re.IGNORECASE)
"""A query that needs the names of snapshots."""
MOST_ROWS = 1_000_000
"""The most rows of an answer: as Python objects they take a gigabyte."""
NARROW = "narrow it down (a WHERE, fewer columns, a LIMIT)"
CLOSED = (
    "SET python_enable_replacements = false",
    "SET enable_external_access = false",
    "SET lock_configuration = true",
)


@dataclass(frozen=True, slots=True)
class QueryResult:
    """The answer to a query; times are in UTC."""

    columns: tuple[str, ...]
    rows: tuple[tuple[object, ...], ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class QueryBounds:
    """Limits of a query's time and memory."""

    seconds: float = 60
    memory_mb: int = 1_024


IN_PYTHON = QueryBounds(seconds=TIMEOUT_MAX)
"""The bounds of a program's query, which goes to disk beyond its memory."""
IN_LITTLE = QueryBounds(seconds=TIMEOUT_MAX, memory_mb=WORK_MB)
"""Those of a report, beside which a run may be buying."""


def sql(root: Path, query: str, bounds: QueryBounds = IN_PYTHON) -> QueryResult:
    """Run one reading statement over the snapshots below `root`.

    Each table is a view of its current rows, and `<table>_history` has what each run
    wrote; `<table>_at(moment)` shows the past, `snapshots` has a row per snapshot. A
    column that an older file lacks is null there. `dictionary` describes every column,
    as does `DESCRIBE` of a table. The statement reaches no other file, writes
    none and changes no setting.

    Raises `QueryError` for a statement that fails, does more than read or exceeds its
    `bounds`, and `SnapshotDamaged` for a damaged file.
    """

    def read() -> QueryResult:
        with _opened(root, query, bounds) as connection:
            return _answer(connection, query)

    return steady(read)


def arrow_answer(
    root: Path,
    query: str,
    parameters: Mapping[str, object] | None = None,
    bounds: QueryBounds = IN_PYTHON,
) -> pa.Table:
    """The answer to one reading statement as an Arrow table; DuckDB's wider sums are
    cast to `int64` where they fit.
    """
    return arrow_answers(root, {"": query}, parameters or {}, bounds)[""]


def arrow_answers(
    root: Path,
    queries: Mapping[str, str],
    parameters: Mapping[str, object],
    bounds: QueryBounds = IN_LITTLE,
) -> dict[str, pa.Table]:
    """The answers to reading statements, by name, of one consistent state; each gets
    the parameters that it names.
    """
    text = " ".join(queries.values())

    def read() -> dict[str, pa.Table]:
        with (
            TemporaryDirectory() as work,
            _opened(root, text, bounds, Path(work)) as connection,
        ):
            return {
                name: _arrow(connection, query, parameters)
                for name, query in queries.items()
            }

    return {name: _with_whole_sums(row) for name, row in steady(read).items()}


def _arrow(
    connection: DuckDBPyConnection, query: str, parameters: Mapping[str, object]
) -> pa.Table:
    statement = _statement(connection, query)
    values = {name: parameters[name] for name in statement.named_parameters}
    return connection.sql(statement, params=values or None).to_arrow_table()


def _with_whole_sums(answer: pa.Table) -> pa.Table:
    for number, field in enumerate(answer.schema):
        if field.type == pa.decimal128(38, 0):
            with suppress(pa.ArrowInvalid):  # too large: it stays as it is
                answer = answer.set_column(
                    number, field.name, answer.column(number).cast(pa.int64())
                )
    return answer


@contextmanager
def _opened(
    root: Path,
    query: str,
    bounds: QueryBounds,
    work: Path | None = None,
) -> Iterator[DuckDBPyConnection]:
    import duckdb

    about_the_query = (
        duckdb.ParserException,
        duckdb.BinderException,
        duckdb.CatalogException,
        duckdb.PermissionException,
        duckdb.DataError,
    )
    with connected(memory_mb=bounds.memory_mb, work=work) as connection:
        sources = [Source(root, table) for table in _named_in(query)]
        if is_dated := ASKS_WHEN.search(query) is not None:
            connection.register("snapshots", snapshots_table(root))
            connection.execute(MOMENT_OF)
        for source in sources:
            _offer(connection, source, is_dated=is_dated)
        connection.register("dictionary", words_table())
        for statement in CLOSED:
            connection.execute(statement)
        timer = Timer(bounds.seconds, connection.interrupt)
        try:
            timer.start()
            yield connection
        except duckdb.InterruptException as error:
            raise QueryError(
                f"the query took more than {bounds.seconds:g} s: {NARROW}"
            ) from error
        except duckdb.OutOfMemoryException as error:
            raise QueryError(
                f"the query needs more than {bounds.memory_mb:,} MB: {NARROW}"
            ) from error
        except about_the_query as error:
            raise QueryError(_message_of(error)) from error
        except duckdb.Error as error:
            for source in sources:
                require_readable(source)
            raise QueryError(_message_of(error)) from error
        finally:
            timer.cancel()


def _message_of(error: duckdb.Error) -> str:
    """The fault of a query, without DuckDB's message where that may quote a row."""
    if no_moment := NO_MOMENT.search(str(error)):
        return no_moment[0]
    message = words_of(error)
    return (
        f"a value does not fit what the query does with it ({message})"
        if message == type(error).__name__
        else message
    )


def _named_in(query: str) -> list[Table]:
    """The tables that a query may read: all where it names none, as `SHOW TABLES`
    does.
    """
    text = query.lower()
    return [table for table in TABLES.values() if table.name in text] or list(
        TABLES.values()
    )


def _offer(connection: DuckDBPyConnection, source: Source, *, is_dated: bool) -> None:
    """Make a table's two views and a macro.

    They read through Arrow. If DuckDB were allowed to open files itself, a statement
    such as `WITH t AS (COPY ...) SELECT` could overwrite them.
    """
    table = source.table
    history = f"{table.name}_history"
    connection.register(history, rows_in(source.history, table))
    if table.has_current:
        connection.register(table.name, rows_in(source.current, table))
    else:
        connection.execute(f"CREATE TEMP VIEW {table.name} AS {table.newest(history)}")
    if is_dated:
        connection.execute(_at(table))


def _statement(connection: DuckDBPyConnection, query: str) -> Statement:
    statements = connection.extract_statements(with_words(query))
    if len(statements) != 1 or statements[0].type.name not in READING:
        raise QueryError(
            "give one statement that reads: SELECT, WITH, DESCRIBE, SHOW, SUMMARIZE or EXPLAIN"
        )
    return statements[0]


def _answer(connection: DuckDBPyConnection, query: str) -> QueryResult:
    answer = connection.execute(_statement(connection, query))
    columns = tuple(str(column[0]) for column in answer.description or ())
    rows = answer.fetchmany(MOST_ROWS + 1)
    if len(rows) > MOST_ROWS:
        raise QueryError(
            f"the answer has more than {MOST_ROWS:,} rows: sum it up, or add a LIMIT"
        )
    return QueryResult(columns, tuple(map(tuple, rows)))


@cache
def words_table() -> pa.Table:
    """One row for each column of every table, in order, as `tables` describes it; null
    for empty parts.
    """
    return pa.Table.from_pylist(
        [
            {
                "table_name": table.name,
                "position": position,
                "column_name": name,
                "description": column.words,
                "unit": column.unit or None,
                "example": column.shown_example,
                "source": column.source,
                "null_when": column.null or None,
                "personal": column.personal,
            }
            for table in TABLES.values()
            for position, (name, column) in enumerate(table.columns.items(), start=1)
        ]
    )


def with_words(query: str) -> str:
    """A `describe` of one table with the descriptions beside DuckDB's columns; any
    other query unchanged.
    """
    description = DESCRIBE.fullmatch(query)
    if (
        description is None
        or (name := description[1].lower().removesuffix("_history")) not in TABLES
    ):
        return query
    return (
        f"SELECT d.*, description, unit, example, personal FROM (DESCRIBE {description[1]}) d "
        f"JOIN dictionary USING (column_name) WHERE table_name = '{name}' ORDER BY position"
    )
