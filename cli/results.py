"""The commands for results, and for erasing a receiver: costs, report, export, diff, forget."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, BadUsage, Json, command, say
from domain.wording import first_lines
from flows.prefect_ui.remedy_parameters import AnsweredBy

if TYPE_CHECKING:
    from domain.forgetting import Erased
    from flows.report.figures import Figures
    from flows.report.sections import ReportSection

app = typer.Typer()

MOST_ROWS, MOST_LINES = 10, 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which have the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


@command(app)
def costs(
    *,
    since: Annotated[str, typer.Option(metavar="DAY", help="Only orders paid on this day or later: 2026-11-01.")] = "",
    currency: Annotated[str, typer.Option(metavar="CODE", help="Instead of SOURCING_CURRENCY, for this look.")] = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Instead of exports/ in the data folder.")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="The same for the sheet.")] = None,
    json: Json = False,
) -> int:
    """What every paid order cost in all, line by line: goods, postage, fees, freight, less what came back."""
    from cli.export import run_costs

    files = [str(file.absolute()) if file else "" for file in (csv, xlsx)]
    return run_costs(since, currency, *files, as_json=json)


@command(app)
def report(
    batch: Annotated[str, typer.Argument(help="Of this batch; without it of everything.")] = "",
    *,
    html: Annotated[
        Path | None, typer.Option(metavar="FILE", help="Write it with charts, as one page that needs no network.")
    ] = None,
    json: Json = False,
) -> None:
    """Show states, spend, savings, freight, landed cost, times, and what waits for you."""
    from cli.terminal import console, print_json
    from connectors.settings import SourcingSettings
    from flows.report import figures
    from flows.report.page import write_page

    settings = SourcingSettings()
    try:
        told = figures.report(settings.snapshot_root, batch, settings.timezone)
    except figures.UnknownBatch as error:
        raise BadUsage(str(error)) from error
    if html:
        write_page(told, settings.timezone, html)
    if json:
        print_json(told.to_json())
    elif html:
        console.print(f"Report of {told.orders:,} orders in {html.absolute()}", soft_wrap=True)
    else:
        _print_report(told, settings.timezone)


def _print_report(figures: Figures, timezone: str) -> None:
    from cli.terminal import console
    from flows.report.sections import heading, moment, sections, totals

    console.print(f"{heading(figures)}, {moment(figures, timezone)}", style="bold", soft_wrap=True)
    console.print("; ".join(f"{name} {value}" for name, value in totals(figures)))
    for part in sections(figures, timezone):
        if not part.on_paper:
            _print_section(part)


def _print_section(part: ReportSection) -> None:
    from rich.table import Table

    from cli.terminal import console
    from flows.report.sections import ALL, NUMBERS, rest

    table = Table(title=part.title, title_justify="left", title_style="bold")
    for name in part.columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for row in part.rows[:MOST_ROWS]:
        table.add_row(*row, style="bold" if row[0] == ALL else "")
    console.print()
    console.print(table if part.rows else part.title)
    for words in part.words:
        console.print(words)
    if more := rest(part, min(len(part.rows), MOST_ROWS)):
        console.print(more, soft_wrap=True)


@command(app)
def export(
    tables: Annotated[list[str] | None, typer.Argument(help="Tables, such as orders; without them all.")] = None,
    *,
    sql: Annotated[str, typer.Option(metavar="QUERY", help="In their place the answer to this query.")] = "",
    csv: Annotated[Path | None, typer.Option(metavar="FILE", help="Write CSV: one table.")] = None,
    xlsx: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a sheet a table.")] = None,
    parquet: Annotated[Path | None, typer.Option(metavar="FILE", help="Write Parquet: one table.")] = None,
    sqlite: Annotated[Path | None, typer.Option(metavar="FILE", help="Write a SQLite database.")] = None,
    shops: Annotated[
        bool, typer.Option("--shops", help="Instead the tracking numbers that shops lack, a file a shop.")
    ] = False,
    json: Json = False,
) -> int:
    """Write tables for other programs: amounts in their currency, times of SOURCING_TIMEZONE, ids as text."""
    from cli.export import run_export, run_shops

    if shops:
        if tables or sql or csv or xlsx or parquet or sqlite:
            raise BadUsage("--shops takes no table, query or file: it names its files itself")
        return run_shops(as_json=json)
    files = {"csv": csv, "xlsx": xlsx, "parquet": parquet, "sqlite": sqlite}
    return run_export(tables or [], sql, files, as_json=json)


@command(app)
def forget(
    order_ref: Annotated[list[str], typer.Argument(help="The orders whose receiver asks to be forgotten.")],
    *,
    yes: Annotated[bool, typer.Option("--yes", "-y", help="Strike without asking.")] = False,
    by: AnsweredBy = "",
    json: Json = False,
) -> int:
    """Erase a receiver's name, phone, e-mail and address from all that is kept here; the order itself stays."""
    from cli.status import open_ledger
    from cli.terminal import person, print_json
    from connectors.ledger.forgetting import StillNeeded, require_over
    from connectors.ledger.marks import Mark
    from connectors.settings import SourcingSettings
    from deployments.forgetting import forget as erase

    refs = list(dict.fromkeys(order_ref))
    with open_ledger() as ledger:
        if Mark.MOVED in ledger.marks.standing():
            say("this ledger was moved and still has that receiver: delete it once every program uses the new one")
        ledger.marks.require_in_use()
        try:
            standing = [stands for ref in refs if (stands := ledger.forgotten.standing(ref))]
            for stands in standing:
                require_over(stands)
            _require_yes(refs, [stands.order_ref for stands in standing if stands.never_begun], yes=yes)
            erasure = erase(SourcingSettings(), ledger, refs, by=by or person())
        except StillNeeded as error:
            say(str(error))
            return COULD_NOT_RUN
    if json:
        print_json({"orders": refs, **asdict(erasure)})
    else:
        _show_erased(refs, erasure)
    return NEEDS_A_PERSON if erasure.left else 0


