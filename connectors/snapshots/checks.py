"""Rules that the rows of a table must keep, checked over columns, many rows at once, and their foreign keys."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from pathlib import Path

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet

from connectors.snapshots.manifests import list_snapshots, locate
from connectors.snapshots.tables import TABLES
from connectors.snapshots.tables.columns import VOLUME_PRICES, Column

SEPARATOR = "\x1f"
DIGITS = 20

Row = Mapping[str, object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Rule:
    """A condition on each row of a table alone. `words` describe how a row breaks it."""

    name: str
    columns: tuple[str, ...]
    broken: Callable[[pa.RecordBatch], pa.BooleanArray]
    words: Callable[[Row], str]


@cache
def rules_of(name: str) -> tuple[Rule, ...]:
    """The rules of a table's columns."""
    return tuple(rule for column_name, column in TABLES[name].columns.items() for rule in _rules(column_name, column))


def _rules(name: str, column: Column) -> Iterator[Rule]:
    if column.least is not None:
        yield _at_least(name, column.least)
    if column.currency and not column.as_seen:
        yield Rule(
            name="amount",
            columns=(name,),
            broken=lambda rows: pc.less(rows[name], 0),
            words=lambda row: f"{name} is {row[name]}, and no amount is below zero",
        )
        yield _has_currency(name, column.currency)
    if column.one_of:
        yield _one_of(name, [str(word) for word in column.one_of])
    if column.kind == VOLUME_PRICES:
        yield Rule(
            name="amount",
            columns=(name,),
            broken=partial(_has_negative_step, name),
            words=lambda row: f"{name} has a price below zero",
        )


def _at_least(name: str, least: int) -> Rule:
    return Rule(
        name="quantity",
        columns=(name,),
        broken=lambda rows: pc.less(rows[name], least),
        words=lambda row: f"{name} is {row[name]}, and must be {least} or more",
    )


def _has_currency(name: str, currency: str) -> Rule:
    return Rule(
        name="currency",
        columns=(name, currency),
        broken=lambda rows: pc.and_(
            pc.not_equal(rows[name], 0), pc.equal(pc.fill_null(pc.utf8_length(rows[currency]), 0), 0)
        ),
        words=lambda row: f"{name} is {row[name]}, and {currency} is empty",
    )


def _one_of(name: str, words: Sequence[str]) -> Rule:
    return Rule(
        name="state",
        columns=(name,),
        broken=lambda rows: pc.and_(pc.is_valid(rows[name]), pc.invert(pc.is_in(rows[name], pa.array(words)))),
        words=lambda row: f"{name} is {row[name]!r}, which is none of {', '.join(filter(None, words))}",
    )


def _has_negative_step(name: str, rows: pa.RecordBatch) -> pa.BooleanArray:
    steps, owners = pc.list_flatten(rows[name]), pc.list_parent_indices(rows[name])
    wrong = pc.filter(owners, pc.less(pc.struct_field(steps, "price_minor"), 0))
    if not len(wrong):
        return pa.repeat(False, len(rows))  # noqa: FBT003
    return pc.is_in(pa.array(range(len(rows)), owners.type), wrong)


def keys_of(rows: pa.RecordBatch | pa.Table, columns: Sequence[str]) -> pa.Array:
    """One text per row for some columns together: equal where all of them are, and sorted as they are."""
    parts = [_key_part(rows[name]) for name in columns]
    return parts[0] if len(parts) == 1 else pc.binary_join_element_wise(*parts, SEPARATOR)


def _key_part(values: pa.Array) -> pa.Array:
    if pa.types.is_string(values.type):
        return pc.fill_null(values, "")
    return pc.utf8_lpad(pc.cast(pc.cast(values, pa.int64()), pa.string()), DIGITS, "0")


def key_text(row: Row, columns: Sequence[str]) -> str:
    """A row's key for people: its parts joined with commas."""
    return ",".join("" if row.get(name) is None else str(row.get(name)) for name in columns)


def dangling(keys: pa.Array, known: Iterable[pa.Array]) -> list[int]:
    """The positions of the keys that no list of `known` has; a list is read only for keys that earlier lists lack."""
    places: pa.Array | None = None
    for some in known:
        missing = pc.indices_nonzero(pc.invert(pc.is_in(keys, some)))
        keys, places = keys.take(missing), missing if places is None else places.take(missing)
        if not len(keys):
            break
    return list(range(len(keys))) if places is None else places.to_pylist()


def keys_of_others(root: Path, snapshot_id: str, tables: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Array]:
    """The keys of these tables in all other snapshots, newest first. Raises `SnapshotDamaged`."""
    for manifest in reversed(list_snapshots(root)):
        for file in manifest.files:
            if file.table in tables and manifest.snapshot_id != snapshot_id:
                with parquet.ParquetFile(locate(root, manifest, file)) as found:
                    yield keys_of(found.read(columns=list(columns)), columns)
