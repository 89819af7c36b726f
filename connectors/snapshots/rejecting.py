"""Checks a snapshot's files before it counts: bad rows go into `rejected_rows`, and
amounts are summed up.
"""

from __future__ import annotations

import json
import os
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import KW_ONLY, dataclass, field
from functools import cache, partial
from pathlib import Path
from typing import Any, NamedTuple

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet

from connectors.snapshots.frames import Snapshots
from connectors.snapshots.manifests import (
    SnapshotError,
    Sums,
    locate,
    manifest_path,
    read_manifest,
    sums_of,
)
from connectors.snapshots.rows import Growing, SnapshotValueError, to_arrow
from connectors.snapshots.tables import ENVELOPE, TABLES
from connectors.snapshots.tables.reconciliation import REJECTED_ROWS
from connectors.snapshots.tables.table import VOLUME_PRICES, Column, Table
from domain.report import NONE_REJECTED, Rejected, RejectedRow

SEPARATOR = "\x1f"
DIGITS = 20

Row = Mapping[str, object]


class Rule(NamedTuple):
    """A condition on each row of a table alone. `words` describe how the value of the
    first column breaks it.
    """

    name: str
    columns: tuple[str, ...]
    broken: Callable[[pa.RecordBatch], pa.BooleanArray]
    words: str


@cache
def rules_of(name: str) -> tuple[Rule, ...]:
    """The rules of a table's columns."""
    return tuple(
        rule
        for column_name, column in TABLES[name].columns.items()
        for rule in _rules(column_name, column)
    )


def _rules(name: str, column: Column) -> Iterator[Rule]:
    least, currency, words = (
        column.least,
        column.currency,
        [str(word) for word in column.one_of],
    )
    if least is not None:
        told = f"{name} is {{}}, and must be {least} or more"
        yield Rule("quantity", (name,), lambda rows: pc.less(rows[name], least), told)
    if currency and not column.as_seen:
        told = f"{name} is {{}}, and no amount is below zero"
        yield Rule("amount", (name,), lambda rows: pc.less(rows[name], 0), told)
        told = f"{name} is {{}}, and {currency} is empty"
        yield Rule(
            "currency", (name, currency), partial(_lacks_currency, name, currency), told
        )
    if words:
        told = f"{name} is {{!r}}, which is none of {', '.join(filter(None, words))}"
        yield Rule("state", (name,), partial(_is_none_of, name, pa.array(words)), told)
    if column.dtype == VOLUME_PRICES:
        yield Rule(
            "amount",
            (name,),
            partial(_has_negative_step, name),
            f"{name} has a price below zero",
        )


def _lacks_currency(name: str, currency: str, rows: pa.RecordBatch) -> pa.BooleanArray:
    lacks = pc.equal(pc.fill_null(pc.utf8_length(rows[currency]), 0), 0)
    return pc.and_(pc.not_equal(rows[name], 0), lacks)


def _is_none_of(name: str, words: pa.Array, rows: pa.RecordBatch) -> pa.BooleanArray:
    return pc.and_(pc.is_valid(rows[name]), pc.invert(pc.is_in(rows[name], words)))


def _has_negative_step(name: str, rows: pa.RecordBatch) -> pa.BooleanArray:
    steps, owners = pc.list_flatten(rows[name]), pc.list_parent_indices(rows[name])
    wrong = pc.filter(owners, pc.less(pc.struct_field(steps, "price_minor"), 0))
    if not len(wrong):
        return pa.repeat(False, len(rows))  # noqa: FBT003
    return pc.is_in(pa.array(range(len(rows)), owners.type), wrong)


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


def key_text(row: Row, columns: Sequence[str]) -> str:
    """A row's key for people: its parts joined with commas."""
    return ",".join(
        "" if row.get(name) is None else str(row.get(name)) for name in columns
    )


AT_ONCE = 16_384
WHOLE_ROWS_AT_ONCE = 5_000
LISTED = 100
OF_A_MOMENT = ("snapshot_at", "snapshot_id")
Faults = dict[int, list[tuple[str, str]]]
"""The rules that a row breaks and how, by its position in its file."""


@dataclass(frozen=True, slots=True)
class Unfit:
    """A row with a value that its column can't hold: it is in no file."""

    table: Table
    row: Row
    fault: SnapshotValueError

    @property
    def words(self) -> str:
        """The fault, without personal values."""
        column = self.fault.column
        is_personal = self.table.columns[column].personal
        return f"{column}: {'the column can not hold its value' if is_personal else self.fault.problem}"


def fitting(table: Table, rows: Sequence[Row], unfit: list[Unfit]) -> pa.Table:
    """The rows that their table can hold; the others go to `unfit`. An unknown column
    raises `SnapshotValueError`.
    """
    try:
        return to_arrow(table, rows)
    except SnapshotValueError as error:
        if error.column not in table.columns:
            raise
    good: list[Row] = []
    for row in rows:
        try:
            to_arrow(table, [row])
            good.append(row)
        except SnapshotValueError as error:
            unfit.append(Unfit(table, row, error))
    return to_arrow(table, good)


