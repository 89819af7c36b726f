"""Answers of a person: taken when nothing contradicts them, refused else, and always
kept.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any, cast

import pytest

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import needing_a_person, put_rows
from connectors.ledger.records import Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.resolutions import ResolutionRecord
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import ListedRefund
from connectors.snapshots import Snapshots
from connectors.xportcn.errors import Refused, UnknownRefundState, XportcnError
from domain.absence import EVER, Reading
from domain.after_sale import NOTHING, RefundState, ServiceRefund
from domain.decisions import held
from domain.effects import (
    Action,
    EffectStatus,
    Resolution,
    ResolutionKind,
    ResolutionRefused,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine, marketplaces_of
from domain.reasons import ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus, Shipment, TrackingEvent
from domain.states import OrderState
from flows.answers.questions import open_questions
from flows.answers.resolve import CAME_BACK, checked_answer, resolve
from flows.batch.sorting import find_unrecorded
from tasks.effects.book import Book
from tasks.effects.create_by_reference import _several
from tasks.engine.resources import Resources
from tasks.pay import pay_orders
from tasks.reconcile import unknown_refunds
from tasks.sync_tracking import Tracked, follow_parcels
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.plans import planned
from tests.flows.prefect_ui.test_upkeep_artifacts import refund
from tests.tasks.calling import call_in
from tests.tasks.stepping import step_of
from tests.tasks.test_refund import FakeAfterSale
from tests.verdicts import in_these_words, in_words

LINE = OrderLine(
    line_no=1,
    item_id="6",
    sku_id="2",
    title="cup",
    image_url="",
    quantity=1,
    unit_price=Money(100),
)


@dataclass
class FakeChannel:
    """A marketplace with these orders, which counts its payments."""

    orders: dict[str, ServiceOrder] = field(default_factory=dict)
    payments: list[str] = field(default_factory=list)

    def show(self, order_id: str, status: ServiceStatus, **values: Any) -> None:
        shown: dict[str, Any] = {
            "reference": "A-1",
            "total": Money(100),
            "paid": None,
            "created_at": None,
            **values,
        }
        self.orders[order_id] = ServiceOrder(order_id=order_id, status=status, **shown)

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        return {
            order_id: self.orders[order_id]
            for order_id in order_ids
            if order_id in self.orders
        }

    async def find(
        self,
        references: Sequence[str],
        *,
        since: datetime,
        controls: Sequence[str] = (),
    ) -> Reading:
        listed = list(self.orders.values())
        wanted = [*references, *controls]
        found = {
            ref: carrying
            for ref in wanted
            if (carrying := [o for o in listed if ref in o.names])
        }
        return Reading(
            found=found, listed=listed, ended=True, covers=EVER, unbroken=True
        )

    async def pay(self, claim: object, order_id: str) -> None:
        self.payments.append(order_id)
        self.show(
            order_id,
            ServiceStatus.PAID,
            paid=Money(100),
            reference=self.orders[order_id].reference,
        )


@pytest.fixture
def channel(resources: Resources) -> FakeChannel:
    fake = FakeChannel()
    for marketplace in (Marketplace.TAOBAO, Marketplace.ALIBABA_1688):
        resources.offerings[marketplace] = Offering(cast(Any, fake), cast(Any, None))
    put_rows(resources.ledger, [plan("A-1", lines=[to_json(LINE)])])
    return fake


def order(resources: Resources) -> OrderRecord:
    return resources.ledger.orders(["A-1"])["A-1"]


def unanswered(resources: Resources, action: Action, part: str = "") -> None:
    """An effect that was sent and got no answer."""
    intent = Intent(
        order_ref="A-1", action=action, amount=Money(100), request_hash="h", part=part
    )
    record = resources.ledger.claim([intent], lease=resources.lease).won["A-1"]
    change = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)]
    )


def ordered(resources: Resources, *states: OrderState, **columns: Any) -> None:
    """An order at the service, moved through these states."""
    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    first = OrderChange(
        order_ref="A-1",
        state=OrderState.ORDERED,
        writes=Columns({"order_id": "77", **columns}),
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=first)]
    )
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=state) for state in states]
    )


async def say(
    resources: Resources, kind: ResolutionKind, value: str = "", **values: Any
) -> OrderRecord:
    return await resolve(
        resources, "A-1", Resolution(kind=kind, value=value, **values), by="ann"
    )


def effect_status(resources: Resources, action: Action) -> EffectStatus:
    return [
        effect.status
        for effect in resources.ledger.effects_of(["A-1"])
        if effect.action is action
    ][-1]


async def test_an_answer_is_kept_with_who_when_and_what(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """The audit trail has the question, the words of the answer, the person and the
    time; so has the move.
    """
    unanswered(resources, Action.CREATE)
    channel.show("77", ServiceStatus.UNPAID)
    assert (
        await say(resources, ResolutionKind.ORDERED, "77")
    ).state is OrderState.ORDERED
    (kept,) = resources.ledger.resolutions.of_order("A-1")
    assert (kept["by"], kept["at"], kept["effect_key"]) == (
        "ann",
        clock.now,
        "A-1:create",
    )
    assert (
        kept["question"]
        == "Does the marketplace's console show an order with reference A-1?"
    )
    assert kept["answer"] == "ordered 77"
    last = resources.ledger.moves_of("A-1")[-1]
    assert (last["new_state"], last["by"], last["reason"]) == (
        "ordered",
        "ann",
        "ann answered: ordered 77",
    )


async def test_an_order_that_a_person_found_is_recorded_as_done(
    resources: Resources, channel: FakeChannel
) -> None:
    """Its id and price come from the service, and it is never created again."""
    unanswered(resources, Action.CREATE)
    channel.show("77", ServiceStatus.UNPAID, total=Money(98))
    found = await say(resources, ResolutionKind.ORDERED, "77")
    assert (found.order_id, found.total_minor) == ("77", 98)
    assert resources.ledger.claim(intents("A-1"), lease=resources.lease).won == {}


@pytest.mark.parametrize(
    ("shown", "words"),
    [
        ({}, "taobao shows no order 77"),
        ({"77": "B-9"}, "order 77 carries reference B-9"),
        ({"77": "A-1", "78": "A-1"}, "also shows 78 for A-1: cancel all others first"),
    ],
)
async def test_an_order_that_is_not_this_one_is_refused(
    resources: Resources, channel: FakeChannel, shown: dict[str, str], words: str
) -> None:
    """The named order must be there, under this reference, and the only one."""
    unanswered(resources, Action.CREATE)
    for order_id, reference in shown.items():
        channel.show(order_id, ServiceStatus.UNPAID, reference=reference)
    with pytest.raises(ResolutionRefused, match=words):
        await say(resources, ResolutionKind.ORDERED, "77")
    assert resources.ledger.resolutions.of_order("A-1") == []


async def test_a_no_is_only_taken_once_the_effect_can_arrive_no_more(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """Within lease and settle time nobody can know that it did not happen; after it the
    next run begins anew.
    """
    unanswered(resources, Action.CREATE)
    clock.advance(959)
    with pytest.raises(
        ResolutionRefused,
        match=r"A-1:create may still arrive until 2026-01-01 12:16:00 UTC",
    ):
        await say(resources, ResolutionKind.NOT_ORDERED)
    clock.advance(1)
    assert (
        await say(resources, ResolutionKind.NOT_ORDERED)
    ).state is OrderState.PLANNED
    assert set(resources.ledger.claim(intents("A-1"), lease=resources.lease).won) == {
        "A-1"
    }


async def test_a_no_that_the_service_contradicts_is_refused(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """The order is there: it must not be created a second time on a person's word."""
    unanswered(resources, Action.CREATE)
    clock.advance(10**5)
    channel.show("77", ServiceStatus.UNPAID)
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: it happened"
    ):
        await say(resources, ResolutionKind.NOT_ORDERED)
    assert effect_status(resources, Action.CREATE) is EffectStatus.UNKNOWN


