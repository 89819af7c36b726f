"""Create, pay, render, book: several chunks at once, each order as far and as soon as
it can, the canary first.
"""

from __future__ import annotations

import asyncio
from collections import defaultdict
from collections.abc import Awaitable, Callable, Collection, Mapping, Sequence
from contextlib import suppress
from datetime import timedelta
from functools import partial

from connectors.concurrently import task_group
from connectors.ledger.marks import Note
from connectors.ledger.records import OrderChange, OrderRecord, SpendLimits
from connectors.process_locks import program
from connectors.xportcn.errors import ServiceAway
from domain.effects import Action, EffectStatus
from domain.holds import MOST, given_up, is_understood, waits_for
from domain.marketplace import Marketplace
from domain.offers import ChosenFreight
from domain.states import OrderState
from flows.batch.chunks import work_on_chunks
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import run_logger
from tasks.book_shipment import book_shipments, render_freights
from tasks.create_order import create_orders
from tasks.effects.judge import clear_from
from tasks.effects.reading_orders import read_whatever
from tasks.engine.gathering import PartialResults, ignore
from tasks.engine.progress import progress
from tasks.engine.resources import Resources
from tasks.pay import pay_orders, read_back
from tasks.steps import Step

GOOD_FOR = timedelta(days=1)


class Canaries:
    """The canaries of one run.

    Their state is the ledger's, but for the count of losses: a restarted run counts
    anew. Two processes that begin at one instant have one canary each.
    """

    def __init__(self, resources: Resources) -> None:
        self._resources = resources
        self._program = program()  # of now: a run may wait for its answer until the files are those of a newer version
        self._free: set[Marketplace] = set()
        self._lost = defaultdict[Marketplace, dict[str, OrderRecord]](dict)
        self._one_by_one = defaultdict[Marketplace, asyncio.Lock](asyncio.Lock)

    async def admit(
        self,
        orders: Sequence[OrderRecord],
        create: Callable[..., None],
        is_read_back: Callable[[str], Awaitable[bool]],
    ) -> list[OrderChange]:
        """Let these orders of one batch and marketplace be created; answers the
        verdicts on those that are not.

        `create` takes their references, and `is_read_back` waits until payment has read
        an order back.
        """
        marketplace = orders[0].marketplace
        left = list(orders)
        async with self._one_by_one[marketplace]:
            while left and not await self.is_free(marketplace):
                if kept := await self._kept_back(left):
                    return kept
                if marketplace not in self._free:
                    canary = left.pop(0)
                    await self._note(canary)
                    create(canary.order_ref)
                    if await is_read_back(canary.order_ref):
                        await self._set_free(marketplace)
                    else:
                        await self._take_loss(canary)
        create(*(order.order_ref for order in left))
        return []

    async def is_free(self, marketplace: Marketplace) -> bool:
        """Whether an order of this version of the program was read back there within a
        day.
        """
        since = self._resources.clock() - GOOD_FOR
        marks = self._resources.ledger.marks
        if marketplace not in self._free and await asyncio.to_thread(
            marks.is_noted, Note.CANARY.at(marketplace), self._program, since=since
        ):
            self._free.add(marketplace)
        return marketplace in self._free

    async def _note(self, canary: OrderRecord) -> None:
        await asyncio.to_thread(
            self._resources.ledger.marks.note,
            Note.FIRST.at(canary.marketplace),
            canary.order_ref,
        )

    async def _set_free(self, marketplace: Marketplace) -> None:
        await asyncio.to_thread(
            self._resources.ledger.marks.note,
            Note.CANARY.at(marketplace),
            self._program,
        )
        self._free.add(marketplace)

    async def _kept_back(self, orders: Sequence[OrderRecord]) -> list[OrderChange]:
        """The verdicts on these orders when none of them may go first; empty when one
        may.
        """
        marketplace = orders[0].marketplace
        resources = self._resources
        unchanged = [order.stays(order.why) for order in orders]
        if resources.paused or resources.breaker.is_over:
            return unchanged
        try:
            stuck = await self._stuck(orders[0].batch_id, marketplace)
        except ServiceAway:
            return unchanged
        if stuck is not None:
            why = waits_for(stuck.order_ref, marketplace, stuck.why)
            return [
                o.held(why) if stuck.state is OrderState.HELD else o.stays(why)
                for o in orders
            ]
        if len(lost := self._lost[marketplace]) >= MOST:
            why = given_up([*lost], marketplace, [*lost.values()][-1].why)
            return [order.held(why) for order in orders]
        return []

    async def _stuck(
        self, batch_id: str, marketplace: Marketplace
    ) -> OrderRecord | None:
        """A canary that is not settled, or can't be read as it should be; a readable
        one frees the marketplace.

        An unanswered create that can't land any more is lost: the next order is the
        younger one that the proof of its absence may lack.
        """
        resources = self._resources
        group_commit = self._resources.group_commit
        marks = self._resources.ledger.marks
        refs = await asyncio.to_thread(
            marks.unsettled_first, batch_id, marketplace, most=MOST
        )
        created = {
            ref: order
            for ref, order in (await group_commit.orders(refs)).items()
            if order.order_id
        }
        if created and await read_back(resources, created):
            await self._set_free(marketplace)
            return None
        now = await group_commit.orders(refs)
        held = {ref: one for ref, one in now.items() if one.state is OrderState.HELD}
        shown = (await read_whatever(resources, held.values()))[0] if held else {}
        unknown = [ref for ref, one in now.items() if one.state is OrderState.UNKNOWN]
        lost = await self._arrive_no_more(unknown)
        self._lost[marketplace] |= {ref: now[ref] for ref in lost}
        others = lost | {ref for ref in held if is_understood(ref, shown.get(ref))}
        return next(
            (now[ref] for ref in refs if ref not in others and _is_unsettled(now[ref])),
            None,
        )

    async def _arrive_no_more(self, order_refs: Collection[str]) -> set[str]:
        """Those of these orders whose creates may not land any more."""
        effects = await self._resources.group_commit.effects_of(order_refs)
        late = {
            one.order_ref
            for one in effects
            if clear_from(self._resources, one) > self._resources.clock()
        }
        return {*order_refs} - late

    async def _take_loss(self, canary: OrderRecord) -> None:
        """Count a canary that was not read back, if anything of it was begun."""
        ref = canary.order_ref
        group_commit = self._resources.group_commit
        now = (await group_commit.orders([ref]))[ref]
        if now.paid_minor is not None:  # another run was faster
            await self._set_free(now.marketplace)
            return
        creates = [
            one
            for one in await group_commit.effects_of([ref])
            if one.action is Action.CREATE
        ]
        if creates and creates[-1].status is not EffectStatus.UNSENT:
            self._lost[now.marketplace][ref] = now


