"""The cost of every paid order: computed, kept in the table `landed_costs`, written for
the books, and shown.
"""

from __future__ import annotations

import asyncio
import json
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
from prefect.artifacts import acreate_markdown_artifact

from connectors.book_file import read_rates
from connectors.durable import put
from connectors.exports import cost_lines
from connectors.settings import SourcingSettings
from connectors.snapshots.rejecting import rejected_in
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
from flows.prefect_ui.parameters import (
    BooksCurrency,
    CsvFile,
    NewsOnly,
    SheetFile,
    SinceDay,
    a_currency,
    a_day,
)
from tasks.engine.resources import Resources, open_resources
from tasks.landed_cost import (
    UNKNOWN,
    cost_of,
    months,
    moved_or_open,
    of_month,
    snapshot_costs,
    with_stored,
)
from tasks.moved_costs import CostMark, in_parts, moved_orders, read_mark

MOST_LISTED = 50
MONTHLY = re.compile(rf"(?P<name>.*)-(?P<month>[0-9]{{4}}-[0-9]{{2}}|{UNKNOWN})")
"""The name of a month's file."""
NO_SHEET = ", without a sheet"


@dataclass(frozen=True, slots=True)
class CostFiles:
    """Where the files for the books go; empty is the data folder."""

    csv: str = ""
    xlsx: str = ""

    def paths(self, folder: Path, name: str) -> tuple[Path, Path]:
        """The two files. `name` keeps apart what is in another currency, or of other
        days.
        """
        return Path(self.csv or folder / f"{name}.csv"), Path(
            self.xlsx or folder / f"{name}.xlsx"
        )


async def cost(
    resources: Resources,
    books: Books,
    since: str,
    files: CostFiles,
    *,
    news_only: bool = False,
) -> CostReport:
    """Compute the orders that may have moved; show and write all that were paid on the
    day `since` or later.

    With `news_only` and no day or file those that moved are shown, and written as files
    of their months. In another currency than the settings' all are computed, and the
    table stays as it is: a report does not change the books.
    """
    settings, root = resources.settings, resources.settings.snapshot_root
    as_of = resources.clock()  # a moment before the tables are read
    is_kept, path = (
        books.currency == settings.currency,
        settings.data_dir / "costs.json",
    )
    mark = await asyncio.to_thread(CostMark.of, root, books, settings.timezone, as_of)
    refs = (
        await asyncio.to_thread(moved_orders, root, read_mark(path), mark)
        if is_kept
        else None
    )
    parts = await asyncio.to_thread(in_parts, root, refs)
    computed = await cost_of(
        root, books, settings.timezone, books.currency or "no currency", parts
    )
    snapshot_id = (
        await snapshot_costs(resources, computed, as_of, parts, mark.newest)
        if is_kept
        else None
    )
    if is_kept:
        now = await asyncio.to_thread(
            CostMark.of, root, books, settings.timezone, as_of
        )
        await asyncio.to_thread(now.write, path)
    rejected = rejected_in(root, snapshot_id).words if snapshot_id else ""
    notes = [rejected] if rejected else []
    report = CostReport(
        currency=books.currency,
        since=since,
        notes=notes,
        snapshot_id=snapshot_id,
        snapshot_root=str(root),
    )
    name = "-".join(
        ["landed-costs", *filter(None, [books.currency, since and f"since-{since}"])]
    )
    if is_kept and news_only and not (since or files.csv or files.xlsx):
        return await asyncio.to_thread(_news, settings.data_dir, report, name)
    costs = await asyncio.to_thread(with_stored, root, computed, refs, since)
    csv, xlsx = files.paths(settings.data_dir / "exports", name)
    if too_long := await asyncio.to_thread(_write, costs, csv, xlsx):
        notes = [too_long, *notes]
    orders, sheet = orders_of(_each(costs)), None if too_long else str(xlsx)
    return replace(report, orders=orders, notes=notes, csv=str(csv), xlsx=sheet)


