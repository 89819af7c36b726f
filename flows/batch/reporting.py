"""The report of a run, from the ledger and from plans that never reached it; and how
the run ends in Prefect.
"""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator, Mapping, Sequence
from contextlib import asynccontextmanager, suppress
from contextvars import ContextVar
from dataclasses import replace
from typing import Any

from prefect.artifacts import acreate_markdown_artifact
from prefect.states import Completed

from connectors.book_file import of_a_night
from connectors.ledger.engine import chunked
from connectors.ledger.records import OrderRecord, line_of
from connectors.ledger.store import Ledger
from connectors.process_locks import deployed_run
from domain.follow_ups import merged
from domain.marketplace import Marketplace
from domain.messages import counted
from domain.plan import PlannedOrder
from domain.reasons import Reason, explained
from domain.report import BatchReport, MatchLine, ReportLine
from domain.request_remarks import Remark
from domain.states import OrderState
from flows.prefect_ui.artifacts import (
    artifact_key,
    links_of,
    outcome_rows,
    show_table,
)
from flows.prefect_ui.expected_errors import best_effort, rename_run
from flows.prefect_ui.markdown import (
    counts_of,
    in_short,
    markdown_report,
    shown_whole,
)
from flows.prefect_ui.todo_artifact import links_from
from flows.report.sections import NO_RECORDS
from tasks.engine.resources import Resources


def batch_report(
    resources: Resources,
    batch_id: str,
    marketplace_of: Mapping[str, Marketplace],
    *,
    taken: Mapping[str, Reason],
    snapshot_id: str | None,
    lines_without_limit: int,
    plans: Sequence[PlannedOrder] = (),
    matches: Sequence[MatchLine] = (),
    dry_run: bool = False,
    warnings: Sequence[Remark] = (),
) -> BatchReport:
    """One line an order that was `asked` for, in the order of the file.

    `plans` speak for orders that the ledger does not have.

    `taken` has the reasons of orders that the run did not touch.
    """
    orders = deque[ReportLine]()
    bought = list[int]()
    planned = {plan.order_ref: plan for plan in plans}
    for refs in chunked(marketplace_of):
        lines, paid = lines_of(resources.ledger, refs)
        orders += (
            _line(ref, marketplace_of[ref], lines, planned, taken, dry_run=dry_run)
            for ref in refs
        )
        bought += paid
    own = {*resources.ledger.refs_in(batch_id)}
    return BatchReport(
        batch_id=batch_id,
        orders=orders,  # no list: Prefect walks each object in those of a flow's result, and keeps a note of all
        spent_this_run_fen=sum(bought),
        bought_this_run=len(bought),
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        dry_run=dry_run,
        matches=matches,
        warnings=warnings,
        paused=resources.paused,
        unknown_words=counted(resources.unknown),
        lines_without_limit=lines_without_limit,
        elsewhere_fen=sum(
            line.paid_fen or 0 for line in orders if line.order_ref not in own
        ),
    )


def one_report(reports: Sequence[BatchReport], refs: Sequence[str]) -> BatchReport:
    """The report of orders of several batches, in this order, under the last one's name
    and snapshot.
    """
    lines = {line.order_ref: line for report in reports for line in report.orders}
    return replace(
        reports[-1],
        orders=deque(lines[ref] for ref in refs),
        spent_this_run_fen=sum(report.spent_this_run_fen for report in reports),
        bought_this_run=sum(report.bought_this_run for report in reports),
        plans=[plan for report in reports for plan in report.plans],
        to_ship=[plan for report in reports for plan in report.to_ship],
        lines_without_limit=sum(report.lines_without_limit for report in reports),
        next_look=merged([report.next_look for report in reports if report.next_look]),
        unknown_words={
            text: count
            for report in reports
            for text, count in report.unknown_words.items()
        },
        paused=next(
            (report.paused for report in reversed(reports) if report.paused), None
        ),
    )


def lines_of(
    ledger: Ledger, order_refs: Sequence[str]
) -> tuple[dict[str, ReportLine], list[int]]:
    """These orders as they stand, and the fen of each payment that this run sent.

    Orders that it found paid count for the run that paid them.
    """
    lines = dict[str, ReportLine]()
    bought = list[int]()
    for refs in chunked(order_refs):
        sent = ledger.paid_by(ledger.owner, refs)
        for order in ledger.each_order(refs):
            lines[order.order_ref] = line_of(order)
            if order.order_ref in sent and order.paid_minor:
                bought.append(order.paid_minor)
    return lines, bought


