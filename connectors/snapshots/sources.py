"""How the tables' files are read: lazily, by Arrow, in the schema of today."""

from __future__ import annotations

import time
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

import pyarrow as pa

from connectors.foreign import words_of
from connectors.snapshots.files import (
    REMEDY,
    SnapshotDamaged,
    current_files,
    history_files,
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
NUMBERED = pa.dictionary(pa.int32(), pa.string())
FAULTS = (OSError, pa.ArrowException)


@dataclass(frozen=True)
class Source:
    """The files of one table."""

    root: Path
    table: Table

    @cached_property
    def current(self) -> list[Path]:
        """The files of its current rows; those of its history where it has no others,
        the newest row of each key counts then.
        """
        if self.table.has_current:
            return current_files(self.root, self.table.name)
        return self.history

    @cached_property
    def history(self) -> list[Path]:
        """The files of all its rows, the oldest first."""
        if self.table.has_history:
            return history_files(self.root, self.table.name)
        return current_files(self.root, self.table.name)


def steady(read: Callable[[], T]) -> T:
    """The result of `read`, once more where a file was just replaced or deleted. Raises
    `SnapshotDamaged`.
    """
    for tries_left in reversed(range(TRIES)):
        try:
            return read()
        except SnapshotDamaged:
            if not tries_left:
                raise
            time.sleep(PAUSE_S)
    raise AssertionError


@contextmanager
def in_words(path: Path) -> Iterator[None]:
    """Turn a fault of a file into `SnapshotDamaged`."""
    try:
        yield
    except FAULTS as error:
        raise SnapshotDamaged(
            f"{path} can't be read ({words_of(error)}): {REMEDY}"
        ) from error


def require_readable(source: Source) -> None:
    """Read all files of a table. Raises `SnapshotDamaged` for the first that can't be
    read.
    """
    for path in dict.fromkeys([*source.current, *source.history]):
        with in_words(path):
            for _ in rows_in([path], source.table).scanner(**AHEAD).to_batches():
                pass


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


def open_file(path: Path) -> ParquetFileFragment:
    """A file that stays readable when its name goes to another."""
    file = _checked().make_fragment(pa.OSFile(str(path)))
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

    metadata = read_metadata(max(paths, key=lambda path: path.stat().st_size))
    groups = [metadata.row_group(number) for number in range(metadata.num_row_groups)]
    group = max(groups, key=lambda row_group: row_group.num_rows)
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