async def test_an_effect_that_a_living_run_holds_is_not_answered(
    resources: Resources, channel: FakeChannel
) -> None:
    """The run may be about to learn the answer itself."""
    resources.ledger.claim(intents("A-1"), lease=resources.lease)
    channel.show("77", ServiceStatus.UNPAID)
    with pytest.raises(
        ResolutionRefused,
        match=r"a run is at work on A-1:create .* until 2026-01-01 12:01:00 UTC",
    ):
        await say(resources, ResolutionKind.ORDERED, "77")


async def test_what_nobody_asked_is_not_answered(
    resources: Resources, channel: FakeChannel
) -> None:
    """No open effect, no answer."""
    ordered(resources)
    for kind in (
        ResolutionKind.NOT_PAID,
        ResolutionKind.NOT_BOOKED,
        ResolutionKind.CANCELLED,
        ResolutionKind.NOT_REFUNDED,
    ):
        with pytest.raises(ResolutionRefused, match="that waits for an answer"):
            await say(resources, kind)


def closed(resources: Resources, channel: FakeChannel) -> None:
    """An order that was paid, and that the marketplace closed."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    why = because(ReasonCode.CLOSED_AFTER_PAYMENT, why="closed by the seller")
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.HELD, why=why)]
    )
    channel.show("77", ServiceStatus.CLOSED)


async def test_what_the_marketplace_gave_back_by_itself_is_told_by_a_person(
    resources: Resources, channel: FakeChannel
) -> None:
    """No refund of ours is to be followed. It counts as one: in budgets, in costs and
    for the order's state.
    """
    closed(resources, channel)
    lost = await say(resources, ResolutionKind.CAME_BACK, amount=NOTHING)
    assert (lost.state, lost.refunded_minor, lost.reason) == (
        "held",
        0,
        "ann answered: came-back 0.00",
    )
    assert (lost.reason_code, lost.knows_what_came_back) == (
        ReasonCode.REST_IS_LOST,
        True,
    )
    for _ in range(2):  # the second is a Retry: what came back in all is as before
        part = await say(resources, ResolutionKind.CAME_BACK, amount=Money(60))
        assert (part.state, part.refunded_minor, part.reason) == (
            "held",
            60,
            "ann answered: came-back 0.60",
        )
    for amount in (59, 101):
        with pytest.raises(
            ResolutionRefused,
            match=r"in all can't have come back of A-1: of 1.00 CNY 0.60 CNY has",
        ):
            await say(resources, ResolutionKind.CAME_BACK, amount=Money(amount))
    for _ in range(2):
        whole = await say(resources, ResolutionKind.CAME_BACK, amount=Money(100))
        assert (whole.state, whole.refunded_minor, whole.reason) == (
            "refunded",
            100,
            "1.00 CNY of 1.00 CNY came back",
        )
    refunds = resources.ledger.refunds.of_orders(["A-1"])
    assert [(one.key, one.state, one.refunded.minor) for one in refunds] == [
        ("A-1:all.1", "refunded", 60),
        ("A-1:all.2", "refunded", 40),
    ]
    assert [
        kept["question"] for kept in resources.ledger.resolutions.of_order("A-1")
    ] == [CAME_BACK] * 5
    table = Snapshots(resources.settings.snapshot_root).table("refunds")
    assert sorted(table["refunded_minor"]) == [40, 60]
    with pytest.raises(
        ResolutionRefused,
        match="A-1 is refunded: that money came back is told of a paid order",
    ):
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(1))


async def test_what_came_back_and_the_orders_state_are_one_commit(
    resources: Resources, channel: FakeChannel
) -> None:
    """A run that dies right after the commit leaves nothing half done."""
    closed(resources, channel)
    said = Resolution(kind=ResolutionKind.CAME_BACK, amount=Money(100))
    assert resources.ledger.resolutions.record(
        await checked_answer(resources, "A-1", said, by="ann")
    )
    assert (order(resources).state, order(resources).refunded_minor) == (
        "refunded",
        100,
    )


@pytest.mark.parametrize("state", [OrderState.PAID, OrderState.HELD])
async def test_of_an_order_on_its_way_no_money_came_back(
    resources: Resources, channel: FakeChannel, state: OrderState
) -> None:
    """Another order was meant: this one would never be booked, or its parcel never
    followed.
    """
    ordered(resources, OrderState.PAID, paid_minor=100)
    resources.ledger.change([OrderChange(order_ref="A-1", state=state)])
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    lists_none = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, Console([]))
    )
    resources.offerings[Marketplace.TAOBAO] = lists_none
    for fen in (0, 20):
        with pytest.raises(
            ResolutionRefused,
            match="order 77 is paid, and no refund of it was asked for elsewhere",
        ):
            await say(resources, ResolutionKind.CAME_BACK, amount=Money(fen))
    assert (order(resources).state, order(resources).refunded_minor) == (state, None)


@pytest.mark.parametrize("state", [OrderState.PAID, OrderState.HELD])
async def test_where_no_refunds_are_listed_a_part_that_came_back_is_a_persons_word(
    resources: Resources, channel: FakeChannel, state: OrderState
) -> None:
    """The service's staff gave it back. All of it can't have come back of an order that
    goes on there.

    It may be for goods that don't travel: a person says yes to shipping the rest, as
    after a refund.
    """
    ordered(resources, OrderState.PAID, paid_minor=100)
    resources.ledger.change([OrderChange(order_ref="A-1", state=state)])
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: order 77 goes on"
    ):
        await say(resources, ResolutionKind.CAME_BACK, amount=NOTHING)
    for amount in (20, 60):
        told = await say(resources, ResolutionKind.CAME_BACK, amount=Money(amount))
        assert (told.state, told.refunded_minor, told.reason) == (state, amount, "")
        assert needing_a_person(resources.ledger, ["A-1"]) == {"A-1"}
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: order 77 is paid"
    ):
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(100))
    assert (order(resources).state, order(resources).refunded_minor) == (state, 60)


@dataclass
class Console:
    """After-sale that lists what was asked for by hand."""

    listed: list[ListedRefund]

    async def list_refunds(self, *, since: datetime) -> list[ListedRefund]:
        return self.listed


async def test_of_a_refund_asked_for_by_hand_a_part_comes_back_and_the_order_goes_on(
    resources: Resources, channel: FakeChannel
) -> None:
    """What was told of is no unknown refund any more; the next one is."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    first = ListedRefund(refund_id="R-1", order_id="77", amount=Money(10), word="5")
    console = Console([first])
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, console)
    )
    since = resources.clock()
    assert len(await unknown_refunds(resources, Marketplace.TAOBAO, since)) == 1
    told = await say(resources, ResolutionKind.CAME_BACK, amount=Money(10))
    assert (told.state, told.refunded_minor, told.reason) == ("paid", 10, "")
    assert await unknown_refunds(resources, Marketplace.TAOBAO, since) == []
    console.listed.append(replace(first, refund_id="R-2", amount=Money(90)))
    (finding,) = await unknown_refunds(resources, Marketplace.TAOBAO, since)
    assert finding.seen_amount == Money(100)


