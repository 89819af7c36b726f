"""The newest row of each key, read from Parquet in little more memory than the rows asked for."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.snapshots.schemas import Table

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray
    from pyarrow.dataset import Dataset

ORDER = ("snapshot_at", "snapshot_id")
MEETS = "meets the condition"


def newest_rows(
    data: Dataset, table: Table, columns: Sequence[str], *, until: pc.Expression | None, where: pc.Expression | None
) -> pa.Table:
    """Of each key the newest row that `until` lets through, if `where` is true of it; oldest snapshots first.

    Which rows count is found from the key columns alone; then the columns asked for are read, and of each batch only
    these rows are kept. `where` is about the current rows: it goes below that choice only if it looks at nothing but
    the key, which all rows of a key share. Else an old row that meets it would stand for a current one that does not.
    """
    below = [until] if until is not None else []
    if where is not None and _reads_only(where, table, table.key):
        below, where = [*below, where], None
    pushed = _all_of(below)
    chosen = _chosen(data.to_table(columns=[*table.key, *ORDER], filter=pushed), table.key)
    return pa.Table.from_batches(_kept(data, columns, pushed, where, chosen), schema=_schema(table, columns))


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


def _chosen(keys: pa.Table, key: Sequence[str]) -> NDArray[np.bool_] | None:
    """Which rows are the newest of their key; None for all."""
    import numpy as np

    rank = np.empty(keys.num_rows, np.int64)
    order = pc.sort_indices(keys, [(name, "ascending") for name in ORDER]).to_numpy()
    rank[order] = np.arange(keys.num_rows)
    newest = (
        keys.select(list(key)).append_column("rank", pa.array(rank)).group_by(list(key)).aggregate([("rank", "max")])
    )
    if newest.num_rows == keys.num_rows:
        return None
    chosen = np.zeros(keys.num_rows, np.bool_)
    chosen[order[newest["rank_max"].to_numpy()]] = True
    return chosen


def _kept(
    data: Dataset,
    columns: Sequence[str],
    pushed: pc.Expression | None,
    where: pc.Expression | None,
    chosen: NDArray[np.bool_] | None,
) -> Iterator[pa.RecordBatch]:
    read = {name: pc.field(name) for name in columns} | ({} if where is None else {MEETS: where})
    at = 0
    for batch in data.scanner(columns=read, filter=pushed).to_batches():
        rows = batch
        if chosen is not None:
            rows = rows.filter(pa.array(chosen[at : at + batch.num_rows]))
        at += batch.num_rows
        yield rows if where is None else rows.filter(rows.column(MEETS)).drop_columns([MEETS])
