"""The main flow: plan, gate, execute, snapshot, report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Mapping, Sequence
from contextvars import ContextVar
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.codec import plan_hash, plan_row
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.request_files import read_request_file, read_request_text
from connectors.settings import SourcingSettings, XportcnSettings
from domain.bad_requests import BadRequests
from domain.decisions import held
from domain.money import Money
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.report import BatchReport, check_batch_id
from domain.request_remarks import SERVICE, Remark, told_together
from domain.states import OrderState
from domain.wording import number_of
from flows.approval import ApprovalRequest, Decision, decide
from flows.execution import execute, settle_open_effects
from flows.parameters import (
    BatchName,
    DryRun,
    Limits,
    LimitsParameter,
    Requests,
    RequestsParameter,
    Speed,
    SpeedParameter,
    Yes,
)
from flows.planning import limits_now, plan_orders, spend_limits, within_budget
from flows.reporting import batch_report, bought_by
from flows.shown.artifacts import artifact_key, show_faults, show_outcome
from flows.shown.events import EventFeed, batch_finished, budget_used_up
from flows.shown.expected_failures import EXPECTED, failed, run_logger, speak_plainly
from flows.shown.progress import progress_shown, rename_run, shown
from flows.sorting import Work, sort_requests
from tasks.lost_ledger import require_not_lost
from tasks.render_freight import approve_freight, estimate_unbooked
from tasks.resources import Resources, open_resources
from tasks.snapshot import snapshot_orders, snapshot_plan
from tasks.strangers import find_strangers

PASTED = "pasted-lines"
MOST_LOGGED = 50
NO_LIMITS, AS_SET = Limits(), Speed()
last_report: ContextVar[list[BatchReport] | None] = ContextVar("last_report", default=None)
"""Where to leave a report for a caller that wants it even when Prefect can't be told how the run ended."""


def run_name() -> str:
    """What the Prefect UI lists while nothing is known of the batch but its name or file."""
    requests: Any = flow_run.parameters.get("requests") or {}
    file = requests.get("file") if isinstance(requests, Mapping) else requests.file
    named = flow_run.parameters.get("batch") or (Path(str(file)).name if file else PASTED)
    return f"source {named}{' (dry run)' if flow_run.parameters.get('dry_run', True) else ''}"


@flow(name="source-orders", flow_run_name=run_name, persist_result=False)
async def source_orders(
    requests: RequestsParameter,
    dry_run: DryRun = True,  # noqa: FBT002 - flow parameters make a form
    yes: Yes = False,  # noqa: FBT002
    batch: BatchName = "",
    limits: LimitsParameter = NO_LIMITS,
    speed: SpeedParameter = AS_SET,
) -> BatchReport:
    """Buy and ship what a request file asks for: plan, ask, create, pay, book, report.

    A dry run ends with the plan. Nothing is bought twice: a run that was broken off is simply started again.
    """
    speak_plainly()
    try:
        return await _source(requests, dry_run=dry_run, yes=yes, batch=batch, limits=limits, speed=speed)
    except EXPECTED as error:
        if isinstance(error, BadRequests):
            await show_faults(Path(requests.file).name or PASTED, error.faults)
        state: BatchReport = failed(error)
        return state


async def _source(
    requests: Requests, *, dry_run: bool, yes: bool, batch: str, limits: Limits, speed: Speed
) -> BatchReport:
    settings = SourcingSettings()
    asked = read_requests(requests, batch, require_limit=settings.require_price_limit)
    for line in told_together(asked.warnings)[:MOST_LOGGED]:
        run_logger().warning("Request file: %s", line)
    await shown("the run's name", rename_run(f"{asked.batch_id}: {number_of(len(asked.orders), 'order')}"))
    async with open_resources(settings, XportcnSettings(), concurrency=speed.concurrency or None) as resources:
        require_not_lost(resources)
        await resources.warehouse()  # one cheap call that tells whether service, clock and account are well
        run_logger().info("Batch %s: %s orders to %s", asked.batch_id, len(asked.orders), "plan" if dry_run else "buy")
        size = speed.chunk_size or settings.chunk_size
        run = _Batch(resources, asked.batch_id, asked.source, asked.orders, size, warnings=asked.warnings)
        budget = Money.parse(limits.budget_cny) if limits.budget_cny else None
        async with progress_shown(artifact_key(asked.batch_id)):
            report = await (run.plan_only(budget) if dry_run else run.source(budget, ask=not yes))
        _leave(report)  # before anything is shown, which may fail
        await show_outcome(report, resources.ledger.orders(run.refs))
    return report


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """What a run is asked to buy, and under which batch."""

    batch_id: str
    source: str
    orders: Sequence[OrderRequest]
    warnings: Sequence[Remark] = ()


