"""The newest row of each key of some files, where the current state has no newer one: what a state gains.

A few rows are chosen in memory, since a connection to DuckDB alone takes longer; many in DuckDB, beside its limit.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

import pyarrow as pa
import pyarrow.compute as pc

from connectors.snapshots.checks import keys_of
from connectors.snapshots.sources import AHEAD, rows_in
from connectors.snapshots.tables import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY = "_key"
BATCH_ROWS = 50_000
UNSORTED_ROWS = 500_000
"""The rows of a file from which on they keep their old order: sorting takes memory."""


class NewestRows(Protocol):
    """Rows that win, each with the month of its key.

    They are chosen against `known`: key, snapshot and month of rows of the state, and whether a row `is_gone`.
    """

    @property
    def months(self) -> list[str]:
        """The months of the winners' keys, sorted."""

    @property
    def replaces_all_gone(self) -> bool:
        """Whether each row that is gone has a winner that is at least as new."""

    def of_month(self, month: str, kept: Path | None) -> Iterator[pa.Table]:
        """The rows of a month's file: its winners, and the rows of the file `kept` with other keys."""


class FewRows:
    """Chosen in memory."""

    def __init__(self, table: Table, paths: Sequence[Path], known: pa.Table) -> None:
        self._table, self._known = table, known
        rows = rows_in(paths, table).to_table(use_threads=False)
        self._won = _newest(rows.append_column(KEY, keys_of(rows, table.key)), keys_of(known, table.key), known)

    @property
    def months(self) -> list[str]:
        return sorted(self._won["month"].unique().to_pylist())

    @property
    def replaces_all_gone(self) -> bool:
        gone = self._known.filter(self._known["is_gone"])
        winners = self._won["snapshot_at"].take(_places(keys_of(gone, self._table.key), self._won[KEY]))
        is_newer = pc.greater_equal(winners, gone["snapshot_at"])
        return bool(pc.all(is_newer, skip_nulls=False, min_count=0).as_py())

    def of_month(self, month: str, kept: Path | None) -> Iterator[pa.Table]:
        """A part at a time, in the order of the file."""
        won = self._won.filter(pc.equal(self._won["month"], month))
        batches = rows_in([kept], self._table).scanner(**AHEAD).to_batches() if kept else ()
        for batch in (one for one in batches if one.num_rows):
            rows = pa.Table.from_batches([batch])
            keys = keys_of(rows, self._table.key)
            is_due = pc.less_equal(won[KEY], pc.max(keys))
            yield self._sorted(won.filter(is_due), rows.filter(pc.is_null(_places(keys, self._won[KEY]))))
            won = won.filter(pc.invert(is_due))
        yield self._sorted(won)

    def _sorted(self, won: pa.Table, *others: pa.Table) -> pa.Table:
        rows = pa.concat_tables([won.select(self._table.schema.names), *others])
        return rows.sort_by([(name, "ascending") for name in self._table.key])


def _newest(rows: pa.Table, known_keys: pa.ChunkedArray, known: pa.Table) -> pa.Table:
    rows = rows.sort_by([(name, "ascending") for name in (KEY, "snapshot_at", "snapshot_id")])
    keys, edge = rows[KEY].combine_chunks(), pa.array([True])[: rows.num_rows]
    changes = pc.not_equal(keys[1:], keys[:-1])
    newest = rows.filter(pa.concat_arrays([changes, edge]))
    first_at = rows["snapshot_at"].filter(pa.concat_arrays([edge, changes]))
    places = _places(newest[KEY], known_keys)
    old = known.take(places)
    is_newer = pc.or_(
        pc.greater(newest["snapshot_at"], old["snapshot_at"]),
        pc.and_(
            pc.equal(newest["snapshot_at"], old["snapshot_at"]),
            pc.greater_equal(newest["snapshot_id"], old["snapshot_id"]),
        ),
    )
    wins = pc.or_kleene(pc.is_null(places), pc.or_kleene(old["is_gone"], is_newer))
    months = pc.coalesce(old["month"], pc.strftime(first_at, "%Y-%m"))
    return newest.append_column("month", months).filter(wins)


def _places(keys: pa.ChunkedArray, among: pa.ChunkedArray) -> pa.Array:
    """The position of each key; null for one that is not there."""
    return pc.index_in(keys, pa.chunked_array(among).combine_chunks()).combine_chunks()


class ManyRows:
    """Chosen by DuckDB: the relation `won`."""

    def __init__(self, connection: DuckDBPyConnection, table: Table, paths: Sequence[Path], known: pa.Table) -> None:
        self._connection, self._table = connection, table
        connection.register("fresh", rows_in(paths, table))
        connection.register("known", known)
        first_at = f"min(snapshot_at) OVER (PARTITION BY {', '.join(table.key)}) AS first_at"
        newest = table.newest(f"(SELECT *, {first_at} FROM fresh)")
        connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE won AS
            SELECT won.* EXCLUDE first_at, coalesce(known.month, strftime(first_at, '%Y-%m')) AS month
            FROM ({newest}) won LEFT JOIN known ON {self._is_of("known")}
            WHERE known.month IS NULL OR is_gone
                OR (won.snapshot_at, won.snapshot_id) >= (known.snapshot_at, known.snapshot_id)
        """)

    @property
    def months(self) -> list[str]:
        return [month for (month,) in self._rows("SELECT DISTINCT month FROM won ORDER BY 1")]

    @property
    def replaces_all_gone(self) -> bool:
        newer = f"FROM won WHERE {self._is_of('known')} AND won.snapshot_at >= known.snapshot_at"
        return not self._rows(f"FROM known WHERE is_gone AND NOT EXISTS ({newer}) LIMIT 1")

    def of_month(self, month: str, kept: Path | None) -> Iterator[pa.Table]:
        names, is_sorted = ", ".join(self._table.schema.names), True
        query = f"SELECT {names} FROM won WHERE month = $month"
        if kept:
            rows = rows_in([kept], self._table)
            is_sorted = rows.count_rows() < UNSORTED_ROWS
            self._connection.register("kept", rows)
            query += f" UNION ALL SELECT {names} FROM kept WHERE NOT EXISTS (FROM won WHERE {self._is_of('kept')})"
        if is_sorted:
            query += f" ORDER BY {', '.join(self._table.key)}"
        found = self._connection.sql(query, params={"month": month})
        for batch in found.to_arrow_reader(BATCH_ROWS):
            yield pa.Table.from_batches([batch])

    def _rows(self, query: str) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = self._connection.execute(query).fetchall()
        return rows

    def _is_of(self, other: str) -> str:
        """The condition of rows with one key."""
        return " AND ".join(f"won.{name} = {other}.{name}" for name in self._table.key)
