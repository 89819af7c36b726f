"""Sources of a run's plans: request files, and the plans that the ledger keeps."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import replace

from connectors.ledger.engine import chunked
from connectors.ledger.plans import plan_hash
from connectors.ledger.records import Approval, OrderRecord
from connectors.ledger.store import Ledger
from domain.decisions import Verdict
from domain.orders import OrderRequest, marketplaces_of
from domain.plan import PlannedOrder, PlanSummary
from domain.request_remarks import WHOLE_FILE, Remark
from flows.batch.planning import Take, plan_each
from flows.batch.sorting import (
    SortedOrders,
    find_unrecorded,
    sort_requests,
    words_of_forgotten,
)
from flows.prefect_ui.expected_errors import run_logger
from tasks.engine.resources import Resources
from tasks.search import with_matches


class StoredPlans(Iterable[PlannedOrder]):
    """Plans that a run has stored, without those that another run has made anew since:
    they can't be approved here.
    """

    def __init__(self, ledger: Ledger, summaries: Sequence[PlanSummary]) -> None:
        self._ledger = ledger
        self._summaries = summaries

    def __iter__(self) -> Iterator[PlannedOrder]:
        for some in chunked(self._summaries):
            made = {summary.order_ref: summary.plan_hash for summary in some}
            matches = self._ledger.matches.of(made)
            plans = map(plan_in, self._ledger.each_order(made))
            yield from (
                with_matches(plan, matches)
                for plan in plans
                if plan_hash(plan) == made[plan.order_ref]
            )


def plan_in(order: OrderRecord) -> PlannedOrder:
    """The whole plan of an order that is planned."""
    return replace(
        order.plan,
        state=order.state,
        why=order.why,
        freight_service=order.chosen_freight,
    )


def summary_of(plan: PlannedOrder) -> PlanSummary:
    return PlanSummary(
        order_ref=plan.order_ref,
        plan_hash=plan_hash(plan) if plan.is_fine else "",
        total=plan.total,
        freight=plan.freight_service.price if plan.freight_service else None,
        is_fine=plan.is_fine,
    )


class PlanSource:
    """The source of a run's plans. `name` is the batch's source in the ledger,
    `warnings` are shown.

    One `of_batch`, of the inbox or continued by the sweep, leaves alone what waits for
    an answer, and what another batch brought with other contents. One that `is_part`
    leaves the snapshot of the batch to the run that started it. A source that does not
    ask (`asks`) goes on with what is approved already, and needs no approval. One that
    plans nothing has nothing to look up, to keep, to hold or to approve.
    """

    name: str
    asks = True
    of_batch = ""
    is_part = False
    requests: Sequence[OrderRequest]
    warnings: Sequence[Remark] = ()

    def sort(self, ledger: Ledger) -> SortedOrders:
        """Sort the orders by what is to be done with them."""
        raise NotImplementedError

    async def plan(
        self,
        resources: Resources,
        requests: list[OrderRequest],
        take: Take,
        *,
        anew: bool,
    ) -> None:
        """Pass the plans of these requests to `take` as they are made, in no order,
        each once; they may leave the list.

        `anew` matches words again that an earlier run matched.
        """

    def keep(
        self, resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]
    ) -> None:
        """Store plans without approval: nothing may be bought on them."""

    def stored(
        self, resources: Resources, plans: Sequence[PlanSummary]
    ) -> Iterable[PlannedOrder]:
        """The plans that were kept."""
        return ()

    def hold(
        self,
        resources: Resources,
        batch_id: str,
        plans: Sequence[PlanSummary],
        why: Mapping[str, Verdict],
    ) -> None:
        """Record that these plans are held; `why` by reference."""
        for some in chunked(self.stored(resources, plans)):
            self.keep(
                resources,
                batch_id,
                [plan.with_verdict(why[plan.order_ref]) for plan in some],
            )

    def approve(
        self, resources: Resources, batch_id: str, approvals: Iterable[Approval]
    ) -> None:
        """Record which plans are approved; not where another run was faster, or has
        made the plan anew.
        """


class FromRequests(PlanSource):
    """Plans of the orders of a file."""

    def __init__(
        self,
        requests: Sequence[OrderRequest],
        name: str,
        warnings: Sequence[Remark] = (),
    ) -> None:
        self.name = name
        self.requests = requests
        self.warnings = warnings

    def sort(self, ledger: Ledger) -> SortedOrders:
        work = sort_requests(ledger, self.requests, self.of_batch)
        for warning in words_of_forgotten(work.forgotten):
            run_logger().warning(warning)
            self.warnings = [
                *dict.fromkeys([*self.warnings, Remark(WHOLE_FILE, "", warning)])
            ]
        return work

    async def plan(
        self,
        resources: Resources,
        requests: list[OrderRequest],
        take: Take,
        *,
        anew: bool,
    ) -> None:
        looking = asyncio.create_task(
            find_unrecorded(resources, marketplaces_of(requests))
        )

        async def checked(plans: Sequence[PlannedOrder]) -> None:
            why = await looking
            await take(
                [
                    plan.with_verdict(why[ref])
                    if (ref := plan.order_ref) in why
                    else plan
                    for plan in plans
                ]
            )

        try:
            await plan_each(resources, requests, checked, match_anew=anew)
            await looking
        finally:
            looking.cancel()

    def keep(
        self, resources: Resources, batch_id: str, plans: Sequence[PlannedOrder]
    ) -> None:
        resources.ledger.put_plans(plans, batch_id)

    def stored(
        self, resources: Resources, plans: Sequence[PlanSummary]
    ) -> Iterable[PlannedOrder]:
        return StoredPlans(resources.ledger, plans)

    def approve(
        self, resources: Resources, batch_id: str, approvals: Iterable[Approval]
    ) -> None:
        resources.ledger.approve(
            approvals, batch_id, tolerance=resources.settings.price_tolerance_percent
        )
