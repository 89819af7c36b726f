"""`sourcing run`: the main job at a terminal."""

from __future__ import annotations

import json
import os
import sys
from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Any

import typer
from rich.table import Table
from rich.text import Text

from cli.failures import BAD_USAGE, NEEDS_A_PERSON, say
from cli.matches import show_matches
from cli.options import as_given, is_amount, is_encoding
from cli.plan import NUMBERS, show_plan, totals
from cli.running import run_flow
from cli.terminal import MOST_SHOWN, and_more, console, messages, show_orders
from connectors.ledger.engine import LedgerUnusable
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings
from domain.bad_requests import BadRequests
from domain.money import Money
from domain.plan import freight_sums
from domain.report import BATCH_ID, BatchReport
from domain.request_remarks import Remark, told_together
from domain.wording import number_of

if TYPE_CHECKING:
    from flows.approval import ApprovalRequest
MOST_WARNINGS = 20
PLAN = ("order", "marketplace", "goods and postage", "freight", "service", "days")


def run_batch(
    file: Path,
    *,
    batch: str | None,
    dry_run: bool,
    yes: bool,
    budget_cny: str | None,
    encoding: str,
    chunk_size: int | None,
    concurrency: int | None,
    as_json: bool,
) -> int:
    """Run the flow and print its report; answers the exit code."""
    if not (dry_run or yes or sys.stdin.isatty()):
        say("nobody can be asked to approve the plan here: add --yes, or --dry-run to look only")
        return BAD_USAGE
    if not is_amount("--budget-cny", budget_cny):
        return BAD_USAGE
    if batch is not None and not BATCH_ID.fullmatch(batch):
        say(f"--batch {batch}: use up to 100 letters, digits, '.', '_' and '-', the first a letter or digit")
        return BAD_USAGE
    if not is_encoding(encoding):
        return BAD_USAGE
    warnings = require_no_faults(file, encoding=encoding, as_json=as_json)
    if yes:
        say_warnings(warnings)  # nobody is shown a plan before money is spent
    report, told = _reported(
        requests={"file": str(file), "encoding": encoding},
        batch=batch or "",
        dry_run=dry_run,
        yes=yes,
        limits={"budget_cny": as_given(budget_cny)},
        speed={"chunk_size": chunk_size or 0, "concurrency": concurrency or 0},
    )
    if as_json:
        print(json.dumps(report.to_json(), ensure_ascii=False, indent=2))
    else:
        print_report(report)
    code = 0 if report.all_fine else NEEDS_A_PERSON
    if not told:
        sys.stdout.flush()
        os._exit(code)  # Prefect would wait for its lost server, seconds for each of its events
    return code


def require_no_faults(file: Path, *, encoding: str, as_json: bool) -> Sequence[Remark]:
    """Raise `BadRequests` before anything is started; with `as_json` print every fault as the command's document.

    Answers what should be said about the file.
    """
    parsed = read_request_file(file, encoding=encoding, require_limit=SourcingSettings().require_price_limit)
    faults = parsed.faults
    if faults and as_json:
        print(json.dumps({"faults": [asdict(fault) for fault in faults]}, ensure_ascii=False, indent=2))
    if faults:
        raise BadRequests(faults)
    return parsed.warnings


def say_warnings(warnings: Sequence[Remark]) -> None:
    """What was cleaned or passed over in the request file, to stderr."""
    for line in _warning_lines(warnings):
        say(f"warning: {line}")


def _warning_lines(warnings: Sequence[Remark]) -> list[str]:
    lines = told_together(warnings)
    more = len(lines) - MOST_WARNINGS
    return lines if more <= 0 else [*lines[:MOST_WARNINGS], f"and {more:,} more: see them with --json"]


def _reported(**parameters: Any) -> tuple[BatchReport, bool]:
    """The report, and whether the Prefect server knows that the run has ended."""
    try:
        return source(**parameters), True
    except ServerGone as gone:
        say(str(gone))
        return gone.report, False


