"""Results at a terminal: tables as files, tracking numbers for shops, answers to queries, and what orders cost."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.failures import NEEDS_A_PERSON, BadUsage, as_usage
from cli.terminal import MOST_SHOWN, and_more, console, print_json, show_snapshot, table_of, warn
from connectors.export_formats import ExportFormat
from connectors.exports import export, print_csv
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.reader import QueryBounds, QueryResult, sql
from connectors.tracking_files import waiting_words, write_tracking
from domain.cost_report import CostReport, OrderCost, sum_of
from domain.money import Money
from domain.wording import pluralize, shorten

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


ORDERS = ("order", "lines", "goods, postage, fees", "freight", "in all")
SUMS = ("batch", "orders", "goods, postage, fees", "freight", "in all", "without a sum")


def run_costs(since: str, currency: str, csv: str, xlsx: str, *, as_json: bool) -> int:
    """Run the flow, print orders and sums; answers the exit code."""
    from cli.running import run_flow
    from flows.prefect_ui.parameters import a_currency, a_day

    since, currency = a_day(since, "--since"), a_currency(currency, "--currency")  # before a server is started

    async def flow() -> CostReport:
        from flows.costs import compute_costs

        return await compute_costs(since, currency, csv, xlsx)

    report = run_flow(flow)
    if as_json:
        print_json(report.to_json())
    else:
        show_costs(report)
    return 0 if report.all_fine else NEEDS_A_PERSON


def show_costs(report: CostReport) -> None:
    """Show the orders, those without a sum first where there are many; the reasons; the sums of each batch."""
    orders = report.orders
    if len(orders) > MOST_SHOWN:
        orders = sorted(orders, key=lambda order: not order.problem)[:MOST_SHOWN]
    rows = (
        (order.order_ref, str(order.lines), str(order.net_paid), str(order.freight or ""), _landed(order))
        for order in orders
    )
    console.print(table_of(ORDERS, rows, title="What orders cost", right=ORDERS[1:], no_wrap=True))
    if len(report.orders) > MOST_SHOWN:
        console.print(and_more(len(report.orders), "--json, or in the files"))
    _show_problems(report)
    console.print(Padding(_sums(report), (1, 0)))
    for note in report.notes:
        warn(note)
    console.print("\n".join(f"For the books: {path}" for path in (report.csv, report.xlsx) if path), soft_wrap=True)
    show_snapshot(report.snapshot_id, report.snapshot_root)


def _landed(order: OrderCost) -> Text:
    return Text(str(order.landed), style="green") if order.landed else Text("no sum", style="yellow")


def _show_problems(report: CostReport) -> None:
    for problem, refs in report.problems.items():
        words = Text.assemble((shorten(refs), "bold"), (" no sum", "yellow"), f": {problem}")
        console.print(Padding(words, (0, 0, 0, 2)))


def _sums(report: CostReport) -> Table:
    whole = sum_of("all", report.orders, report.currency)
    rows = (
        (
            one.batch_id,
            f"{one.orders:,}",
            _lines(one.net_paid),
            _lines(one.freight),
            str(one.landed or ""),
            f"{one.open:,}" if one.open else "",
        )
        for one in ([*report.sums, whole] if len(report.sums) > 1 else report.sums)
    )
    return table_of(SUMS, rows, title="Sums", right=SUMS[1:], no_wrap=True)


def _lines(amounts: Iterable[Money]) -> str:
    return "\n".join(map(str, amounts))
