"""A payment without an answer, where paying may be a submission: an order shown as
unpaid proves nothing.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, cast

import pytest

from connectors.ledger.records import OrderChange
from connectors.marketplaces import Offering
from connectors.settings import BadSetting
from connectors.xportcn.errors import Refused, Unanswered, XportcnError
from connectors.xportcn.settings import XportcnSettings
from domain.effects import (
    Action,
    EffectStatus,
    Resolution,
    ResolutionKind,
    ResolutionRefused,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from domain.wording import ReasonKind
from flows.answers.resolve import resolve
from flows.batch.follow_up import next_follow_up
from flows.cancel_orders import foresee_cancel
from tasks.after_sale import confirm_cancellations
from tasks.effects.cancel import ACCEPTED, Cancel
from tasks.effects.kind import Attempt
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tasks.pay import confirm_payments
from tasks.sync_tracking import Tracked, follow_parcels
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns
from tests.flows.answers.test_resolve import FakeChannel
from tests.tasks.test_pay import ordered, pay
from tests.tasks.test_refund import FakeAfterSale

ASKED = (
    "no answer to pay: the order is shown as unpaid, which proves nothing where paying may be a submission "
    "(XPORTCN_PAY_IS): look for a bill 支付扣款 of 1.00 CNY. Does the console show order 77 as paid, and did the money "
    "leave the wallet (支付扣款)? Answer with: sourcing resolve A-1 paid AMOUNT_CNY, or not-paid"
)


class SilentChannel(FakeChannel):
    """Takes payments in without an answer; `sent` counts them."""

    sent = 0
    says: XportcnError | None = Unanswered("cut")

    async def pay(self, claim: object, order_id: str) -> None:
        self.sent += 1
        if self.says:
            raise self.says

    async def trace(self, shown: object) -> list[object]:
        return []


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> SilentChannel:
    fake = SilentChannel()
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(cast(Any, fake), cast(Any, None))
    ordered(resources)
    fake.show("77", ServiceStatus.UNPAID)
    return fake


def world_of(pay_is: str, *runs: Resources, **settings: Any) -> None:
    for run in runs:
        run.client.settings = XportcnSettings.model_validate(
            {"pay_is": pay_is, **settings}
        )


def standing(run: Resources) -> tuple[OrderState, str]:
    order = run.ledger.orders(["A-1"])["A-1"]
    return order.state, order.reason


async def say(run: Resources, kind: ResolutionKind, amount: int = 0) -> None:
    await resolve(
        run,
        "A-1",
        Resolution(kind=kind, amount=Money(amount) if amount else None),
        by="ann",
    )


async def nights(run: Resources, clock: MovableClock, count: int) -> None:
    for _ in range(count):
        clock.advance(100_000)
        await settle_open(run, ["A-1"])
        await pay(run)


def test_what_a_payment_is_is_not_known_by_itself(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Nor at a loopback address."""
    monkeypatch.delenv("XPORTCN_PAY_IS", raising=False)
    assert XportcnSettings(_env_file=None).pay_is == "unknown"


@pytest.mark.parametrize(
    ("pay_is", "debiting"),
    [
        ("debit", [Marketplace.TAOBAO, Marketplace.ALIBABA_1688]),
        ("submission", []),
        ("taobao=debit", [Marketplace.TAOBAO]),
        ("taobao=debit,1688 = submission", [Marketplace.TAOBAO]),
        ("taobao=unknown, 1688=debit", [Marketplace.ALIBABA_1688]),
    ],
)
def test_marketplaces_may_pay_differently(
    pay_is: str, debiting: list[Marketplace]
) -> None:
    settings = XportcnSettings(pay_is=pay_is)
    asked = (Marketplace.TAOBAO, Marketplace.ALIBABA_1688)
    assert [one for one in asked if settings.debits_at_once(one)] == debiting


@pytest.mark.parametrize(
    "pay_is",
    ["debits", "taobao", "taobao=", "ebay=debit", "1688=debit, 1688=submission"],
)
def test_what_a_payment_is_has_three_words(pay_is: str) -> None:
    with pytest.raises(
        BadSetting,
        match="is not one of unknown, debit, submission, nor MARKETPLACE=WORD once each",
    ):
        XportcnSettings(pay_is=pay_is)


