"""Request files as Parquet. Columns of unsupported types are never decoded, only
refused where filled.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable
from domain.cell_table import MOST_COLUMNS, MOST_ROWS, Row, RowOrRemark, normal_name
from domain.cells import DATE, NotACell
from domain.request_cells import BY_NAME
from domain.request_remarks import HEADER_ROW

if TYPE_CHECKING:
    import pyarrow as pa
    from pyarrow.parquet import ColumnSchema, FileMetaData

MOST_UNPACKED = 96 * 2**20
BATCH = 1_000


def read_parquet(content: bytes, _encoding: str) -> Iterator[RowOrRemark]:
    """The rows. Raises `Unusable`."""
    import pyarrow as pa

    try:
        yield from _rows(content)
    except (pa.ArrowException, OSError, ValueError, TypeError, OverflowError) as error:
        raise Unusable(
            f"can't be read as Parquet ({words_of(error)}); write it again"
        ) from error


def _rows(content: bytes) -> Iterator[Row]:
    import pyarrow as pa
    from pyarrow.parquet import ParquetFile

    source = pa.BufferReader(content)
    meta = ParquetFile(source).metadata
    leaves = [meta.schema.column(at) for at in range(meta.num_columns)]
    column_names = [
        name
        for name in dict.fromkeys(map(_top, leaves))
        if normal_name(name) in BY_NAME
    ]
    _require_bounds(meta, column_names)
    texts = [
        leaf.path
        for leaf in leaves
        if leaf.path in column_names and leaf.physical_type == "BYTE_ARRAY"
    ]
    file = ParquetFile(
        pa.BufferReader(content), read_dictionary=texts
    )  # every row may have one long text
    columns = file.schema_arrow.names
    if columns or meta.num_rows:
        yield Row(HEADER_ROW, columns)
    if len(column_names) < sum(normal_name(name) in BY_NAME for name in columns):
        return  # a column that is there more than once is a fault
    number = HEADER_ROW
    for batch in file.iter_batches(
        batch_size=BATCH, columns=column_names, use_threads=False
    ):
        cells_of = {name: _cells(batch.column(name)) for name in batch.schema.names}
        blank: list[object] = [None] * batch.num_rows
        for cells in zip(*(cells_of.get(name, blank) for name in columns), strict=True):
            number += 1
            yield Row(number, cells)


def _top(leaf: ColumnSchema) -> str:
    name: str = leaf.path.partition(".")[0]
    return name


def _require_bounds(meta: FileMetaData, column_names: Sequence[str]) -> None:
    if meta.num_columns > MOST_COLUMNS:
        raise Unusable(
            f"has {meta.num_columns:,} columns; up to {MOST_COLUMNS} are possible"
        )
    if meta.num_rows > MOST_ROWS:
        raise Unusable(
            f"has {meta.num_rows:,} rows; up to {MOST_ROWS:,} are possible: split it"
        )
    groups = [meta.row_group(at) for at in range(meta.num_row_groups)]
    # Arrow ends the whole process over a damaged column's metadata: they are read only
    # where it matters
    if sum(group.total_byte_size for group in groups) <= MOST_UNPACKED:
        return
    unpacked = sum(
        column.total_uncompressed_size
        for group in groups
        for column in map(group.column, range(group.num_columns))
        if column.path_in_schema.partition(".")[0] in column_names
    )
    if unpacked > MOST_UNPACKED:
        raise Unusable(
            f"unpacks to {unpacked / 2**20:,.0f} MiB; up to {MOST_UNPACKED // 2**20} MiB are possible: split it"
        )


def _cells(array: pa.Array) -> list[Any]:
    """The cells of one column; in a column that is neither text nor numbers each filled
    cell is refused.
    """
    import pyarrow as pa

    kind = array.type
    if pa.types.is_dictionary(kind):
        indices = array.indices.to_pylist()
        used = sorted({index for index in indices if index is not None})
        values = dict(
            zip(
                used,
                _cells(array.dictionary.take(pa.array(used, pa.int64()))),
                strict=True,
            )
        )
        return [None if index is None else values[index] for index in indices]
    if _is_text_or_number(kind):
        cells: list[Any] = array.to_pylist()
        return cells
    refused = DATE if pa.types.is_temporal(kind) else _refusal(str(kind))
    return [None if is_null else refused for is_null in array.is_null().to_pylist()]


def _is_text_or_number(kind: pa.DataType) -> bool:
    from pyarrow import types

    text = (
        types.is_string(kind)
        or types.is_large_string(kind)
        or str(kind) == "string_view"
    )
    number = types.is_integer(kind) or types.is_floating(kind) or types.is_decimal(kind)
    return text or number or types.is_null(kind)


def _refusal(kind: str) -> NotACell:
    return NotACell(
        f"a value of type {kind[:60]} stands here; write the text or number that is meant"
    )