def _news(folder: Path, report: CostReport, name: str) -> CostReport:
    """The report with what has moved, once each month that differs from its files is
    written.
    """
    root, known_at = Path(report.snapshot_root), folder / "cost-files.json"
    known, now, notes, written = (
        _known_files(known_at),
        months(root),
        list(report.notes),
        list[str](),
    )
    of_these = [MONTHLY.fullmatch(file) for file in known]
    for month in sorted(
        {*now, *(file["month"] for file in of_these if file and file["name"] == name)}
    ):
        csv, xlsx = CostFiles().paths(folder / "exports", f"{name}-{month}")
        if month not in now:
            del known[csv.stem]
            csv.unlink(missing_ok=True)
            xlsx.unlink(missing_ok=True)
        elif not csv.exists() or known.get(csv.stem) != now[month] + (
            "" if xlsx.exists() else NO_SHEET
        ):
            too_long = _write(of_month(root, month), csv, xlsx)
            notes += [f"{month}: {too_long}"] if too_long else []
            written += [str(csv), *([] if too_long else [str(xlsx)])]
            known[csv.stem] = now[month] + (NO_SHEET if too_long else "")
    put(known_at, json.dumps(known).encode())
    orders = orders_of(_each(moved_or_open(root, report.snapshot_id, report.currency)))
    return replace(report, orders=orders, notes=notes, is_news=True, months=written)


def _known_files(path: Path) -> dict[str, str]:
    """What the files of months were made of; nothing where that is not known, and they
    are written anew.
    """
    try:
        known = json.loads(path.read_text())
    except (OSError, ValueError):
        known = None
    return known if isinstance(known, dict) else {}


def _each(costs: pa.Table) -> Iterator[dict[str, Any]]:
    return (
        row for some in costs.to_batches(RECORDS_AT_ONCE) for row in some.to_pylist()
    )


def _write(costs: pa.Table, csv: Path, xlsx: Path) -> str:
    lines = cost_lines(costs)
    write_csv(csv, lines)
    if len(costs) > MOST_SHEET_ROWS:
        xlsx.unlink(missing_ok=True)  # its sums are old by now
        return f"{len(costs):,} lines are more than a sheet of Excel has: give --since, or use the CSV"
    write_xlsx(xlsx, [lines])
    return ""


async def report_costs(report: CostReport) -> None:
    """Log what a person must check, and show the sums in the Prefect UI."""
    for why, refs in list(report.problems.items())[:MOST_LISTED]:
        run_logger().warning("No sum for %s: %s", shorten(refs), why)
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
        f"- {shorten(refs)}: {inert(why)}"
        for why, refs in list(report.problems.items())[:MOST_LISTED]
    ]
    files = [
        f"- `{path}`" for path in (*report.months, report.csv, report.xlsx) if path
    ]
    span = (
        " that moved, or have no sum"
        if report.is_news
        else f" since {report.since}"
        if report.since
        else ""
    )
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
    return "<br>".join(map(str, amounts))


@sourcing_flow("what orders cost")
async def compute_costs(
    since: SinceDay = "",
    currency: BooksCurrency = "",
    csv_file: CsvFile = "",
    sheet: SheetFile = "",
    news_only: NewsOnly = False,  # noqa: FBT002 - a box of a form
) -> CostReport:
    """What each line of every paid order cost in all: goods, postage, fees, freight,
    less discounts and refunds.

    In the currency of your books, at your own rates: SOURCING_RATES names the file. An
    order whose rate is missing or older than 7 days gets no sum, and that is said. Asks
    the service nothing, and changes no order.
    """
    settings, since = SourcingSettings(), a_day(since)
    books = Books(
        a_currency(currency) or settings.currency, read_rates(settings.rates_file)
    )
    async with open_resources(settings, XportcnSettings()) as resources:
        report = await cost(
            resources, books, since, CostFiles(csv_file, sheet), news_only=news_only
        )
    await report_costs(report)
    return report
