"""`sourcing run`: the main job at a terminal, and its plan there."""

from __future__ import annotations

import asyncio
import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.padding import Padding
from rich.table import Table
from rich.text import Text

from cli.failures import NEEDS_A_PERSON, BadUsage, agrees, require_batch_name, require_encoding, require_time, say
from cli.running import Flow, nothing, run_flow, with_follow_ups
from cli.terminal import (
    MOST_SHOWN,
    WIDE_ENOUGH_FOR_ORDER_IDS,
    and_more,
    bars_aside,
    console,
    first_of,
    messages,
    print_json,
    show_orders,
    show_reasons,
    show_snapshot,
    state_colour,
)
from connectors.book_file import missing_file, reading_by
from connectors.fetched_files import fetch_stored, is_address
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings
from domain.money import Money
from domain.report import BatchReport, MatchLine
from domain.request_remarks import BadRequests, Remark, merged_remarks
from domain.states import OrderState
from domain.wording import first_lines, pluralize

if TYPE_CHECKING:
    from flows.approval.request import ApprovalRequest

MOST_WARNINGS = 20
PLAN = ("order", "marketplace", "goods and postage", "freight", "service", "days")


@dataclass(frozen=True, slots=True, kw_only=True)
class RunOptions:
    """The options of `sourcing run`; an empty budget is none, a zero means as the settings say.

    `file` is a path or an https address.
    """

    file: str
    dry_run: bool
    yes: bool
    budget_cny: str
    done_by: str
    batch: str | None
    encoding: str
    chunk_size: int
    concurrency: int
    helpers: int
    wait: bool


def run_batch(options: RunOptions, *, as_json: bool) -> int:
    """Run the flow and print its report; answers the exit code."""
    require_somebody("plan", "--dry-run to look only", is_given=options.dry_run or options.yes)
    require_batch_name(options.batch)
    require_encoding(options.encoding)
    require_time(options.done_by)

    file = Path(options.file)

    def read_file() -> None:
        nonlocal file
        if is_address(options.file):
            file = asyncio.run(fetch_stored(options.file, SourcingSettings()))
            say(f"fetched and kept as {file}")
        warnings = require_no_faults(file, encoding=options.encoding, as_json=as_json)
        if options.yes:
            print_warnings(warnings)  # no person is shown a plan before money is spent

    async def flow() -> BatchReport:
        from flows.buy_from_file import buy_from_file
        from flows.prefect_ui.parameters import Limits, Requests, Speed

        return await buy_from_file(
            Requests(file=str(file), encoding=options.encoding),
            options.dry_run,
            options.yes,
            options.batch or "",
            Limits(budget_cny=options.budget_cny, done_by=options.done_by),
            Speed(chunk_size=options.chunk_size, concurrency=options.concurrency, helpers=options.helpers),
        )

    looking = with_follow_ups(flow, budget_cny=options.budget_cny, done_by=options.done_by) if options.wait else flow
    return buy(looking, as_json=as_json, first=read_file, asks=not (options.yes or as_json))


def require_somebody(what: str, otherwise: str, *, is_given: bool) -> None:
    """Raise `BadUsage` where no person can be asked and no option has the answer."""
    if not (is_given or sys.stdin.isatty()):
        raise BadUsage(f"there is no terminal to approve the {what} at: add --yes, or {otherwise}")


def buy(flow: Flow, *, as_json: bool, first: Callable[[], object] = nothing, asks: bool = False) -> int:
    """Run a flow that may buy and print its report; answers the exit code. `first`: see `run_flow`.

    Where it `asks`, the person at the terminal may answer about first payments at once.
    """
    report, told = _reported(flow, first)
    print_json(report.to_json(line_as=lambda line: line)) if as_json else print_report(report)
    if asks and report.questions and sys.stdin.isatty():
        ask_about_first_payments()
    code = 0 if report.all_fine else NEEDS_A_PERSON
    if not told:
        sys.stdout.flush()
        os._exit(code)  # Prefect would wait for its lost server, seconds for each of its events
    return code


def ask_about_first_payments() -> None:
    """Ask about each first payment whose question is open; what is not answered stays open."""
    from cli.answers import confirm
    from cli.status import open_ledger
    from flows.answers.marketplaces import first_payments

    with open_ledger() as ledger:
        asked = [*first_payments(ledger)]
    for marketplace in asked:
        if agrees(f"Answer about {marketplace} now, with its console open?", yes=False):
            confirm(marketplace)


def require_no_faults(file: Path, *, encoding: str, as_json: bool) -> Sequence[Remark]:
    """Raise `BadRequests` before anything is bought; with `as_json` print every fault as the command's document.

    Answers the warnings about the file.
    """
    parsed = read_request_file(file, encoding=encoding, **asyncio.run(reading_by(SourcingSettings())))
    faults = parsed.faults
    if faults and as_json:
        print_json({"faults": [asdict(fault) for fault in faults]})
    if faults:
        raise BadRequests(faults)
    return parsed.warnings


def print_warnings(warnings: Sequence[Remark]) -> None:
    """Print the cells of the request file that were cleaned or skipped, to stderr."""
    for line in _warning_lines(warnings):
        say(f"warning: {line}")


def _warning_lines(warnings: Sequence[Remark]) -> list[str]:
    return first_lines(merged_remarks(warnings), MOST_WARNINGS, "and {more} more: see them with --json")


