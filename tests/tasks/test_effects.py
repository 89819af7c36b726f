"""The effect protocol against a service that fails in every way."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import ClassVar

import pytest

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.xportcn.errors import (
    NEVER_S,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
    XportcnError,
)
from domain.absence import OwnRecord
from domain.effects import Action, Claim, EffectStatus
from domain.money import Money
from domain.states import OrderState
from domain.witnessed import Source, Statement
from tasks.effects.kind import Attempt, EffectKind, Proof, Sighting
from tasks.effects.protocol import perform
from tasks.effects.settling import settle
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents
from tests.verdicts import in_these_words

NOT_THERE = OwnRecord(shown=Statement(source=Source.DETAIL, value="nothing"))


@dataclass(frozen=True)
class FakeKind(EffectKind):
    """Creating at the fake service."""

    service: FakeService

    action: ClassVar[Action] = Action.CREATE
    state_while_unknown: ClassVar[OrderState | None] = OrderState.UNKNOWN

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        return await self.service.send(claim, order)

    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        return await self.service.read_back(attempts)

    def state_if_not_done(self, attempt: Attempt) -> OrderState | None:
        return OrderState.PLANNED

    def when_refused(self, attempt: Attempt, refusal: Refused) -> OrderChange | None:
        return OrderChange(
            order_ref=attempt.order.order_ref,
            state=OrderState.REFUSED,
            why=in_these_words(refusal.message),
        )

    def proves_nothing_happened(self, refusal: Refused) -> bool:
        return refusal.message == "no stock"

    @classmethod
    def question(cls, order_ref: str, order_id: str | None, part: str) -> str:
        return f"Did {order_ref} happen?"


@dataclass(frozen=True)
class BlindKind(FakeKind):
    """One whose absence proves nothing."""

    absence_proves: ClassVar[bool] = False


@dataclass
class FakeService:
    """Counts what reaches it; `failures` are raised in turn, and `lands` says whether
    they happened all the same.
    """

    failures: list[XportcnError] = field(default_factory=list)
    lands: bool = False
    blind: bool = False
    sent: list[str] = field(default_factory=list)
    happened: list[str] = field(default_factory=list)

    async def send(self, claim: Claim, order: OrderRecord) -> Proof:
        self.sent.append(claim.key)
        if self.failures:
            if self.lands:
                self.happened.append(order.order_ref)
            raise self.failures.pop(0)
        self.happened.append(order.order_ref)
        return self._proof(order)

    async def read_back(self, attempts: Sequence[Attempt]) -> dict[str, Sighting]:
        if self.blind:
            raise Unanswered("no answer")
        return {
            one.effect.key: self._proof(one.order)
            if one.order.order_ref in self.happened
            else NOT_THERE
            for one in attempts
        }

    @staticmethod
    def _proof(order: OrderRecord) -> Proof:
        fact = OrderUpdate.ordered(
            order_id="77", total=Money(100), at=datetime(2026, 1, 1, tzinfo=UTC)
        )
        return Proof(
            answer={},
            change=OrderChange(
                order_ref=order.order_ref, state=OrderState.ORDERED, writes=fact
            ),
        )


async def run(
    resources: Resources, service: FakeService, kind: type[FakeKind] = FakeKind
) -> OrderRecord:
    """One run over A-1: settle what is open, then perform; answers the order
    afterwards.
    """
    await settle(kind(resources, service), ["A-1"])
    await perform(
        kind(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    return resources.ledger.orders(["A-1"])["A-1"]


def status(resources: Resources) -> EffectStatus:
    return resources.ledger.effects_of(["A-1"])[-1].status


async def test_a_done_effect_is_never_sent_again(
    resources: Resources, next_run: Resources
) -> None:
    """The second run finds the outcome in the ledger."""
    service = FakeService()
    assert (await run(resources, service)).state is OrderState.ORDERED
    assert (await run(next_run, service)).state is OrderState.ORDERED
    assert service.sent == ["A-1:create"]


async def test_a_lost_answer_is_found_by_reading(resources: Resources) -> None:
    """The effect happened, the answer did not arrive: one read settles it in the same
    run.
    """
    service = FakeService(failures=[Unanswered("cut")], lands=True)
    assert (await run(resources, service)).state is OrderState.ORDERED
    assert (service.sent, status(resources)) == (["A-1:create"], EffectStatus.DONE)


async def test_what_is_not_seen_stays_unknown_until_it_can_no_longer_arrive(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """Within lease and settle time absence proves nothing; after it the effect is sent
    a second time.
    """
    service = FakeService(failures=[Unanswered("cut")])
    assert (await run(resources, service)).state is OrderState.UNKNOWN
    clock.advance(959)
    order = await run(next_run, service)
    assert (order.state, service.sent) == (OrderState.UNKNOWN, ["A-1:create"])
    assert (
        order.reason
        == "no answer to create: it may still arrive until 2026-01-01 12:16 UTC; run again after that"
    )
    clock.advance(1)
    assert (await run(next_run, service)).state is OrderState.ORDERED
    assert service.sent == ["A-1:create", "A-1:create"]


async def test_what_was_not_there_before_the_settle_time_proves_nothing_after_it(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """A run is stopped between the service's answer and its own judgement, and it lands
    meanwhile (seed 69138).
    """
    service = FakeService(failures=[Unanswered("cut")])
    await run(resources, service)
    clock.advance(959)

    class Stopped(FakeKind):
        async def read_back(
            self, attempts: Sequence[Attempt]
        ) -> Mapping[str, Sighting]:
            seen = await service.read_back(attempts)
            clock.advance(60)
            service.happened.append("A-1")
            return seen

    await settle(Stopped(next_run, service), ["A-1"])
    assert status(next_run) is EffectStatus.UNKNOWN
    assert (await run(next_run, service)).state is OrderState.ORDERED
    assert service.sent == ["A-1:create"]


async def test_the_service_is_asked_about_orders_as_they_are_by_now(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """What a run read before it took an effect over is older than what the last holder
    knew (seed 35669).
    """
    service = FakeService(failures=[Unanswered("cut")])
    await run(resources, service)
    ordered = OrderChange(
        order_ref="A-1", state=OrderState.ORDERED, writes=Columns({"order_id": "77"})
    )
    resources.ledger.change([ordered])
    clock.advance(61)
    asked_with: list[str | None] = []

    class Asked(FakeKind):
        async def read_back(
            self, attempts: Sequence[Attempt]
        ) -> Mapping[str, Sighting]:
            asked_with.extend(attempt.order.order_id for attempt in attempts)
            return {one.effect.key: NOT_THERE for one in attempts}

    await settle(Asked(next_run, service), ["A-1"])
    assert asked_with == ["77"]


async def test_an_effect_that_arrives_late_is_found(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """It landed after the first look: the next run reads it and sends nothing."""
    service = FakeService(failures=[Unanswered("500")])
    await run(resources, service)
    service.happened.append("A-1")
    clock.advance(10**5)
    assert (await run(next_run, service)).state is OrderState.ORDERED
    assert service.sent == ["A-1:create"]


async def test_an_answer_that_comes_after_a_takeover_is_logged(
    resources: Resources,
    next_run: Resources,
    clock: MovableClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    """The next holder knows of a doubt alone by now; a person can tell it what the
    answer was.
    """

    class Slow(FakeKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            clock.advance(61)
            await settle(FakeKind(next_run, FakeService()), ["A-1"])
            return Proof(answer={"found": "77"})

    await perform(
        Slow(resources, FakeService()), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert status(resources) is EffectStatus.UNKNOWN
    assert caplog.messages == [
        "The answer to A-1:create could not be recorded: {'found': '77'}"
    ]


async def test_of_two_lost_answers_the_second_becomes_a_question(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """However often it provably did not happen: a third send is for a person to
    allow.
    """
    service = FakeService(failures=[Unanswered("cut")] * 3)
    await run(resources, service)
    for _ in range(4):
        clock.advance(10**5)
        order = await run(next_run, service)
    assert (order.state, service.sent) == (
        OrderState.UNKNOWN,
        ["A-1:create", "A-1:create"],
    )
    assert order.reason == (
        "no answer to create: sent 2 times without an answer, it is not sent again by itself. Did A-1 "
        "happen? Answer with: sourcing resolve A-1 done A-1:create, or not-done A-1:create"
    )


async def test_without_a_lookup_only_a_person_can_tell(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """Not seeing the effect never proves its absence here, so the question stands for
    ever.
    """
    service = FakeService(failures=[Unanswered("cut")])
    await run(resources, service, BlindKind)
    clock.advance(10**6)
    order = await run(next_run, service, BlindKind)
    assert (order.state, service.sent) == (OrderState.UNKNOWN, ["A-1:create"])
    assert order.reason == (
        "no answer to create. Did A-1 happen? Answer with: sourcing resolve A-1 done A-1:create, or "
        "not-done A-1:create"
    )


async def test_a_service_that_cannot_be_read_settles_nothing(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """A failed read is no proof of absence."""
    service = FakeService(failures=[Unanswered("cut")], blind=True)
    await run(resources, service)
    clock.advance(10**6)
    assert (await run(next_run, service)).state is OrderState.UNKNOWN
    assert service.sent == ["A-1:create"]


async def test_what_was_not_sent_is_tried_again(resources: Resources) -> None:
    """A 429 had no effect, so sending again is safe."""
    service = FakeService(
        failures=[NotSent("429", retry_after_s=0), NotSent("429", retry_after_s=0)]
    )
    assert (await run(resources, service)).state is OrderState.ORDERED
    assert len(service.sent) == 3


async def test_one_that_is_not_to_be_tried_again_keeps_no_other_from_its_rounds(
    resources: Resources,
) -> None:
    """A lasting no is asked once; another, which was not heard, goes again in
    seconds.
    """
    service = FakeService(
        failures=[NotSent("no", retry_after_s=NEVER_S), NotSent("cut"), NotSent("cut")]
    )
    await perform(
        FakeKind(resources, service),
        intents("A-1", "A-2"),
        resources.ledger.orders(["A-1", "A-2"]),
    )
    states = [one.state for one in resources.ledger.orders(["A-1", "A-2"]).values()]
    assert sorted(states) == [OrderState.ORDERED, OrderState.PLANNED]
    assert Counter(service.sent).most_common() == [
        (service.sent[-1], 3),
        (service.sent[0], 1),
    ]


async def test_a_busy_service_leaves_the_order_where_it_was(
    resources: Resources,
) -> None:
    """When every try was turned away before the lease ends, the next run starts
    anew.
    """
    service = FakeService(failures=[NotSent("busy", retry_after_s=3600)])
    order = await run(resources, service)
    assert (order.state, order.reason) == (
        OrderState.PLANNED,
        "busy; nothing was done. Run again",
    )
    assert (await run(resources, service)).state is OrderState.ORDERED


async def test_a_refusal_ends_the_attempt(resources: Resources) -> None:
    """The order says why."""
    service = FakeService(failures=[Refused("no stock")])
    order = await run(resources, service)
    assert (order.state, order.reason, status(resources)) == (
        OrderState.REFUSED,
        "no stock",
        EffectStatus.REFUSED,
    )


async def test_a_refusal_in_unknown_words_is_kept_and_ends_as_refused_once_it_is_absent(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """What it said is remembered, nothing is asked, and nothing is sent again by the
    run that finds it absent.
    """
    service = FakeService(failures=[Refused("何それ", code="X-1")])
    order = await run(resources, service)
    (effect,) = resources.ledger.effects_of(["A-1"])
    assert (effect.status, effect.answer) == (
        EffectStatus.UNKNOWN,
        {"refused_as": {"code": "X-1", "words": "何それ"}},
    )
    assert (
        order.reason
        == "no answer to create: refused (何それ); it does not say that nothing happened"
    )
    assert (await run(next_run, service)).reason.startswith(
        "no answer to create: refused (何それ); it may still arrive until"
    )
    clock.advance(100_000)
    order = await run(next_run, service)
    assert (order.state, order.reason, service.sent) == (
        OrderState.REFUSED,
        "何それ",
        ["A-1:create"],
    )


async def test_a_refusal_in_known_words_is_a_doubt_while_nothing_was_read(
    resources: Resources,
) -> None:
    """The look leaves the order out."""

    class Silent(FakeKind):
        async def read_back(
            self, attempts: Sequence[Attempt]
        ) -> Mapping[str, Sighting]:
            return {}

    order = await run(resources, FakeService(failures=[Refused("no stock")]), Silent)
    words = "no answer to create: refused (no stock); the service does not show what would tell"
    assert (order.state, order.reason) == (OrderState.UNKNOWN, words)


async def test_a_refusal_in_unknown_words_may_have_happened(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """It shows later: it is done, and never refused."""
    service = FakeService(failures=[Refused("何それ", code="X-1")])
    await run(resources, service)
    service.happened.append("A-1")
    assert (await run(next_run, service)).state is OrderState.ORDERED


async def test_what_is_refused_twice_in_unknown_words_is_sent_no_more(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """Its absence is proven each time; a third send takes a person."""
    service = FakeService(failures=[Refused("何それ", code="X-1") for _ in range(9)])
    for each in (resources, next_run, resources, next_run, resources):
        clock.advance(100_000)
        await run(each, service)
    assert (len(service.sent), status(resources)) == (2, EffectStatus.UNKNOWN)
    assert (
        "sent 2 times without an answer"
        in resources.ledger.effects_of(["A-1"])[-1].reason
    )


async def test_a_no_before_anything_was_sent_is_one_in_any_words(
    resources: Resources,
) -> None:
    """The preview before a create says no: the send log, which has nothing of it, is
    the proof.
    """
    resources.noted = set()
    order = await run(resources, FakeService(failures=[Refused("何それ")]))
    assert (order.state, status(resources)) == (
        OrderState.REFUSED,
        EffectStatus.REFUSED,
    )


async def test_a_refusal_of_what_is_done_counts_as_done(resources: Resources) -> None:
    """`paid already` is good news: the service's record has the last word."""
    service = FakeService(failures=[Refused("already done")], lands=True)
    assert (await run(resources, service)).state is OrderState.ORDERED


