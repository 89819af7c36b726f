"""The newest row of each key, read from Parquet in little more memory than the result takes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, TypeAlias

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from connectors.snapshots.tables import Table

if TYPE_CHECKING:
    from pyarrow.dataset import Dataset

Mask: TypeAlias = NDArray[np.bool_]
ORDER = ("snapshot_at", "snapshot_id")
MEETS = "meets the condition"
AHEAD = {"batch_size": 2**15, "batch_readahead": 4, "fragment_readahead": 1}  # what is read ahead takes memory


def newest_rows(
    data: Dataset, table: Table, columns: Sequence[str], *, until: pc.Expression | None, where: pc.Expression | None
) -> pa.Table:
    """The newest row of each key up to `until`, if `where` is true of it; oldest snapshots first.

    Key and time are read first, and decide which rows count; then the other columns are read, and of each batch only
    these rows are kept. `where` applies to the current rows. It is pushed below that choice only if it reads nothing
    but the key, which all rows of a key share: else an old row that meets it would replace a current one that does not.
    """
    below = [until] if until is not None else []
    if where is not None and _reads_only(where, table, table.key):
        below, where = [*below, where], None
    pushed = _all_of(below)
    first = [*table.key, *ORDER]
    keys = data.to_table(first, filter=pushed, **AHEAD).cast(_schema(table, first))
    kept = _chosen(keys, table.key)
    keys = keys.select([name for name in columns if name in first]).filter(pa.array(kept))
    read = {name: pc.field(name) for name in columns if name not in first}
    rest = _schema(table, list(read)).empty_table()
    if read or where is not None:
        asked = read if where is None else {**read, MEETS: where}
        batches = data.scanner(columns=asked, filter=pushed, **AHEAD).to_batches()
        met: list[pa.Array] = []
        rest = pa.Table.from_batches(_kept(batches, kept, met, rest.schema), schema=rest.schema)
        keys = keys if where is None else keys.filter(pa.chunked_array(met, pa.bool_()))
    both = {name: (keys if name in first else rest).column(name) for name in columns}
    return pa.table(both, schema=_schema(table, columns))


def _reads_only(condition: pc.Expression, table: Table, columns: Sequence[str]) -> bool:
    try:
        table.schema.empty_table().select(list(columns)).filter(condition)
    except pa.ArrowInvalid:  # it names a column that is not there
        return False
    return True


def _all_of(conditions: Sequence[pc.Expression]) -> pc.Expression | None:
    whole = None
    for condition in conditions:
        whole = condition if whole is None else whole & condition
    return whole


def _schema(table: Table, columns: Sequence[str]) -> pa.Schema:
    return pa.schema([table.schema.field(name) for name in columns], table.schema.metadata)


def _chosen(keys: pa.Table, key: Sequence[str]) -> Mask:
    """Which rows are the newest of their key.

    The writer guarantees distinct keys within one snapshot and time. So of the largest snapshot only the rows whose key
    occurs in another snapshot are contested, and all other rows are never grouped.
    """
    contested = _contested(keys, key)
    places = np.flatnonzero(contested)
    few = keys.take(pa.array(places))
    order = pc.sort_indices(few, [(name, "ascending") for name in ORDER]).to_numpy()
    rank = np.empty(len(order), np.int64)
    rank[order] = np.arange(len(order))
    ranked = few.select(list(key)).append_column("rank", pa.array(rank))
    newest = ranked.group_by(list(key)).aggregate([("rank", "max")])["rank_max"].to_numpy()
    chosen = ~contested
    chosen[places[order[newest]]] = True
    return chosen


def _contested(keys: pa.Table, key: Sequence[str]) -> Mask:
    contested = np.ones(keys.num_rows, np.bool_)
    start, stop = _largest_snapshot(keys)
    contested[start:stop] = False
    places = pa.array(np.arange(start, stop))
    for name in reversed(key):
        column = keys.column(name)
        others = pa.chunked_array([*column.slice(0, start).chunks, *column.slice(stop).chunks], column.type)
        mine = column.slice(start, stop - start) if len(places) == stop - start else column.take(places)
        places = places.filter(pc.is_in(mine, value_set=others.combine_chunks()).combine_chunks())
    contested[places.to_numpy()] = True
    return contested


def _largest_snapshot(keys: pa.Table) -> tuple[int, int]:
    """The longest run of rows of one snapshot and time."""
    moments = keys.column("snapshot_at").cast(pa.int64()).to_numpy()
    borders = np.concatenate([[0], np.flatnonzero(np.diff(moments)) + 1, [len(moments)]])
    longest = int(np.argmax(np.diff(borders)))
    start, stop = int(borders[longest]), int(borders[longest + 1])
    one = len(pc.unique(keys.column("snapshot_id").slice(start, stop - start))) == 1
    return (start, stop) if one else (0, 0)


def _kept(
    batches: Iterator[pa.RecordBatch], kept: Mask, met: list[pa.Array], schema: pa.Schema
) -> Iterator[pa.RecordBatch]:
    """The rows to keep of each batch; with a condition, `met` gets which of them meet it."""
    at = 0
    for batch in batches:
        here = kept[at : at + batch.num_rows]
        at += batch.num_rows
        rows = batch if here.all() else batch.filter(pa.array(here))
        if MEETS in rows.schema.names:
            met.append(rows.column(MEETS).fill_null(pa.scalar(value=False)))
            rows = rows.filter(met[-1])
        yield rows.select(schema.names).cast(schema)
