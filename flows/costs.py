"""The cost of every paid order: computed, kept in the table `landed_costs`, written for
the books, and shown.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path

import pyarrow as pa
from prefect.artifacts import acreate_markdown_artifact
from pyarrow.compute import field

from connectors.book_file import read_rates
from connectors.exports import cost_lines
from connectors.settings import SourcingSettings
from connectors.snapshots.rows import RECORDS_AT_ONCE
from connectors.table_files import MOST_SHEET_ROWS, write_csv, write_xlsx
from connectors.xportcn.settings import XportcnSettings
from domain.cost_report import CostReport, orders_of
from domain.landed import Books
from domain.money import Money
from domain.wording import shorten
from flows.prefect_ui.artifacts import MOST_ROWS, show_table, with_what_waits
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.markdown import inert
from flows.prefect_ui.parameters import SinceDay, a_day
from tasks.engine.resources import Resources, open_resources
from tasks.landed_cost import cost_of, snapshot_costs

MOST_LISTED = 50


async def cost(resources: Resources, books: Books, since: str) -> CostReport:
    """Compute what all paid orders cost; show and write those that were paid on the day
    `since` or later, or on no known day.
    """
    settings = resources.settings
    root = resources.settings.snapshot_root
    as_of = resources.clock()  # a moment before the tables are read
    costs = await cost_of(
        root, books, settings.timezone, books.currency or "no currency"
    )
    snapshot_id = await snapshot_costs(resources, costs, as_of)
    paid_on = field("paid_on")
    costs = costs.filter(paid_on.is_null() | (paid_on >= since))
    name = "-".join(
        ["landed-costs", *filter(None, [books.currency, since and f"since-{since}"])]
    )
    csv = settings.data_dir / "exports" / f"{name}.csv"
    xlsx = csv.with_suffix(".xlsx")
    too_long = await asyncio.to_thread(_write, costs, csv, xlsx)
    rows = (
        row for batch in costs.to_batches(RECORDS_AT_ONCE) for row in batch.to_pylist()
    )
    return CostReport(
        currency=books.currency,
        since=since,
        orders=orders_of(rows),
        notes=[too_long] if too_long else [],
        csv=str(csv),
        xlsx=None if too_long else str(xlsx),
        snapshot_id=snapshot_id,
        snapshot_root=str(root),
    )


def _write(costs: pa.Table, csv: Path, xlsx: Path) -> str:
    write_csv(csv, cost_lines(costs))
    if len(costs) > MOST_SHEET_ROWS:
        xlsx.unlink(missing_ok=True)  # its sums are old by now
        return f"{len(costs):,} lines are more than a sheet of Excel has: give --since, or use the CSV"
    write_xlsx(xlsx, [cost_lines(costs)])
    return ""


async def report_costs(report: CostReport) -> None:
    """Log what a person must check, and show the sums in the Prefect UI."""
    for reason, refs in list(report.problems.items())[:MOST_LISTED]:
        run_logger().warning("No sum for %s: %s", shorten(refs), reason)
    for note in report.notes:
        run_logger().warning("%s", note)
    run_logger().info("%s", report.summary)
    await best_effort("the costs", _show(report))


async def _show(report: CostReport) -> None:
    rows = [
        {
            "order": order.order_ref,
            "batch": order.batch_id,
            "lines": order.lines,
            "goods, postage, fees": str(order.net_paid),
            "freight": str(order.freight or ""),
            "in all": str(order.landed or ""),
            "no sum, since": order.problem,
        }
        for order in sorted(report.orders, key=lambda order: not order.problem)[
            :MOST_ROWS
        ]
    ]
    await show_table("costs", rows, report.summary, of=len(report.orders))
    await acreate_markdown_artifact(
        key="costs-summary",
        markdown=with_what_waits(markdown(report)),
        description=report.summary,
    )
    await rename_run(f"costs: {report.summary}")


def markdown(report: CostReport) -> str:
    """Sums by batch, orders without a sum, and the paths of the files."""
    sums = "".join(
        f"| {one.batch_id} | {one.orders:,} | {_lines(one.net_paid)} | {_lines(one.freight)} | {one.landed or ''} "
        f"| {one.open or ''} |\n"
        for one in report.sums
    )
    open_ = [
        f"- {shorten(refs)}: {inert(reason)}"
        for reason, refs in list(report.problems.items())[:MOST_LISTED]
    ]
    files = [f"- `{path}`" for path in (report.csv, report.xlsx) if path]
    span = f" since {report.since}" if report.since else ""
    return "\n\n".join(
        [
            f"# What orders cost{span}",
            "| batch | orders | goods, postage, fees | freight | in all | without a sum |\n|---|--:|--:|--:|--:|--:|\n"
            + sums,
            *(["## No sum\n\n" + "\n".join(open_)] if open_ else []),
            *(["## For the books\n\n" + "\n".join(files)] if files else []),
        ]
    )


def _lines(amounts: Iterable[Money]) -> str:
    return ", ".join(map(str, amounts))


@sourcing_flow("what orders cost")
async def compute_costs(since: SinceDay = "") -> CostReport:
    """What each line of every paid order cost in all: goods, postage, fees, freight,
    less discounts and refunds.

    In the currency of your books, at your own rates: SOURCING_RATES names the file. An
    order whose rate is missing or older than 7 days gets no sum, and that is said. Asks
    the service nothing, and changes no order.
    """
    settings = SourcingSettings()
    since = a_day(since)
    books = Books(settings.currency, read_rates(settings.rates_file))
    async with open_resources(settings, XportcnSettings()) as resources:
        report = await cost(resources, books, since)
    await report_costs(report)
    return report
