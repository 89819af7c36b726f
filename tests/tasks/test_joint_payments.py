"""A payment of several orders with one request that is refused as a whole: a no to it
is no no to each of them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, cast

import pytest

from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import PayOutcome, PaysMany
from connectors.xportcn.errors import Refused, Unanswered
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode
from domain.service_orders import ServiceStatus
from domain.states import OrderState
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.flows.answers.test_resolve import FakeChannel
from tests.tasks.test_pay import ordered, pay

NO_MONEY = Refused("余额不足", code="400")
MANUAL = Refused("Batch pay : not surport MANUAL-TRADE!", code="400")
MALFORMED = Refused("orderIds: at most one", code="40001", status=400)


@dataclass
class JointChannel(FakeChannel, PaysMany):
    """Refuses a request for several orders, after it has paid the first `pays_first` of
    them.
    """

    says: Refused = NO_MONEY
    pays_first: int = 0
    shows_payments: bool = True
    requests: list[list[str]] = field(default_factory=list)

    pay_batch_size: int = 10

    async def pay(self, claim: object, order_id: str) -> None:
        await PaysMany.pay(self, cast(Any, claim), order_id)

    async def pay_many(
        self, claims: Sequence[object], order_ids: Sequence[str]
    ) -> dict[str, PayOutcome]:
        self.requests.append(list(order_ids))
        is_refused = len(order_ids) > 1
        for order_id in list(order_ids)[: self.pays_first if is_refused else 1]:
            self.payments.append(order_id)
            if self.shows_payments:
                reference = self.orders[order_id].reference
                self.show(
                    order_id, ServiceStatus.PAID, paid=Money(100), reference=reference
                )
        if is_refused:
            raise self.says
        return dict.fromkeys(order_ids)


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> JointChannel:
    fake = JointChannel()
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(cast(Any, fake), cast(Any, None))
    for order_ref, order_id in (("A-1", "77"), ("A-2", "78")):
        ordered(resources, order_ref, order_id)
        fake.show(order_id, ServiceStatus.UNPAID, reference=order_ref)
    return fake


async def both(run: Resources) -> list[OrderState]:
    return [order.state for order in await pay(run, "A-1", "A-2")]


@pytest.mark.parametrize(
    "says", [NO_MONEY, MANUAL, Refused("order 78 is not known", code="40402")]
)
async def test_one_bad_order_keeps_the_others_from_no_payment(
    resources: Resources,
    next_run: Resources,
    channel: JointChannel,
    clock: MovableClock,
    says: Refused,
) -> None:
    """Some may have been paid before the no: each is open until it can arrive no more,
    and is then paid alone.
    """
    channel.says = says
    assert await both(resources) == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    reason = f"the payment of 2 orders together was refused: {says.message}"
    assert all(
        reason in order.reason
        for order in resources.ledger.orders(["A-1", "A-2"]).values()
    )
    clock.advance(100_000)
    await settle_open(next_run, ["A-1", "A-2"])
    assert await both(next_run) == [OrderState.PAID, OrderState.PAID]
    assert sorted(channel.requests, key=len) == [["77"], ["78"], ["77", "78"]]


async def test_what_was_paid_before_the_no_is_not_paid_again(
    resources: Resources,
    next_run: Resources,
    channel: JointChannel,
    clock: MovableClock,
) -> None:
    """The wallet ended within the request."""
    channel.pays_first = 1
    assert await both(resources) == [OrderState.PAID, OrderState.UNKNOWN]
    clock.advance(100_000)
    await settle_open(next_run, ["A-1", "A-2"])
    assert await both(next_run) == [OrderState.PAID, OrderState.PAID]
    assert sorted(channel.payments) == ["77", "78"]


async def test_where_paying_may_be_a_submission_each_is_a_question(
    resources: Resources,
    next_run: Resources,
    channel: JointChannel,
    clock: MovableClock,
) -> None:
    """Those that were submitted before the no look as unpaid as the others: none is
    paid again.
    """
    for run in (resources, next_run):
        run.client.settings = XportcnSettings(pay_is="unknown")
    channel.pays_first = 1
    channel.shows_payments = False
    assert await both(resources) == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    clock.advance(100_000)
    await settle_open(next_run, ["A-1", "A-2"])
    assert await both(next_run) == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    assert channel.payments == ["77"]
    assert all(
        "not-paid" in order.reason
        for order in next_run.ledger.orders(["A-1", "A-2"]).values()
    )


async def test_a_dry_wallet_leaves_the_orders_of_one_request_in_doubt_and_no_others(
    resources: Resources, channel: JointChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run sends each further order there alone: the same words are then a known
    no.
    """

    async def refuses(
        claims: Sequence[object], order_ids: Sequence[str]
    ) -> dict[str, PayOutcome]:
        channel.requests.append(list(order_ids))
        raise NO_MONEY

    monkeypatch.setattr(channel, "pay_many", refuses)
    assert await both(resources) == [OrderState.UNKNOWN, OrderState.UNKNOWN]
    for order_ref, order_id in (("A-3", "79"), ("A-4", "80")):
        ordered(resources, order_ref, order_id)
        channel.show(order_id, ServiceStatus.UNPAID, reference=order_ref)
    later = await pay(resources, "A-3", "A-4")
    assert [(one.state, one.why and one.why.code) for one in later] == [
        (OrderState.HELD, ReasonCode.REFUSED_AFTER_ORDERING)
    ] * 2
    assert sorted(channel.requests[1:]) == [["79"], ["80"]]


