"""Ages a data folder by copies of a night it bought, and reads of it: each in a process
of its own, for `aged`.
"""

from __future__ import annotations

import json
import sqlite3
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pyarrow as pa
import pyarrow.compute as pc

from cli.running import run_flow
from connectors.ledger.overview import happened
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots import Snapshots
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import write_history
from flows.answers.todo import to_do

PAST = "past"
"""What the references of the night that is copied begin with."""
DAYS_BACK = 31
"""The copies are older than `SEARCH_BACK_DAYS`: the service does not have
them.
"""
MONTH = 30
NAMES = ("order_ref", "key", "batch_id", "effect_key")
NUMBERS = ("order_id", "shipment_order_id", "refund_id")
DAY = timedelta(days=1)
WEEK = timedelta(days=7)


def age(data: Path, nights: int) -> None:
    """Copy the past night's orders, with everything about them, once for each of so
    many nights before it.
    """
    age_ledger(data / "ledger.db", nights)
    age_snapshots(data / "snapshots", nights)


def age_ledger(file: Path, nights: int) -> None:
    """Of any version: its own tables say what it has."""
    with closing(sqlite3.connect(file)) as database:
        database.execute("PRAGMA synchronous = OFF")
        tables = {
            name: {
                column: kind
                for _, column, kind, *_ in database.execute(
                    f"PRAGMA table_info({name})"
                )
            }
            for (name,) in database.execute(
                "SELECT name FROM sqlite_schema WHERE type = 'table'"
            ).fetchall()
        }
        copied = {
            name: columns
            for name, columns in tables.items()
            if name == "batches" or "order_ref" in columns
        }
        for night in range(nights, 0, -1):
            inputs = {
                "name": _name(night),
                "days": f"-{DAYS_BACK + night} days",
                "number": f"{night:04}",
            }
            for name, columns in copied.items():
                database.execute(_copying(name, columns), inputs)
            database.commit()
        database.execute("PRAGMA wal_checkpoint(TRUNCATE)")


def _name(night: int) -> str:
    return f"n{night:03}"


def _copying(table: str, columns: Mapping[str, str]) -> str:
    """The statement that copies the past night's rows of a table once."""
    key = "order_ref" if "order_ref" in columns else "batch_id"
    values = {
        name: _aged(table, name, kind) for name, kind in columns.items() if name != "id"
    }
    return (
        f"INSERT INTO {table} ({', '.join(map(_quoted, values))}) SELECT {', '.join(values.values())} FROM {table} "
        f"WHERE {key} >= '{PAST}' AND {key} < '{PAST}~'"
    )


def _quoted(name: str) -> str:
    return f'"{name}"'


def _aged(table: str, column: str, kind: str) -> str:
    """A column of a copy, in SQL."""
    name = _quoted(column)
    if kind == "DATETIME":
        return f"strftime('%Y-%m-%d %H:%M:%f', {name}, :days) || '000'"
    if column in NAMES:
        return f":name || substr({name}, {len(PAST) + 1})"
    if column in NUMBERS:
        return f"{name} || :number"
    if (table, column) == ("effects", "answer"):
        order_id = (
            "(SELECT order_id FROM orders WHERE orders.order_ref = effects.order_ref)"
        )
        return f"coalesce(replace(answer, {order_id}, {order_id} || :number), answer)"
    return name


def age_snapshots(root: Path, nights: int) -> None:
    """By the product's writer, a snapshot a month, as the nightly leaves them; offers
    and searches are not copied.
    """
    findings = {
        name: Snapshots(root).arrow(name)
        for name, table in TABLES.items()
        if "order_ref" in table.schema.names
    }
    past = {
        name: rows.filter(pc.starts_with(rows["order_ref"], PAST))
        for name, rows in findings.items()
    }
    for last in range(nights, 0, -MONTH):
        at = datetime.now(UTC) - timedelta(days=DAYS_BACK + max(last - MONTH, 0))
        snapshot_id = f"aged-{last:04}"
        tables = {
            name: pa.RecordBatchReader.from_batches(
                TABLES[name].schema,
                _copies(rows, range(last, max(last - MONTH, 0), -1), snapshot_id, at),
            )
            for name, rows in past.items()
        }
        write_history(root, snapshot_id, [tables], at, None)


