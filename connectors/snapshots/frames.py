"""The snapshots as pandas frames: `Snapshots().table("orders")`."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, TypeAlias

import pyarrow as pa

from connectors.foreign import words_of
from connectors.snapshots.duck import connected
from connectors.snapshots.manifests import Manifest, SnapshotDamaged
from connectors.snapshots.past import changes_schema
from connectors.snapshots.reader import arrow_answer
from connectors.snapshots.sources import QueryError, Sources, rows_in, steady, verify_all
from connectors.snapshots.tables import TABLES, Table

if TYPE_CHECKING:
    import pandas as pd
    from pyarrow.compute import Expression

Moment: TypeAlias = datetime | str
Where: TypeAlias = "Expression | Sequence[object]"
MEMORY_MB = 1_024
AHEAD = {"batch_size": 2**15, "batch_readahead": 4, "fragment_readahead": 1}  # what is read ahead takes memory


class Snapshots:
    """Reads the snapshots below `root`; without it, those of the settings.

    Frames have Arrow's types: ids are text, amounts `int64` minor units, times UTC, nulls stay nulls. A table that no
    snapshot has yet is an empty frame of these types; a column that an old snapshot lacks is null there. `at` is a
    time with a zone, or the id of a snapshot: the state as of its writing. `columns` and `where` read no more than
    they need; `where` is a `pyarrow.compute` expression such as `field("state") == "held"`, or a list as for
    `pandas.read_parquet`: `[("state", "==", "held")]`. Every call reads one consistent state, also while files are
    being rewritten.

    Raises `QueryError` for an impossible query, and `SnapshotDamaged` for a missing or damaged file.
    """

    def __init__(self, root: str | Path | None = None) -> None:
        self._root = _settings_root() if root is None else Path(root)

    @property
    def tables(self) -> tuple[str, ...]:
        return tuple(TABLES)

    def table(
        self, name: str, at: Moment | None = None, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pd.DataFrame:
        """The newest row of each key as of `at`, if it meets `where`."""
        return _frame(self.arrow(name, at, columns, where))

    def arrow(
        self, name: str, at: Moment | None = None, columns: Sequence[str] | None = None, where: Where | None = None
    ) -> pa.Table:
        """The newest row of each key as of `at`, if it meets `where`, as an Arrow table."""
        table = _table(name)
        asked, condition = _columns(table, columns), _condition(table, where)

        def read(sources: Sources) -> pa.Table:
            until = "" if at is None else _until(at, sources.manifests)
            if sources.current is None or until:
                return _newest(sources.paths.get(name, ()), table, asked, until, condition)
            plain = condition is None
            data = rows_in(sources.current.get(name, ()), table, texts_as_numbers=plain)
            schema = pa.schema([table.schema.field(column) for column in asked], table.schema.metadata)
            batches = data.scanner(columns=asked, filter=condition, **AHEAD).to_batches()
            return pa.Table.from_batches((batch.cast(schema) for batch in batches), schema=schema)

        return self._read(read, table, history=at is not None)

    def history(self, name: str, columns: Sequence[str] | None = None, where: Where | None = None) -> pd.DataFrame:
        """All rows of all snapshots, oldest snapshot first."""
        table = _table(name)
        asked, condition = _columns(table, columns), _condition(table, where)

        def read(sources: Sources) -> pa.Table:
            return rows_in(sources.paths.get(name, ()), table).to_table(asked, filter=condition)

        return _frame(self._read(read, table))

    def changes(self, name: str, since: Moment | None = None, until: Moment | None = None) -> pd.DataFrame:
        """The differences between `since` and `until` (now): one row per key, with the old values in `was_…`.

        `change` is `new`, `changed` (`columns` names which), or `rewritten`: the row's snapshot was replaced since, and
        its old values are not kept. A new `seen_at`, `quoted_at` or `updated_at` alone is no change.
        """
        table = _table(name)
        moments = {"since": _as_text(since), "until": _as_text(until)}
        answer = arrow_answer(self._root, f"FROM {name}_changes(since := $since, until := $until)", moments)
        return _frame(answer.cast(changes_schema(table)).sort_by([(key, "ascending") for key in table.key]))

    def sql(self, query: str) -> pd.DataFrame:
        """The answer to one reading statement in DuckDB's SQL, as `sourcing sql` gives it."""
        return _frame(arrow_answer(self._root, query))

    def _read(self, read: Callable[[Sources], pa.Table], table: Table, *, history: bool = True) -> pa.Table:
        def read_or_raise(sources: Sources) -> pa.Table:
            try:
                return read(sources)
            except (pa.ArrowInvalid, OSError) as error:
                if sources.current is None:
                    verify_all(self._root)  # else it has just been replaced, and is read again
                raise SnapshotDamaged(
                    f"table {table.name} below {self._root} can't be read: {words_of(error)}"
                ) from error

        return steady(self._root, read_or_raise, table.name, history=history)