def _reported(flow: Flow, first: Callable[[], object]) -> tuple[BatchReport, bool]:
    """The report, and whether the Prefect server knows that the run has ended."""
    reports: list[BatchReport] = []

    async def asked() -> BatchReport:
        from flows.approval.form import approver
        from flows.batch.reporting import last_report

        last_report.set(reports)
        if sys.stdin.isatty():
            approver.set(ask)
        return await flow()

    try:
        return run_flow(asked, first=first), True
    except Exception as error:
        from connectors.ledger.engine import LedgerUnusable

        if not reports or isinstance(error, LedgerUnusable):
            raise
        say(
            f"the Prefect server went away ({type(error.__cause__ or error).__name__}): its pages don't show how this "
            "run ended. The run did end, and the ledger has everything"
        )
        return reports[-1], False


def ask(question: ApprovalRequest) -> bool:
    """Show the plan and ask the person at the terminal."""
    from flows.approval.words import AskedPlan, bare, question_words
    from tasks.engine.resources import utc_now

    plan = AskedPlan.of(question)
    table = Table(title="Plan", title_justify="left", header_style="bold")
    for name in PLAN:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    for row in plan.rows[:MOST_SHOWN]:
        table.add_row(*(row[name] for name in PLAN))
    messages.print(table)
    if rest := plan.beyond(MOST_SHOWN):
        messages.print(f"{rest} See them with --dry-run --json")
    show_matches(
        [MatchLine.of(plan.order_ref, match) for plan in question.all for match in plan.matches],
        messages,
    )
    print_warnings(question.warnings)
    asked, *about = map(bare, question_words(question, plan, SourcingSettings(), utc_now()))
    for words in about:
        messages.print(Text(words))
    with bars_aside():
        return typer.confirm(f"{asked.removesuffix('.')}?", default=False, err=True)


def print_report(report: BatchReport) -> None:
    """Print a table of every order, what was spent, and where the snapshot lies."""
    title = f"Batch {report.batch_id}" + (" (dry run: nothing was bought)" if report.dry_run else "")
    if report.dry_run:
        show_plan(title, report)
    else:
        show_orders(title, report.orders, whole="sourcing status")
    show_matches(report.matches, console)
    counts = ", ".join(f"{count:,} {state}" for state, count in report.counts.items())
    console.print(f"{pluralize(len(report.orders), 'order')}: {counts}")
    console.print(totals(report) if report.dry_run else _spent(report))
    if missing := report.missing_entries:
        file = missing_file(SourcingSettings().data_dir, report.batch_id)
        lacks = f"The SKU book lacks {pluralize(len(missing), 'own SKU')}"
        console.print(Text(f"{lacks}: fill in {file}, put its rows into the book, and run again", style="yellow"))
    for line in _warning_lines(report.warnings):
        console.print(Text(f"Warning: {line}"))
    if report.paused:
        console.print(Text(report.paused.notice, style="yellow"))
    if report.broken_off:
        console.print(Text(report.broken_off, style="yellow"))
    if report.next_look:
        console.print(Text(report.next_look.words, style="yellow"))
    for question in report.questions:
        console.print(Text(question, style="yellow"))
    for word, count in report.unknown_words.items():
        console.print(Text(f"not known: {word} ({pluralize(count, 'order')})", style="yellow"))
    show_snapshot(report.snapshot_id, report.snapshot_root, report.rejected)


def _spent(report: BatchReport) -> str:
    from flows.prefect_ui.markdown import booked_freight

    total = f"spent on this batch in all: {Money(report.spent_fen)}{booked_freight(report, ', and ')}"
    if not report.bought_this_run:
        return f"This run bought nothing; {total}"
    bought = pluralize(report.bought_this_run, "order")
    return f"This run bought {bought} for {Money(report.spent_this_run_fen)}; {total}"


def show_matches(matches: Sequence[MatchLine], where: Console) -> None:
    """One paragraph for each line found by words: what was taken, why, and how to make it certain."""
    taken = [match for match in matches if match.item_id]  # where nothing was taken, the order's own reason says so
    for match in taken[:MOST_SHOWN]:
        where.print(Padding(_line(match), (0, 0, 0, 2)))
    if len(taken) > MOST_SHOWN:
        where.print(and_more(len(taken), "--json"))


def _line(match: MatchLine) -> Text:
    price = f", from {Money(match.price_fen)}" if match.price_fen is not None else ""
    others = [item_id for item_id in match.candidates if item_id != match.item_id]
    return Text.assemble(
        (match.order_ref, "bold"),
        f" {match.words!r} was taken to mean {match.item_id} ",
        f"({match.title}{price}, sold by {match.seller}): {match.why}. ",
        f"Others: {', '.join(others)}. " if others else "",
        f"Pin with: {match.pin}",
    )


NARROW = ("order", "state", "goods and postage", "stock", "freight", "days")
WIDE = ("order", "marketplace", "state", "goods and postage", "stock", "freight", "service", "days")
NUMBERS = ("goods and postage", "stock", "freight", "days")


def show_plan(title: str, report: BatchReport) -> None:
    """One row an order, of many those that wait for a person first; below the table why some would not be bought."""
    from flows.prefect_ui.markdown import plan_rows

    table = Table(title=title, title_justify="left")
    columns = WIDE if console.width >= WIDE_ENOUGH_FOR_ORDER_IDS else NARROW
    for name in columns:
        table.add_column(name, justify="right" if name in NUMBERS else "left", no_wrap=name != "goods and postage")
    shown = replace(report, orders=first_of(report.orders))
    for row in plan_rows(shown):
        colour = state_colour(OrderState(row["state"]))
        table.add_row(*(Text(row[name], style=colour if name == "state" else "") for name in columns))
    console.print(table)
    show_reasons(shown.orders)
    if len(report.orders) > MOST_SHOWN:
        console.print(and_more(len(report.orders), "--json"))


def totals(report: BatchReport) -> str:
    """The sums of a run, in one sentence."""
    from flows.prefect_ui.markdown import dry_run_summary

    return dry_run_summary(report).replace("**", "")  # Markdown's bold is for the UI
