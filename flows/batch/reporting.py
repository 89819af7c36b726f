"""The report of a run, from the ledger and from plans that never reached it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace

from connectors.ledger.engine import chunked
from connectors.ledger.records import OrderRecord, line_of
from connectors.ledger.spending import COUNTS_AS_SPENT
from connectors.ledger.store import Ledger
from connectors.snapshots.rejecting import rejected_in
from domain.effects import Action
from domain.follow_ups import merged
from domain.messages import counted
from domain.orders import OrderRequest, lines_without_limit
from domain.plan import PlannedOrder
from domain.reasons import Reason, explained
from domain.report import BatchReport, MatchLine, ReportLine, all_rejected
from domain.request_remarks import Remark
from domain.states import OrderState
from tasks.engine.resources import Resources


def batch_report(
    resources: Resources,
    batch_id: str,
    requests: Sequence[OrderRequest],
    *,
    taken: Mapping[str, Reason],
    snapshot_id: str,
    plans: Sequence[PlannedOrder] = (),
    matches: Sequence[MatchLine] = (),
    dry_run: bool = False,
    warnings: Sequence[Remark] = (),
) -> BatchReport:
    """One line an order, in the order of the file. `plans` speak for orders that the ledger does not have.

    `taken` has the reasons of orders that the run did not touch.
    """
    planned = {plan.order_ref: plan for plan in plans}
    lines: list[ReportLine] = []
    bought: list[int] = []
    for some in chunked(requests):
        orders = resources.ledger.orders(request.order_ref for request in some)
        bought += bought_by(resources.ledger, orders).values()
        lines += [_line(request, orders, planned, taken, dry_run=dry_run) for request in some]
    return BatchReport(
        batch_id=batch_id,
        orders=lines,
        spent_this_run_fen=sum(bought),
        bought_this_run=len(bought),
        snapshot_id=snapshot_id,
        snapshot_root=str(resources.settings.snapshot_root.absolute()),
        dry_run=dry_run,
        matches=matches,
        warnings=warnings,
        paused=resources.paused,
        unknown_words=counted(resources.unknown),
        pictures=resources.pictures,
        lines_without_limit=lines_without_limit(requests),
        rejected=rejected_in(resources.settings.snapshot_root, snapshot_id),
    )


def one_report(reports: Sequence[BatchReport], refs: Sequence[str]) -> BatchReport:
    """The report of orders of several batches, in this order, under the last one's name and snapshot."""
    lines = {line.order_ref: line for report in reports for line in report.orders}
    return replace(
        reports[-1],
        orders=[lines[ref] for ref in refs],
        spent_this_run_fen=sum(report.spent_this_run_fen for report in reports),
        bought_this_run=sum(report.bought_this_run for report in reports),
        plans=[plan for report in reports for plan in report.plans],
        to_ship=[plan for report in reports for plan in report.to_ship],
        lines_without_limit=sum(report.lines_without_limit for report in reports),
        next_look=merged([report.next_look for report in reports if report.next_look]),
        rejected=all_rejected(report.rejected for report in reports),
        unknown_words={word: count for report in reports for word, count in report.unknown_words.items()},
        paused=next((report.paused for report in reversed(reports) if report.paused), None),
    )


def bought_by(ledger: Ledger, orders: Mapping[str, OrderRecord]) -> dict[str, int]:
    """Fen by reference for the orders whose payment this run or a helper of it sent.

    Orders that it found paid count for the run that paid them. A payment that a dead helper sent may be unsettled yet.
    """
    senders = {ledger.owner, *ledger.chunks.helpers}
    sent = {
        effect.order_ref
        for effect in ledger.effects_of(orders, Action.PAY)
        if effect.status in COUNTS_AS_SPENT and effect.sender in senders
    }
    return {ref: order.paid.minor for ref, order in orders.items() if ref in sent and order.paid.minor}


def _line(
    request: OrderRequest,
    orders: Mapping[str, OrderRecord],
    plans: Mapping[str, PlannedOrder],
    taken: Mapping[str, Reason],
    *,
    dry_run: bool,
) -> ReportLine:
    ref = request.order_ref
    if ref in taken:
        state = OrderState.REFUSED
        return ReportLine(order_ref=ref, marketplace=request.marketplace, state=state, **explained(taken[ref]))
    if ref in orders and not (dry_run and ref in plans):
        return line_of(orders[ref])
    plan = plans[ref]
    return ReportLine(order_ref=ref, marketplace=request.marketplace, state=plan.state, **explained(plan.why))
