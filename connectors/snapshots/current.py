"""The current state of the tables: one row a key, in a file for each month in which a
key was first seen.

It is made from the snapshots, for readers of plain folders. A file is replaced whole
and a key stays in its file, so that no key stands twice at any moment. Where the state
does not agree with the manifests, our reader reads the snapshots, and the next write
brings the files up to date.
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import KW_ONLY, dataclass, replace
from functools import cache
from itertools import accumulate, pairwise
from operator import methodcaller
from pathlib import Path
from shutil import rmtree
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.durable import exclusive, move
from connectors.snapshots.manifests import (
    HISTORY,
    STATE,
    WORK,
    Current,
    Manifest,
    SnapshotDamaged,
    SnapshotFile,
    aside_path,
    described,
    is_as_written,
    list_snapshots,
    locate,
    read_current,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.sources import AHEAD, WORK_MB, connected, rows_in
from connectors.snapshots.tables import TABLES, Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

KEY, PLACE = "_key", "_place"
OF_A_MOMENT = ("snapshot_at", "snapshot_id")
SEPARATOR = "\x1f"
DIGITS = 20
VALUE = methodcaller("as_py")
AT_ONCE = 5_000
ALONE = {**AHEAD, "use_threads": False}
"""How a scanner reads beside a run that is buying: each thread keeps memory of its
own.
"""
UNSORTED_ROWS = 500_000
"""The rows of a file from which on they keep their old order: sorting takes memory."""


def keys_of(rows: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> pa.Array:
    """One text per row for some columns together: equal where all of them are, and
    sorted as they are.
    """
    parts = [_key_part(rows[name]) for name in columns]
    return (
        parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, SEPARATOR)
    )


def _key_part(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return pc.fill_null(values, "")
    return pc.utf8_lpad(pc.cast(pc.cast(values, pa.int64()), pa.string()), DIGITS, "0")


class FewRows:
    """Rows that win, chosen in memory by their keys. Whole rows are read a part at a
    time.

    They are chosen against `known`: key, snapshot and month of rows of the state, and
    whether a row `is_gone`.
    """

    def __init__(self, table: Table, paths: Sequence[Path], known: pa.Table) -> None:
        self._table, self._known, self._rows = table, known, rows_in(paths, table)
        rows = self._rows.scanner([*table.key, *OF_A_MOMENT], **ALONE).to_table()
        rows = rows.append_column(KEY, keys_of(rows, table.key)).select(
            [KEY, *OF_A_MOMENT]
        )
        self._won = _newest(rows, keys_of(known, table.key), known)

    @property
    def months(self) -> list[str]:
        """The months of the winners' keys, sorted."""
        return sorted(self._won["month"].unique().to_pylist())

    @property
    def replaces_all_gone(self) -> bool:
        """Whether each row that is gone has a winner that is at least as new."""
        gone = self._known.filter(self._known["is_gone"])
        winners = self._won["snapshot_at"].take(
            _places(keys_of(gone, self._table.key), self._won[KEY])
        )
        is_newer = pc.greater_equal(winners, gone["snapshot_at"])
        return bool(pc.all(is_newer, skip_nulls=False, min_count=0).as_py())

    def of_month(self, month: str, kept: Path | None) -> Iterator[pa.Table]:
        """The rows of a month's file, sorted: its winners, and the rows of the file
        `kept` with other keys.
        """
        won, begin = self._won.filter(pc.equal(self._won["month"], month)), 0
        batches = (
            rows_in([kept], self._table).scanner(**ALONE).to_batches() if kept else ()
        )
        for batch in (one for one in batches if one.num_rows):
            rows = pa.Table.from_batches([batch]).append_column(
                KEY, keys_of(batch, self._table.key)
            )
            others = rows.filter(pc.invert(pc.is_in(rows[KEY], won[KEY])))
            end = bisect_right(won[KEY], pc.max(rows[KEY]).as_py(), begin, key=VALUE)
            for some in self._whole(won[begin:end]):
                goes_before = pc.less_equal(others[KEY], some[KEY][-1])
                yield (
                    pa.concat_tables([others.filter(goes_before), some])
                    .sort_by(KEY)
                    .drop_columns(KEY)
                )
                others = others.filter(pc.invert(goes_before))
            yield others.sort_by(KEY).drop_columns(KEY)
            begin = end
        for some in self._whole(won[begin:]):
            yield some.drop_columns(KEY)

    def _whole(self, won: pa.Table) -> Iterator[pa.Table]:
        """Whole rows, from the groups of rows that have them."""
        groups = (
            [
                one
                for file in self._rows.get_fragments()
                for one in file.split_by_row_group()
            ]
            if len(won)
            else []
        )
        starts = [0, *accumulate(one.row_groups[0].num_rows for one in groups)]
        for some in won.combine_chunks().to_batches(AT_ONCE):
            order = pc.sort_indices(some[PLACE])
            places, parts = some[PLACE].take(order), []
            for group, (start, end) in zip(groups, pairwise(starts), strict=True):
                first, last = (
                    bisect_left(places, edge, key=VALUE) for edge in (start, end)
                )
                if first < last:
                    rows = group.to_table(self._table.schema, use_threads=False)
                    parts.append(rows.take(pc.subtract(places[first:last], start)))
            yield (
                pa.concat_tables(parts)
                .take(pc.sort_indices(order))
                .append_column(KEY, some[KEY])
            )


