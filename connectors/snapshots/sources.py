"""Which files have the tables now, and readings that are consistent although snapshots
are rewritten.
"""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeAlias, TypeVar

import pyarrow as pa

from connectors.foreign import words_of
from connectors.snapshots.manifests import (
    Current,
    Manifest,
    SnapshotDamaged,
    SnapshotError,
    list_snapshots,
    locate,
    manifest_path,
    read_current,
    verify_snapshot,
)
from connectors.snapshots.tables import Table

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection
    from pyarrow.dataset import Dataset, ParquetFileFormat, ParquetFileFragment

T = TypeVar("T")

TRIES = 5
PAUSE_S = 0.05
AHEAD = {"batch_size": 2**15, "batch_readahead": 4, "fragment_readahead": 1}
"""How a scanner reads large files: what is read ahead takes memory."""
Seen: TypeAlias = tuple[int, int, int]
NUMBERED = pa.dictionary(pa.int32(), pa.string())


class QueryError(SnapshotError):
    """A query that fails, or does more than read; the message is DuckDB's or says what
    is allowed.
    """


@dataclass(frozen=True, slots=True)
class Sources:
    """What is read: the files of each table, oldest snapshot first, those of its
    current state, and how they are.

    `current` is None where the current state is not of these snapshots; then `paths`
    are there in any case.
    """

    manifests: Sequence[Manifest]
    paths: Mapping[str, Sequence[Path]]
    current: Mapping[str, Sequence[Path]] | None
    seen: Mapping[Path, Seen]


def steady(
    root: Path, read: Callable[[Sources], T], *tables: str, history: bool = True
) -> T:
    """The result of `read` over the snapshots below `root`, of a time at which none of
    them was being replaced.

    With `tables`, only the files of these tables are read; without `history` only the
    current state, if there is one. Raises `QueryError` as `read` does, and
    `SnapshotDamaged` for a missing or damaged file.
    """
    trouble: SnapshotError
    state = read_current(root)
    for _ in range(TRIES):
        try:
            sources = _sources(root, state, tables, history=history)
            result = read(sources)
            if _unchanged(sources):
                return result
            trouble = SnapshotError(
                f"the snapshots below {root} kept changing during the query; run it again"
            )
            state = read_current(root)
        except QueryError as error:
            if _unchanged(sources):
                raise
            trouble = error
            state = read_current(root)
        except SnapshotDamaged as error:
            trouble, state = (
                error,
                None,
            )  # a file of the current state may be what is damaged
        time.sleep(PAUSE_S)  # a snapshot may be just being replaced: read again
    raise trouble


def verify_all(root: Path) -> None:
    """Compare the hashes of all files of all snapshots. Raises `SnapshotDamaged`."""
    for manifest in list_snapshots(root):
        verify_snapshot(root, manifest.snapshot_id)


def rows_in(
    paths: Sequence[Path], table: Table, *, texts_as_numbers: bool = False
) -> Dataset:
    """The rows of a table's files, read lazily, in the table's schema, whatever the
    files lack.

    With `texts_as_numbers` repeated texts stay dictionary-encoded as in the files, to
    be cast later: half the time.
    """
    from pyarrow.dataset import dataset

    if not paths:
        return dataset(table.schema.empty_table())
    try:
        repeated = _repeated_texts(paths, table) if texts_as_numbers else set()
        schema = pa.schema(
            [
                field.with_type(NUMBERED) if field.name in repeated else field
                for field in table.schema
            ]
        )
        return dataset(
            [str(path) for path in paths], schema=schema, format=_checked(repeated)
        )
    except OSError as error:
        raise SnapshotDamaged(
            f"a file has just gone ({words_of(error)}); run the query again"
        ) from error