def _copies(
    rows: pa.Table, nights: range, snapshot_id: str, at: datetime
) -> Iterator[pa.RecordBatch]:
    for night in nights:
        columns = [_of_night(rows[field.name], field, night) for field in rows.schema]
        copy = pa.Table.from_arrays(columns, schema=rows.schema)
        for name, value in (("snapshot_id", snapshot_id), ("snapshot_at", at)):
            field_index = copy.schema.get_field_index(name)
            field = copy.schema.field(field_index)
            copy = copy.set_column(
                field_index, field, pa.repeat(pa.scalar(value, field.type), len(copy))
            )
        yield from copy.cast(rows.schema).to_batches()


def _of_night(column: pa.ChunkedArray, field: pa.Field, night: int) -> pa.ChunkedArray:
    if pa.types.is_timestamp(field.type):
        return pc.subtract(column, pa.scalar(timedelta(days=DAYS_BACK + night))).cast(
            field.type
        )
    if field.name == "paid_on":
        days = pc.subtract(
            pc.strptime(column, "%Y-%m-%d", "s"),
            pa.scalar(timedelta(days=DAYS_BACK + night)),
        )
        return pc.strftime(days, "%Y-%m-%d")
    if (
        field.name == "tracking_numbers"
    ):  # of parcels of its own: one that many orders share is costed with all
        own = [
            numbers and [f"{number}{night:04}" for number in numbers]
            for numbers in column.to_pylist()
        ]
        return pa.chunked_array([pa.array(own, field.type)])
    if field.name in NUMBERS:
        return pc.binary_join_element_wise(column, f"{night:04}", "")
    if pa.types.is_string(field.type):
        copied = pc.binary_join_element_wise(
            _name(night), pc.utf8_slice_codeunits(column, len(PAST)), ""
        )
        return pc.if_else(pc.starts_with(column, PAST), copied, column)
    return column


def read(name: str) -> None:
    """Do a read of `READS` twice; prints the seconds of CPU and of the clock that the
    second took.
    """
    settings = SourcingSettings()
    with Ledger(
        settings.ledger_url, clock=lambda: datetime.now(UTC), owner="benchmark"
    ) as ledger:
        READS[name](ledger, settings.snapshot_root)  # loads what it needs
        began = time.perf_counter()
        used = time.process_time()
        READS[name](ledger, settings.snapshot_root)
        print(json.dumps([time.process_time() - used, time.perf_counter() - began]))


def _digest(ledger: Ledger, _root: Path) -> object:
    return happened(ledger, ledger.clock() - DAY), to_do(ledger, refused_for=WEEK)


def _one_order(_ledger: Ledger, root: Path) -> object:
    return Snapshots(root).table(
        "orders", where=[("order_ref", "==", f"{PAST}-taobao-000007")]
    )


READS: dict[str, Callable[[Ledger, Path], object]] = {
    "digest": _digest,
    'Snapshots.table("orders")': lambda _ledger, root: Snapshots(root).table("orders"),
    "one order by key": _one_order,
}


def play(entrypoint: str, parameters: str) -> None:
    """A run of a deployment, with the folder's own Prefect server."""

    async def played() -> None:
        from prefect.flows import (
            load_flow_from_entrypoint,
        )  # beside the start of its server

        await load_flow_from_entrypoint(entrypoint)(**json.loads(parameters))

    run_flow(played)


if __name__ == "__main__":
    if sys.argv[1] == "read":
        read(sys.argv[2])
    elif sys.argv[1] == "play":
        play(*sys.argv[2:])
    else:
        age(Path(sys.argv[1]), int(sys.argv[2]))
