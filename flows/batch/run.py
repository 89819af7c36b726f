"""One run of one batch: plan, ask, execute, snapshot, report; from any source of
plans.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Collection, Sequence
from dataclasses import replace

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import (
    approved_by,
    declined,
    laid_aside,
    needing_a_person,
    plan_hash,
    say_no,
)
from connectors.ledger.questions import asking, waiting_refs
from connectors.ledger.records import (
    BEFOREHAND,
    OrderChange,
    SpendLimits,
    approval_of,
    freight_approval,
)
from domain.decisions import FINE, Verdict, held
from domain.holds import BudgetLimits, over_budget
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, lines_without_limit, marketplaces_of
from domain.plan import PlannedOrder, PlanSummary
from domain.reasons import Reason, outranking
from domain.report import BatchReport, MatchLine
from domain.states import OrderState
from domain.wording import pluralize
from flows.approval.request import (
    ApprovalRequest,
    Decision,
    asks_at_once,
    decide,
    not_approved_by,
)
from flows.batch.execution import Canaries, execute
from flows.batch.follow_up import LEFT, cause, explain_unfinished, in_all, with_cause
from flows.batch.parts import buy_in_parts, count_parts
from flows.batch.plan_sources import PlanSource, summary_of
from flows.batch.planning import Take
from flows.batch.reporting import batch_report
from flows.batch.sorting import SortedOrders, at_held_marketplaces, first_payments_ahead
from flows.prefect_ui.artifacts import artifact_key
from flows.prefect_ui.board import progress_shown
from flows.prefect_ui.events import EventFeed, batch_finished, budget_used_up
from flows.prefect_ui.expected_errors import best_effort, rename_run, run_logger
from flows.prefect_ui.runs import is_by_a_person, is_deployed
from tasks.book_shipment import approve_freight, estimate_unbooked
from tasks.effects.kinds import settle_open
from tasks.engine.lost_ledger import wait_until_settled
from tasks.engine.resources import Resources
from tasks.snapshot import snapshot_plan, write_tables

SHIPPABLE = (OrderState.PAID, OrderState.HELD)
WAITING = (OrderState.ORDERED, *SHIPPABLE)
UNASKED = not_approved_by(
    "", "run it without --yes, or from the Prefect UI, to be asked"
)
OVERTAKEN = not_approved_by(
    "", "there was news, such as a cancellation, while its question waited: ask anew"
)


class BatchRun:
    """One run of one batch."""

    def __init__(
        self,
        resources: Resources,
        batch_id: str,
        source: PlanSource,
        *,
        budget: Money | None = None,
        parts: int = 0,
    ) -> None:
        settings = resources.settings
        self.resources = resources
        self.limits = SpendLimits(
            batch_id=batch_id,
            batch=budget,
            day=settings.day_limit,
            timezone=settings.timezone,
        )
        self.canaries = Canaries(resources)
        self.batch_id = batch_id
        self.source = source
        self.parts = parts
        self._remember(source.requests)
        self.plans: dict[str, PlannedOrder] = {}
        self.postponed: dict[str, OrderRequest] = {}
        self.matches: dict[str, list[MatchLine]] = {}
        self.approved: dict[str, str] = {}
        self.tried: list[str] = []
        self.feed: EventFeed
        if resources.done_by is not None:
            resources.breaker.until(
                resources.done_by, resources.clock
            )  # no minute more: it begins nothing

    def _remember(self, requests: Sequence[OrderRequest]) -> None:
        self.asked, self.lines_without_limit = (
            marketplaces_of(requests),
            lines_without_limit(requests),
        )

    async def followed(self, *, dry_run: bool, ask: bool) -> BatchReport:
        """Buy, or only plan, and show the progress."""
        orders = pluralize(len(self.asked), "order")
        run_logger().info(
            "Batch %s: %s to %s", self.batch_id, orders, "plan" if dry_run else "buy"
        )
        await best_effort("the run's name", rename_run(f"{self.batch_id}: {orders}"))
        async with progress_shown(artifact_key(self.batch_id)):
            return await (self.plan_only() if dry_run else self.buy(ask=ask))

    async def plan_only(self) -> BatchReport:
        """Report what would happen; the ledger keeps only the matches of words."""
        self._is_paused()
        work = self.source.sort(self.resources.ledger)
        self._remember(self.source.requests)  # without those that it leaves to another
        await self._plan([*work.to_plan], self._remember_whole, anew=True)
        await self._plan(self._to_plan_again(), self._remember_whole, anew=True)
        why = cause(self.resources)
        made = [self.plans[request.order_ref] for request in work.to_plan]
        plans = with_cause(self.within_budget(made), why[0])
        to_ship = await estimate_unbooked(self.resources, work.under_way)
        snapshot_id = await snapshot_plan(self.resources, self.batch_id, plans)
        report = self.report(work, snapshot_id, plans=plans, dry_run=True)
        broken_off = in_all(
            why, Counter(str(plan.state) for plan in plans if plan.is_postponed)
        )
        fine = {plan.order_ref for plan in plans if plan.is_fine}
        warnings = [
            *report.warnings,
            *first_payments_ahead(self.resources.ledger, self.asked, fine),
        ]
        return replace(
            report,
            plans=plans,
            to_ship=to_ship,
            broken_off=broken_off,
            warnings=warnings,
        )

    async def buy(self, *, ask: bool) -> BatchReport:
        """Take every order as far as possible; orders that failed by themselves are
        tried again at the end.
        """
        ledger = self.resources.ledger
        self._is_paused()
        self.feed = EventFeed(ledger, ledger.each_order(self.asked))
        ledger.start_batch(self.batch_id, self.source.name)
        await settle_open(self.resources, [*self.asked])
        work = self.source.sort(ledger)
        if not (ask and is_by_a_person()) or self.source.of_batch:
            aside = laid_aside(ledger, (one.order_ref for one in work.to_plan))
            work.to_plan = [
                one
                for one in work.to_plan
                if aside.get(one.order_ref, "") not in (None, one.fingerprint)
            ]
        self._remember(self.source.requests)  # without those that it leaves to another
        self.source.requests = ()  # what has no plan yet stays whole until it has one, which is in the ledger
        if work.to_plan or work.under_way or work.approved:
            await wait_until_settled(self.resources)
        await self._go_on(work, (), ask=ask)
        postponed = self._to_plan_again()
        again = await self._to_try_again()
        if postponed or again:
            run_logger().info(
                "%s: once more",
                pluralize(
                    len({*again, *(one.order_ref for one in postponed)}), "order"
                ),
            )
            await self._go_on(SortedOrders(to_plan=postponed), again, ask=ask)
        tried = dict.fromkeys([*self.tried, *self.postponed])
        broken_off = explain_unfinished(self.resources, tried, self.postponed)
        await self.feed.emit([*self.asked])
        for done in (self.feed, self.approved, self.tried):
            done.clear()  # while a large batch is written they are much memory
        snapshot_id = None
        if not self.source.is_part:
            snapshot_id = await write_tables(self.resources, self.batch_id)
        report = replace(self.report(work, snapshot_id), broken_off=broken_off)
        await self.feed.emit(
            (), *budget_used_up(self.batch_id, report), batch_finished(report)
        )
        return report

    async def _go_on(
        self, work: SortedOrders, again: Sequence[str], *, ask: bool
    ) -> None:
        """Plan, ask and execute; `again` are orders of this run that need no further
        approval.
        """
        begun = work.under_way if self.source.asks else ()
        plans = await self._planned(work.to_plan)
        freight = await estimate_unbooked(
            self.resources, begun, beforehand=not ask, every=asks_at_once()
        )
        question = self._question(plans, freight, beforehand=not ask)
        decision = self._decide(question, yes=not ask)
        if decision is None or not decision.stops:
            approved = work.approved | self._approve(question, decision)
            self.approved |= approved
            refused = set(question.refs) - set(decision.approved) if decision else set()
            refused |= {*waiting_refs(self.resources.ledger, self.batch_id)}
            if self.source.asks:
                self._hold_unasked(set(work.under_way) - refused)
            refs = [
                *again,
                *(ref for ref in work.under_way if ref not in refused),
                *approved,
            ]
            self.tried += refs
            # while a large batch is bought they are much memory
            del question, decision, approved, refused
            if self._is_paused():
                return
            parts = self._count_parts(len(refs))
            if parts > 1:
                await self._execute(self._first_of_each_marketplace(refs))
                await buy_in_parts(self.batch_id, parts)
            else:
                await self._execute(refs)

    def _count_parts(self, orders: int) -> int:
        if not self.source.asks:  # what is left over is no large batch
            return 1
        return count_parts(
            self.parts,
            orders,
            is_postgres=self.resources.ledger.is_postgres,
            has_pool=is_deployed(),
        )

    def _first_of_each_marketplace(self, refs: Sequence[str]) -> list[str]:
        """The canaries: parts that began together would each have one."""
        first: dict[Marketplace, str] = {}
        for ref in refs:
            first.setdefault(self.asked[ref], ref)
        return [*first.values()]

    async def _execute(self, refs: Sequence[str]) -> None:
        await execute(
            self.resources,
            refs,
            self.approved,
            limits=self.limits,
            feed=self.feed,
            canaries=self.canaries,
            asks=self.source.asks,
        )

    def _question(
        self,
        plans: Sequence[PlanSummary],
        freight: Sequence[PlannedOrder],
        *,
        beforehand: bool,
    ) -> ApprovalRequest:
        """What is to be approved; other plans are held. So is, where the yes was given
        `beforehand`, what was declined.

        What a person was asked about and has not answered is asked about anew, unless
        no person can be asked here.
        """
        fine = [plan for plan in plans if plan.is_fine]
        last_noes = dict[str, bool]()
        if beforehand:
            refs = (plan.order_ref for plan in fine)
            last_noes = declined(self.resources.ledger, refs)
        asked_before = (
            {ref for ref, is_no in last_noes.items() if not is_no}
            if is_deployed()
            else set[str]()
        )
        to_buy, why = self._within(fine, last_noes.keys() - asked_before)
        self.source.hold(
            self.resources,
            self.batch_id,
            [plan for plan in fine if plan.order_ref in why],
            why,
        )
        return replace(self._request(to_buy, freight), asked_before=asked_before)

    def _request(
        self,
        to_buy: Sequence[PlanSummary],
        freight: Sequence[PlannedOrder],
    ) -> ApprovalRequest:
        asked = {plan.order_ref for plan in to_buy}
        ahead = first_payments_ahead(self.resources.ledger, self.asked, asked)
        return ApprovalRequest(
            batch_id=self.batch_id,
            to_buy=self.source.stored(self.resources, to_buy),
            to_ship=freight,
            warnings=[*self.source.warnings, *ahead],
            paused=self.resources.paused,
            allowed=self._allowed(asked, freight),
            summaries=to_buy,
            pictures=self.resources.pictures,
        )

    def _allowed(
        self, to_buy: Collection[str], to_ship: Sequence[PlannedOrder]
    ) -> Sequence[PlanSummary]:
        """What a yes given beforehand has approved of the batch so far, but for what is
        asked about now.
        """
        if self.resources.settings.approval_limit is None:
            return ()
        shipped = {plan.order_ref for plan in to_ship}
        counted = {*to_buy, *(plan.order_ref for plan in to_ship if plan.is_unpaid)}
        return [
            replace(plan, freight=None) if plan.order_ref in shipped else plan
            for plan in approved_by(self.resources.ledger, self.batch_id, BEFOREHAND)
            if plan.order_ref not in counted
        ]

    async def _to_try_again(self) -> list[str]:
        """The orders of this run that failed by themselves, once their open effects are
        settled.
        """
        if self.resources.breaker.is_over or self._is_paused():
            return []
        waiting = {*LEFT, OrderState.UNKNOWN}
        left = [
            order.order_ref
            for order in self.resources.ledger.each_order(self.tried)
            if order.state in waiting
        ]
        await settle_open(self.resources, left)
        return [
            order.order_ref
            for order in self.resources.ledger.each_order(left)
            if order.state in LEFT
        ]

    def _is_paused(self) -> bool:
        """Whether all buying is paused at this moment, read from the ledger; claims
        read it again.
        """
        return self.resources.heed(self.resources.ledger.buying_paused())

    def _to_plan_again(self) -> list[OrderRequest]:
        """The requests that could not be looked up, while the run may go on."""
        return [] if self.resources.breaker.is_over else list(self.postponed.values())

    async def _planned(self, requests: list[OrderRequest]) -> list[PlanSummary]:
        """Plan, and store each plan as it is made; answers the summaries in the order
        of the list, which the plans may leave empty.
        """
        refs = [request.order_ref for request in requests]
        made: dict[str, PlanSummary] = {}

        async def keep(plans: Sequence[PlannedOrder]) -> None:
            await asyncio.to_thread(
                self.source.keep, self.resources, self.batch_id, plans
            )
            made.update({plan.order_ref: summary_of(plan) for plan in plans})

        await self._plan(requests, keep)
        return [made[ref] for ref in refs]

    async def _remember_whole(self, plans: Sequence[PlannedOrder]) -> None:
        self.plans.update({plan.order_ref: plan for plan in plans})

    async def _plan(
        self, requests: list[OrderRequest], take: Take, *, anew: bool = False
    ) -> None:
        async def made(plans: Sequence[PlannedOrder]) -> None:
            for plan in plans:
                self.postponed.pop(plan.order_ref, None)
                if plan.is_postponed:
                    self.postponed[plan.order_ref] = plan.request
                if plan.matches:
                    self.matches[plan.order_ref] = [
                        MatchLine.of(plan.order_ref, match) for match in plan.matches
                    ]
            await take(plans)

        await self.source.plan(self.resources, requests, made, anew=anew)

    def _limits(self) -> BudgetLimits:
        """The limits with the sums that are committed by now."""
        ledger = self.resources.ledger
        settings = self.resources.settings
        limits = self.limits
        return BudgetLimits(
            order=settings.order_limit,
            batch=limits.batch,
            day=limits.day,
            batch_spent=Money(ledger.committed_in(limits.batch_id)),
            day_spent=Money(
                ledger.spent_since(limits.day_start(self.resources.clock()))
            ),
            tolerance=settings.price_tolerance_percent,
        )

    def within_budget(self, plans: Sequence[PlannedOrder]) -> list[PlannedOrder]:
        """The plans; those beyond the budgets are held."""
        over = over_budget(
            [(plan.order_ref, plan.total) for plan in plans if plan.is_fine],
            self._limits(),
        )
        return [plan.with_verdict(over.get(plan.order_ref, FINE)) for plan in plans]

    def _within(
        self, fine: Sequence[PlanSummary], no: Collection[str]
    ) -> tuple[list[PlanSummary], dict[str, Verdict]]:
        """The plans that may be bought, and why not the others: at a held marketplace,
        beyond the budgets, or a `no`.

        That takes no room from the others.
        """
        why = at_held_marketplaces(self.resources.ledger, self.asked)
        why = dict.fromkeys(no, held(UNASKED)) | why
        to_buy = [
            (plan.order_ref, plan.total) for plan in fine if plan.order_ref not in why
        ]
        why |= over_budget(to_buy, self._limits())
        return [plan for plan in fine if plan.order_ref not in why], why

    def _decide(self, question: ApprovalRequest, *, yes: bool) -> Decision | None:
        """The decision; None when there is nothing to approve. What is not approved is
        held, with the reason.
        """
        if not question.refs:
            return None
        decision = decide(question, self.resources.settings, yes=yes)
        self._hold(question, decision)
        run_logger().info(
            "%s of %s orders approved%s",
            len(decision.approved),
            len(question.refs),
            f" by {decision.by}" * bool(decision.by),
        )
        return decision

    def _hold(self, question: ApprovalRequest, decision: Decision) -> None:
        approved = {*decision.approved}
        to_hold = [
            plan for plan in question.summaries if plan.order_ref not in approved
        ]
        verdicts = dict.fromkeys(
            (plan.order_ref for plan in to_hold), held(decision.why_not)
        )
        self.source.hold(self.resources, self.batch_id, to_hold, verdicts)
        ledger = self.resources.ledger
        not_shipped = [
            plan for plan in question.to_ship if plan.order_ref not in approved
        ]
        to_ship = ledger.orders(plan.order_ref for plan in not_shipped)
        if decision.waits:
            ledger.change(
                [
                    change
                    for plan in not_shipped
                    if plan.freight_service and to_ship[plan.order_ref].state in WAITING
                    for change in asking(
                        to_ship[plan.order_ref], plan.freight_service.price
                    )
                ]
            )
            return
        states = {
            ref: one.state
            for ref, one in to_ship.items()
            if one.state in SHIPPABLE and not one.is_overpaid
        }
        why_not = decision.why_not and decision.why_not.but(freight=True)
        say_no(ledger, to_ship, why_not, states)

    def _hold_unasked(self, refs: Collection[str], why: Reason = UNASKED) -> None:
        """Hold orders without an approval that stands, which no run could ask about: no
        claim takes them.
        """
        ledger = self.resources.ledger
        found = ledger.each_order(needing_a_person(ledger, refs))
        unasked = [
            one
            for one in found
            if one.state in WAITING and not one.knows_what_came_back
        ]
        unbooked = [one for one in unasked if one.shipment_order_id is None]
        changes = [
            (one, one.held(outranking([why if one.why == UNASKED else one.why, why])))
            for one in unbooked
        ]
        ledger.change(
            [
                new
                for one, new in changes
                if (new.state, new.why) != (one.state, one.why)
            ]
        )

    def _approve(
        self, question: ApprovalRequest, decision: Decision | None
    ) -> dict[str, str]:
        """Record what was approved, by whom and for how much; answers the hashes of the
        plans to create.
        """
        if decision is None:
            return {}
        ledger = self.resources.ledger
        now = self.resources.clock()
        approved = set(decision.approved)
        to_buy = [plan for plan in question.summaries if plan.order_ref in approved]
        self.source.approve(
            self.resources,
            self.batch_id,
            (approval_of(plan, decision.by, now) for plan in to_buy),
        )
        orders = ledger.orders(
            plan.order_ref for plan in question.to_ship if plan.order_ref in approved
        )
        asked = [
            (plan, orders[plan.order_ref])
            for plan in question.to_ship
            if plan.order_ref in orders
        ]
        # not one that was withdrawn since it was asked about, nor a withdrawn one of
        # which there is news
        to_ship = [
            plan
            for plan, order in asked
            if order.plan_hash or order.updated_at == plan.withdrawn_at
        ]
        if overtaken := sorted(orders.keys() - {plan.order_ref for plan in to_ship}):
            words = "%s: news while the question waited, so the yes goes no further"
            run_logger().warning(words, ", ".join(overtaken))
            self._hold_unasked(overtaken, OVERTAKEN)
        approve_freight(self.resources, to_ship)
        renewed = {
            ref: plan_hash(one.plan)
            for plan in to_ship
            if not (one := orders[ref := plan.order_ref]).plan_hash
        }
        ledger.change(
            [
                OrderChange(
                    order_ref=ref, writes=OrderUpdate.plan_approved(renewed[ref])
                )
                for ref in renewed
            ]
        )
        why = {
            plan.order_ref: approval_of(summary_of(plan), decision.by, now).why
            for plan in to_ship
            if plan.is_unpaid
        }
        for plan in to_ship:
            if plan.freight_service and orders[plan.order_ref].state in SHIPPABLE:
                price = plan.freight_service.price
                taken = plan.taken if plan.taken.minor else None
                said = freight_approval(price, taken, decision.by, now)
                why.setdefault(plan.order_ref, said)
        ledger.change([orders[ref].stays(one) for ref, one in why.items()])
        return {plan.order_ref: plan.plan_hash for plan in to_buy}

    def report(
        self,
        work: SortedOrders,
        snapshot_id: str | None,
        *,
        plans: Sequence[PlannedOrder] = (),
        dry_run: bool = False,
    ) -> BatchReport:
        """The batch as it stands."""
        return batch_report(
            self.resources,
            self.batch_id,
            self.asked,
            taken=work.taken,
            snapshot_id=snapshot_id,
            lines_without_limit=self.lines_without_limit,
            plans=plans,
            matches=[line for ref in self.asked for line in self.matches.get(ref, ())],
            dry_run=dry_run,
            warnings=self.source.warnings,
        )