async def test_what_a_person_tells_of_takes_the_approval_before_it_is_written(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that dies right after its commit would leave an approval that nothing
    withdraws.
    """
    ordered(resources, OrderState.PAID, paid_minor=100)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))]
    )
    channel.show("77", ServiceStatus.CLOSED)
    monkeypatch.setattr(resources.ledger.resolutions, "record", lambda *_, **__: False)
    for fen, stands in ((100, "hash"), (49, None)):
        with pytest.raises(
            ResolutionRefused, match="another run has just dealt with it"
        ):
            await say(resources, ResolutionKind.CAME_BACK, amount=Money(fen))
        assert order(resources).plan_hash == stands


async def test_what_came_back_of_a_refund_that_the_ledger_follows_is_never_counted_twice(
    resources: Resources, channel: FakeChannel
) -> None:
    """The seller refused it, it was modified in the console, and the money came back
    since it was last followed.
    """
    ordered(resources, OrderState.PAID, paid_minor=100)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    refused = replace(
        refund("A-1", 60, 0), order_id="77", state=RefundState.REFUSED, refund_id="R1"
    )
    resources.ledger.refunds.put(replace(refused, marketplace=Marketplace.TAOBAO))
    service = FakeAfterSale()
    came_back = ServiceRefund(
        refund_id="R1", state=RefundState.REFUNDED, asked=Money(60), refunded=Money(60)
    )
    service.refunds["R1"] = came_back
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, service)
    )
    with pytest.raises(
        ResolutionRefused,
        match=r"refund R1 is refunded, 0.60 CNY came back. Follow it first: sourcing",
    ):
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(60))
    assert (order(resources).state, order(resources).refunded_minor) == ("paid", None)
    service.refunds["R1"] = replace(
        came_back, state=RefundState.REFUSED, refunded=Money(0)
    )
    assert (
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(20))
    ).refunded_minor == 20


@pytest.mark.parametrize(
    "shown",
    [
        UnknownRefundState("refund status 仲裁中 is not known", code="仲裁中"),
        Refused("no such refund"),
        ServiceRefund(
            refund_id="R1",
            state=RefundState.REFUNDED,
            asked=Money(600),
            refunded=Money(600),
        ),
    ],
    ids=["unknown-word", "shown-no-more", "not-believed"],
)
async def test_what_came_back_can_be_told_beside_a_refund_that_can_t_be_followed(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    shown: ServiceRefund | XportcnError,
) -> None:
    """The answer would be refused for ever: following it changes nothing."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    channel.show("77", ServiceStatus.CLOSED, paid=Money(100))
    refused = replace(
        refund("A-1", 60, 0), order_id="77", state=RefundState.REFUSED, refund_id="R1"
    )
    resources.ledger.refunds.put(replace(refused, marketplace=Marketplace.TAOBAO))
    service = FakeAfterSale()

    async def read(_: str) -> ServiceRefund:
        if isinstance(shown, XportcnError):
            raise shown
        return shown

    monkeypatch.setattr(service, "read", read)
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, service)
    )
    assert (
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(20))
    ).refunded_minor == 20


