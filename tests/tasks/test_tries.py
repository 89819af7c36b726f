"""Tries of a task: each settles first, none leaves anything *sending*, and none repeats
what may have happened.
"""

from __future__ import annotations

import asyncio
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, cast

import pytest

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.errors import (
    Misconfigured,
    NotSent,
    Refused,
    ServiceAway,
    Unanswered,
    XportcnError,
)
from domain.effects import Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from tasks.effects import protocol
from tasks.effects.kind import Proof
from tasks.effects.protocol import PassedOver, perform
from tasks.effects.settling import settle
from tasks.engine.resources import Resources
from tasks.engine.tries import Tries, TryAgain, tries
from tasks.pay import pay_orders
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import LINE, FakeChannel
from tests.running import PATIENCE_S, ROOT
from tests.tasks.stepping import step_of
from tests.tasks.test_effects import FakeKind, FakeService

REFS = ("A-1", "A-2")
DONE = EffectStatus.DONE
UNSENT = EffectStatus.UNSENT
UNKNOWN = EffectStatus.UNKNOWN
SENDING = EffectStatus.SENDING


@pytest.fixture(autouse=True)
def first_of_many(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> Iterator[None]:
    """The first of ten tries, with a gate that waits, and no pauses."""
    monkeypatch.setattr(protocol, "FIRST_PAUSE_S", 0.0)
    cast(Any, resources.client).breaker = CircuitBreaker(at_once=4, patience_s=60)
    token = tries.set(Tries(1, 9))
    yield
    tries.reset(token)


class Channel(FakeChannel):
    """Payments fail as they are told to, by order id; `blind` are the reads that find
    the service away.
    """

    def __init__(self, **troubles: list[XportcnError]) -> None:
        super().__init__()
        self.troubles = troubles
        self.blind = 0
        self.asked_to_pay: list[str] = []

    async def read(
        self, order_ids: Any, *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        if self.blind and self.asked_to_pay:
            self.blind -= 1
            raise ServiceAway("the service is away")
        return await super().read(order_ids)

    async def pay(self, claim: object, order_id: str) -> None:
        self.asked_to_pay.append(order_id)
        trouble = self.troubles.get(f"of_{order_id}")
        if not trouble:
            return await super().pay(claim, order_id)
        if isinstance(error := trouble.pop(0), Unanswered):
            await super().pay(claim, order_id)
        raise error


def to_pay(
    resources: Resources, channel: Channel, state: OrderState = OrderState.ORDERED
) -> dict[str, OrderRecord]:
    """A-1 (order 77) and A-2 (order 78) wait to be paid."""
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None)
    )
    for ref, order_id in zip(REFS, ("77", "78"), strict=True):
        put_rows(resources.ledger, [plan(ref, lines=[to_json(LINE)])])
        record = resources.ledger.claim(intents(ref), lease=resources.lease).won[ref]
        change = OrderChange(
            order_ref=ref, state=state, writes=Columns({"order_id": order_id})
        )
        resources.ledger.record(
            [Outcome(claim=record.claim, status=DONE, change=change)]
        )
        channel.show(order_id, ServiceStatus.UNPAID, reference=ref)
    return resources.ledger.orders(REFS)


def statuses(resources: Resources) -> dict[str, EffectStatus]:
    return {effect.key: effect.status for effect in resources.ledger.effects_of(REFS)}


async def test_a_further_try_asks_first_what_became_of_the_one_before(
    resources: Resources,
) -> None:
    """A payment landed, its answer was lost, and then the service was away: the next
    try finds it, and pays nothing.
    """
    channel = Channel(of_77=[Unanswered("the connection was cut")])
    orders = to_pay(resources, channel)
    channel.blind = 1
    with pytest.raises(TryAgain, match="could not be asked"):
        await pay_orders(step_of(orders), label="1 of 1")
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.UNKNOWN
    await pay_orders(step_of(orders), label="1 of 1")
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.PAID
    assert sorted(channel.asked_to_pay) == ["77", "78"]


