"""Which files have the tables now, and readings that are consistent although snapshots are rewritten."""

from __future__ import annotations

import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from connectors.foreign import words_of
from connectors.snapshots.manifests import (
    Manifest,
    SnapshotDamaged,
    SnapshotError,
    list_snapshots,
    locate,
    manifest_path,
    verify_snapshot,
)
from connectors.snapshots.tables import Table

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

T = TypeVar("T")

TRIES = 5
PAUSE_S = 0.05
NUMBERED = pa.dictionary(pa.int32(), pa.string())


class QueryError(SnapshotError):
    """A query that fails, or does more than read; the message is DuckDB's or says what is allowed."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The files of each table, oldest snapshot first, and the state of all that is read, for comparison."""

    manifests: Sequence[Manifest]
    paths: Mapping[str, Sequence[Path]]
    state: frozenset[tuple[Path, int, int, int]]


def steady(root: Path, read: Callable[[Sources], T], *tables: str) -> T:
    """The result of `read` over the snapshots below `root`, of a time at which none of them was being replaced.

    With `tables`, only snapshots with these tables are read. Raises `QueryError` as `read` does, and `SnapshotDamaged`
    for a missing or damaged file.
    """
    trouble: SnapshotError
    for _ in range(TRIES):
        try:
            sources = _sources(root, tables)
            result = read(sources)
            if _unchanged(root, sources, tables):
                return result
            trouble = SnapshotError(f"the snapshots below {root} kept changing during the query; run it again")
        except QueryError as error:
            if _unchanged(root, sources, tables):
                raise
            trouble = error
        except SnapshotDamaged as error:
            trouble = error
        time.sleep(PAUSE_S)  # a snapshot may be just being replaced: read again
    raise trouble


def verify_all(root: Path) -> None:
    """Compare the hashes of all files of all snapshots. Raises `SnapshotDamaged`."""
    for manifest in list_snapshots(root):
        verify_snapshot(root, manifest.snapshot_id)


def rows_in(paths: Sequence[Path], table: Table, *, texts_as_numbers: bool = False) -> Dataset:
    """The rows of a table's files, read lazily, in the table's schema, whatever the files lack.

    With `texts_as_numbers` repeated texts stay dictionary-encoded as in the files, to be cast later: half the time.
    """
    from pyarrow.dataset import ParquetFileFormat, ParquetFragmentScanOptions, ParquetReadOptions, dataset

    if not paths:
        return dataset(table.schema.empty_table())
    try:
        repeated = _repeated_texts(paths, table) if texts_as_numbers else set()
        checked = ParquetFileFormat(
            read_options=ParquetReadOptions(dictionary_columns=repeated),
            default_fragment_scan_options=ParquetFragmentScanOptions(page_checksum_verification=True),
        )
        schema = pa.schema([field.with_type(NUMBERED) if field.name in repeated else field for field in table.schema])
        return dataset([str(path) for path in paths], schema=schema, format=checked)
    except OSError as error:
        raise SnapshotDamaged(f"a file has just gone ({words_of(error)}); run the query again") from error


def _repeated_texts(paths: Sequence[Path], table: Table) -> set[str]:
    """The text columns that take less than four bytes a value in the largest file: the length of a text takes four."""
    from pyarrow.parquet import read_metadata

    group = read_metadata(max(paths, key=lambda path: path.stat().st_size)).row_group(0)
    columns = [group.column(number) for number in range(group.num_columns)]
    small = {column.path_in_schema for column in columns if column.total_uncompressed_size < 4 * column.num_values}
    return {field.name for field in table.schema if field.name in small and field.type == pa.string()}


def _unchanged(root: Path, sources: Sources, tables: Sequence[str]) -> bool:
    """Whether everything that was read is unchanged; snapshots written since don't matter."""
    return sources.state <= _sources(root, tables).state


def _sources(root: Path, tables: Sequence[str]) -> Sources:
    paths: dict[str, list[Path]] = defaultdict(list)
    manifests = list_snapshots(root)
    read: list[Path] = []
    for manifest in manifests:
        if files := [file for file in manifest.files if not tables or file.table in tables]:
            read.append(manifest_path(root, manifest.snapshot_id))
        for file in files:
            paths[file.table].append(locate(root, manifest, file))
    read.extend(path for files in paths.values() for path in files)
    return Sources(manifests, paths, frozenset(_states(read)))


def _states(paths: Iterable[Path]) -> Iterator[tuple[Path, int, int, int]]:
    for path in paths:
        try:
            stat = path.stat()
        except OSError as error:
            raise SnapshotDamaged(f"{path} has just gone; run the query again") from error
        yield path, stat.st_ino, stat.st_size, stat.st_mtime_ns