def read_requests(requests: Requests, batch: str = "", *, require_limit: bool = False) -> Asked:
    """Read the file or the pasted lines. Raises `BadInput`, `UnreadableFile`, or `BadRequests` with every fault."""
    requests.check()
    if requests.file:
        parsed = read_request_file(Path(requests.file), encoding=requests.encoding, require_limit=require_limit)
    else:
        parsed = read_request_text(requests.lines, require_limit=require_limit)
    if parsed.faults:
        raise BadRequests(parsed.faults)
    if batch:
        batch_id = check_batch_id(batch)
    elif requests.file:
        batch_id = default_batch_id(Path(requests.file))
    else:
        batch_id = batch_id_of(PASTED, requests.lines.strip().encode())
    return Asked(batch_id=batch_id, source=requests.file or PASTED, orders=parsed.orders, warnings=parsed.warnings)


def _leave(report: BatchReport) -> None:
    if (reports := last_report.get()) is not None:
        reports.append(report)


class _Batch:
    """One run of one batch."""

    def __init__(
        self,
        resources: Resources,
        batch_id: str,
        source: str,
        requests: Sequence[OrderRequest],
        chunk_size: int,
        *,
        warnings: Sequence[Remark] = (),
    ) -> None:
        self.resources = resources
        self.batch_id = batch_id
        self.file = source
        self.requests = requests
        self.warnings = warnings
        self.chunk_size = chunk_size
        self.refs = [request.order_ref for request in requests]

    async def plan_only(self, budget: Money | None) -> BatchReport:
        """Say what would happen; of it all, the ledger keeps only what words were taken to mean."""
        work, plans = await self._plan(budget, match_anew=True)
        to_ship = await estimate_unbooked(self.resources, work.under_way)
        snapshot_id = await snapshot_plan(self.resources, self.batch_id, plans)
        return replace(self._report(work, plans, snapshot_id, dry_run=True), plans=plans, to_ship=to_ship)

    async def source(self, budget: Money | None, *, ask: bool) -> BatchReport:
        """Go as far as possible with every order."""
        ledger = self.resources.ledger
        begun = ledger.start_batch(self.batch_id, self.file)
        feed = EventFeed(ledger, self.refs)
        await settle_open_effects(self.resources, ledger.orders(self.refs))
        work, plans = await self._plan(budget)
        ledger.put_plans([plan_row(plan, self.batch_id, approved=False) for plan in plans])
        freight = await estimate_unbooked(self.resources, work.under_way)
        fine = [plan for plan in plans if plan.is_fine]
        question = ApprovalRequest(batch_id=self.batch_id, to_buy=fine, to_ship=freight, warnings=self.warnings)
        decision = await self._decide(question, yes=not ask)
        if decision is None or not decision.stops:
            approved = self._approve(question, decision)
            refused = {plan.order_ref for plan in question.all} - set(decision.approved) if decision else set()
            limits = spend_limits(self.resources, self.batch_id, budget)
            await execute(
                self.resources,
                [*(ref for ref in work.under_way if ref not in refused), *approved],
                approved,
                limits=limits,
                chunk_size=self.chunk_size,
                feed=feed,
            )
        refs = list(dict.fromkeys([*ledger.refs_in(self.batch_id), *self.refs]))
        snapshot_id = await snapshot_orders(self.resources, self.batch_id, begun, refs)
        report = self._report(work, plans, snapshot_id, dry_run=False)
        await feed.tell(self.refs, *budget_used_up(self.batch_id, report), batch_finished(report))
        return report

    async def _decide(self, question: ApprovalRequest, *, yes: bool) -> Decision | None:
        """Who approves what; None when there is nothing to approve. What is not approved is held, with the reason."""
        if not question.all:
            return None
        decision = await decide(question, self.resources.settings, yes=yes)
        self._hold(question, decision)
        run_logger().info("%s of %s orders approved by %s", len(decision.approved), len(question.all), decision.by)
        return decision

    def _hold(self, question: ApprovalRequest, decision: Decision) -> None:
        approved = set(decision.approved)
        why = f"not approved{decision.why_not}"
        plans = [plan.judged(held(why)) for plan in question.to_buy if plan.order_ref not in approved]
        ledger = self.resources.ledger
        ledger.put_plans([plan_row(plan, self.batch_id, approved=False) for plan in plans])
        to_ship = ledger.orders(plan.order_ref for plan in question.to_ship if plan.order_ref not in approved)
        ledger.change([_said(order, f"freight {why}") for order in to_ship.values() if order.state in SHIPPABLE])

    def _approve(self, question: ApprovalRequest, decision: Decision | None) -> dict[str, str]:
        """Write down what was approved, by whom and for how much; answers the hashes of the plans to create."""
        if decision is None:
            return {}
        ledger, now, approved = self.resources.ledger, self.resources.clock(), set(decision.approved)
        to_buy = [plan for plan in question.to_buy if plan.order_ref in approved]
        hashes = {plan.order_ref: plan_hash(plan) for plan in to_buy}
        said = {ref: decision.approval_of(p.total, hashes[ref], now) for p in to_buy if (ref := p.order_ref)}
        signed = [replace(plan, reason=said[plan.order_ref]) for plan in to_buy]
        tolerance = self.resources.settings.price_tolerance_percent
        ledger.put_plans([plan_row(plan, self.batch_id, approved=True, tolerance=tolerance) for plan in signed])
        to_ship = [plan for plan in question.to_ship if plan.order_ref in approved]
        approve_freight(self.resources, to_ship)
        orders = ledger.orders(plan.order_ref for plan in to_ship)
        prices = {plan.order_ref: str(plan.freight_service.price) for plan in to_ship if plan.freight_service}
        ledger.change(
            [
                _said(order, f"freight approved by {decision.by} at {now:%Y-%m-%d %H:%M:%S} UTC: {prices[ref]}")
                for ref, order in orders.items()
                if order.state in SHIPPABLE
            ]
        )
        return hashes

    async def _plan(self, budget: Money | None, *, match_anew: bool = False) -> tuple[Work, list[PlannedOrder]]:
        work = sort_requests(self.resources.ledger, self.requests)
        limits = limits_now(self.resources, spend_limits(self.resources, self.batch_id, budget))
        strangers = await find_strangers(self.resources, work.to_plan)
        plans = await plan_orders(self.resources, work.to_plan, chunk_size=self.chunk_size, match_anew=match_anew)
        for warning in strangers.warnings:
            run_logger().warning(warning)
        self.warnings = [*self.warnings, *(Remark(SERVICE, "", warning) for warning in strangers.warnings)]
        why = strangers.reasons
        plans = [plan.judged(held(why[ref])) if (ref := plan.order_ref) in why else plan for plan in plans]
        return work, within_budget(plans, limits)

    def _report(
        self, work: Work, plans: Sequence[PlannedOrder], snapshot_id: str | None, *, dry_run: bool
    ) -> BatchReport:
        ledger = self.resources.ledger
        orders = ledger.orders(self.refs)
        return batch_report(
            self.batch_id,
            self.requests,
            orders=orders,
            plans=plans,
            taken=work.taken,
            bought=bought_by(ledger, orders),
            snapshot_id=snapshot_id,
            snapshot_root=self.resources.settings.snapshot_root,
            dry_run=dry_run,
            warnings=self.warnings,
        )


SHIPPABLE = (OrderState.PAID, OrderState.HELD)


def _said(order: OrderRecord, reason: str) -> OrderChange:
    return OrderChange(order_ref=order.order_ref, state=order.state, expected=order.state, reason=reason)


def default_batch_id(file: Path) -> str:
    """The file's name and the start of its hash: the same file is the same batch."""
    return batch_id_of(file.stem, file.read_bytes())


def batch_id_of(name: str, content: bytes) -> str:
    """A name and the start of the content's hash; a name that ends with that hash already stays as it is."""
    return batch_id_with(name, hashlib.sha256(content).hexdigest()[:8])


def batch_id_with(name: str, digest: str) -> str:
    """The same, where the start of the hash is known."""
    words = re.sub(r"[^A-Za-z0-9]+", "-", name.removesuffix(f"-{digest}"))[:60].strip("-") or "batch"
    return f"{words}-{digest}"