def _require_yes(order_refs: Sequence[str], unordered: Sequence[str], *, yes: bool) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage("there is no terminal to ask whether to forget the receiver: add --yes")
    never = f" Nothing of {', '.join(unordered)} was ordered, and nothing will be." if unordered else ""
    words = f"Strike name, phone, e-mail and address of {', '.join(order_refs)} for good?{never} This can't be undone"
    typer.confirm(words, default=False, abort=True, err=True)


def _show_erased(order_refs: Sequence[str], erasure: Erased) -> None:
    from cli.terminal import console

    words = f"Forgotten: the receiver of {', '.join(order_refs)}. Orders stay in the ledger, with their amounts."
    console.print(words, soft_wrap=True)
    _list("Struck also from", erasure.erased)
    _list("Left, and to be checked", erasure.left)
    _list("May name them until", [f"{day}: {what}" for what, day in erasure.ends.items()])
    _list("Not this program's to change", erasure.elsewhere)
    console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    from cli.terminal import console

    if lines:
        console.print(f"{title}:")
    for line in first_lines(lines, MOST_LINES, "and {more} more: see them with --json"):
        console.print(f"  {line}", soft_wrap=True, highlight=False, markup=False)


@command(app)
def diff(
    table: Annotated[str, typer.Argument(help="A table of the snapshots, such as offers or orders.")],
    *,
    since: Annotated[
        str,
        typer.Option(
            metavar="WHEN", help="A time such as 06:00, 2026-11-26 or '2026-11-26 06:00', 12h, 7d, or a snapshot."
        ),
    ] = "1d",
    until: Annotated[str, typer.Option(metavar="WHEN", help="The same; without it now.")] = "",
    json: Json = False,
) -> int:
    """What changed in a table: new offers, prices, stock gone and back, states of orders."""
    from cli.diff import show_diff

    return show_diff(table, since=since, until=until, as_json=json)