async def test_a_wrong_account_stops_the_run_and_loses_nothing(
    resources: Resources,
) -> None:
    """Nothing was done, so after the setting is mended the effect is free to be
    sent.
    """
    service = FakeService(failures=[Misconfigured("wrong secret")])
    with pytest.raises(Misconfigured, match="wrong secret"):
        await run(resources, service)
    assert status(resources) is EffectStatus.UNSENT
    assert (await run(resources, service)).state is OrderState.ORDERED


@pytest.mark.parametrize(
    ("code", "further"),
    [("401", "unsent"), ("40103", "unsent"), ("40104", "done"), ("500", "done")],
)
async def test_a_sent_effect_that_is_refused_for_the_account_stops_the_run_and_stays_in_doubt(
    resources: Resources, code: str, further: str
) -> None:
    """Each further one would be a doubt of its own. A repeated copy of a request is no
    fault of the account.
    """
    service = FakeService(
        failures=[
            Unanswered(
                "the service failed (无权限); it may have been carried out", code=code
            )
        ]
    )
    orders = resources.ledger.orders(["A-1", "A-2"])
    ends = pytest.raises(
        Misconfigured, match=r"the service failed \(无权限\): check XPORTCN_"
    )
    with ends if further == "unsent" else nullcontext():
        await perform(FakeKind(resources, service), intents("A-1", "A-2"), orders)
    assert [resources.ledger.effects_of([ref])[-1].status for ref in orders] == [
        "unknown",
        further,
    ]


