"""`sourcing report`, and `sourcing forget`, which erases a receiver."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer

from cli.failures import (
    COULD_NOT_RUN,
    NEEDS_A_PERSON,
    BadUsage,
    Json,
    say,
    settings_now,
)
from cli.lazily import lazily
from domain.forgetting import Erased
from domain.wording import first_lines
from flows.prefect_ui.remedy_parameters import AnsweredBy

with lazily():
    from rich import table

    from cli import status, terminal
    from connectors.ledger import forgetting, marks
    from deployments import forgetting as erasing
    from flows.report import figures, page, sections

MOST_ROWS, MOST_LINES = 10, 20
OUTSIDE = (
    "Elsewhere it stays: at the marketplace and at the warehouse, which have the address; in backups and exports "
    "outside the data folder; in your mails. docs/operating.md says more."
)


def report(
    batch: Annotated[
        str, typer.Argument(help="Of this batch; without it of everything.")
    ] = "",
    *,
    html: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE",
            help="Write it with charts, as one page that needs no network.",
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Show states, spend, savings, freight, landed cost, times, and what waits for
    you.
    """
    settings = settings_now()
    try:
        sums = figures.report(settings.snapshot_root, batch, settings.timezone)
    except figures.UnknownBatch as error:
        raise BadUsage(str(error)) from error
    if html:
        page.write_page(sums, settings.timezone, html)
    if json:
        terminal.print_json(sums.to_json())
    elif html:
        terminal.console.print(
            f"Report of {sums.orders:,} orders in {html.absolute()}", soft_wrap=True
        )
    else:
        _print_report(sums, settings.timezone)


def _print_report(sums: figures.Figures, timezone: str) -> None:
    head = f"{sections.heading(sums)}, {sections.moment(sums, timezone)}"
    terminal.console.print(head, style="bold", soft_wrap=True)
    terminal.console.print(
        "; ".join(f"{name} {value}" for name, value in sections.totals(sums))
    )
    for part in sections.sections(sums, timezone):
        if not part.on_paper:
            _print_section(part)


def _print_section(part: sections.ReportSection) -> None:
    shown = table.Table(title=part.title, title_justify="left", title_style="bold")
    for name in part.columns:
        shown.add_column(
            name,
            justify="right" if name in sections.NUMBERS else "left",
            overflow="fold",
        )
    for row in part.rows[:MOST_ROWS]:
        shown.add_row(*row, style="bold" if row[0] == sections.ALL else "")
    terminal.console.print()
    terminal.console.print(shown if part.rows else part.title)
    for words in part.words:
        terminal.console.print(words)
    if more := sections.rest(part, min(len(part.rows), MOST_ROWS)):
        terminal.console.print(more, soft_wrap=True)


def forget(
    order_ref: Annotated[
        list[str],
        typer.Argument(help="The orders whose receiver asks to be forgotten."),
    ],
    *,
    yes: Annotated[
        bool, typer.Option("--yes", "-y", help="Strike without asking.")
    ] = False,
    by: AnsweredBy = "",
    json: Json = False,
) -> int:
    """Erase a receiver's name, phone, e-mail and address from all that is kept here;
    the order itself stays.
    """
    refs = list(dict.fromkeys(order_ref))
    with status.open_ledger() as ledger:
        if marks.Mark.MOVED in ledger.marks.standing():
            say(
                "this ledger was moved and still has that receiver: delete it once every program uses the new one"
            )
        ledger.marks.require_in_use()
        try:
            standing = [
                stands for ref in refs if (stands := ledger.forgotten.standing(ref))
            ]
            for stands in standing:
                forgetting.require_over(stands)
            _require_yes(
                refs,
                [stands.order_ref for stands in standing if stands.never_begun],
                yes=yes,
            )
            erasure = erasing.forget(
                settings_now(), ledger, refs, by=by or terminal.person()
            )
        except forgetting.StillNeeded as error:
            say(str(error))
            return COULD_NOT_RUN
    if json:
        terminal.print_json({"orders": refs, **asdict(erasure)})
    else:
        _show_erased(refs, erasure)
    return NEEDS_A_PERSON if erasure.left else 0


def _require_yes(
    order_refs: Sequence[str], unordered: Sequence[str], *, yes: bool
) -> None:
    if yes:
        return
    if not sys.stdin.isatty():
        raise BadUsage(
            "there is no terminal to ask whether to forget the receiver: add --yes"
        )
    never = (
        f" Nothing of {', '.join(unordered)} was ordered, and nothing will be."
        if unordered
        else ""
    )
    words = f"Strike name, phone, e-mail and address of {', '.join(order_refs)} for good?{never} This can't be undone"
    typer.confirm(words, default=False, abort=True, err=True)


def _show_erased(order_refs: Sequence[str], erasure: Erased) -> None:
    words = f"Forgotten: the receiver of {', '.join(order_refs)}. Orders stay in the ledger, with their amounts."
    terminal.console.print(words, soft_wrap=True)
    _list("Struck also from", erasure.erased)
    _list("Left, and to be checked", erasure.left)
    _list(
        "May name them until", [f"{day}: {what}" for what, day in erasure.ends.items()]
    )
    _list("Not this program's to change", erasure.elsewhere)
    terminal.console.print(OUTSIDE, soft_wrap=True)


def _list(title: str, lines: list[str]) -> None:
    if lines:
        terminal.console.print(f"{title}:")
    for line in first_lines(lines, MOST_LINES, "and {more} more: see them with --json"):
        terminal.console.print(
            f"  {line}", soft_wrap=True, highlight=False, markup=False
        )
