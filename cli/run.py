"""`sourcing run`: the main job at a terminal, and its plan there."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import asdict
from pathlib import Path
from socket import create_connection
from typing import Annotated, Any
from urllib.parse import urlsplit

import typer

from cli.failures import (
    NEEDS_A_PERSON,
    BadUsage,
    BatchName,
    ChunkSize,
    Concurrency,
    DoneBy,
    Encoding,
    Json,
    Wait,
    agrees,
    amount_of,
    awaited,
    require_batch_name,
    require_encoding,
    require_time,
    say,
    settings_now,
    utc_now,
)
from cli.lazily import lazily
from domain.report import BatchReport
from domain.request_remarks import BadRequests, Remark, merged_remarks
from domain.wording import first_lines

with lazily():
    from rich import text

    from cli import answers, doctor, running, status, terminal
    from connectors import book_file, fetched_files
    from connectors.ledger import engine
    from connectors.xportcn import errors
    from connectors.xportcn import settings as xportcn
    from flows import buy_from_file, finish_open
    from flows.answers import marketplaces
    from flows.approval import request, words
    from flows.batch import reporting
    from flows.prefect_ui import markdown, parameters

MOST_WARNINGS = 20
NUMBERS = ("goods and postage", "freight", "days")
PLAN = ("order", "marketplace", "service", *NUMBERS)


def run(  # noqa: PLR0913 - the options of the main job
    file: Annotated[
        str,
        typer.Argument(
            help="Request file: CSV, XLSX, JSON or Parquet; a path or an https address."
        ),
    ],
    *,
    dry_run: Annotated[
        bool,
        typer.Option(
            "--dry-run", help="Plan only: prices, stock, freight. Buys nothing."
        ),
    ] = False,
    yes: Annotated[
        bool,
        typer.Option(
            "--yes",
            "-y",
            help="Approve the plan without asking, but for what a person has declined.",
        ),
    ] = False,
    budget_cny: Annotated[
        str | None,
        typer.Option(
            help="Most that the batch may cost in yuan: goods and domestic postage, not freight."
        ),
    ] = None,
    done_by: DoneBy = "",
    batch: BatchName = None,
    encoding: Encoding = "",
    chunk_size: ChunkSize = None,
    concurrency: Concurrency = None,
    wait: Wait = False,
    json: Json = False,
) -> int:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book,
    snapshot.
    """
    budget = amount_of("--budget-cny", budget_cny)
    path = Path(file)
    if path.exists() or fetched_files.is_address(file):
        require_somebody("plan", "--dry-run to look only", is_given=dry_run or yes)
    require_batch_name(batch)
    require_encoding(encoding)
    require_time(done_by)
    for name, given in (("CHUNK_SIZE", chunk_size), ("CONCURRENCY", concurrency)):
        if given:
            os.environ[f"SOURCING_{name}"] = str(given)

    def read_file() -> None:
        nonlocal path
        if fetched_files.is_address(file):
            path = awaited(fetched_files.fetch_stored(file, settings_now()))
            say(f"fetched and kept as {path}")
        warnings = require_no_faults(path, encoding=encoding, as_json=json)
        require_sandbox()
        if yes:
            print_warnings(warnings)  # no person is shown a plan before money is spent

    def flow() -> Coroutine[Any, Any, BatchReport]:
        requests = parameters.Requests(file=str(path), encoding=encoding)
        limits = parameters.Limits(budget_cny=budget, done_by=done_by)
        return buy_from_file.buy_from_file(requests, dry_run, yes, batch or "", limits)

    looking = running.with_follow_ups(flow) if wait else flow
    return buy(looking, as_json=json, first=read_file, asks=not (yes or json))


def finish(
    batch: Annotated[
        str, typer.Argument(help="Go on with this batch, also where it is not due.")
    ] = "",
    *,
    json: Json = False,
) -> int:
    """Go on with what is open: settle, buy what was approved, read parcels and refunds
    that are due, send messages.
    """
    if batch:
        require_batch_name(batch)
        return buy(lambda: buy_from_file.finish_batch(batch), as_json=json)
    # loaded while the server starts
    report = running.run_flow(lambda: finish_open.finish_open())  # noqa: PLW0108
    if json:
        terminal.print_json(report.to_json())
    else:
        for finished in report.batches:
            print_report(finished)
        terminal.console.print(f"Gone on with: {report.words}", highlight=False)
        for trouble in report.troubles:
            terminal.note(trouble)
    is_fine = not report.troubles and all(one.all_fine for one in report.batches)
    return 0 if is_fine else NEEDS_A_PERSON