def _is_unsettled(order: OrderRecord) -> bool:
    return order.paid_minor is None and order.state in (
        OrderState.UNKNOWN,
        OrderState.ORDERED,
        OrderState.HELD,
    )


STAGES = ("create", "pay", "render freight", "book")


async def execute(
    resources: Resources,
    order_refs: Sequence[str],
    approved: Mapping[str, str],
    *,
    limits: SpendLimits,
    feed: EventFeed,
    canaries: Canaries,
    asks: bool,
) -> None:
    """Take these orders as far as they can go; the results are in the ledger, and
    emitted by `feed`.

    `approved` has the hash of each plan that was approved (see `plan_hash`): only those
    are created. A run that does not ask (`asks`) leaves alone orders that were held or
    refused since.
    """
    listener = progress.get()
    for stage in STAGES:
        listener.start(stage, len(order_refs))

    async def take(
        chunk: Sequence[str], label: str, through: Callable[[int], None]
    ) -> None:
        steps = Steps(resources, approved, limits, canaries, asks=asks)
        await steps.take(chunk, label, through)
        counts = ", ".join(
            f"{count:,} {state}"
            for state, count in (await feed.emit(chunk)).most_common()
        )
        run_logger().info("Orders %s: %s", label, counts)

    await work_on_chunks(resources, [*order_refs], take)