async def test_of_an_unpaid_order_no_money_came_back(
    resources: Resources, channel: FakeChannel
) -> None:
    ordered(resources)
    with pytest.raises(
        ResolutionRefused,
        match="A-1 is ordered: that money came back is told of a paid order",
    ):
        await say(resources, ResolutionKind.CAME_BACK, amount=Money(1))


async def test_a_payment_that_the_service_cannot_show_is_answered_by_a_person(
    resources: Resources, channel: FakeChannel
) -> None:
    """The order is not shown, so the person's amount counts."""
    ordered(resources)
    unanswered(resources, Action.PAY)
    paid = await say(resources, ResolutionKind.PAID, amount=Money(100))
    assert (paid.state, paid.paid_minor) == (OrderState.PAID, 100)
    assert effect_status(resources, Action.PAY) is EffectStatus.DONE


async def test_a_payment_beyond_what_was_approved_is_held(
    resources: Resources, channel: FakeChannel
) -> None:
    """It is recorded, and somebody asks for the difference."""
    ordered(resources)
    unanswered(resources, Action.PAY)
    paid = await say(resources, ResolutionKind.PAID, amount=Money(120))
    assert (paid.state, paid.paid_minor) == (OrderState.HELD, 120)
    assert paid.reason.startswith(
        "the service took 1.20 CNY, approved was 1.00 CNY: ask for the difference back"
    )