@pytest.mark.parametrize("pay_is", ["unknown", "submission", "1688=debit"])
async def test_it_is_never_sent_again_and_becomes_a_question(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
    pay_is: str,
) -> None:
    """Any number of nights later it was sent once, and the reason says which bill to
    look for.
    """
    world_of(pay_is, resources, next_run)
    await pay(resources)
    await nights(next_run, clock, 3)
    assert (channel.sent, standing(next_run)) == (1, (OrderState.UNKNOWN, ASKED))


async def test_it_is_recorded_as_soon_as_the_service_shows_it(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """Finance pays a day later: whichever flow settles next finds it, whatever was
    asked.
    """
    world_of("unknown", resources, next_run)
    await pay(resources)
    await nights(next_run, clock, 1)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    await settle_open(next_run, ["A-1"])
    assert (standing(next_run)[0], channel.sent) == (OrderState.PAID, 1)


async def test_a_look_by_itself_is_made_although_a_person_is_asked(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    world_of("unknown", resources, next_run)
    await pay(resources)
    await nights(next_run, clock, 1)
    look = next_follow_up(next_run, "batch", 2)
    assert look is not None
    assert look.orders == 2  # with A-2, which is planned


async def test_a_person_who_found_no_bill_has_it_paid_again(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    world_of("unknown", resources, next_run)
    await pay(resources)
    await nights(next_run, clock, 1)
    await say(next_run, ResolutionKind.NOT_PAID)
    await pay(next_run)
    assert channel.sent == 2


async def test_a_person_who_found_the_bill_has_it_waited_for(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """The order still shows as unpaid, since it was submitted: it is never paid again,
    and told once it is paid.
    """
    world_of("unknown", resources, next_run)
    await pay(resources)
    await nights(next_run, clock, 1)
    await say(next_run, ResolutionKind.PAID, 100)
    assert standing(next_run)[0] is OrderState.PAYMENT_PENDING
    await nights(next_run, clock, 1)
    assert channel.sent == 1
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    await pay(next_run)
    assert standing(next_run)[0] is OrderState.PAID


NOT_TAKEN = (
    "the service accepted the payment at 2026-01-01 12:00 UTC and has not taken it; unpaid, the order closes at "
    "2026-01-02 12:00 UTC: look in the console whether order 77 waits for finance (待财务支付), and in the statement "
    "for a bill 支付扣款 of 1.00 CNY; if none is there: sourcing resolve A-1 not-paid"
)


def accepts(channel: SilentChannel, run: Resources, clock: MovableClock) -> None:
    """A payment call that is answered, and shows nothing; the order was created now."""
    channel.says = None
    run.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"ordered_at": clock()}))]
    )


@pytest.mark.parametrize(("hours", "is_told"), [(21, False), (22, True)])
async def test_an_accepted_payment_that_is_not_taken_is_told_two_hours_before_the_order_closes(
    resources: Resources,
    channel: SilentChannel,
    clock: MovableClock,
    *,
    hours: int,
    is_told: bool,
) -> None:
    """It stays what it is, and is never sent again."""
    accepts(channel, resources, clock)
    await pay(resources)
    clock.advance(hours * 3600)
    await pay(resources)
    state, reason = standing(resources)
    assert (state, reason == NOT_TAKEN, channel.sent) == (
        OrderState.PAYMENT_PENDING,
        is_told,
        1,
    )


async def test_a_payment_under_way_is_told_after_the_hours_of_a_submission(
    resources: Resources, channel: SilentChannel, clock: MovableClock
) -> None:
    """An order in the state of an accepted payment does not close by itself."""
    accepts(channel, resources, clock)
    world_of("submission", resources)
    await pay(resources)
    channel.show("77", ServiceStatus.PAYMENT_PENDING)
    told = []
    for _ in range(2):
        clock.advance(23 * 3600)
        await confirm_payments(resources, ["A-1"])
        told.append("has not taken it: look" in standing(resources)[1])
    assert told == [False, True]


@pytest.mark.parametrize("is_answered", [True, False])
async def test_a_payment_that_finance_refused_is_held_and_never_made_again(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
    *,
    is_answered: bool,
) -> None:
    """Also where it was never answered: refused means that it had arrived. Shown as
    unpaid again it is not paid.
    """
    if is_answered:
        accepts(channel, resources, clock)
    world_of("unknown", resources, next_run)
    await pay(resources)
    channel.show("77", ServiceStatus.PAYMENT_REFUSED, paid=Money(100))
    await nights(next_run, clock, 1)
    state, reason = standing(next_run)
    assert state is OrderState.HELD
    assert reason.startswith(
        "not paid: the service's finance refused the payment (支付失败), and it is not made"
    )
    with pytest.raises(
        ResolutionRefused,
        match="the service shows the opposite: order 77 is payment_refused",
    ):
        await say(next_run, ResolutionKind.PAID, 100)
    channel.show("77", ServiceStatus.UNPAID)
    await nights(next_run, clock, 1)
    assert channel.sent == 1
    await say(next_run, ResolutionKind.NOT_PAID)
    await pay(resources)
    assert channel.sent == 2