def _newest(rows: pa.Table, known_keys: pa.ChunkedArray, known: pa.Table) -> pa.Table:
    order = pc.sort_indices(rows, [(name, "ascending") for name in (KEY, *OF_A_MOMENT)])
    rows = rows.take(order).append_column(PLACE, order)
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

    def __init__(
        self,
        connection: DuckDBPyConnection,
        table: Table,
        paths: Sequence[Path],
        known: pa.Table,
    ) -> None:
        self._connection, self._table = connection, table
        connection.register("fresh", rows_in(paths, table))
        connection.register("known", known)
        first_at = (
            f"min(snapshot_at) OVER (PARTITION BY {', '.join(table.key)}) AS first_at"
        )
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
        return [
            month
            for (month,) in self._rows("SELECT DISTINCT month FROM won ORDER BY 1")
        ]

    @property
    def replaces_all_gone(self) -> bool:
        newer = f"FROM won WHERE {self._is_of('known')} AND won.snapshot_at >= known.snapshot_at"
        return not self._rows(
            f"FROM known WHERE is_gone AND NOT EXISTS ({newer}) LIMIT 1"
        )

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
        for batch in found.to_arrow_reader(AT_ONCE):
            yield pa.Table.from_batches([batch])

    def _rows(self, query: str) -> list[tuple[str, ...]]:
        rows: list[tuple[str, ...]] = self._connection.execute(query).fetchall()
        return rows

    def _is_of(self, other: str) -> str:
        """The condition of rows with one key."""
        return " AND ".join(f"won.{name} = {other}.{name}" for name in self._table.key)


STAGED = "_current"
MONTH = "[0-9][0-9][0-9][0-9]-[0-9][0-9]"
FAULTS = (OSError, pa.ArrowException)
FEW = 500_000

Months = Mapping[str, SnapshotFile]
"""The files of a table by the month of their keys."""


def refresh(root: Path) -> None:
    """Bring the current state up to date with the snapshots. The caller holds
    `exclusive(root / WORK)`.

    There is none beside tables of a newer program.
    Raises `SnapshotDamaged`, also where memory runs out: the snapshots count all the
    same.
    """
    work = root / WORK / STAGED
    was_cut = work.exists()
    rmtree(work, ignore_errors=True)
    manifests, state = list_snapshots(root), read_current(root)
    if any(file.table not in TABLES for one in manifests for file in one.files):
        return
    before = state.snapshots if state else {}
    digests = {one.snapshot_id: one.digest for one in manifests}
    if state and before == digests:
        return
    changed = [one for one in manifests if before.get(one.snapshot_id) != one.digest]
    gone = sorted({*before} - {*digests} | {one.snapshot_id for one in changed})
    work.mkdir(parents=True)
    try:
        with ExitStack() as opened:
            connect = cache(lambda: opened.enter_context(_duck(root, work / "spill")))
            adds_only = not was_cut and before.keys().isdisjoint(gone)
            merging = Merging(
                connect,
                root,
                manifests,
                changed,
                gone,
                state,
                adds_only=adds_only,
            )
            tables = {name: merging.files(table) for name, table in TABLES.items()}
    except BaseException:  # else a full disk stays full
        rmtree(work, ignore_errors=True)
        if was_cut:
            work.mkdir(exist_ok=True)  # a file that is open can stay, on Windows
        raise
    _put_in_place(root, tables)
    current = Current(
        snapshots=digests,
        files=tuple(file for months in tables.values() for file in months.values()),
    )
    current.write(root, work / STATE)
    rmtree(work, ignore_errors=True)