@pytest.mark.parametrize(
    ("status", "paid", "words"),
    [
        (ServiceStatus.UNPAID, None, "order 77 is unpaid"),
        (
            ServiceStatus.PAID,
            Money(90),
            "order 77 is paid with 0.90 CNY: answer paid 0.90",
        ),
    ],
)
async def test_a_payment_that_the_service_contradicts_is_refused(
    resources: Resources,
    channel: FakeChannel,
    status: ServiceStatus,
    paid: Money | None,
    words: str,
) -> None:
    """What the service plainly shows counts more than a person's word."""
    ordered(resources)
    unanswered(resources, Action.PAY)
    channel.show("77", status, paid=paid)
    with pytest.raises(ResolutionRefused, match=words):
        await say(resources, ResolutionKind.PAID, amount=Money(100))


async def test_not_paid_never_leads_to_a_second_payment(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """The person is wrong and the service was blind for a moment: paying reads first,
    and finds it paid.
    """
    ordered(resources)
    unanswered(resources, Action.PAY)
    clock.advance(10**5)
    assert (await say(resources, ResolutionKind.NOT_PAID)).state is OrderState.ORDERED
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    await pay_orders(step_of({"A-1": order(resources)}), label="1 of 1")
    assert (order(resources).state, channel.payments) == (OrderState.PAID, [])


async def test_not_paid_is_refused_while_the_service_shows_it_paid(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """No second payment can begin on that answer."""
    ordered(resources)
    unanswered(resources, Action.PAY)
    clock.advance(10**5)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    with pytest.raises(ResolutionRefused, match="it happened"):
        await say(resources, ResolutionKind.NOT_PAID)


async def test_a_payment_that_the_service_dropped_is_made_again(
    resources: Resources, next_run: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """Accepted, never confirmed, plainly unpaid after the settle time: a person's no
    begins a second attempt.
    """
    ordered(resources)
    record = resources.ledger.claim(
        intents("A-1", action=Action.PAY), lease=resources.lease
    ).won["A-1"]
    pending = OrderChange(order_ref="A-1", state=OrderState.PAYMENT_PENDING)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=pending)]
    )
    channel.show("77", ServiceStatus.UNPAID)
    with pytest.raises(
        ResolutionRefused, match=r"may still arrive until 2026-01-01 12:15:00 UTC"
    ):
        await say(resources, ResolutionKind.NOT_PAID)
    clock.advance(900)
    held = await say(resources, ResolutionKind.NOT_PAID)
    assert (held.state, held.reason) == (
        OrderState.HELD,
        "ann answered: not-paid. Run again to pay it",
    )
    next_run.offerings = resources.offerings
    await call_in(next_run, pay_orders, step_of({"A-1": held}), label="1 of 1")
    assert (order(resources).state, channel.payments) == (OrderState.PAID, ["77"])
    assert [effect.key for effect in resources.ledger.effects_of(["A-1"])][1:] == [
        "A-1:pay",
        "A-1:pay:2",
    ]