def _settings_root() -> Path:
    from connectors.settings import SourcingSettings

    return SourcingSettings().snapshot_root


def _frame(table: pa.Table) -> pd.DataFrame:
    import pandas as pd

    whole = table if table.num_rows else table.schema.empty_table()  # pandas can't merge columns without a chunk
    frame: pd.DataFrame = whole.to_pandas(types_mapper=pd.ArrowDtype)
    return frame


def _table(name: str) -> Table:
    if name not in TABLES:
        raise QueryError(f"there is no table {name}; there are {', '.join(TABLES)}")
    return TABLES[name]


def _columns(table: Table, columns: Sequence[str] | None) -> list[str]:
    asked = table.schema.names if columns is None else list(dict.fromkeys(columns))
    if unknown := [name for name in asked if name not in table.columns]:
        raise QueryError(f"table {table.name} has no column {unknown[0]}; it has {', '.join(table.columns)}")
    return asked


def _condition(table: Table, where: Where | None) -> Expression | None:
    from pyarrow.compute import Expression
    from pyarrow.parquet import filters_to_expression

    if where is None:
        return None
    try:
        condition = where if isinstance(where, Expression) else filters_to_expression(where)
        pa.Table.from_pylist([{}], table.schema).filter(condition)  # without a row a time without zone is not refused
    except (pa.ArrowException, ValueError, TypeError) as error:
        raise QueryError(f"where {where} can't be asked of table {table.name}: {error}") from error
    return condition


def _newest(
    paths: Sequence[Path], table: Table, columns: Sequence[str], until: str, where: Expression | None
) -> pa.Table:
    """The newest row of each key; the condition is about these rows."""
    with TemporaryDirectory() as work, connected(memory_mb=MEMORY_MB, work=Path(work)) as connection:
        connection.register("history", rows_in(paths, table))
        newest = f"{table.newest('history', until or 'TRUE')} ORDER BY {', '.join(table.key)}"
        rows = connection.sql(newest).to_arrow_table().cast(table.schema)
    return (rows if where is None else rows.filter(where)).select(columns)


def _until(at: Moment, manifests: Sequence[Manifest]) -> str:
    """The condition of the rows that there were at a moment."""
    if isinstance(at, datetime):
        return f"snapshot_at <= TIMESTAMPTZ '{_utc(at)}'"
    for manifest in manifests:
        if manifest.snapshot_id == at:
            return f"(snapshot_at, snapshot_id) <= (TIMESTAMPTZ '{_utc(manifest.written_at)}', '{at}')"
    raise QueryError(f"there is no snapshot {at}; give the id of one, or a time with a zone")


def _as_text(moment: Moment | None) -> str | None:
    return _utc(moment).isoformat() if isinstance(moment, datetime) else moment


def _utc(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise QueryError(f"{moment} has no time zone; give UTC, such as datetime(2026, 11, 26, 6, tzinfo=UTC)")
    return moment.astimezone(UTC)