async def test_a_further_try_does_not_repeat_what_was_refused(
    resources: Resources,
) -> None:
    """A-1 is refused, A-2 meets a service that is away: the next try goes on with A-2
    alone.
    """
    channel = Channel(
        of_77=[Refused("the wallet is empty", code="BALANCE_NOT_ENOUGH")],
        of_78=[ServiceAway("the service is away")],
    )
    orders = to_pay(resources, channel, OrderState.HELD)
    await pay_orders(step_of(orders), label="1 of 1")
    tries.set(Tries(2, 8))
    await pay_orders(step_of(orders), label="1 of 1")
    assert sorted(channel.asked_to_pay) == ["77", "78", "78"]
    assert [order.state for order in resources.ledger.orders(REFS).values()] == [
        OrderState.HELD,
        OrderState.PAID,
    ]


async def test_what_was_turned_away_is_claimed_anew_and_held_by_nobody_meanwhile(
    resources: Resources,
) -> None:
    """Between two rounds the claim is given back; the second is sent under a new
    fence.
    """
    fences: list[int] = []

    class Busy(FakeKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            fences.append(claim.fence)
            return await self.service.send(claim, order)

    service = FakeService(failures=[NotSent("429", status=429)])
    await perform(
        Busy(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert (fences, statuses(resources)) == ([1, 2], {"A-1:create": DONE})


async def test_an_order_with_a_wrong_id_is_not_held_because_nobody_could_be_asked_for_the_right_one(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The service shows A-1 under 79. It throttles for a moment: the order waits for
    that, and takes its id back.
    """
    channel = Channel()
    orders = to_pay(resources, channel)
    channel.show("77", ServiceStatus.UNPAID, reference="B-9")
    channel.show("79", ServiceStatus.UNPAID, reference="A-1")
    find = channel.find

    async def away(*_: Any, **__: Any) -> Any:
        raise ServiceAway("the service has too many calls")

    monkeypatch.setattr(channel, "find", away)
    with pytest.raises(TryAgain):
        await pay_orders(step_of(orders), label="1 of 1")
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.ORDERED
    monkeypatch.setattr(channel, "find", find)
    await pay_orders(step_of(orders), label="1 of 1")
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.UNKNOWN
    assert "has 79 for it" in resources.ledger.orders(["A-1"])["A-1"].reason


async def test_what_waited_for_long_is_paid_at_the_price_of_that_moment(
    resources: Resources, clock: MovableClock
) -> None:
    """Turned away for longer than a lease: the price is asked for anew, and it is above
    the approved one.
    """
    channel = Channel(of_77=[NotSent("too many calls", status=429)])
    orders = to_pay(resources, channel)
    pay = channel.pay

    async def slow(claim: object, order_id: str) -> None:
        if order_id == "77":
            clock.advance(61)
            channel.show("77", ServiceStatus.UNPAID, total=Money(150))
        await pay(claim, order_id)

    channel.pay = slow  # type: ignore[method-assign]
    with pytest.raises(
        TryAgain, match=r"too many calls|is too old; 1 order to pay left"
    ):  # of A-2, where it is later
        await pay_orders(step_of(orders), label="1 of 1")
    await pay_orders(step_of(orders), label="1 of 1")
    assert (channel.asked_to_pay.count("77"), "77" in channel.payments) == (1, False)
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.HELD


async def test_a_service_that_is_away_is_asked_for_by_another_try(
    resources: Resources,
) -> None:
    """Nothing more is begun, and the reason says how many are left."""
    cast(Any, resources.client).breaker = CircuitBreaker(at_once=1, patience_s=60)
    service = FakeService(
        failures=[ServiceAway("the service is away", retry_after_s=3600)]
    )
    resources.breaker.on_throttled(3600)
    with pytest.raises(
        TryAgain, match=r"the service has too many calls.*; 2 orders to create left"
    ):
        await perform(
            FakeKind(resources, service), intents(*REFS), resources.ledger.orders(REFS)
        )
    assert statuses(resources) == {"A-1:create": UNSENT}
    assert service.sent == ["A-1:create"]


async def test_the_last_try_records_and_returns(resources: Resources) -> None:
    """Without a further try the orders keep their state and say why."""
    tries.set(Tries(10, 0))
    service = FakeService(
        failures=[ServiceAway("the service is away", retry_after_s=3600)]
    )
    await perform(
        FakeKind(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    order = resources.ledger.orders(["A-1"])["A-1"]
    assert (order.state, order.reason) == (
        OrderState.PLANNED,
        "the service is away; nothing was done. Run again",
    )


async def test_an_order_that_is_turned_away_alone_does_not_keep_the_task(
    resources: Resources,
) -> None:
    """Others get through, so the service is there: after a few tries it keeps its
    reason.
    """

    class Alone(FakeKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            if order.order_ref == "A-1":
                raise NotSent("429", status=429)
            return await self.service.send(claim, order)

    kind = Alone(resources, FakeService())
    for number in (1, 2, 3):
        tries.set(Tries(number, 10 - number))
        with pytest.raises(TryAgain, match="too many calls; 1 order to create left"):
            await perform(kind, intents(*REFS), resources.ledger.orders(REFS))
    tries.set(Tries(4, 6))
    await perform(kind, intents("A-1"), resources.ledger.orders(REFS))
    assert statuses(resources) == {"A-1:create": UNSENT, "A-2:create": DONE}


async def test_wrong_credentials_begin_no_more(resources: Resources) -> None:
    """The first order hears of it, the second is never claimed; no other try is asked
    for.
    """
    cast(Any, resources.client).breaker = CircuitBreaker(at_once=1, patience_s=60)
    service = FakeService(failures=[Misconfigured("wrong secret")])
    with pytest.raises(Misconfigured):
        await perform(
            FakeKind(resources, service), intents(*REFS), resources.ledger.orders(REFS)
        )
    assert (service.sent, set(statuses(resources).values())) == (
        ["A-1:create"],
        {UNSENT},
    )


@dataclass(frozen=True)
class Wire(FakeKind):
    """A-1 is on the wire until `answers` is set."""

    sent: asyncio.Event = field(default_factory=asyncio.Event)
    answers: asyncio.Event = field(default_factory=asyncio.Event)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        self.sent.set()
        await self.answers.wait()
        return await self.service.send(claim, order)


async def test_a_cancelled_try_hears_what_is_on_the_wire(resources: Resources) -> None:
    """Cancelled twice: A-1 is heard and recorded before that comes out, A-2 is never
    begun.
    """
    cast(Any, resources.client).breaker = CircuitBreaker(at_once=1, patience_s=60)
    kind = Wire(resources, FakeService())
    trying = asyncio.create_task(
        perform(kind, intents(*REFS), resources.ledger.orders(REFS))
    )
    await kind.sent.wait()
    for _ in range(2):
        trying.cancel()
        await asyncio.sleep(0)
        assert not trying.done()
    kind.answers.set()
    with pytest.raises(asyncio.CancelledError):
        await trying
    assert statuses(resources) == {"A-1:create": DONE}
    assert resources.in_hand == set()


async def test_a_try_that_is_cancelled_while_it_claims_gives_everything_back(
    resources: Resources,
) -> None:
    """The commit can't be called back: what it has won is not left *sending*."""
    service = FakeService()
    trying = asyncio.create_task(
        perform(
            FakeKind(resources, service), intents(*REFS), resources.ledger.orders(REFS)
        )
    )
    while not resources.in_hand:  # noqa: ASYNC110 - no event tells of a claim
        await asyncio.sleep(0)
    trying.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    assert (service.sent, set(statuses(resources).values())) == ([], {UNSENT})


async def test_a_call_that_is_cut_off_is_taken_over_and_read_about(
    resources: Resources,
) -> None:
    """A loop that ends cancels every task by itself: under a new fence it is asked what
    became of it.
    """
    service = FakeService(happened=["A-1"])
    kind = Wire(resources, service)
    others = asyncio.all_tasks()
    trying = asyncio.create_task(
        perform(kind, intents("A-1"), resources.ledger.orders(["A-1"]))
    )
    await kind.sent.wait()
    for task in asyncio.all_tasks() - others:
        task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await trying
    [effect] = resources.ledger.effects_of(["A-1"])
    assert (effect.status, effect.fence) == (DONE, 2)


async def test_a_defect_takes_no_answer_from_others(resources: Resources) -> None:
    """A-1 breaks in our own code after it may have left: unknown, under a new fence;
    A-2 hears its answer.
    """

    class Broken(FakeKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            await asyncio.sleep(0.01)
            if order.order_ref == "A-1":
                raise KeyError("no such thing")
            await asyncio.sleep(0.05)
            return await self.service.send(claim, order)

    with pytest.raises(KeyError):
        await perform(
            Broken(resources, FakeService()),
            intents(*REFS),
            resources.ledger.orders(REFS),
        )
    effects = {
        one.key: (one.status, one.fence) for one in resources.ledger.effects_of(REFS)
    }
    assert effects == {"A-1:create": (UNKNOWN, 2), "A-2:create": (DONE, 1)}


async def test_what_could_not_be_recorded_is_taken_over_by_the_next_try(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The database goes away between the answer and the record; the next try asks the
    service, and sends nothing.
    """
    service = FakeService()

    def away(*_: object) -> list[bool]:
        raise LedgerUnusable("the database is away")

    with monkeypatch.context() as without:
        without.setattr(resources.ledger, "write", away)
        with pytest.raises(LedgerUnusable):
            await perform(
                FakeKind(resources, service),
                intents("A-1"),
                resources.ledger.orders(["A-1"]),
            )
    assert statuses(resources) == {"A-1:create": SENDING}
    await settle(FakeKind(resources, service), ["A-1"])
    await perform(
        FakeKind(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert (service.sent, statuses(resources)) == (["A-1:create"], {"A-1:create": DONE})


async def test_an_open_row_of_this_run_that_is_passed_over_is_a_fault(
    resources: Resources,
) -> None:
    """Nothing is sent then, and what was claimed beside it is given back."""
    resources.ledger.claim(intents("A-1"), lease=resources.lease)
    service = FakeService()
    with pytest.raises(PassedOver, match="A-1:create was begun by this run"):
        await perform(
            FakeKind(resources, service), intents(*REFS), resources.ledger.orders(REFS)
        )
    assert (service.sent, statuses(resources)) == (
        [],
        {"A-1:create": SENDING, "A-2:create": UNSENT},
    )


async def test_what_another_task_of_this_run_has_in_hand_is_left_to_it(
    resources: Resources,
) -> None:
    """Also when its lease is over: its call may be on the wire."""
    resources.ledger.claim(intents("A-1"), lease=resources.lease)
    resources.in_hand.add("A-1:create")
    cast(Any, resources.clock).advance(3600)
    await settle(FakeKind(resources, FakeService()), ["A-1"])
    assert statuses(resources) == {"A-1:create": SENDING}


async def test_what_this_run_claimed_and_never_noted_was_never_sent(
    resources: Resources,
) -> None:
    """A claim whose commit nobody heard of: the run's own send log proves it, without a
    settle time.
    """
    resources.noted = {hash("A-2:create")}
    resources.ledger.claim(intents(*REFS), lease=resources.lease)
    await settle(FakeKind(resources, FakeService()), REFS)
    assert statuses(resources) == {"A-1:create": UNSENT, "A-2:create": UNKNOWN}


def test_ctrl_c_hears_what_is_on_the_wire(resources: Resources, tmp_path: Path) -> None:
    """A real SIGINT to a run with A-1 on the wire: A-1 is recorded as done, A-2 is
    never claimed.
    """
    command = [sys.executable, "-m", "tests.tasks.interrupted", str(tmp_path)]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True
    ) as run:
        assert run.stdout
        assert run.stdout.readline() == "sending\n"
        os.kill(run.pid, signal.SIGINT)
        assert run.wait(PATIENCE_S) != 0
    assert statuses(resources) == {"A-1:create": DONE}