async def test_orders_of_a_malformed_request_are_paid_alone_at_once(
    resources: Resources, channel: JointChannel
) -> None:
    channel.says = MALFORMED
    assert await both(resources) == [OrderState.PAID, OrderState.PAID]
    assert sorted(channel.requests, key=len) == [["77"], ["78"], ["77", "78"]]
    assert [
        one.doubtful_sends
        for one in resources.ledger.effects_of(["A-1", "A-2"], Action.PAY)
    ] == [1, 1]


@pytest.mark.parametrize("is_read", [True, False])
async def test_a_request_that_is_called_malformed_and_paid_an_order_is_in_doubt(
    resources: Resources,
    channel: JointChannel,
    monkeypatch: pytest.MonkeyPatch,
    *,
    is_read: bool,
) -> None:
    """Or after which the orders can't be read."""
    channel.says, channel.pays_first = MALFORMED, int(is_read)
    right = channel.read

    async def read(order_ids: Sequence[str], *, may_lag: bool = False) -> Any:
        if channel.requests and not is_read:
            raise Unanswered("cut")
        return await right(order_ids, may_lag=may_lag)

    monkeypatch.setattr(channel, "read", read)
    assert await both(resources) == [
        OrderState.PAID if is_read else OrderState.UNKNOWN,
        OrderState.UNKNOWN,
    ]
    assert channel.requests == [["77", "78"]]


async def test_an_order_whose_payment_was_refused_by_name_goes_alone_from_then_on(
    resources: Resources,
    next_run: Resources,
    channel: JointChannel,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It may be the one that spoils a request."""
    right = JointChannel.pay_many

    async def refuses_one(
        claims: Sequence[object], order_ids: Sequence[str]
    ) -> dict[str, PayOutcome]:
        channel.requests.append(list(order_ids))
        return {"77": MANUAL, "78": Refused("余额不足", code="BALANCE_NOT_ENOUGH")}

    monkeypatch.setattr(channel, "pay_many", refuses_one)
    assert await both(resources) == [OrderState.HELD, OrderState.HELD]
    monkeypatch.setattr(channel, "pay_many", right.__get__(channel))
    assert await both(next_run) == [OrderState.PAID, OrderState.PAID]
    assert sorted(channel.requests, key=len) == [["77"], ["78"], ["77", "78"]]