async def test_one_that_was_carried_out_all_the_same_stops_nothing(
    resources: Resources,
) -> None:
    service = FakeService(
        failures=[Unanswered("the service failed (无权限)", code="401")], lands=True
    )
    assert (await run(resources, service)).state is OrderState.ORDERED


async def test_another_run_at_work_is_left_alone(
    resources: Resources, next_run: Resources
) -> None:
    """An open effect with a running lease is neither read about nor sent."""
    resources.ledger.claim(intents("A-1"), lease=resources.lease)
    service = FakeService()
    assert (await run(next_run, service)).state is OrderState.PLANNED
    assert service.sent == []


async def test_a_run_that_lost_its_lease_does_not_overrule_the_next(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """The stopped run comes back and records; the ledger keeps the word of the run that
    took over.
    """
    service = FakeService()

    class Slow(BlindKind):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            clock.advance(61)
            await settle(BlindKind(next_run, service), ["A-1"])
            return await service.send(claim, order)

    await perform(
        Slow(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert resources.ledger.orders(["A-1"])["A-1"].state is OrderState.UNKNOWN
    await settle(BlindKind(next_run, service), ["A-1"])
    assert next_run.ledger.orders(["A-1"])["A-1"].state is OrderState.ORDERED
    assert service.sent == ["A-1:create"]