async def test_a_refused_payment_whose_order_closes_is_still_looked_for(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """The amount may not have come back: the closing stands beside that, and not in its
    place.
    """
    accepts(channel, resources, clock)
    world_of("unknown", resources, next_run)
    await pay(resources)
    channel.show("77", ServiceStatus.PAYMENT_REFUSED)
    await nights(next_run, clock, 1)
    channel.show("77", ServiceStatus.CLOSED)
    tracked = Tracked()
    await follow_parcels(next_run, next_run.ledger.orders(["A-1"]), tracked)
    state, reason = standing(next_run)
    assert state is OrderState.HELD
    assert reason.startswith("not paid: the service's finance refused the payment")


GONE = (
    "the service accepted the payment at 2026-01-01 12:00 UTC and has not taken it; its order was closed "
    "(BUYER_NO_PAY): look in the console whether order 77 waits for finance (待财务支付), and in the statement for a "
    "bill 支付扣款 of 1.00 CNY without one of its return (取消提交支付退款); if none is there: sourcing resolve A-1 "
    "not-paid, else ask the service for the money"
)


async def test_an_accepted_payment_whose_order_closes_is_looked_for_until_a_person_has_found_it(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """Nothing advises to order again before: runs, tracking and to-dos ask for the bill
    and its return.
    """
    accepts(channel, resources, clock)
    await pay(resources)
    channel.show("77", ServiceStatus.CLOSED, close_reason="BUYER_NO_PAY")
    await confirm_payments(resources, ["A-1"])
    assert standing(resources) == (OrderState.HELD, GONE)
    await nights(next_run, clock, 1)
    await follow_parcels(next_run, next_run.ledger.orders(["A-1"]), Tracked())
    assert standing(next_run) == (OrderState.HELD, GONE)
    assert ReasonCode.PAYMENT_NOT_TAKEN.words.kind is ReasonKind.MONEY
    await say(next_run, ResolutionKind.NOT_PAID)
    await follow_parcels(next_run, next_run.ledger.orders(["A-1"]), Tracked())
    assert standing(next_run) == (
        OrderState.CANCELLED,
        "the order was closed unpaid (BUYER_NO_PAY); order again under a new order_ref",
    )


async def test_a_cancelled_order_keeps_the_question_for_its_accepted_payment(
    resources: Resources, channel: SilentChannel, clock: MovableClock
) -> None:
    """The dry run says it beforehand, and the cancelled order afterwards, until it is
    answered.
    """
    accepts(channel, resources, clock)
    after_sale = cast(Any, FakeAfterSale())
    resources.offerings[Marketplace.TAOBAO] = Offering(
        cast(Any, channel), cast(Any, None), after_sale=after_sale
    )
    await pay(resources)
    assert await foresee_cancel(resources, ["A-1"], "101") == {
        "A-1": "close it unpaid; its payment of 1.00 CNY was accepted, look for its return (取消提交支付退款)"
    }
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.CANCELLED, why=ACCEPTED)]
    )
    channel.show("77", ServiceStatus.CLOSED, close_reason="BUYER_NO_PAY")
    await confirm_cancellations(resources, ["A-1"])
    assert standing(resources) == (OrderState.CANCELLED, GONE)
    clock.advance(100_000)
    await say(resources, ResolutionKind.NOT_PAID)
    assert standing(resources) == (OrderState.CANCELLED, "ann answered: not-paid")


async def test_a_payment_of_an_order_that_was_closed_under_another_reason_is_answered_too(
    resources: Resources, channel: SilentChannel, clock: MovableClock
) -> None:
    """The order keeps no word of the payment; the reconciliation names the answer."""
    accepts(channel, resources, clock)
    await pay(resources)
    closed = because(ReasonCode.CLOSED_UNPAID, why="BUYER_NO_PAY")
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.CANCELLED, why=closed)]
    )
    channel.show("77", ServiceStatus.CLOSED, close_reason="BUYER_NO_PAY")
    clock.advance(100_000)
    await say(resources, ResolutionKind.NOT_PAID)
    assert standing(resources) == (OrderState.CANCELLED, "ann answered: not-paid")


