"""Orders flow singly through a step: nobody waits for another's answer, and a further
try takes what is left.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import ClassVar

import pytest

from connectors.concurrently import Slots
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderRecord
from connectors.xportcn.breaker import CircuitBreaker
from domain.effects import Claim, EffectStatus
from domain.states import OrderState
from tasks.effects.kind import Proof
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.engine.tries import Tries, TryAgain, tries
from tasks.steps import Batcher
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.tasks.stepping import step_for, step_of
from tests.tasks.test_effects import FakeKind, FakeService

REFS = ("A-1", "A-2", "A-3")
Orders = Mapping[str, OrderRecord]


@pytest.fixture(autouse=True)
def third(resources: Resources) -> None:
    """A third order, beside A-1 and A-2."""
    put_rows(resources.ledger, [plan("A-3")])


def as_given(order: OrderRecord, given: OrderRecord) -> bool:
    return order.state is given.state


async def test_a_slow_order_keeps_no_other_from_going_on(resources: Resources) -> None:
    """A-1 waits for an answer; those that come after it are through before."""
    through: list[str] = []
    answered = asyncio.Event()

    def then(*refs: str) -> None:
        through.extend(refs)
        if len(through) == 2:
            answered.set()

    step = step_for(REFS, then=then)

    async def work(orders: Orders) -> None:
        if "A-1" in orders:
            await answered.wait()

    step.put("A-1")
    trying = asyncio.create_task(step.each_group(resources, work, waits=as_given))
    await asyncio.sleep(0.05)
    step.put("A-2", "A-3")
    await trying
    assert through == ["A-2", "A-3", "A-1"]


async def test_who_the_step_is_not_for_goes_on_at_once(resources: Resources) -> None:
    """Also when nothing is left to do: then no task run is needed."""
    through: list[str] = []
    step = step_for(
        REFS,
        is_for=lambda order: order.state is OrderState.PAID,
        then=lambda *refs: through.extend(refs),
    )
    step.put(*REFS)
    assert not await step.has_work(resources)
    assert sorted(through) == ["A-1", "A-2", "A-3"]


async def test_a_further_try_takes_what_is_left_and_those_who_came_meanwhile(
    resources: Resources,
) -> None:
    """A-1 asks for another try while A-3 is still on its way: the try ends without
    waiting for it.
    """
    through: list[str] = []
    step = step_for(REFS, then=lambda *refs: through.extend(refs))
    step.put("A-1", "A-2")
    worked: list[list[str]] = []

    async def work(orders: Orders) -> None:
        worked.append(sorted(orders))
        if len(worked) == 1:
            step.through("A-2")
            raise TryAgain("the service is away")

    with pytest.raises(TryAgain):
        await step.each_group(resources, work, waits=as_given)
    step.put("A-3")
    await step.each_group(resources, work, waits=as_given)
    assert (worked[0], sorted(worked[1:])) == (["A-1", "A-2"], [["A-1"], ["A-3"]])
    assert sorted(through) == ["A-1", "A-2", "A-3"]


async def test_a_try_that_ends_begins_no_further_group(resources: Resources) -> None:
    """Orders of two marketplaces: the first group asks for another try before the
    second is made.
    """
    put_rows(resources.ledger, [plan("A-3", marketplace="1688")])
    worked: list[str] = []

    async def work(orders: Orders) -> None:
        worked.extend(orders)
        raise TryAgain("the service is away")

    step = step_for(REFS)
    step.put(*REFS)
    assert await step.has_work(resources)
    with pytest.raises(TryAgain):
        await step.each_group(resources, work, waits=as_given)
    assert len(worked) < 3
    assert len(step.given) == 3


async def test_what_no_longer_waits_is_left_alone_by_a_further_try(
    resources: Resources,
) -> None:
    """Somebody has held A-1 since it was given."""
    step = step_of(resources.ledger.orders(["A-1", "A-2"]))
    with resources.ledger.transaction() as connection:
        connection.exec_driver_sql(
            "UPDATE orders SET state = 'held' WHERE order_ref = 'A-1'"
        )
    worked: list[str] = []

    async def work(orders: Orders) -> None:
        worked.extend(orders)

    await step.each_group(resources, work, waits=as_given)
    assert worked == ["A-2"]


async def test_no_more_is_claimed_than_can_leave(resources: Resources) -> None:
    """Two calls may be in flight: the third order holds no lease before one of them has
    ended.
    """
    resources.client.breaker = CircuitBreaker(at_once=2)
    held: list[int] = []
    answered = asyncio.Event()

    class Slow(FakeKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            claimed = resources.ledger.effects_of(REFS)
            held.append(
                sum(effect.status is EffectStatus.SENDING for effect in claimed)
            )
            if order.order_ref == "A-1":
                await answered.wait()
            if order.order_ref == "A-3":
                answered.set()
            return await self.service.send(claim, order)

    told: list[str] = []
    orders = resources.ledger.orders(REFS)
    await perform(
        Slow(resources, FakeService()), intents(*REFS), orders, then=told.append
    )
    assert (max(held), told) == (2, ["A-2", "A-3", "A-1"])


@pytest.mark.parametrize("left", [0, 1])
@pytest.mark.parametrize("aged_s", [0, 60])
async def test_what_waited_for_a_place_longer_than_a_lease_is_read_anew_before_it_is_paid(
    resources: Resources, clock: MovableClock, left: int, aged_s: int
) -> None:
    """The price may have risen meanwhile: nothing is claimed, and a further try, or
    else the next run, looks again.

    The time from the reading to the first claim counts.
    """

    class Priced(FakeKind):
        rests_on_a_reading: ClassVar[bool] = True

    service = FakeService()
    wanted = [replace(intent, seen_in=OrderState.PLANNED) for intent in intents("A-1")]
    taken = await resources.slots.take(10)
    if left:
        resources.client.breaker = CircuitBreaker(at_once=4, patience_s=600)
    token = tries.set(Tries(1, left))
    read_at = clock()
    clock.advance(aged_s)
    paying = asyncio.create_task(
        perform(
            Priced(resources, service),
            wanted,
            resources.ledger.orders(REFS),
            read_at=read_at,
        )
    )
    tries.reset(token)
    await asyncio.sleep(0.01)
    clock.advance(61 - aged_s)
    resources.slots.release(taken)
    if left:
        with pytest.raises(TryAgain, match="1 order to create left"):
            await paying
    else:
        await paying
        assert "too old" in resources.ledger.orders(["A-1"])["A-1"].reason
    assert not service.sent
    assert not resources.ledger.effects_of(["A-1"])
    assert await resources.slots.take(10) == taken


async def test_a_batch_begins_when_it_is_full_or_its_time_is_up(
    resources: Resources,
) -> None:
    """Two fill one; the third waits a moment for others. A failure reaches those of its
    batch.
    """
    batches: list[list[str]] = []

    async def do(batch: list[str]) -> None:
        batches.append(batch)
        if "A-3" in batch:
            raise TryAgain("not now")

    together = Batcher(step_for(()), do, most=2, within_s=0.01)
    ends = await asyncio.gather(
        *(together(ref) for ref in REFS), return_exceptions=True
    )
    assert batches == [["A-1", "A-2"], ["A-3"]]
    assert [type(end) for end in ends] == [type(None), type(None), TryAgain]


async def test_places_are_given_in_turn_and_as_many_as_there_are() -> None:
    """Three things, two places: the third waits until both or one are given back."""
    size = 2
    places = Slots(lambda: size)
    assert await places.take(5) == 2
    waiting = asyncio.create_task(places.take(1))
    await asyncio.sleep(0)
    assert not waiting.done()
    size = 3
    places.release(0)
    assert await waiting == 1


@pytest.mark.parametrize("when", ["before its first step", "after the cancellation"])
async def test_a_batch_of_a_try_that_is_cancelled_keeps_nobody_waiting(
    when: str,
) -> None:
    """Two orders of a batch that is never begun: whoever waits for it hears that it was
    cancelled.
    """

    async def do(_refs: list[str]) -> None:
        raise AssertionError

    step = step_for(())
    together = Batcher(step, do, most=3, within_s=60)

    async def both() -> Sequence[BaseException | None]:
        return await asyncio.gather(
            together("A-1"), together("A-2"), return_exceptions=True
        )

    async def fails() -> None:
        raise ValueError

    async def late() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            waiting.append(asyncio.create_task(both()))
            await asyncio.sleep(0)
            raise

    async def a_try() -> None:
        async with asyncio.TaskGroup() as crew:
            step.begin = crew.create_task
            crew.create_task(fails())
            if when == "after the cancellation":
                crew.create_task(late())
            else:
                waiting.append(asyncio.create_task(both()))

    waiting: list[asyncio.Task[Sequence[BaseException | None]]] = []
    with pytest.raises(ExceptionGroup):
        await a_try()
    async with asyncio.timeout(5):
        heard = await waiting[0]
    assert [type(one) for one in heard] == [asyncio.CancelledError] * 2