def open_file(path: Path) -> ParquetFileFragment:
    """A file that stays readable when its name goes to another. Raises
    `SnapshotDamaged` where it has gone.
    """
    try:
        file = _checked().make_fragment(pa.OSFile(str(path)))
    except OSError as error:
        raise SnapshotDamaged(
            f"{path} has just gone ({words_of(error)}); run the query again"
        ) from error
    file.ensure_complete_metadata()
    return file


def _checked(texts_as_numbers: Collection[str] = ()) -> ParquetFileFormat:
    from pyarrow.dataset import (
        ParquetFileFormat,
        ParquetFragmentScanOptions,
        ParquetReadOptions,
    )

    return ParquetFileFormat(
        read_options=ParquetReadOptions(dictionary_columns=texts_as_numbers),
        default_fragment_scan_options=ParquetFragmentScanOptions(
            page_checksum_verification=True
        ),
    )


def _repeated_texts(paths: Sequence[Path], table: Table) -> set[str]:
    """The text columns that take less than four bytes a value in the largest file: the
    length of a text takes four.
    """
    from pyarrow.parquet import read_metadata

    told = read_metadata(max(paths, key=lambda path: path.stat().st_size))
    group = max(
        (told.row_group(number) for number in range(told.num_row_groups)),
        key=lambda one: one.num_rows,
    )
    columns = [group.column(number) for number in range(group.num_columns)]
    small = {
        column.path_in_schema
        for column in columns
        if column.total_uncompressed_size < 4 * column.num_values
    }
    return {
        field.name
        for field in table.schema
        if field.name in small and field.type == pa.string()
    }


def _unchanged(sources: Sources) -> bool:
    """Whether everything that was read is unchanged; snapshots written since don't
    matter.
    """
    try:
        return all(_seen(path) == seen for path, seen in sources.seen.items())
    except SnapshotDamaged:
        return False


def _sources(
    root: Path, state: Current | None, tables: Sequence[str], *, history: bool
) -> Sources:
    files = (
        [file for file in state.files if not tables or file.table in tables]
        if state
        else []
    )
    seen = {root / file.path: _seen(root / file.path) for file in files}
    manifests = list_snapshots(
        root
    )  # after the files: what is written to them now was in a manifest before
    current = _by_table((file.table, root / file.path) for file in files)
    is_current = state is not None and state.snapshots == {
        one.snapshot_id: one.digest for one in manifests
    }
    read = [
        (one, file)
        for one in manifests
        for file in one.files
        if not tables or file.table in tables
    ]
    paths = (
        _by_table((file.table, locate(root, one, file)) for one, file in read)
        if history or not is_current
        else {}
    )
    if paths:
        seen |= {
            path: _seen(path)
            for path in {manifest_path(root, one.snapshot_id) for one, _ in read}
        }
        seen |= {path: _seen(path) for some in paths.values() for path in some}
    return Sources(manifests, paths, current if is_current else None, seen)


def _by_table(paths: Iterable[tuple[str, Path]]) -> dict[str, list[Path]]:
    found = defaultdict(list)
    for table, path in paths:
        found[table].append(path)
    return found


def _seen(path: Path) -> Seen:
    try:
        stat = path.stat()
    except OSError as error:
        raise SnapshotDamaged(f"{path} has just gone; run the query again") from error
    return stat.st_ino, stat.st_size, stat.st_mtime_ns


WORK_MB = 256
"""The memory of work on files: a run may be buying beside it."""


@contextmanager
def connected(
    *, memory_mb: int, work: Path | None = None
) -> Iterator[DuckDBPyConnection]:
    """A connection to an empty database, whose times are UTC."""
    import duckdb

    spill = "" if work is None else str(work).replace("'", "''")
    with duckdb.connect(":memory:") as connection:
        connection.execute(
            "SET enable_progress_bar = false"
        )  # it would go to the terminal after two seconds
        connection.execute(
            f"SET TimeZone = 'UTC'; SET memory_limit = '{memory_mb}MB'; SET temp_directory = '{spill}'"
        )
        if work is not None:
            connection.execute("SET threads = 2")
        yield connection
