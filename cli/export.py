"""`sourcing export` and `sourcing sql`: tables of the snapshots as files for other programs, and answers to queries.

Tracking numbers come as files for shops.
"""

from __future__ import annotations

import json
import sys
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.table import Table
from rich.text import Text

from cli.failures import BadUsage, as_usage
from cli.terminal import console, print_json, table_of
from connectors.export_formats import ExportFormat
from connectors.exports import export, print_csv
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots import QueryResult, sql
from connectors.snapshots.reader import QueryBounds
from connectors.tracking_files import waiting_words, write_tracking
from domain.wording import pluralize

DESCRIBED = {"column_name", "column_type", "description", "unit", "example", "personal"}


def run_export(tables: Sequence[str], query: str, files: Mapping[str, Path | None], *, as_json: bool) -> int:
    """Write the one file that is named, and print what is in it; answers the exit code."""
    named = [(ExportFormat(kind), file) for kind, file in files.items() if file]
    if len(named) != 1:
        raise BadUsage("name one file: --csv, --xlsx, --parquet or --sqlite FILE")
    with as_usage():
        file, counts = export(SourcingSettings(), *named[0], tables=tables, query=query, bounds=QueryBounds())
    if as_json:
        print_json({"file": str(file), "rows": counts})
        return 0
    console.print("\n".join(f"{name}: {pluralize(count, 'row')}" for name, count in counts.items()))
    console.print(f"Wrote {file}", soft_wrap=True)
    return 0


def run_shops(*, as_json: bool) -> int:
    """Write the tracking numbers that no file for a shop has yet; answers the exit code."""
    settings = SourcingSettings()
    with Ledger(settings.ledger_url, clock=lambda: datetime.now(UTC), owner="export") as ledger:
        files = write_tracking(settings, ledger)
        waiting = waiting_words(settings, ledger)
    if as_json:
        print_json([{"file": str(file.path), "numbers": file.numbers} for file in files])
        return 0
    console.print("\n".join([*map(str, files), *waiting]) or "No shop lacks a tracking number", soft_wrap=True)
    return 0


def run_sql(query: str, *, as_json: bool, as_csv: bool = False, seconds: float = 60, memory_mb: int = 1_024) -> int:
    """Print the answer as a table, as CSV, or as a JSON array of objects; answers the exit code."""
    bounds = QueryBounds(seconds=seconds, memory_mb=memory_mb)
    if as_csv:
        print_csv(SourcingSettings(), query, bounds, sys.stdout)
        return 0
    result = sql(SourcingSettings().snapshot_root, query, bounds)
    if as_json:
        rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        print(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
    elif {*result.columns} >= DESCRIBED:
        console.print(_described(result))
    else:
        console.print(
            table_of(result.columns, (["" if value is None else str(value) for value in row] for row in result.rows))
        )
    return 0


def _described(result: QueryResult) -> Table:
    """The columns of a table, in two lines or three each: as many columns as DuckDB has would be too narrow."""
    table = Table("column", "means", show_lines=True)
    for row in result.rows:
        told = dict(zip(result.columns, row, strict=True))
        name = Text.assemble((str(told["column_name"]), "bold"), (" personal" if told["personal"] else "", "yellow"))
        kind = " · ".join(str(part) for part in (told["column_type"], told["unit"]) if part)
        table.add_row(name, Text.assemble(str(told["description"]), (f"\n{kind} · such as {told['example']}", "dim")))
    return table
