"""One journey: a batch at five marketplaces from its plan to the door, at a service
that speaks dialects.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from random import Random
from types import MappingProxyType
from typing import Any

from pydantic import SecretStr

from connectors.ledger.plans import plan_hash
from connectors.xportcn.settings import SANDBOX_ACCOUNT, XportcnSettings
from domain.after_sale import FOLLOWED
from domain.effects import Resolution, ResolutionKind
from domain.holds import Topic
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest
from domain.states import REACHED_BOOKED, OrderState
from flows.answers.marketplaces import answer, open_about
from flows.answers.resolve import resolve
from flows.approval.request import ApprovalRequest, approver
from flows.batch.plan_sources import FromRequests
from flows.batch.run import BatchRun
from flows.cancel_orders import cancel
from flows.prefect_ui.remedy_parameters import CHANGED_MY_MIND
from flows.sync_tracking import track
from sandbox.control import books
from sandbox.goods import Item
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources, open_resources
from tasks.refund import follow_refunds
from tests.history import BEGUN, AllowedAmounts, violations
from tests.hostile.batch import _order
from tests.simulation.episode import NO_QUERY, Episode, Scenario, Service, _settings
from tests.simulation.misfortune import Misfortune
from tests.simulation.process import Process, current
from tests.simulation.runs import BATCH
from tests.simulation.stage import Stage

ORDERS = 3
ROUNDS_H = (0.3, 0.7, 1.5, 2, 1, 6)
"""When runs of the batch begin after one another."""
TRACKED_D = (1, 2, 4, 7, 12, 18)
CLOSED = Marketplace.TAOBAO
"""Where one order is cancelled before it is paid, and another one after it."""
UNPAID = "taobao-unpaid"
TAKEN_BACK = f"taobao-{ORDERS}"
BOUGHT = {
    *REACHED_BOOKED,
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
}
ENDED = (OrderState.DELIVERED, OrderState.CANCELLED, OrderState.REFUNDED)
ACCOUNT = XportcnSettings(
    base_url="https://service.example",
    access_key=SANDBOX_ACCOUNT[0],
    access_secret=SecretStr(SANDBOX_ACCOUNT[1]),
    user_id=SANDBOX_ACCOUNT[2],
    overrides="",
    requests_per_second=0,
    freight_ids="shop",
    taobao_receiver="abroad",
)
"""At an address that is not the sandbox's: nothing is let pass for it. What has to be
set is as the contract has it.
"""
AS_SET: Mapping[str, Any] = MappingProxyType({})
SAYS_SO = ("XPORTCN_", "sourcing confirm", "was not as expected")
"""What a reason names that tells an assumption about the service: the setting, or the
question about it.
"""


@dataclass(frozen=True, slots=True)
class End:
    """Where an order stands at the end. `is_begun`: it is at the marketplace, or may
    be.
    """

    order_ref: str
    marketplace: Marketplace
    state: str
    reason: str
    is_begun: bool

    @property
    def is_as_written(self) -> bool:
        """Whether it ends as at a service that speaks no dialect."""
        return self.state == {
            UNPAID: OrderState.CANCELLED,
            TAKEN_BACK: OrderState.REFUNDED,
        }.get(self.order_ref, OrderState.DELIVERED)

    @property
    def names_an_assumption(self) -> bool:
        return any(text in self.reason for text in SAYS_SO)


class Journey(Episode):
    """A batch of some orders at each marketplace under a budget and a limit on each
    line, without misfortune.
    """

    def __init__(
        self,
        made: Stage,
        dialects: Sequence[str],
        *,
        seed: int = 0,
        settings: Mapping[str, Any] = AS_SET,
    ) -> None:
        super().__init__(
            seed=seed,
            stage=made,
            given=_scenario(made, seed),
            speaks=Service(dialects=tuple(dialects)),
        )
        self.misfortune = Misfortune(dice=Random(seed), calm=True)
        self.xportcn = ACCOUNT.model_copy(update=settings)
        self.asks_first = self.xportcn.asks_first
        assert self.scenario.budget
        self.limits = AllowedAmounts(
            as_paid=True, batches={BATCH: self.scenario.budget.minor}
        )
        self.all_ends: tuple[End, ...] = ()

    # what people do

    async def _play(self) -> None:
        await self._does(self._plans)
        await self._does(self._buys)
        await self._does(self._answers)
        await self._is_cancelled()
        for hours in ROUNDS_H:
            await self._passes(hours)
            if any(end.state not in BOUGHT for end in self.told_ends()):
                await self._does(self._buys)
            await self._does(self._answers)
            await self._does(self._takes_back)
        for before, day in zip((0, *TRACKED_D), TRACKED_D, strict=False):
            await self._passes(24 * (day - before))
            await self._does(self._follows)
            await self._does(self._says_what_was_paid)
            if all(end.state in ENDED for end in self.told_ends()):
                break
        self.check("the end", at_rest=True)
        self._tell_ends()
        self.all_ends = tuple(self.told_ends())

    async def _passes(self, hours: float) -> None:
        await asyncio.sleep(hours * 3600)
        self.land()

    async def _does(self, work: Callable[[Resources], Awaitable[object]]) -> None:
        """A run of its own."""

        async def run(_: Process) -> None:
            settings = self.scenario.settings
            async with open_resources(
                settings, self.xportcn, clock=self.clock
            ) as resources:
                await resources.addresses()
                await work(resources)

        await self._start(work.__name__.strip("_"), run)

    async def _plans(self, resources: Resources) -> None:
        plans = FromRequests(self._batch(), "requests.csv")
        await BatchRun(resources, BATCH, plans, budget=self.scenario.budget).plan_only()

    async def _buys(self, resources: Resources) -> None:
        await self._buy(resources, self._batch(), BATCH)

    async def _buy(
        self, resources: Resources, requests: tuple[OrderRequest, ...], batch: str
    ) -> None:
        def person(question: ApprovalRequest) -> bool:
            process = current()
            assert process is not None
            process.batch = batch
            process.approved |= {
                plan.order_ref: plan_hash(plan) for plan in question.all
            }
            return True

        approver.set(person)
        budget = self.scenario.budget if batch == BATCH else None
        await BatchRun(
            resources, batch, FromRequests(requests, "requests.csv"), budget=budget
        ).buy(ask=True)

    async def _is_cancelled(self) -> None:
        """An order that the wallet does not cover is cancelled."""
        balance_fen = self.world.books.balance_fen

        async def buys_one(resources: Resources) -> None:
            await self._buy(resources, self.scenario.requests[-1:], UNPAID)

        async def cancels(resources: Resources) -> None:
            await cancel(resources, [UNPAID], CHANGED_MY_MIND)

        self.world.books.set_balance(1)
        await self._does(buys_one)
        self.world.books.set_balance(balance_fen)
        for _ in range(2):
            await self._does(cancels)
            await self._passes(0.1)

    async def _answers(self, resources: Resources) -> None:
        """`sourcing confirm`, by the console: did the balance fall by what the question
        says?
        """
        ledger = resources.ledger
        for marketplace in Marketplace:
            for question in open_about(ledger, marketplace):
                amount = Money(self._taken_fen(question.about))
                otherwise = ""
                if (
                    question.topic is Topic.FIRST_PAYMENT
                    and f"exactly {amount}," not in question.words
                ):
                    otherwise = f"the balance fell by {amount}"
                # the console shows amounts a hundredfold
                if question.topic is not Topic.AMOUNTS:
                    answer(ledger, marketplace, question, by="mei", otherwise=otherwise)

    async def _says_what_was_paid(self, resources: Resources) -> None:
        """`sourcing resolve`, by the console, where a payment was accepted and is not
        seen.
        """
        for ref, order in resources.ledger.orders_in(
            [OrderState.PAYMENT_PENDING, OrderState.UNKNOWN]
        ).items():
            if f"sourcing resolve {ref} not-paid" in order.reason:
                fen = self._taken_fen(ref)
                kind, amount = (
                    (ResolutionKind.PAID, Money(fen))
                    if fen
                    else (ResolutionKind.NOT_PAID, None)
                )
                await resolve(
                    resources, ref, Resolution(kind=kind, amount=amount), by="mei"
                )

    def _taken_fen(self, order_ref: str) -> int:
        """What left the wallet for an order and did not come back."""
        notices = books(self.sandbox, NO_QUERY, b"")
        ordered: dict[str, int] = {
            item["order_id"]: item["refunded_fen"]
            for item in notices["orders"]
            if item["reference"] == order_ref
        }
        by_wallet = [
            item
            for item in notices["payments"]
            if item.get("source", "wallet") == "wallet"
        ]
        paid_fen: int = sum(
            item["amount_fen"] for item in by_wallet if item["order_id"] in ordered
        )
        return paid_fen - sum(ordered.values())

    async def _takes_back(self, resources: Resources) -> None:
        """The money of one paid order is asked back."""
        order = resources.ledger.orders([TAKEN_BACK]).get(TAKEN_BACK)
        if (
            order is not None
            and order.paid_minor is not None
            and not resources.ledger.refunds.of_orders([TAKEN_BACK])
        ):
            await cancel(resources, [TAKEN_BACK], CHANGED_MY_MIND)

    async def _follows(self, resources: Resources) -> None:
        await track(resources)
        refs = [request.order_ref for request in self.scenario.requests]
        await settle_open(resources, refs)
        await follow_refunds(
            resources.ledger.refunds.in_states(FOLLOWED),
            label="1",
        )

    def _batch(self) -> tuple[OrderRequest, ...]:
        return self.scenario.requests[:-1]

    # judgement

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """Once a run instead of after each effect."""
        if self.found or not (at_rest or after.startswith("the end of")):
            return
        orders, effects = self._ledger_now()
        notices = books(self.sandbox, NO_QUERY, b"")
        snapshot = self._newest_rows() if at_rest and self.snapshots else None
        for violation in violations(
            notices,
            orders,
            effects,
            limits=self.limits,
            at_rest=at_rest,
            snapshot=snapshot,
        ):
            self.broken(f"{violation} (after {after})")
        for label in self._above_a_line_s_limit(notices["orders"]):
            self.broken(f"{label} (after {after})")

    def _above_a_line_s_limit(
        self, ordered: Sequence[Mapping[str, Any]]
    ) -> Iterator[str]:
        limits = {
            request.order_ref: request.lines[0].max_unit_price
            for request in self.scenario.requests
        }
        for order in ordered:
            limit = limits[order["reference"]]
            fen = order["items"][0]["unit_fen"]
            if limit is not None and order["paid_times"] and fen > limit.minor:
                yield f"above its limit: {order['reference']} costs {fen} fen a piece, limit {limit}"

    def told_ends(self) -> Iterator[End]:
        """Where each order stands now."""
        ledger = self.database.orders()
        started = {order.reference for order in self.world.books.every_order()}
        started |= {
            effect.order_ref
            for effect in self.database.effects()
            if effect.status in BEGUN
        }
        for request in self.scenario.requests:
            ref = request.order_ref
            order = ledger.get(ref)
            state, reason = (
                (str(order.state), str(order.reason))
                if order is not None
                else ("nowhere", "")
            )
            yield End(ref, request.marketplace, state, reason, ref in started)


def _scenario(built: Stage, seed: int) -> Scenario:
    """Goods of the seed; the last order is the one that is cancelled unpaid."""
    dice = Random(f"{seed}:goods")
    requests = list[OrderRequest]()
    total_fen = 0
    for marketplace in Marketplace:
        goods = dice.sample(built.on_sale[marketplace], ORDERS + 1)
        refs = [f"{marketplace}-{number}" for number in range(1, ORDERS + 1)]
        for ref, item in zip(
            [*refs, UNPAID] if marketplace is CLOSED else refs, goods, strict=False
        ):
            request, cost_fen = _limited(ref, marketplace, item)
            requests.append(request)
            total_fen += cost_fen
    requests.sort(key=lambda request: request.order_ref == UNPAID)
    return Scenario(
        requests=tuple(requests),
        budget=Money(total_fen * 11 // 10),
        settings=_settings(built, 60, 8, 0),
        day_limit_fen=None,
        hides_bookings=False,
    )


def _limited(
    ref: str, marketplace: Marketplace, item: Item
) -> tuple[OrderRequest, int]:
    """An order with a limit on its line, and its cost in fen."""
    request, _, cost_fen = _order(ref, marketplace, item, by_words=False)
    line = request.lines[0]
    sku = next(sku for sku in item.skus if sku.id == line.sku)
    return replace(
        request,
        lines=(replace(line, max_unit_price=Money(item.unit_fen(sku, line.quantity))),),
    ), cost_fen