@contextmanager
def _duck(root: Path, work: Path) -> Iterator[DuckDBPyConnection]:
    import duckdb

    with (
        _in_words(root, duckdb.Error),
        connected(memory_mb=WORK_MB, work=work) as connection,
    ):
        yield connection


@contextmanager
def _in_words(root: Path, *faults: type[Exception]) -> Iterator[None]:
    """Make these errors `SnapshotDamaged`."""
    try:
        yield
    except faults as error:
        raise SnapshotDamaged(
            f"the folders of tables in {root} stay as they were ({type(error).__name__}); the next write tries again"
        ) from error


def follow_merge(root: Path, old: Sequence[Manifest], merged: Manifest) -> None:
    """Let the state be of a merged snapshot in place of the old ones: its rows are the
    same.

    A state that is not of these old ones stays as it is, for the next `refresh`. The
    caller holds `exclusive(root / WORK)`.
    """
    state, before = read_current(root), {one.snapshot_id: one.digest for one in old}
    if state and before.items() <= state.snapshots.items():
        others = {
            name: digest
            for name, digest in state.snapshots.items()
            if name not in before
        }
        snapshots = {**others, merged.snapshot_id: merged.digest}
        (work := root / WORK / STAGED).mkdir(parents=True, exist_ok=True)
        replace(state, snapshots=snapshots).write(root, work / STATE)
        rmtree(work, ignore_errors=True)


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
    """The files of the state that follows `state`: its rows, without those `gone`, and
    the rows of what `changed`.

    A table is made anew from all snapshots where there is no state, and where a row
    that is gone uncovers an older one. `connect` opens DuckDB, for many rows.
    """

    connect: Callable[[], DuckDBPyConnection]
    root: Path
    manifests: Sequence[Manifest]
    changed: Sequence[Manifest]
    gone: Sequence[str]
    state: Current | None
    _: KW_ONLY
    adds_only: bool
    """The files are those of `state`, and all of its rows stay but for newer ones."""

    def files(self, table: Table) -> Months:
        """The files of a table; those with other rows than before are staged."""
        state = self.state
        kept = {
            Path(one.path).stem: one
            for one in (state.files if state else ())
            if one.table == table.name
        }
        if not any(self.root.glob(f"{table.name}/*")) and not any(
            self._files(self.manifests, table)
        ):
            return {}
        paths = self._paths(self.changed, table)
        has_news = any(file.rows for _, file in self._files(self.changed, table))
        if state and self.adds_only and not has_news and (kept or not paths):
            return kept
        newest = self._updates(table, paths, kept) if state else None
        if newest is None:
            paths, kept = self._paths(self.manifests, table), {}
            newest = self._newest(table, paths, self._known(table, None, is_anew=True))
        files = {
            **kept,
            **{
                month: self._write(table, newest, month, kept.get(month))
                for month in newest.months
            },
        }
        if not files and paths:
            month = f"{self.manifests[-1].written_at:%Y-%m}"
            files[month] = self._write(table, newest, month, None)
        return files

    def _files(
        self, manifests: Iterable[Manifest], table: Table
    ) -> Iterator[tuple[Manifest, SnapshotFile]]:
        return (
            (one, file)
            for one in manifests
            for file in one.files
            if file.table == table.name
        )

    def _paths(self, manifests: Iterable[Manifest], table: Table) -> list[Path]:
        return [
            locate(self.root, one, file) for one, file in self._files(manifests, table)
        ]

    def _updates(
        self, table: Table, paths: Sequence[Path], kept: Months
    ) -> FewRows | ManyRows | None:
        """The rows that are new in the state; None where these and its other rows are
        not all that there should be.
        """
        try:
            known = self._known(table, self._touched(table, paths), is_anew=False)
        except FAULTS:
            return None
        newest = self._newest(table, paths, known)
        if not newest.replaces_all_gone:
            return None
        rewritten = [kept[month] for month in newest.months if month in kept]
        return (
            newest
            if all(is_as_written(self.root / file.path, file) for file in rewritten)
            else None
        )

    def _newest(
        self, table: Table, paths: Sequence[Path], known: pa.Table
    ) -> FewRows | ManyRows:
        """The rows that win."""
        with _in_words(self.root, *FAULTS):
            rows = rows_in(paths, table).count_rows() if paths else 0
            return (
                FewRows(table, paths, known)
                if max(rows, known.num_rows) <= FEW
                else ManyRows(self.connect(), table, paths, known)
            )

    def _touched(self, table: Table, paths: Sequence[Path]) -> pc.Expression | None:
        """The condition on rows of the state that may go: by their keys, or since their
        snapshot changed.
        """
        rows = rows_in(paths, table).to_table(list(table.key), use_threads=False)
        values = [(name, rows.column(name).unique()) for name in table.key]
        few = [(name, of_key) for name, of_key in values if len(of_key) <= FEW]
        if not few:
            return None
        name, of_key = max(few, key=lambda one: len(one[1]))
        return pc.field(name).isin(of_key) | pc.field("snapshot_id").isin(
            list(self.gone)
        )

    def _known(
        self, table: Table, touched: pc.Expression | None, *, is_anew: bool
    ) -> pa.Table:
        """Key, snapshot and month of rows of the state; all of them are gone where it
        is made anew.
        """
        columns = [*table.key, "snapshot_id", "snapshot_at"]
        parts = [
            table.schema.empty_table()
            .select(columns)
            .append_column("month", pa.array([], pa.string()))
        ]
        for path in sorted(self.root.glob(f"{table.name}/{MONTH}.parquet")):
            with suppress(
                *FAULTS if is_anew else ()
            ):  # damaged: the month of its keys is forgotten
                rows = (
                    rows_in([path], table).scanner(columns, touched, **ALONE).to_table()
                )
                parts.append(
                    rows.append_column(
                        "month", pa.repeat(pa.scalar(path.stem), rows.num_rows)
                    )
                )
        known = pa.concat_tables(parts)
        ids = known["snapshot_id"] if is_anew else pa.array(self.gone, pa.string())
        return known.append_column("is_gone", pc.is_in(known["snapshot_id"], ids))

    def _write(
        self,
        table: Table,
        newest: FewRows | ManyRows,
        month: str,
        kept: SnapshotFile | None,
    ) -> SnapshotFile:
        """Stage the file of a month: the rows that won, and the other rows that it
        has.
        """
        place = f"{table.name}/{month}.parquet"
        staged = _staged(self.root, place)
        with Growing(staged, table.schema) as file:
            for rows in self._read(
                newest.of_month(month, self.root / kept.path if kept else None)
            ):
                file.take(rows.cast(table.schema))
        pa.default_memory_pool().release_unused()
        return described(staged, table.name, place, file.rows)

    def _read(self, parts: Iterator[pa.Table]) -> Iterator[pa.Table]:
        with _in_words(self.root, *FAULTS):
            yield from parts