async def test_of_two_who_answer_at_one_moment_the_first_is_taken(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Several orders were made and none carries our reference: the second may not put
    another id over the first.
    """
    claim = (
        resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"].claim
    )
    several = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("several orders")
    )
    resources.ledger.record(
        [Outcome(claim=claim, status=EffectStatus.DONE, change=several)]
    )
    for order_id in ("77", "78"):
        channel.show(order_id, ServiceStatus.UNPAID, reference="")
    await _refused_when_meanwhile(
        resources,
        monkeypatch,
        Resolution(kind=ResolutionKind.ORDERED, value="78"),
        ResolutionKind.ORDERED,
        "77",
    )
    assert (
        order(resources).order_id,
        len(resources.ledger.resolutions.of_order("A-1")),
    ) == ("77", 1)


@pytest.mark.parametrize("left", [ServiceStatus.UNPAID, ServiceStatus.CLOSED])
async def test_of_several_orders_a_person_names_the_one_that_is_left_or_any_of_the_cancelled(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    left: ServiceStatus,
) -> None:
    """What is said is what the reason tells; where all were cancelled tracking closes
    the order.
    """
    claim = (
        resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"].claim
    )
    made = _several("A-1", ["77", "78"]).change
    assert made
    assert made.why
    resources.ledger.record(
        [Outcome(claim=claim, status=EffectStatus.DONE, change=made)]
    )
    assert made.why.remedy == (
        "Cancel all but one, then: sourcing resolve A-1 ordered ORDER_ID; with all cancelled, any id"
    )
    channel.show("77", left, reference="")
    channel.show("78", ServiceStatus.CLOSED, reference="")
    named = await say(resources, ResolutionKind.ORDERED, "77")
    assert (named.state, named.order_id) == (OrderState.ORDERED, "77")

    async def trace(_: ServiceOrder) -> list[TrackingEvent]:
        return []

    monkeypatch.setattr(channel, "trace", trace, raising=False)
    tracked = Tracked()
    await follow_parcels(resources, {"A-1": named}, tracked)
    closed = left is ServiceStatus.CLOSED
    assert order(resources).state is (
        OrderState.CANCELLED if closed else OrderState.ORDERED
    )


async def test_of_several_shipments_a_person_names_the_one_that_is_left(
    resources: Resources, channel: FakeChannel
) -> None:
    """The service may go on showing cancelled ones."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    shipments = tuple(
        Shipment(shipment_order_id=f"S-{n}", tracking_numbers=(f"LP{n}",))
        for n in (1, 2)
    )
    channel.show("77", ServiceStatus.SHIPPED, paid=Money(100), shipments=shipments)
    with pytest.raises(
        ResolutionRefused, match="A-1 has no question that waits for an answer"
    ):
        await say(resources, ResolutionKind.BOOKED, "S-2", tracking=("LP2",))
    resources.ledger.change([Book(resources).shipped(order(resources), shipments)])
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: shipment S-1, S-2"
    ):
        await say(resources, ResolutionKind.BOOKED, "S-3", tracking=("LP3",))
    named = await say(resources, ResolutionKind.BOOKED, "S-2", tracking=("LP2",))
    assert (named.state, named.shipment_order_id, named.tracking_numbers) == (
        OrderState.BOOKED,
        "S-2",
        ["LP2"],
    )
    [kept] = resources.ledger.resolutions.of_order("A-1")
    assert (
        kept["question"] == "Does the warehouse console show a shipment for order 77?"
    )


async def _refused_when_meanwhile(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, said: Resolution, *first: Any
) -> None:
    """What was `said` is judged before the first answer is written, and comes to the
    ledger after it.
    """
    late = await checked_answer(resources, "A-1", said, by="bob")
    await say(resources, *first)

    async def as_judged(*_: Any, **__: Any) -> ResolutionRecord:
        return late

    monkeypatch.setattr("flows.answers.resolve.checked_answer", as_judged)
    with pytest.raises(ResolutionRefused, match="another run has just dealt with it"):
        await resolve(resources, "A-1", said, by="bob")


async def test_not_paid_is_refused_when_the_payment_was_confirmed_meanwhile(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """A tracking run saw the money leave after the answer was checked: the payment
    still counts as spent.
    """
    ordered(resources)
    record = resources.ledger.claim(
        intents("A-1", action=Action.PAY), lease=resources.lease
    ).won["A-1"]
    pending = OrderChange(order_ref="A-1", state=OrderState.PAYMENT_PENDING)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=pending)]
    )
    channel.show("77", ServiceStatus.UNPAID)
    clock.advance(900)
    late = await checked_answer(
        resources, "A-1", Resolution(kind=ResolutionKind.NOT_PAID), by="bob"
    )
    taken = OrderChange(
        order_ref="A-1", state=OrderState.PAID, writes=Columns({"paid_minor": 100})
    )
    resources.ledger.change([taken])
    assert not resources.ledger.resolutions.record(late)
    assert (order(resources).state, effect_status(resources, Action.PAY)) == (
        OrderState.PAID,
        EffectStatus.DONE,
    )


@pytest.mark.parametrize(("up_to", "payments"), [(99, []), (101, ["77"])])
async def test_what_an_order_may_cost_is_heard_where_it_is_less_than_approved(
    resources: Resources, channel: FakeChannel, up_to: int, payments: list[str]
) -> None:
    """Approved are 1.00 CNY, and it costs that: a lower bound is kept, a higher one
    approves nothing more.
    """
    unanswered(resources, Action.CREATE)
    channel.show("77", ServiceStatus.UNPAID)
    found = await say(resources, ResolutionKind.ORDERED, "77", amount=Money(up_to))
    assert found.payable == Money(min(up_to, 100))
    await pay_orders(step_of({"A-1": found}), label="1 of 1")
    assert channel.payments == payments