class ServerGone(Exception):
    """The run ended and its report is here, but the Prefect server could not be told."""

    def __init__(self, report: BatchReport, error: Exception) -> None:
        super().__init__(
            f"the Prefect server went away ({type(error.__cause__ or error).__name__}): its pages don't show how this "
            "run ended. The run did end, and the ledger has everything"
        )
        self.report = report


def source(**parameters: Any) -> BatchReport:
    """Run the flow with progress bars. Parameters are those of `flows.source_orders.source_orders`."""
    reports: list[BatchReport] = []

    async def flow() -> BatchReport:
        from flows.approval import approver
        from flows.shown.artifacts import last_report
        from flows.source_orders import source_orders

        last_report.set(reports)
        if sys.stdin.isatty():
            approver.set(ask)
        report: BatchReport = await source_orders(**parameters)
        return report

    try:
        return run_flow(flow)
    except Exception as error:
        if not reports or isinstance(error, LedgerUnusable):
            raise
        raise ServerGone(reports[-1], error) from error


def ask(question: ApprovalRequest) -> bool:
    """Show the plan and ask the person at the terminal."""
    from flows.reporting import match_line
    from flows.shown.plan_table import table_row

    table = Table(title="Plan", title_justify="left", header_style="bold")
    for name in PLAN:
        table.add_column(name, justify="right" if name in NUMBERS else "left")
    rows = [
        *(table_row(plan, is_new=True) for plan in question.to_buy),
        *(table_row(plan, is_new=False) for plan in question.to_ship),
    ]
    for row in rows[:MOST_SHOWN]:
        table.add_row(*(row[name] for name in PLAN))
    messages.print(table)
    if len(rows) > MOST_SHOWN:
        messages.print(and_more(len(rows), "--dry-run --json"))
    show_matches([match_line(plan.order_ref, match) for plan in question.all for match in plan.matches], messages)
    say_warnings(question.warnings)
    return typer.confirm(words_of(question), default=False, err=True)


def words_of(question: ApprovalRequest) -> str:
    """What is asked: the sums of goods to buy and of freight, by currency."""
    buying = f"buy {number_of(len(question.to_buy), 'order')} for {question.total}" if question.to_buy else ""
    shipped = sum(1 for plan in question.all if plan.freight_service)
    shipping = f"ship {number_of(shipped, 'order')} for freight of {freight_sums(question.all)}" if shipped else ""
    words = " and ".join(part for part in (buying, shipping) if part)
    from flows.shown.plan_table import no_limit_words

    unlimited = no_limit_words(question.to_buy)
    return f"{unlimited} {words[:1].upper()}{words[1:]}?".lstrip()


def print_report(report: BatchReport) -> None:
    """The table of every order, what was spent, and where the snapshot lies."""
    title = f"Batch {report.batch_id}" + (" (dry run: nothing was bought)" if report.dry_run else "")
    if report.dry_run:
        show_plan(title, report)
    else:
        show_orders(title, report.orders, whole="sourcing status")
    show_matches(report.matches, console)
    counts = ", ".join(f"{count:,} {state}" for state, count in report.counts.items())
    console.print(f"{number_of(len(report.orders), 'order')}: {counts}")
    console.print(totals(report) if report.dry_run else _spent(report))
    for line in _warning_lines(report.warnings):
        console.print(Text(f"Warning: {line}"))
    if report.snapshot_id:
        console.print(f"Snapshot {report.snapshot_id} in {report.snapshot_root}", soft_wrap=True)


def _spent(report: BatchReport) -> str:
    total = f"spent on this batch in all: {Money(report.spent_fen)}"
    if not report.bought_this_run:
        return f"This run bought nothing; {total}"
    bought = number_of(report.bought_this_run, "order")
    return f"This run bought {bought} for {Money(report.spent_this_run_fen)}; {total}"
