"""`sourcing sql`: DuckDB over the snapshot tables."""

from __future__ import annotations

import json

from rich.table import Table

from cli.terminal import console
from connectors.settings import SourcingSettings
from connectors.snapshots import QueryResult, sql


def run_sql(query: str, *, as_json: bool) -> int:
    """Print the answer as a table, or as a JSON array of objects; answers the exit code."""
    result = sql(SourcingSettings().snapshot_root, query)
    if as_json:
        rows = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        print(json.dumps(rows, ensure_ascii=False, indent=2, default=str))
    else:
        console.print(_table(result))
    return 0


def _table(result: QueryResult) -> Table:
    table = Table(*result.columns, header_style="bold")
    for row in result.rows:
        table.add_row(*("" if value is None else str(value) for value in row))
    return table