def _line(
    ref: str,
    marketplace: Marketplace,
    lines: Mapping[str, ReportLine],
    plans: Mapping[str, PlannedOrder],
    reasons: Mapping[str, Reason],
    *,
    dry_run: bool,
) -> ReportLine:
    if ref in reasons:
        state = OrderState.REFUSED
        return ReportLine(
            order_ref=ref,
            marketplace=marketplace,
            state=state,
            **explained(reasons[ref]),
        )
    if ref in lines and not (dry_run and ref in plans):
        return lines[ref]
    plan = plans[ref]
    return ReportLine(
        order_ref=ref, marketplace=marketplace, state=plan.state, **explained(plan.why)
    )


HELD = "Held"
WAITS_FOR_APPROVAL = "WaitsForApproval"
STOPPED = "the run was stopped; what is not bought stays as it is, and a run of the same batch goes on with it"
OF_A_NIGHT = "; the next night begins with it. To give it up, take its file out of the inbox (`working`, `open`)"
last_report: ContextVar[list[BatchReport] | None] = ContextVar(
    "last_report", default=None
)
"""Reports for a caller that needs them even when Prefect can't record the end of the
run.
"""


async def show_outcome(
    report: BatchReport, orders: Mapping[str, OrderRecord] = NO_RECORDS
) -> None:
    """Show the table of outcomes, or of a dry run's plan, and the report, which links
    to everything else.

    `orders` of the ledger have the links to follow their parcels.
    """
    if (reports := last_report.get()) is not None:
        reports.append(report)  # before anything is shown, which may fail

    async def all_of_it() -> None:
        if not report.dry_run:
            await _show_orders(report)
        await acreate_markdown_artifact(
            key=f"report-{artifact_key(report.batch_id)}",
            markdown=markdown_report(
                report, orders, links_of(report), await links_from(report)
            ),
            description=in_short(report),
        )
        await rename_run(
            f"{report.batch_id}: {counts_of(report)}{' (dry run)' if report.dry_run else ''}"
        )

    await best_effort("the report", all_of_it())


async def _show_orders(report: BatchReport) -> None:
    next_look = f"; {report.next_look.words}" if report.next_look else ""
    message = f"{counts_of(report)}{next_look}: orders of batch {report.batch_id}"
    await show_table(
        f"outcome-{artifact_key(report.batch_id)}",
        outcome_rows(report),
        message,
        of=len(report.orders),
    )


def ended(report: BatchReport) -> Any:
    """The result of a flow: the report. A run of which every order waits for a person
    is no plain success.

    Nor is a run that a pause kept from buying. Such a run ends as *Held*, and one whose
    plan waits for approval as *WaitsForApproval*, kinds of completed: nothing is tried
    again, and a caller gets the report all the same.
    """
    if report.approval:
        return Completed(
            name=WAITS_FOR_APPROVAL,
            message=f"Answer in the form: {report.approval}",
            data=report,
        )
    if report.paused and not (report.dry_run or report.all_booked):
        return Completed(
            name=HELD,
            message=f"{report.paused.notice}. {counts_of(report)}",
            data=report,
        )
    if not report.all_wait:
        return report
    return Completed(
        name=HELD, message=f"No order went on: {counts_of(report)}", data=report
    )


@asynccontextmanager
async def notifies_when_stopped(ledger: Ledger, batch_id: str) -> AsyncIterator[None]:
    """A worker's run that is cancelled, paused on its page, or fails in the block shows
    what it bought until then.

    Its end stays the same. Calls on the wire have ended by then, so the ledger has
    their answers.
    """
    try:
        yield
    except BaseException:
        if deployed_run():
            with suppress(
                Exception
            ):  # the cause of the end must come out, also where the ledger failed
                report = so_far(ledger, batch_id)
                await show_outcome(report, ledger.orders(shown_whole(report)))
        raise


def so_far(ledger: Ledger, batch_id: str) -> BatchReport:
    """The report of a batch whose run was broken off, from the ledger; without orders
    for an unknown batch.
    """
    lines, bought = lines_of(ledger, ledger.refs_in(batch_id))
    return BatchReport(
        batch_id=batch_id,
        orders=[*lines.values()],
        spent_this_run_fen=sum(bought),
        bought_this_run=len(bought),
        broken_off=STOPPED if of_a_night.get(None) is None else STOPPED + OF_A_NIGHT,
    )