async def test_a_booking_is_answered_either_way(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """Booked with its ids, or not booked once it can arrive no more."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    unanswered(resources, Action.BOOK)
    with pytest.raises(ResolutionRefused, match="may still arrive"):
        await say(resources, ResolutionKind.NOT_BOOKED)
    clock.advance(960)
    assert (await say(resources, ResolutionKind.NOT_BOOKED)).state is OrderState.PAID
    unanswered(resources, Action.BOOK)
    booked = await say(resources, ResolutionKind.BOOKED, "9", tracking=("LP1", "LP2"))
    assert (booked.state, booked.shipment_order_id, booked.tracking_numbers) == (
        OrderState.BOOKED,
        "9",
        ["LP1", "LP2"],
    )
    assert (booked.freight_minor, booked.freight_currency, booked.freight_service) == (
        100,
        "CNY",
        None,
    )
    assert [
        kept["answer"] for kept in resources.ledger.resolutions.of_order("A-1")
    ] == [
        "not-booked",
        "booked 9 --tracking LP1 --tracking LP2",
    ]


async def test_a_booking_that_the_service_shows_otherwise_is_refused(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """A shipment on the order contradicts `not booked` and another id."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    unanswered(resources, Action.BOOK)
    clock.advance(960)
    shipment = Shipment(shipment_order_id="5", tracking_numbers=("LP5",))
    channel.show("77", ServiceStatus.PAID, paid=Money(100), shipments=(shipment,))
    with pytest.raises(ResolutionRefused, match="it happened"):
        await say(resources, ResolutionKind.NOT_BOOKED)
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: shipment 5"
    ):
        await say(resources, ResolutionKind.BOOKED, "9", tracking=("LP1",))
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: shipment 5 with LP5"
    ):
        await say(resources, ResolutionKind.BOOKED, "5", tracking=("LP1",))
    assert (
        await say(resources, ResolutionKind.BOOKED, "5", tracking=("LP5",))
    ).tracking_numbers == ["LP5"]


@pytest.mark.parametrize(
    ("value", "tracking", "why"),
    [
        ("5", ("LP9",), "shipment 5, or a parcel of LP9, is that of A-2 in this"),
        ("9", ("LP9", "LP5"), "a parcel of LP9, LP5, is that of A-2 in this ledger"),
    ],
)
async def test_a_shipment_belongs_to_one_order(
    resources: Resources,
    channel: FakeChannel,
    value: str,
    tracking: tuple[str, ...],
    why: str,
) -> None:
    """Nobody's parcel is told as that of another order, nor none at all."""
    shipment = {"shipment_order_id": "5", "tracking_numbers": ["LP5"]}
    booked_at = resources.clock()
    put_rows(
        resources.ledger,
        [plan("A-2", shipment=shipment, shipment_order_id="5", booked_at=booked_at)],
    )
    ordered(resources, OrderState.PAID, paid_minor=100)
    unanswered(resources, Action.BOOK)
    with pytest.raises(ResolutionRefused, match=why):
        await say(resources, ResolutionKind.BOOKED, value, tracking=tracking)


