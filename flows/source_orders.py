"""The main flow: plan, gate, execute, snapshot, report."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Sequence
from pathlib import Path

from prefect import flow
from prefect.runtime import flow_run

from connectors.ledger.codec import plan_hash, plan_row
from connectors.request_files import read_request_file
from connectors.settings import SourcingSettings, XportcnSettings
from domain.bad_requests import BadRequests
from domain.decisions import held
from domain.money import Money
from domain.orders import OrderRequest
from domain.plan import PlannedOrder
from domain.report import BatchReport, check_batch_id
from flows.approval import approver, everything
from flows.artifacts import show_outcome
from flows.execution import execute, settle_open_effects
from flows.planning import limits_now, plan_orders, spend_limits, within_budget
from flows.reporting import batch_report
from flows.sorting import Work, sort_requests
from tasks.create_order import find_strangers
from tasks.render_freight import approve_freight, estimate_unbooked
from tasks.resources import Resources, open_resources
from tasks.snapshot import snapshot_orders, snapshot_plan


def run_name() -> str:
    """`source <batch>`, as the Prefect UI lists it."""
    parameters = flow_run.parameters
    return f"source {parameters.get('batch') or Path(str(parameters.get('file'))).name}"


@flow(name="source-orders", flow_run_name=run_name, persist_result=False)
async def source_orders(
    file: Path,
    batch: str | None = None,
    dry_run: bool = False,  # noqa: FBT001, FBT002 - flow parameters make a form
    yes: bool = False,  # noqa: FBT001, FBT002
    budget_cny: str | None = None,
    chunk_size: int | None = None,
    concurrency: int | None = None,
) -> BatchReport:
    """Buy and ship what a request file asks for.

    `budget_cny` bounds what the batch may cost in yuan: goods and domestic postage. Without `yes` somebody is asked
    after the plan, and a no spends nothing. Raises `BadRequests` before anything is sent.
    """
    settings = SourcingSettings()
    budget = Money.parse(budget_cny) if budget_cny else None
    parsed = read_request_file(file)
    if parsed.faults:
        raise BadRequests(parsed.faults)
    batch_id = check_batch_id(batch) if batch else default_batch_id(file)
    async with open_resources(settings, XportcnSettings(), concurrency=concurrency) as resources:
        await resources.warehouse()  # one cheap call that tells whether service, clock and account are well
        run = _Batch(resources, batch_id, str(file), parsed.orders, chunk_size or settings.chunk_size)
        report = await (run.plan_only(budget) if dry_run else run.source(budget, ask=not yes))
    await show_outcome(report)
    return report


class _Batch:
    """One run of one batch."""

    def __init__(
        self, resources: Resources, batch_id: str, source: str, requests: Sequence[OrderRequest], chunk_size: int
    ) -> None:
        self.resources = resources
        self.batch_id = batch_id
        self.file = source
        self.requests = requests
        self.chunk_size = chunk_size
        self.refs = [request.order_ref for request in requests]
        self.paid_before = {ref: order.paid for ref, order in resources.ledger.orders(self.refs).items()}

    async def plan_only(self, budget: Money | None) -> BatchReport:
        """Say what would happen; of it all, the ledger keeps only what words were taken to mean."""
        work, plans = await self._plan(budget, match_anew=True)
        snapshot_id = await snapshot_plan(self.resources, self.batch_id, plans)
        return self._report(work, plans, snapshot_id, dry_run=True)

    async def source(self, budget: Money | None, *, ask: bool) -> BatchReport:
        """Go as far as possible with every order."""
        ledger = self.resources.ledger
        begun = ledger.start_batch(self.batch_id, self.file)
        await settle_open_effects(self.resources, ledger.orders(self.refs))
        work, plans = await self._plan(budget)
        ledger.put_plans([plan_row(plan, self.batch_id, approved=False) for plan in plans])
        fine = [plan for plan in plans if plan.is_fine]
        freight = await estimate_unbooked(self.resources, work.under_way)
        if not (fine or freight) or (approver.get() if ask else everything)([*fine, *freight]):
            tolerance = self.resources.settings.price_tolerance_percent
            ledger.put_plans([plan_row(plan, self.batch_id, approved=True, tolerance=tolerance) for plan in fine])
            approve_freight(self.resources, freight)
            approved = {plan.order_ref: plan_hash(plan) for plan in fine}
            limits = spend_limits(self.resources, self.batch_id, budget)
            await execute(
                self.resources, [*work.under_way, *approved], approved, limits=limits, chunk_size=self.chunk_size
            )
        refs = list(dict.fromkeys([*ledger.refs_in(self.batch_id), *self.refs]))
        snapshot_id = await snapshot_orders(self.resources, self.batch_id, begun, refs)
        return self._report(work, plans, snapshot_id, dry_run=False)

    async def _plan(self, budget: Money | None, *, match_anew: bool = False) -> tuple[Work, list[PlannedOrder]]:
        work = sort_requests(self.resources.ledger, self.requests)
        limits = limits_now(self.resources, spend_limits(self.resources, self.batch_id, budget))
        strangers = await find_strangers(self.resources, work.to_plan)
        plans = await plan_orders(self.resources, work.to_plan, chunk_size=self.chunk_size, match_anew=match_anew)
        plans = [plan.judged(held(strangers[ref])) if (ref := plan.order_ref) in strangers else plan for plan in plans]
        return work, within_budget(plans, limits)

    def _report(
        self, work: Work, plans: Sequence[PlannedOrder], snapshot_id: str | None, *, dry_run: bool
    ) -> BatchReport:
        return batch_report(
            self.batch_id,
            self.requests,
            orders=self.resources.ledger.orders(self.refs),
            plans=plans,
            taken=work.taken,
            paid_before=self.paid_before,
            snapshot_id=snapshot_id,
            snapshot_root=self.resources.settings.snapshot_root,
            dry_run=dry_run,
        )


def default_batch_id(file: Path) -> str:
    """The file's name and the start of its hash: the same file is the same batch."""
    name = re.sub(r"[^A-Za-z0-9]+", "-", file.stem)[:60].strip("-") or "batch"
    return f"{name}-{hashlib.sha256(file.read_bytes()).hexdigest()[:8]}"
