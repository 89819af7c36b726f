"""The whole ledger as Parquet files, one per table: amounts in minor units, JSON as text, reasons in words."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pyarrow as pa
from pyarrow import parquet
from sqlalchemy import JSON, BigInteger, Column, Connection, Integer, RowMapping, Table, select

from connectors.durable import sync
from connectors.foreign import words_of
from connectors.ledger.backup import require_version
from connectors.ledger.engine import LedgerUnusable, reading
from connectors.ledger.schema import SCHEMA_VERSION, UtcDateTime, metadata
from domain.reasons import read

ROWS_AT_ONCE = 2_000


def export(url: str, folder: Path) -> dict[str, int]:
    """Write every table into a new folder, as one snapshot; returns the rows by table. Raises `LedgerUnusable`."""
    if folder.exists():
        raise LedgerUnusable(f"{folder} is there already: give the export another name")
    unfinished = folder.with_name(f".{folder.name}.{os.getpid()}.unfinished")
    try:
        unfinished.mkdir(parents=True)
        with reading(url) as connection:
            require_version(connection)
            rows = {
                table.name: _write(connection, table, unfinished / f"{table.name}.parquet")
                for table in metadata.sorted_tables
            }
        sync(unfinished)
        unfinished.rename(folder)
        sync(folder.absolute().parent)
    except OSError as error:
        raise LedgerUnusable(
            f"{folder} can't be written ({words_of(error)}): free some disk space, or choose another place"
        ) from error
    finally:
        shutil.rmtree(unfinished, ignore_errors=True)
    return rows


def arrow_schema(table: Table) -> pa.Schema:
    fields = [pa.field(column.name, _kind(column), nullable=bool(column.nullable)) for column in table.columns]
    return pa.schema(fields, metadata={"table": table.name, "schema_version": SCHEMA_VERSION})


def _kind(column: Column[Any]) -> pa.DataType:
    if isinstance(column.type, UtcDateTime):
        return pa.timestamp("us", tz="UTC")
    return pa.int64() if isinstance(column.type, BigInteger | Integer) else pa.string()


def _write(connection: Connection, table: Table, path: Path) -> int:
    schema, count = arrow_schema(table), 0
    texts = [column.name for column in table.columns if isinstance(column.type, JSON)]
    ordered = select(table).order_by(*table.primary_key.columns).execution_options(yield_per=ROWS_AT_ONCE)
    rows = connection.execute(ordered).mappings()
    with parquet.ParquetWriter(path, schema, compression="zstd", write_page_checksum=True) as writer:
        for part in rows.partitions(ROWS_AT_ONCE):
            writer.write_batch(pa.RecordBatch.from_pylist([_row(row, texts) for row in part], schema))
            count += len(part)
    sync(path)
    return count


def _row(row: RowMapping, texts: Sequence[str]) -> dict[str, Any]:
    as_text = {name: json.dumps(row[name], ensure_ascii=False) for name in texts if row[name] is not None}
    if "reason_facts" in row:
        as_text["reason"] = str(read(row["reason"], row["reason_code"], row["reason_facts"]) or "")
    return {**row, **as_text}
