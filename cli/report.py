"""`sourcing report`: the figures of a batch, or of everything, from the snapshots."""

from __future__ import annotations

from pathlib import Path

from rich.table import Table

from cli.failures import BadUsage
from cli.terminal import console, print_json
from connectors.settings import SourcingSettings
from flows.report.figures import Figures, UnknownBatch, report
from flows.report.page import write_page
from flows.report.sections import ALL, NUMBERS, ReportSection, heading, moment, rest, sections, totals

MOST_SHOWN = 10


def show_report(batch: str, html: Path | None, *, as_json: bool) -> int:
    """Print the figures, or write them as a page; answers the exit code. Raises `BadUsage` for an unknown batch."""
    settings = SourcingSettings()
    try:
        told = report(settings.snapshot_root, batch, settings.timezone)
    except UnknownBatch as error:
        raise BadUsage(str(error)) from error
    if html:
        write_page(told, settings.timezone, html)
    if as_json:
        print_json(told.to_json())
    elif html:
        console.print(f"Report of {told.orders:,} orders in {html.absolute()}", soft_wrap=True)
    else:
        _print(told, settings.timezone)
    return 0


def _print(figures: Figures, timezone: str) -> None:
    console.print(f"{heading(figures)}, {moment(figures, timezone)}", style="bold", soft_wrap=True)
    console.print("; ".join(f"{name} {value}" for name, value in totals(figures)))
    for part in sections(figures, timezone):
        if not part.on_paper:
            _print_section(part)


def _print_section(part: ReportSection) -> None:
    table = Table(title=part.title, title_justify="left", title_style="bold")
    for name in part.columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", overflow="fold")
    for row in part.rows[:MOST_SHOWN]:
        table.add_row(*row, style="bold" if row[0] == ALL else "")
    console.print()
    console.print(table if part.rows else part.title)
    for words in part.words:
        console.print(words)
    if more := rest(part, min(len(part.rows), MOST_SHOWN)):
        console.print(more, soft_wrap=True)