def damaged_files(root: Path) -> list[Path]:
    """The files of the current state that are not as they were written."""
    state = read_current(root)
    return (
        [
            root / file.path
            for file in state.files
            if not is_as_written(root / file.path, file)
        ]
        if state
        else []
    )


def mend(root: Path) -> None:
    """Make the current state anew where one of its files is damaged. Raises
    `SnapshotDamaged`.
    """
    with exclusive(root / WORK):
        if damaged_files(root):
            (root / STATE).unlink()
        refresh(root)


def settle(root: Path, manifest: Manifest) -> None:
    """Put a manifest's files in their places, where these have others yet."""
    for file in manifest.files:
        if (aside := aside_path(root, manifest.snapshot_id, file)).exists():
            move(aside, root / file.path)


def sweep(root: Path, manifests: Sequence[Manifest]) -> None:
    """Delete what no manifest names: the content of `_work`, and files of our tables.

    `manifests` are all that count. The caller holds the lock of `_work`, so no writer
    is under way.
    """
    for manifest in manifests:
        settle(root, manifest)
    for folder in (root / WORK).glob("[!.]*"):
        rmtree(folder, ignore_errors=True)
    named = {root / file.path for manifest in manifests for file in manifest.files}
    for table in TABLES:
        for path in {*(root / HISTORY / table).glob("date=*/*.parquet")} - named:
            path.unlink(missing_ok=True)
            with suppress(OSError):  # the day's folder still has other files
                path.parent.rmdir()
