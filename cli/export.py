"""Results at a terminal: tables as files, answers to queries, and what orders
cost.
"""

from __future__ import annotations

import sys
from json import dumps
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import NEEDS_A_PERSON, BadUsage, Json, as_usage, settings_now
from cli.lazily import lazily
from domain.cost_report import CostReport
from domain.wording import pluralize

with lazily():
    from rich import table, text

    from cli import running, terminal
    from connectors import export_formats, exports
    from connectors.snapshots import reader
    from flows import costs as costing
    from flows.prefect_ui import parameters

DESCRIBED = {"column_name", "column_type", "description", "unit", "example", "personal"}


def export(
    tables: Annotated[
        list[str] | None,
        typer.Argument(help="Tables, such as orders; without them all."),
    ] = None,
    *,
    sql: Annotated[
        str,
        typer.Option(metavar="QUERY", help="In their place the answer to this query."),
    ] = "",
    csv: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write CSV: one table.")
    ] = None,
    xlsx: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write a sheet a table.")
    ] = None,
    parquet: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write Parquet: one table.")
    ] = None,
    json: Json = False,
) -> int:
    """Write tables for other programs: amounts in their currency, times of
    SOURCING_TIMEZONE, ids as text.
    """
    files = {"csv": csv, "xlsx": xlsx, "parquet": parquet}
    named = [
        (export_formats.ExportFormat(kind), file)
        for kind, file in files.items()
        if file
    ]
    if len(named) != 1:
        raise BadUsage("name one file: --csv, --xlsx or --parquet FILE")
    bounds = reader.QueryBounds()
    with as_usage():
        file, counts = exports.export(
            settings_now(), *named[0], tables=tables or [], query=sql, bounds=bounds
        )
    if json:
        terminal.print_json({"file": str(file), "rows": counts})
        return 0
    terminal.console.print(
        "\n".join(
            f"{name}: {pluralize(count, 'row')}" for name, count in counts.items()
        )
    )
    terminal.console.print(f"Wrote {file}", soft_wrap=True)
    return 0


def sql(
    query: Annotated[
        str,
        typer.Argument(
            help='A query, such as "select state, count(*) from orders group by all".'
        ),
    ],
    *,
    csv: Annotated[
        bool, typer.Option("--csv", help="Print CSV, as export writes it.")
    ] = False,
    json: Json = False,
) -> None:
    """Ask the snapshots: a view per table with the newest row of each key, and
    <table>_history.
    """
    bounds = reader.QueryBounds()
    if csv:
        exports.print_csv(settings_now(), query, bounds, sys.stdout)
        return
    result = reader.sql(settings_now().snapshot_root, query, bounds)
    if json:
        answer = [dict(zip(result.columns, row, strict=True)) for row in result.rows]
        print(dumps(answer, ensure_ascii=False, indent=2, default=str))
    elif {*result.columns} >= DESCRIBED:
        terminal.console.print(_described(result))
    else:
        rows = (
            ["" if value is None else str(value) for value in row]
            for row in result.rows
        )
        terminal.console.print(terminal.table_of(result.columns, rows))


def _described(result: reader.QueryResult) -> table.Table:
    """The columns of a table, in two lines or three each: as many columns as DuckDB has
    would be too narrow.
    """
    listing = table.Table("column", "means", show_lines=True)
    assemble = text.Text.assemble
    for row in result.rows:
        cells = dict(zip(result.columns, row, strict=True))
        name = assemble(
            (str(cells["column_name"]), "bold"),
            (" personal" if cells["personal"] else "", "yellow"),
        )
        kind = " · ".join(
            str(detail) for detail in (cells["column_type"], cells["unit"]) if detail
        )
        listing.add_row(
            name,
            assemble(
                str(cells["description"]),
                (f"\n{kind} · such as {cells['example']}", "dim"),
            ),
        )
    return listing


def costs(
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="DAY", help="Only orders paid on this day or later: 2026-11-01."
        ),
    ] = "",
    json: Json = False,
) -> int:
    """What every paid order cost in all, line by line: goods, postage, fees, freight,
    less what came back.
    """
    since = parameters.a_day(since, "--since")  # before a server is started
    report = running.run_flow(lambda: costing.compute_costs(since))
    if json:
        terminal.print_json(report.to_json())
    else:
        show_costs(report)
    return 0 if report.all_fine else NEEDS_A_PERSON


def show_costs(report: CostReport) -> None:
    """Show the sums of each batch, the orders without a sum, and the files."""
    terminal.show_markdown(costing.markdown(report))
    terminal.console.print(report.summary)
    for note in report.notes:
        terminal.warn(note)
    terminal.show_snapshot(report.snapshot_id, report.snapshot_root)