def require_sandbox() -> None:
    """Raise `ServiceAway` where no sandbox listens at its own address: it is
    not waited for, a person starts it.
    """
    address = urlsplit(xportcn.SANDBOX_URL)
    if xportcn.XportcnSettings().base_url != xportcn.SANDBOX_URL:
        return
    try:
        create_connection((address.hostname, address.port), timeout=5).close()
    except ConnectionRefusedError as error:
        remedy = doctor.how_to_start_the_sandbox()
        raise errors.ServiceAway(
            f"no sandbox listens at {xportcn.SANDBOX_URL}: {remedy}"
        ) from error


def require_somebody(what: str, otherwise: str, *, is_given: bool) -> None:
    """Raise `BadUsage` where no person can be asked and no option has the answer."""
    if not (is_given or sys.stdin.isatty()):
        raise BadUsage(
            f"there is no terminal to approve the {what} at: add --yes, or {otherwise}"
        )


def buy(
    flow: running.Flow,
    *,
    as_json: bool,
    first: Callable[[], object] = lambda: None,
    asks: bool = False,
) -> int:
    """Run a flow that may buy and print its report; answers the exit code. `first`: see
    `run_flow`.

    Where it `asks`, the person at the terminal may answer about first payments at once.
    """
    report, told = _reported(flow, first)
    terminal.print_json(
        report.to_json(line_as=lambda line: line)
    ) if as_json else print_report(report)
    if asks and report.questions and sys.stdin.isatty():
        ask_about_first_payments()
    code = 0 if report.all_fine else NEEDS_A_PERSON
    if not told:
        sys.stdout.flush()
        os._exit(
            code
        )  # Prefect would wait for its lost server, seconds for each of its events
    return code


def ask_about_first_payments() -> None:
    """Ask about each first payment whose question is open; what is not answered stays
    open.
    """
    with status.open_ledger() as ledger:
        asked = [*marketplaces.first_payments(ledger)]
    for marketplace in asked:
        if agrees(f"Answer about {marketplace} now, with its console open?", yes=False):
            answers.confirm(marketplace)


def require_no_faults(file: Path, *, encoding: str, as_json: bool) -> Sequence[Remark]:
    """Raise `BadRequests` before anything is bought; with `as_json` print every fault
    as the command's document.

    Answers the warnings about the file.
    """
    from connectors.request_files import read_request_file

    reading = awaited(book_file.reading_by(settings_now()))
    parsed = read_request_file(file, encoding=encoding, **reading)
    faults = parsed.faults
    if faults and as_json:
        terminal.print_json({"faults": [asdict(fault) for fault in faults]})
    if faults:
        raise BadRequests(faults)
    return parsed.warnings


def print_warnings(warnings: Sequence[Remark]) -> None:
    """Print the cells of the request file that were cleaned or skipped, to stderr."""
    more = "and {more} more: see them with --json"
    for line in first_lines(merged_remarks(warnings), MOST_WARNINGS, more):
        say(f"warning: {line}")


def _reported(
    flow: running.Flow, first: Callable[[], object]
) -> tuple[BatchReport, bool]:
    """The report, and whether the Prefect server knows that the run has ended."""
    reports: list[BatchReport] = []

    async def asked() -> BatchReport:
        reporting.last_report.set(reports)
        if sys.stdin.isatty():
            request.approver.set(ask)
        return await flow()

    try:
        return running.run_flow(asked, first=first), True
    except Exception as error:
        if not reports or isinstance(error, engine.LedgerUnusable):
            raise
        say(
            f"the Prefect server went away ({type(error.__cause__ or error).__name__}): its pages don't show how this "
            "run ended. The run did end, and the ledger has everything"
        )
        return reports[-1], False


def ask(question: request.ApprovalRequest) -> bool:
    """Show the plan and ask the person at the terminal."""
    plan = words.AskedPlan(question)
    shown = map(markdown.table_row, plan.dearest[: terminal.MOST_SHOWN])
    rows = ([row[name] for name in PLAN] for row in shown)
    terminal.messages.print(terminal.table_of(PLAN, rows, title="Plan", right=NUMBERS))
    if rest := plan.beyond(terminal.MOST_SHOWN):
        terminal.messages.print(f"{rest} See them with --dry-run --json")
    found = markdown.found_by_words(plan.matches, plan.matched)
    terminal.show_markdown(found, terminal.messages)
    print_warnings(question.warnings)
    asked, *about = map(
        words.bare, words.question_words(question, plan, settings_now(), utc_now())
    )
    for line in about:
        terminal.messages.print(text.Text(line))
    with terminal.bars_aside():
        return typer.confirm(f"{asked.removesuffix('.')}?", default=False, err=True)


def print_report(report: BatchReport, beside: str = "") -> None:
    """Print what Prefect shows of a report."""
    with status.open_ledger() as ledger:
        records = ledger.orders(markdown.shown_whole(report))
    terminal.show_markdown(markdown.markdown_report(report, records, beside))
