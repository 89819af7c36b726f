"""The current state of the tables: one row a key, in a file for each month in which a key was first seen.

It is made from the snapshots, for readers of plain folders. A file is replaced whole and a key stays in its file, so
that no key stands twice at any moment. Where the state does not agree with the manifests, our reader reads the
snapshots, and the next write brings the files up to date.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.durable import move
from connectors.snapshots.duck import connected
from connectors.snapshots.manifests import (
    STATE,
    WORK,
    Current,
    Manifest,
    SnapshotDamaged,
    SnapshotFile,
    described,
    is_as_written,
    list_snapshots,
    locate,
    old_files,
    read_current,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.sources import rows_in
from connectors.snapshots.tables import TABLES, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

STAGED = "_current"
MONTH = "[0-9][0-9][0-9][0-9]-[0-9][0-9]"
FAULTS = (OSError, pa.ArrowException)
FEW = 20_000
BATCH_ROWS = 50_000
MANY = 200_000
"""The rows of a file beyond which it is written in their old order: sorting takes memory."""
MEMORY_MB = 1_024

Months = Mapping[str, SnapshotFile]
"""The files of a table by the month of their keys."""


def refresh(root: Path) -> None:
    """Bring the current state up to date with the snapshots. The caller holds `exclusive(root / WORK)`.

    There is none beside files of the old layout, or beside tables of a newer version. Raises `SnapshotDamaged`, also
    where memory runs out: the snapshots count all the same.
    """
    import duckdb

    work = root / WORK / STAGED
    rmtree(work, ignore_errors=True)
    manifests, state = list_snapshots(root), read_current(root)
    if any(old_files(root)) or any(_is_newer(file) for one in manifests for file in one.files):
        return
    if state and any(file.schema_version < TABLES[file.table].version for file in state.files):
        state = None  # plain readers want one schema in a folder
    before = state.snapshots if state else {}
    digests = {one.snapshot_id: one.digest for one in manifests}
    if state and before == digests:
        return
    changed = [one for one in manifests if before.get(one.snapshot_id) != one.digest]
    gone = sorted({*before} - {*digests} | {one.snapshot_id for one in changed})
    work.mkdir(parents=True)
    try:
        with connected(memory_mb=MEMORY_MB, work=work / "spill") as connection:
            merging = Merging(connection, root, manifests, changed, gone, state)
            files = {name: merging.files(table) for name, table in TABLES.items()}
    except duckdb.Error as error:
        raise SnapshotDamaged(
            f"the folders of tables in {root} stay as they were ({type(error).__name__}); the next write tries again"
        ) from error
    _put_in_place(root, files)
    current = Current(snapshots=digests, files=tuple(file for months in files.values() for file in months.values()))
    current.write(root, work / STATE)
    rmtree(work, ignore_errors=True)


def _is_newer(file: SnapshotFile) -> bool:
    return file.table not in TABLES or file.schema_version > TABLES[file.table].version


def _put_in_place(root: Path, files: Mapping[str, Months]) -> None:
    for name, months in files.items():
        for file in months.values():
            if (staged := _staged(root, file.path)).exists():
                move(staged, root / file.path)
        for path in root.glob(f"{name}/{MONTH}.parquet"):
            if path.stem not in months:
                path.unlink()


def _staged(root: Path, place: str) -> Path:
    return root / WORK / STAGED / place.replace("/", ".")


@dataclass(frozen=True)
class Merging:
    """The files of the state that follows `state`: its rows, without those `gone`, and the rows of what `changed`.

    A table is made anew from all snapshots where there is no state, or where a row that is gone uncovers an older one.
    """

    connection: DuckDBPyConnection
    root: Path
    manifests: Sequence[Manifest]
    changed: Sequence[Manifest]
    gone: Sequence[str]
    state: Current | None

    def files(self, table: Table) -> Months:
        """The files of a table; those with other rows than before are staged."""
        of_table = [file for file in self.state.files if file.table == table.name] if self.state else []
        kept = {Path(file.path).stem: file for file in of_table}
        paths = self._paths(self.changed, table)
        months = self._updates(table, paths, kept) if self.state else None
        if months is None:
            paths, kept = self._paths(self.manifests, table), {}
            months = self._choose(table, paths, self._known(table, None, is_anew=True))
        files = {**kept, **{month: self._write(table, month, kept.get(month)) for month in months}}
        if not files and paths:
            month = f"{self.changed[-1].written_at:%Y-%m}"
            files[month] = self._write(table, month, None)
        return files

    def _paths(self, manifests: Iterable[Manifest], table: Table) -> list[Path]:
        files = ((one, file) for one in manifests for file in one.files if file.table == table.name)
        return [locate(self.root, one, file) for one, file in files]

    def _updates(self, table: Table, paths: Sequence[Path], kept: Months) -> list[str] | None:
        """Choose the rows that are new in the state, and answer their months.

        None where these and the other rows of the state are not all that there should be.
        """
        try:
            known = self._known(table, self._touched(table, paths), is_anew=False)
        except FAULTS:
            return None
        if not paths and not known.num_rows:
            return []
        months = self._choose(table, paths, known)
        newer = f"FROM won WHERE {_same(table, 'known')} AND won.snapshot_at >= known.snapshot_at"
        if self.connection.execute(f"FROM known WHERE is_gone AND NOT EXISTS ({newer}) LIMIT 1").fetchall():
            return None
        rewritten = [kept[month] for month in months if month in kept]
        return months if all(is_as_written(self.root / file.path, file) for file in rewritten) else None

    def _touched(self, table: Table, paths: Sequence[Path]) -> pc.Expression | None:
        """The condition on rows of the state that may go: by their keys, or since their snapshot changed."""
        rows = rows_in(paths, table).to_table(list(table.key))
        if rows.num_rows > FEW:
            return None
        name = max(table.key, key=lambda column: len(rows.column(column).unique()))
        return pc.field(name).isin(rows.column(name).unique()) | pc.field("snapshot_id").isin(list(self.gone))

    def _known(self, table: Table, touched: pc.Expression | None, *, is_anew: bool) -> pa.Table:
        """Key, snapshot and month of rows of the state; all of them are gone where it is made anew."""
        columns = [*table.key, "snapshot_id", "snapshot_at"]
        parts = [table.schema.empty_table().select(columns).append_column("month", pa.array([], pa.string()))]
        for path in sorted(self.root.glob(f"{table.name}/{MONTH}.parquet")):
            with suppress(*FAULTS if is_anew else ()):  # damaged: the month of its keys is forgotten
                rows = rows_in([path], table).to_table(columns, filter=touched)
                parts.append(rows.append_column("month", pa.repeat(pa.scalar(path.stem), rows.num_rows)))
        known = pa.concat_tables(parts)
        ids = known["snapshot_id"] if is_anew else pa.array(self.gone, pa.string())
        return known.append_column("is_gone", pc.is_in(known["snapshot_id"], ids))

    def _choose(self, table: Table, paths: Sequence[Path], known: pa.Table) -> list[str]:
        """Make the relation `won`: the newest row of each key of these files, unless the state has a newer one.

        Returns the months of these keys.
        """
        self.connection.register("fresh", rows_in(paths, table))
        self.connection.register("known", known)
        first_at = f"min(snapshot_at) OVER (PARTITION BY {', '.join(table.key)}) AS first_at"
        newest = table.newest(f"(SELECT *, {first_at} FROM fresh)")
        self.connection.execute(f"""
            CREATE OR REPLACE TEMP TABLE won AS
            SELECT won.* EXCLUDE first_at, coalesce(known.month, strftime(first_at, '%Y-%m')) AS month
            FROM ({newest}) won LEFT JOIN known ON {_same(table, "known")}
            WHERE known.month IS NULL OR is_gone
                OR (won.snapshot_at, won.snapshot_id) >= (known.snapshot_at, known.snapshot_id)
        """)
        return [month for (month,) in self.connection.execute("SELECT DISTINCT month FROM won ORDER BY 1").fetchall()]

    def _write(self, table: Table, month: str, kept: SnapshotFile | None) -> SnapshotFile:
        """Stage the file of a month: the rows that won, and the other rows that it has."""
        names = ", ".join(table.schema.names)
        query = f"SELECT {names} FROM won WHERE month = $month"
        if kept:
            self.connection.register("kept", rows_in([self.root / kept.path], table))
            query += f" UNION ALL SELECT {names} FROM kept WHERE NOT EXISTS (FROM won WHERE {_same(table, 'kept')})"
        if not kept or kept.rows < MANY:
            query += f" ORDER BY {', '.join(table.key)}"
        place = f"{table.name}/{month}.parquet"
        staged = _staged(self.root, place)
        with Growing(staged, table.schema) as file:
            rows = self.connection.sql(query, params={"month": month})
            for batch in rows.to_arrow_reader(BATCH_ROWS):
                file.take(pa.Table.from_batches([batch]).cast(table.schema))
        return described(staged, table.name, place, file.rows, table.version)


def _same(table: Table, other: str) -> str:
    """The condition of rows with one key."""
    return " AND ".join(f"won.{name} = {other}.{name}" for name in table.key)


def damaged_files(root: Path) -> list[Path]:
    """The files of the current state that are not as they were written."""
    state = read_current(root)
    return [root / file.path for file in state.files if not is_as_written(root / file.path, file)] if state else []