class Steps:
    """The steps of a chunk, all running at once: each order goes from step to step by
    itself.
    """

    def __init__(
        self,
        resources: Resources,
        approved: Mapping[str, str],
        limits: SpendLimits,
        canaries: Canaries,
        *,
        asks: bool,
    ) -> None:
        self._resources = resources
        self._approved = approved
        self._limits = limits
        self._canaries = canaries
        self._asks = asks
        self._kept_back: set[str] = set()
        self._read_back = defaultdict[str, asyncio.Future[bool]](
            asyncio.get_running_loop().create_future
        )

    async def take(
        self, refs: Sequence[str], label: str, finish: Callable[[int], None]
    ) -> None:
        """Run the steps until each of these orders has gone as far as it can; `finish`
        gets their number as they do.
        """
        freight: PartialResults[str, ChosenFreight] = PartialResults()
        book = self._step(
            "book",
            refs,
            lambda order: order.order_ref in freight and may_book(order),
            lambda *done: finish(len(done)),
        )
        render = self._step("render freight", refs, may_book, book.put)
        pay = self._step(
            "pay",
            refs,
            may_pay,
            render.put,
            seen=partial(self._judge, is_read_back=True),
        )
        create = self._step("create", refs, self._may_create, pay.put)
        async with task_group() as crew:
            crew.create_task(self._admit(refs, create))
            for step, task in (
                (create, lambda: create_orders(create, self._limits, label=label)),
                (pay, lambda: pay_orders(pay, label=label)),
                (render, lambda: render_freights(render, freight, label=label)),
                (book, lambda: book_shipments(book, freight, label=label)),
            ):
                crew.create_task(self._run(step, task))

    async def _admit(self, refs: Sequence[str], create: Step) -> None:
        """Submit orders to be created, at each marketplace as its canary allows."""
        orders = await self._resources.group_commit.orders(refs)
        waiting = defaultdict[Marketplace, list[OrderRecord]](list)
        for ref in refs:
            if ref in orders and self._may_create(orders[ref]):
                waiting[orders[ref].marketplace].append(orders[ref])
            else:
                create.put(ref)
        async with task_group() as crew:
            for some in waiting.values():
                crew.create_task(self._admit_at_one(some, create))

    async def _admit_at_one(self, orders: Sequence[OrderRecord], create: Step) -> None:
        changes = await self._canaries.admit(
            orders, create.put, self._read_back.__getitem__
        )
        await self._resources.group_commit.change(changes)
        kept_back = [change.order_ref for change in changes]
        self._kept_back.update(kept_back)
        create.put(*kept_back)

    def _may_create(self, order: OrderRecord) -> bool:
        ref = order.order_ref
        return ref not in self._kept_back and may_create(order, self._approved.get(ref))

    def _judge(self, *order_refs: str, is_read_back: bool) -> None:
        for ref in order_refs:
            if not self._read_back[ref].done():
                self._read_back[ref].set_result(is_read_back)

    def _step(
        self,
        stage: str,
        refs: Sequence[str],
        is_for: Callable[[OrderRecord], bool],
        pass_on: Callable[..., None],
        *,
        seen: Callable[..., None] = ignore,
    ) -> Step:
        listener = progress.get()

        def through(*done: str) -> None:
            if done:
                listener.advance(stage, len(done))
                if stage == "pay":
                    self._judge(*done, is_read_back=False)
                pass_on(*done)

        def mine(order: OrderRecord) -> bool:
            is_allowed = self._resources.paused is None and (
                self._asks or needs_nobody(order)
            )
            return is_allowed and is_for(order)

        return Step(refs, is_for=mine, then=through, seen=seen)

    async def _run(self, step: Step, task: Callable[[], Awaitable[None]]) -> None:
        """Run a step, in a task run if there is anything to do; unfinished orders keep
        their state in the ledger.
        """
        try:
            with suppress(
                ServiceAway
            ):  # patience or time is used up: what is left keeps its state
                if await step.has_work(self._resources):
                    await task()
        finally:
            step.end()


def needs_nobody(order: OrderRecord) -> bool:
    """Whether an order may go on without a person: its approval stands, and it is not
    held.
    """
    return order.plan_hash is not None and order.state is not OrderState.HELD


def may_create(order: OrderRecord, approved_plan: str | None) -> bool:
    """Whether the plan in the ledger is the one that was approved; another run may have
    made another since.
    """
    waiting = order.state is OrderState.PLANNED and order.order_id is None
    return waiting and approved_plan is not None and order.plan_hash == approved_plan


def may_pay(order: OrderRecord) -> bool:
    waiting = order.state in (
        OrderState.ORDERED,
        OrderState.PAYMENT_PENDING,
        OrderState.HELD,
    )
    return waiting and order.order_id is not None and order.paid_minor is None


def may_book(order: OrderRecord) -> bool:
    waiting = order.state in (OrderState.PAID, OrderState.HELD)
    return (
        waiting
        and order.paid_minor is not None
        and not order.is_overpaid
        and order.shipment is None
    )