async def test_a_booking_that_only_a_person_told_of_may_be_taken_back(
    resources: Resources, next_run: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """A slip must not keep a paid order from being shipped for ever."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    unanswered(resources, Action.BOOK)
    clock.advance(61)
    await say(resources, ResolutionKind.BOOKED, "9", tracking=("LP1",))
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    clock.advance(900)
    back = await say(resources, ResolutionKind.NOT_BOOKED)
    assert (back.state, back.shipment, back.shipment_order_id) == (
        OrderState.HELD,
        None,
        None,
    )
    assert back.reason == "ann answered: not-booked. Run again to book it"
    book = Intent(order_ref="A-1", action=Action.BOOK, amount=Money(1), request_hash="")
    assert (
        next_run.ledger.claim([book], lease=resources.lease).won["A-1"].key
        == "A-1:book:2"
    )
    with pytest.raises(ResolutionRefused, match="a run is at work"):
        await say(resources, ResolutionKind.NOT_BOOKED)


PARCEL = "A-1:return:all.1"


def parcel_unanswered(resources: Resources, channel: FakeChannel) -> FakeAfterSale:
    """A return parcel was named, and no answer came."""
    ordered(resources, OrderState.PAID, paid_minor=100)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    agreed = replace(
        refund("A-1", 60, 0), order_id="77", state=RefundState.TO_RETURN, refund_id="R1"
    )
    resources.ledger.refunds.put(replace(agreed, marketplace=Marketplace.TAOBAO))
    service = FakeAfterSale()
    service.refunds["R1"] = ServiceRefund(
        refund_id="R1", state=RefundState.TO_RETURN, asked=Money(60), refunded=Money(0)
    )
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None), after_sale=cast(Any, service)
    )
    unanswered(resources, Action.RETURN, "all.1")
    return service


async def test_any_other_effect_is_answered_by_its_key(
    resources: Resources, channel: FakeChannel
) -> None:
    """A return parcel: settled without moving the order."""
    service = parcel_unanswered(resources, channel)
    (asked,) = open_questions(resources.ledger, order(resources))
    assert asked.commands == [
        f"sourcing resolve A-1 done {PARCEL}",
        f"sourcing resolve A-1 not-done {PARCEL}",
    ]
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.RETURNED)
    await say(resources, ResolutionKind.DONE, PARCEL)
    assert effect_status(resources, Action.RETURN) is EffectStatus.DONE


async def test_an_answer_about_any_other_effect_is_checked_against_what_shows(
    resources: Resources, channel: FakeChannel, clock: MovableClock
) -> None:
    """As all answers are: refused with what was seen, either way."""
    service = parcel_unanswered(resources, channel)
    with pytest.raises(
        ResolutionRefused,
        match="the service shows the opposite: order 77 is paid, and nothing of",
    ):
        await say(resources, ResolutionKind.DONE, PARCEL)
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.RETURNED)
    clock.advance(960)
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: it happened"
    ):
        await say(resources, ResolutionKind.NOT_DONE, PARCEL)
    assert effect_status(resources, Action.RETURN) is EffectStatus.UNKNOWN
    await say(resources, ResolutionKind.DONE, PARCEL)
    assert effect_status(resources, Action.RETURN) is EffectStatus.DONE


async def test_an_order_of_another_ledger_is_taken_on_with_what_it_may_cost(
    resources: Resources, channel: FakeChannel
) -> None:
    """After a restore: found before it would be bought again, adopted on a person's
    word, and paid once.
    """
    unapproved = {
        "approved_minor": None,
        "plan_hash": None,
        "request": to_json(planned("A-1").request),
    }
    put_rows(
        resources.ledger,
        [plan("A-1", marketplace="1688", lines=[to_json(LINE)], **unapproved)],
    )
    channel.show("77", ServiceStatus.UNPAID)
    request = cast(
        Any,
        type(
            "Request", (), {"marketplace": Marketplace.ALIBABA_1688, "order_ref": "A-1"}
        ),
    )
    (why,) = (await find_unrecorded(resources, marketplaces_of([request]))).values()
    assert in_words(why) == held(
        in_these_words(
            "the service already has order 77 (unpaid, 1.00 CNY) under this order_ref, and this ledger has not ordered "
            "it. If it is this order, take it over: sourcing resolve A-1 ordered 77 --up-to 1.00. If another ledger "
            "ordered it, use that one: under a new order_ref it would be bought a second time"
        )
    )
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=why.state, why=why.why)]
    )
    (asked,) = open_questions(resources.ledger, order(resources))
    assert asked.commands == ["sourcing resolve A-1 ordered ORDER_ID"]
    with pytest.raises(
        ResolutionRefused,
        match=r"nothing is approved for A-1, and order 77 costs 1\.00 CNY: .* --up-to 1.00",
    ):
        await say(resources, ResolutionKind.ORDERED, "77")
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    with pytest.raises(
        ResolutionRefused,
        match=r"order 77 is paid with 1\.00 CNY already: --up-to 1.00 at least",
    ):
        await say(resources, ResolutionKind.ORDERED, "77", amount=Money(10))
    channel.show("77", ServiceStatus.UNPAID)
    adopted = await say(resources, ResolutionKind.ORDERED, "77", amount=Money(100))
    assert (adopted.state, adopted.order_id, adopted.payable) == (
        OrderState.ORDERED,
        "77",
        Money(100),
    )
    assert resources.ledger.claim(intents("A-1"), lease=resources.lease).won == {}
    assert resources.ledger.committed_in("batch") == 100
    await pay_orders(step_of({"A-1": adopted}), label="1 of 1")
    assert channel.payments == ["77"]


async def test_a_question_lists_its_answers(
    resources: Resources, channel: FakeChannel
) -> None:
    """Each open effect with the commands that answer it, and until when a run has
    it.
    """
    resources.ledger.claim(intents("A-1"), lease=timedelta(seconds=60))
    (asked,) = open_questions(resources.ledger, order(resources))
    assert (
        asked.words
        == "Does the marketplace's console show an order with reference A-1?"
    )
    assert asked.commands == [
        "sourcing resolve A-1 ordered ORDER_ID",
        "sourcing resolve A-1 not-ordered",
    ]
    assert asked.held_until == datetime.fromisoformat("2026-01-01T12:01:00+00:00")