@dataclass(frozen=True)
class Staged:
    """The files of a snapshot that does not count yet: the number of rows by table, and
    the rows that fit no table.

    A snapshot `of_a_batch` has its orders complete: all rows that refer to an order
    find it there. Rows of other snapshots are only the new ones, and may refer to
    earlier snapshots.
    """

    root: Path
    snapshot_id: str
    _: KW_ONLY
    of_a_batch: bool
    place: Callable[[str], Path]
    rows: Mapping[str, int]
    unfit: Sequence[Unfit]
    sums: dict[str, Sums] = field(default_factory=dict)
    _owners: dict[tuple[str, tuple[str, ...]], pa.Array] = field(default_factory=dict)

    def checked(self, envelope: Row) -> dict[str, int]:
        """Take bad rows out of the files and return the rows left by table. All amounts
        are summed up, bad rows' too.

        A row that refers to a rejected one stays: one fault is reported once.
        """
        faults = {
            name: found for name in self.rows if (found := self._faults(TABLES[name]))
        }
        if not (faults or self.unfit):
            return dict(self.rows)
        with Growing(self.place(REJECTED_ROWS.name), REJECTED_ROWS.schema) as file:
            for row in self._rejected(faults):
                file.take(to_arrow(REJECTED_ROWS, [{**envelope, **row}]))
        left = {
            name: count - len(faults.get(name, ())) for name, count in self.rows.items()
        }
        return {**left, REJECTED_ROWS.name: file.rows}

    def _faults(self, table: Table) -> Faults:
        faults: Faults = defaultdict(list)
        money = [*_unfit_money(table, self.unfit)]
        last: str | None = ""
        start = 0
        for rows in self._read(table, _checked_columns(table)):
            for rule in rules_of(table.name):
                for place in pc.indices_nonzero(rule.broken(rows)).to_pylist():
                    value = rows[rule.columns[0]][place].as_py()
                    faults[start + place].append((rule.name, rule.words.format(value)))
            last = _last_if_rising(keys_of(rows, table.key), last)
            money += _money(table, rows)
            start += len(rows)
        if last is None:
            self._add_doubles(table, faults)
        if table.owners and start:
            self._add_dangling(table, faults)
        self.sums[table.name] = sums_of(money)
        return faults

    def _add_doubles(self, table: Table, faults: Faults) -> None:
        """Add rows with the key of an earlier row of one time."""
        for columns in (table.key, (*table.key, *OF_A_MOMENT)):
            keys = self._keys(table.name, columns)
            ordered = keys.sort()  # less memory than a set of them
            if not pc.any(pc.equal(ordered[:-1], ordered[1:])).as_py():
                return
        seen: set[str] = set()
        for place, key in enumerate(keys.to_pylist()):
            if key in seen:
                faults[place].append(
                    (
                        "key",
                        f"another row of this snapshot has the same {', '.join(table.key)}",
                    )
                )
            seen.add(key)

    def _add_dangling(self, table: Table, faults: Faults) -> None:
        """Add rows that belong to nothing: in this snapshot or, unless that has its
        orders whole, in any.
        """
        here = [name for name in table.owners if name in self.rows]
        unfit = [
            _texts_of(one.row, table.by)
            for one in self.unfit
            if one.table.name in table.owners
        ]
        known = [
            *(self._owner(name, table.by) for name in here),
            *(keys_of(row, table.by) for row in unfit),
        ]
        keys = self._keys(table.name, table.by)
        places = _not_among(keys, known)
        if len(places) and not (self.of_a_batch and here):
            try:
                rows = [
                    Snapshots(self.root).arrow(name, columns=table.by)
                    for name in table.owners
                ]
            except (SnapshotError, pa.ArrowException):
                return  # the rows they refer to may be there
            earlier = [
                chunk for some in rows for chunk in keys_of(some, table.by).chunks
            ]
            places = places.take(_not_among(keys.take(places), earlier))
        words = f"no row of {' or '.join(table.owners)} has its {', '.join(table.by)}"
        for place in places.to_pylist():
            faults[place].append(("reference", words))

    def _owner(self, name: str, columns: tuple[str, ...]) -> pa.Array:
        if (name, columns) not in self._owners:
            self._owners[name, columns] = self._keys(name, columns)
        return self._owners[name, columns]

    def _keys(self, name: str, columns: Sequence[str]) -> pa.Array:
        parts = [keys_of(rows, columns) for rows in self._read(TABLES[name], columns)]
        return pa.concat_arrays(parts) if parts else pa.array([], pa.string())

    def _read(
        self, table: Table, columns: Sequence[str] | None, at_once: int = AT_ONCE
    ) -> Iterator[pa.RecordBatch]:
        with parquet.ParquetFile(self.place(table.name)) as file:
            batches = file.iter_batches(
                at_once, columns=columns, use_threads=False
            )  # each keeps memory of its own
            yield from (rows for rows in batches if len(rows))

    def _rejected(self, faults: Mapping[str, Faults]) -> Iterator[dict[str, object]]:
        told = [(one.table, one.row, [("value", one.words)]) for one in self.unfit]
        numbers: Counter[tuple[str, str]] = Counter()
        for table, row, broken in (
            *told,
            *(one for name in faults for one in self._taken_out(name, faults[name])),
        ):
            key = _whole_text(key_text(row, table.key))
            numbers[table.name, key] += 1
            yield {
                "table_name": table.name,
                "row_key": key,
                "number": numbers[table.name, key],
                "rule": broken[0][0],
                "message": "; ".join(words for _, words in broken),
                "order_ref": _whole_text(str(row["order_ref"]))
                if row.get("order_ref")
                else None,
                "row": _as_json(table, row),
                "batch_id": row.get("batch_id")
                if isinstance(row.get("batch_id"), str)
                else None,
            }

    def _taken_out(
        self, name: str, faults: Faults
    ) -> Iterator[tuple[Table, Row, list[tuple[str, str]]]]:
        """Write the file anew without its bad rows, and yield these."""
        table, kept, start = TABLES[name], self.place(f"{name}.kept"), 0
        with Growing(kept, table.schema) as file:
            for rows in self._read(table, None, WHOLE_ROWS_AT_ONCE):
                bad = [place for place in range(len(rows)) if start + place in faults]
                wrong = pa.array(
                    [start + place in faults for place in range(len(rows))]
                )
                file.take(pa.Table.from_batches([rows.filter(pc.invert(wrong))]))
                yield from (
                    (table, _row(rows, place), faults[start + place]) for place in bad
                )
                start += len(rows)
        os.replace(kept, self.place(name))


