"""`sourcing sql`: DuckDB over the snapshot tables."""

from __future__ import annotations

import json
import sys

from rich.table import Table
from rich.text import Text

from cli.terminal import console, table_of
from connectors.exports import print_csv
from connectors.settings import SourcingSettings
from connectors.snapshots import QueryResult, sql
from connectors.snapshots.reader import QueryBounds

DESCRIBED = {"column_name", "column_type", "description", "unit", "example", "personal"}


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
