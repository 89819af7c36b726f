"""One run of one batch: plan, ask, execute, snapshot, report; whatever its plans come from."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

from connectors.ledger.order_facts import Facts
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import OrderChange, OrderRecord
from domain.decisions import held
from domain.money import Money
from domain.plan import PlannedOrder
from domain.report import BatchReport
from domain.states import OrderState
from domain.wording import number_of
from flows.approval import Decision, decide
from flows.approval_request import ApprovalRequest
from flows.execution import execute
from flows.plan_sources import PlanSource
from flows.planning import limits_now, spend_limits, within_budget
from flows.reporting import batch_report
from flows.shown.artifacts import artifact_key
from flows.shown.events import EventFeed, batch_finished, budget_used_up
from flows.shown.expected_failures import run_logger
from flows.shown.progress import progress_shown, rename_run, shown
from flows.sorting import Work
from tasks.effects.kinds import settle_open
from tasks.render_freight import approve_freight, estimate_unbooked
from tasks.resources import Resources
from tasks.snapshot import snapshot_orders, snapshot_plan

SHIPPABLE = (OrderState.PAID, OrderState.HELD)


class BatchRun:
    """One run of one batch."""

    def __init__(self, resources: Resources, batch_id: str, source: PlanSource, *, chunk_size: int = 0) -> None:
        self.resources = resources
        self.batch_id = batch_id
        self.source = source
        self.chunk_size = chunk_size or resources.settings.chunk_size
        self.refs = [request.order_ref for request in source.requests]

    async def followed(self, budget: Money | None, *, dry_run: bool, ask: bool) -> BatchReport:
        """Buy, or only plan, and show how far that is."""
        orders = number_of(len(self.refs), "order")
        run_logger().info("Batch %s: %s to %s", self.batch_id, orders, "plan" if dry_run else "buy")
        await shown("the run's name", rename_run(f"{self.batch_id}: {orders}"))
        async with progress_shown(artifact_key(self.batch_id)):
            return await (self.plan_only(budget) if dry_run else self.buy(budget, ask=ask))

    async def plan_only(self, budget: Money | None) -> BatchReport:
        """Say what would happen; of it all, the ledger keeps only what words were taken to mean."""
        work, plans = await self._plan(budget, anew=True)
        to_ship = await estimate_unbooked(self.resources, work.under_way)
        snapshot_id = await snapshot_plan(self.resources, self.batch_id, plans)
        return replace(self._report(work, plans, snapshot_id, dry_run=True), plans=plans, to_ship=to_ship)

    async def buy(self, budget: Money | None, *, ask: bool) -> BatchReport:
        """Go as far as possible with every order."""
        ledger = self.resources.ledger
        begun = ledger.start_batch(self.batch_id, self.source.name)
        feed = EventFeed(ledger, self.refs)
        await settle_open(self.resources, self.refs)
        work, plans = await self._plan(budget)
        self.source.keep(self.resources, self.batch_id, plans)
        freight = await estimate_unbooked(self.resources, work.under_way) if self.source.asks else []
        fine = [plan for plan in plans if plan.is_fine]
        question = ApprovalRequest(batch_id=self.batch_id, to_buy=fine, to_ship=freight, warnings=self.source.warnings)
        decision = await self._decide(question, yes=not ask)
        if decision is None or not decision.stops:
            approved = work.approved | self._approve(question, decision)
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
        self.source.keep(self.resources, self.batch_id, plans)
        ledger = self.resources.ledger
        to_ship = ledger.orders(plan.order_ref for plan in question.to_ship if plan.order_ref not in approved)
        ledger.change([OrderChange(order_ref=ref, writes=Facts.approval_withdrawn()) for ref in to_ship])
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
        self.source.approve(self.resources, self.batch_id, signed)
        to_ship = [plan for plan in question.to_ship if plan.order_ref in approved]
        approve_freight(self.resources, to_ship)
        orders = ledger.orders(plan.order_ref for plan in to_ship)
        prices = {plan.order_ref: str(plan.freight_service.price) for plan in to_ship if plan.freight_service}
        ledger.change([_renewed(order) for order in orders.values() if order.plan_hash is None])
        ledger.change(
            [
                _said(order, f"freight approved by {decision.by} at {now:%Y-%m-%d %H:%M:%S} UTC: {prices[ref]}")
                for ref, order in orders.items()
                if order.state in SHIPPABLE
            ]
        )
        return hashes

    async def _plan(self, budget: Money | None, *, anew: bool = False) -> tuple[Work, list[PlannedOrder]]:
        work = self.source.sort(self.resources.ledger)
        limits = limits_now(self.resources, spend_limits(self.resources, self.batch_id, budget))
        plans = await self.source.plan(self.resources, work.to_plan, chunk_size=self.chunk_size, anew=anew)
        return work, within_budget(plans, limits)

    def _report(self, work: Work, plans: Sequence[PlannedOrder], snapshot_id: str, *, dry_run: bool) -> BatchReport:
        return batch_report(
            self.resources,
            self.batch_id,
            self.source.requests,
            taken=work.taken,
            snapshot_id=snapshot_id,
            plans=plans,
            dry_run=dry_run,
            warnings=self.source.warnings,
        )


def _renewed(order: OrderRecord) -> OrderChange:
    """A yes to going on with an order, after somebody had said no to that."""
    return OrderChange(order_ref=order.order_ref, writes=Facts.plan_approved(plan_hash(order.plan)))


def _said(order: OrderRecord, reason: str) -> OrderChange:
    return OrderChange(order_ref=order.order_ref, state=order.state, expected=order.state, reason=reason)