def rejected_in(root: Path, snapshot_id: str | None) -> Rejected:
    """The rows that a snapshot has rejected; none for a missing snapshot. Raises
    `SnapshotDamaged`.
    """
    if not snapshot_id or not manifest_path(root, snapshot_id).exists():
        return NONE_REJECTED
    manifest = read_manifest(manifest_path(root, snapshot_id))
    file = next(
        (file for file in manifest.files if file.table == REJECTED_ROWS.name), None
    )
    if file is None:
        return NONE_REJECTED
    columns = ["table_name", "row_key", "rule", "message"]
    with parquet.ParquetFile(locate(root, manifest, file)) as found:
        rows = next(found.iter_batches(LISTED, columns=columns)).to_pylist()
    return Rejected(
        count=file.rows,
        rows=[
            RejectedRow(
                table=row["table_name"],
                key=row["row_key"],
                rule=row["rule"],
                message=row["message"],
            )
            for row in rows
        ],
    )


def _checked_columns(table: Table) -> list[str]:
    """The columns that the checks of a table need."""
    names = {name for rule in rules_of(table.name) for name in rule.columns} | {
        *table.key
    }
    return [*names, *({table.summed, "currency"} - names if table.summed else ())]


def _last_if_rising(keys: pa.Array, last: str | None) -> str | None:
    """The last key if the keys strictly rise: then all differ, and none has to be
    remembered.
    """
    if last is None or not last < keys[0].as_py():
        return None
    return (
        keys[-1].as_py()
        if pc.all(pc.less(keys[:-1], keys[1:])).as_py() is not False
        else None
    )


def _money(table: Table, rows: pa.RecordBatch) -> Iterator[tuple[str, int]]:
    if amount := table.summed:
        summed = (
            pa.Table.from_batches([rows])
            .group_by("currency")
            .aggregate([(amount, "sum")])
        )
        yield from zip(
            summed["currency"].to_pylist(),
            summed[f"{amount}_sum"].to_pylist(),
            strict=True,
        )


def _unfit_money(table: Table, unfit: Sequence[Unfit]) -> Iterator[tuple[str, int]]:
    for row in (one.row for one in unfit if one.table is table and table.summed):
        currency, amount = row.get("currency"), row.get(table.summed)
        if isinstance(currency, str) and isinstance(amount, int):
            yield currency, amount


def _not_among(keys: pa.Array, known: Sequence[pa.Array]) -> pa.Array:
    """The positions of the keys that are not known."""
    return pc.indices_nonzero(
        pc.invert(pc.is_in(keys, pa.chunked_array(known, pa.string())))
    )


def _row(rows: pa.RecordBatch, place: int) -> dict[str, Any]:
    row: dict[str, Any] = rows.slice(place, 1).to_pylist()[0]
    return row


def _texts_of(row: Row, columns: Sequence[str]) -> pa.RecordBatch:
    texts = {
        name: pa.array(
            [value if isinstance(value := row.get(name), str | int) else None]
        )
        for name in columns
    }
    return pa.record_batch(texts)


def _as_json(table: Table, row: Row) -> str:
    told = {
        name: value
        for name, value in row.items()
        if name not in ENVELOPE and not table.columns[name].personal
    }
    return _whole_text(json.dumps(told, ensure_ascii=False, default=str))


def _whole_text(text: str) -> str:
    """The text without lone surrogates, which no file can hold."""
    return text.encode(errors="backslashreplace").decode()
