"""`sourcing costs`: the landed cost of orders, at a terminal."""

from __future__ import annotations

from collections.abc import Iterable

from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.failures import NEEDS_A_PERSON, as_usage
from cli.running import run_flow
from cli.terminal import MOST_SHOWN, and_more, console, print_json, show_snapshot, table_of, warn
from domain.cost_report import CostReport, OrderCost, sum_of
from domain.money import Money
from domain.wording import shorten

ORDERS = ("order", "lines", "goods, postage, fees", "freight", "in all")
SUMS = ("batch", "orders", "goods, postage, fees", "freight", "in all", "without a sum")


def run_costs(since: str, currency: str, csv: str, xlsx: str, *, as_json: bool) -> int:
    """Run the flow, print orders and sums; answers the exit code."""
    with as_usage():
        since, currency = _checked(since, currency)

    async def flow() -> CostReport:
        from flows.costs import compute_costs

        return await compute_costs(since, currency, csv, xlsx)

    report = run_flow(flow)
    if as_json:
        print_json(report.to_json())
    else:
        show(report)
    return 0 if report.all_fine else NEEDS_A_PERSON


def _checked(since: str, currency: str) -> tuple[str, str]:
    from datetime import date

    from domain.cell_table import currency_code

    try:
        day = date.fromisoformat(since).isoformat() if since else ""
    except ValueError as error:
        raise ValueError(f"--since {since}: not a day such as 2026-11-01") from error
    return day, currency_code(currency) if currency else ""


def show(report: CostReport) -> None:
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