async def test_where_one_debits_at_once_an_unpaid_order_contradicts_that_it_was_paid(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    world_of("debit", resources, next_run)
    await pay(resources)
    with pytest.raises(
        ResolutionRefused, match="the service shows the opposite: order 77 is unpaid"
    ):
        await say(resources, ResolutionKind.PAID, 100)


async def test_a_closed_order_was_not_paid(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """Nothing can be submitted any more: it needs no person."""
    world_of("unknown", resources, next_run)
    await pay(resources)
    channel.show("77", ServiceStatus.CLOSED)
    clock.advance(100_000)
    await settle_open(next_run, ["A-1"])
    (effect,) = next_run.ledger.effects_of(["A-1"], Action.PAY)
    assert effect.status is EffectStatus.UNSENT


@pytest.mark.parametrize("pay_is", ["unknown", "debit"])
@pytest.mark.parametrize(
    "no",
    [
        Refused("the order is paid or closed already", code="ORDER_STATUS_ERROR"),
        Refused("ORDER_STATUS_ERROR", code="400"),
        Refused("失败", code="40912"),
        Refused("BALANCE_NOT_ENOUGH: repeated payment", code="400"),
    ],
)
async def test_a_refusal_that_may_mean_paid_already_is_no_refusal(
    resources: Resources, channel: SilentChannel, no: Refused, pay_is: str
) -> None:
    """The order is unknown, and is not told as not paid; what it shows later
    decides.
    """
    world_of(pay_is, resources)
    channel.says = no
    await pay(resources)
    state, reason = standing(resources)
    assert (state, "not paid" in reason) == (OrderState.UNKNOWN, False)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    await settle_open(resources, ["A-1"])
    assert standing(resources)[0] is OrderState.PAID


async def test_a_payment_refused_in_unknown_words_becomes_the_question_with_what_was_said(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    world_of("unknown", resources, next_run)
    channel.says = Refused("失败", code="40912")
    await pay(resources)
    await nights(next_run, clock, 2)
    assert (channel.sent, standing(next_run)[1]) == (
        1,
        ASKED.replace("pay: the", "pay: refused (失败); the"),
    )


async def test_a_payment_refused_in_unknown_words_is_sent_once_more_where_one_debits_at_once(
    resources: Resources,
    next_run: Resources,
    channel: SilentChannel,
    clock: MovableClock,
) -> None:
    """It is shown as unpaid after the settle time each night, and other runs go on; the
    third is a question.
    """
    world_of("debit", resources, next_run)
    channel.says = Refused("失败", code="40912")
    await pay(resources)
    for run in (next_run, resources, next_run, resources):
        clock.advance(100_000)
        await settle_open(run, ["A-1"])
        await pay(run)
    state, reason = standing(resources)
    assert (channel.sent, state, "sent 2 times" in reason) == (
        2,
        OrderState.UNKNOWN,
        True,
    )


@pytest.mark.parametrize(
    "no",
    [
        Refused("", code="BALANCE_NOT_ENOUGH"),
        Refused("INSUFFICIENT_BALANCE_FOR_PAYMENT", code="400"),
        Refused("账户余额不足,请充值", code="400"),
        Refused("orderIds: at most 10", code="40001"),
    ],
)
async def test_a_refusal_that_the_contract_lists_holds_the_order_with_its_remedy(
    resources: Resources, channel: SilentChannel, no: Refused
) -> None:
    world_of("unknown", resources)
    channel.says = no
    await pay(resources)
    assert standing(resources) == (
        OrderState.HELD,
        f"not paid: {no.message or '–'}. Mend that and run again",
    )


async def test_an_order_that_was_not_cancelled_still_waits_for_its_accepted_payment(
    resources: Resources, channel: SilentChannel, clock: MovableClock
) -> None:
    """Tracking reads what waits for its payment, and not what is only ordered."""
    accepts(channel, resources, clock)
    await pay(resources)
    before = resources.ledger.orders(["A-1"])["A-1"]
    assert before.state is OrderState.PAYMENT_PENDING
    (effect,) = resources.ledger.effects_of(["A-1"], Action.PAY)
    attempt = Attempt(order=replace(before, state=OrderState.UNKNOWN), effect=effect)
    assert Cancel(resources).state_if_not_done(attempt) is OrderState.PAYMENT_PENDING
