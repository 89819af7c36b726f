"""What a run has read may be old when it writes: another run, or a person, was
faster.
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

import pytest

from connectors.ledger.records import Intent, OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
from connectors.xportcn.errors import Misconfigured, Unanswered
from domain.effects import Action, Claim, EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import ChosenFreight, FreightQuote, FreightService
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.states import OrderState
from flows.batch.execution import may_book
from tasks import book_shipment
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import Attempt, Proof, Sighting
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources
from tasks.pay import confirm_payments, pay_orders
from tasks.sync_tracking import Tracked, follow_parcels
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents
from tests.flows.answers.test_resolve import FakeChannel
from tests.flows.plans import planned
from tests.tasks.calling import call_in
from tests.tasks.stepping import step_of
from tests.tasks.test_pay import ordered
from tests.verdicts import in_these_words


@dataclass
class InterruptedChannel(FakeChannel):
    """Something happens while a run reads orders, after the service has answered."""

    meanwhile: Callable[[], None] = lambda: None

    async def read(
        self, order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, ServiceOrder]:
        shown = await super().read(order_ids)
        happens = self.meanwhile
        self.meanwhile = lambda: None
        happens()
        return shown

    async def trace(self, shown: ServiceOrder) -> list[Any]:
        return []


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> InterruptedChannel:
    fake = InterruptedChannel()
    for run in (resources, next_run):
        after_sale = TaobaoAfterSale(cast(Any, None))
        run.offerings[Marketplace.TAOBAO] = Offering(
            cast(Any, fake), cast(Any, None), after_sale=after_sale
        )
    return fake


def state(run: Resources, order_ref: str = "A-1") -> OrderState:
    return run.ledger.orders([order_ref])[order_ref].state


def carried_out(
    run: Resources, action: Action, then: OrderState, part: str = ""
) -> None:
    """Another run does something with A-1."""
    intent = Intent(
        order_ref="A-1", action=action, amount=Money(100), request_hash="", part=part
    )
    record = run.ledger.claim([intent], lease=run.lease).won["A-1"]
    change = OrderChange(
        order_ref="A-1", state=then, why=in_these_words("by another run")
    )
    run.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


async def test_old_news_of_a_payment_takes_no_order_out_of_its_refund(
    resources: Resources, next_run: Resources, channel: InterruptedChannel
) -> None:
    """Read as paid, paid and refunded by others meanwhile: it stays in its refund and
    is not booked.
    """
    ordered(resources)
    carried_out(resources, Action.PAY, OrderState.PAYMENT_PENDING)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))

    def refunded() -> None:
        paid = OrderChange(
            order_ref="A-1", state=OrderState.PAID, writes=Columns({"paid_minor": 100})
        )
        next_run.ledger.change([paid])
        carried_out(next_run, Action.REFUND, OrderState.REFUNDING, "all.1")

    channel.meanwhile = refunded
    await confirm_payments(resources, ["A-1"])
    assert state(resources) is OrderState.REFUNDING


async def test_an_order_cancelled_meanwhile_does_not_stop_the_others(
    resources: Resources, next_run: Resources, channel: InterruptedChannel
) -> None:
    """One that somebody paid in the console and that was cancelled here stays
    cancelled; the other one is paid.
    """
    ordered(resources)
    ordered(resources, "A-2", "78")
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    channel.show("78", ServiceStatus.UNPAID, reference="A-2")
    channel.meanwhile = lambda: carried_out(
        next_run, Action.CANCEL, OrderState.CANCELLED
    )
    await pay_orders(step_of(resources.ledger.orders(["A-1", "A-2"])), label="1 of 1")
    assert (state(resources), state(resources, "A-2")) == (
        OrderState.CANCELLED,
        OrderState.PAID,
    )


async def test_tracking_goes_on_past_an_order_refunded_meanwhile(
    resources: Resources, next_run: Resources, channel: InterruptedChannel
) -> None:
    """The refunded one keeps its state, the next one is followed."""
    for order_ref, order_id in (("A-1", "77"), ("A-2", "78")):
        ordered(resources, order_ref, order_id)
        paid = OrderChange(
            order_ref=order_ref,
            state=OrderState.PAID,
            writes=Columns({"paid_minor": 100}),
        )
        resources.ledger.change(
            [paid, OrderChange(order_ref=order_ref, state=OrderState.BOOKED)]
        )
        channel.show(
            order_id, ServiceStatus.SHIPPED, reference=order_ref, paid=Money(100)
        )
    back = [
        OrderChange(order_ref="A-1", state=state)
        for state in (OrderState.REFUNDING, OrderState.REFUNDED)
    ]
    channel.meanwhile = lambda: next_run.ledger.change(back)
    tracked = Tracked()
    await follow_parcels(resources, resources.ledger.orders(["A-1", "A-2"]), tracked)
    assert tracked.read == {"A-1": None, "A-2": None}
    assert (state(resources), state(resources, "A-2")) == (
        OrderState.REFUNDED,
        OrderState.SHIPPED,
    )


async def test_an_order_that_the_service_does_not_show_was_asked_about(
    resources: Resources, channel: InterruptedChannel
) -> None:
    """It is no trouble of tracking: a reconciliation tells of it."""
    ordered(resources)
    tracked = Tracked()
    await follow_parcels(resources, resources.ledger.orders(["A-1"]), tracked)
    assert tracked.read == {"A-1": None}


async def test_a_broken_off_cancellation_is_settled_before_anything_is_paid(
    resources: Resources,
    next_run: Resources,
    channel: InterruptedChannel,
    clock: MovableClock,
) -> None:
    """`sourcing cancel` died after its intent: the next run finds the order open, and
    pays it.
    """
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID)
    intent = Intent(order_ref="A-1", action=Action.CANCEL, amount=None, request_hash="")
    resources.ledger.claim([intent], lease=resources.lease)
    clock.advance(86_400)
    await settle_open(next_run, ["A-1"])
    await call_in(
        next_run, pay_orders, step_of(next_run.ledger.orders(["A-1"])), label="1 of 1"
    )
    assert (state(next_run), channel.payments) == (OrderState.PAID, ["77"])


@pytest.mark.parametrize(
    ("paid_minor", "then"), [(100, OrderState.PAID), (101, OrderState.HELD)]
)
async def test_an_order_paid_while_its_cancellation_got_no_answer_goes_on_as_paid(
    resources: Resources,
    next_run: Resources,
    channel: InterruptedChannel,
    clock: MovableClock,
    paid_minor: int,
    then: OrderState,
) -> None:
    """The cancellation proves never to have arrived: what was paid is shipped; what was
    paid too dearly is held.
    """
    ordered(resources)
    carried_out(resources, Action.PAY, OrderState.PAYMENT_PENDING)
    cancel = Intent(order_ref="A-1", action=Action.CANCEL, amount=None, request_hash="")
    next_run.ledger.claim([cancel], lease=next_run.lease)
    channel.show("77", ServiceStatus.PAID, paid=Money(paid_minor))
    await confirm_payments(resources, ["A-1"])
    clock.advance(120)
    for expected in (OrderState.UNKNOWN, then):
        await settle_open(resources, ["A-1"])
        assert state(resources) is expected
        clock.advance(86_400)
    assert may_book(resources.ledger.orders(["A-1"])["A-1"]) is (
        then is OrderState.PAID
    )


async def test_freight_approved_in_one_currency_is_none_in_another(
    resources: Resources, channel: InterruptedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """200 CNY were approved and 150 USD are asked: held, and held again, until somebody
    approves dollars.
    """
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    request = to_json(planned("A-1").request)
    ordered(
        resources,
        request=request,
        freight_approved_minor=200_00,
        freight_currency="CNY",
    )
    resources.ledger.change(
        [
            OrderChange(
                order_ref="A-1",
                state=OrderState.PAID,
                writes=Columns({"paid_minor": 100}),
            )
        ]
    )
    service = FreightService(
        service_id="s",
        company="c",
        category="x",
        price=Money(150_00, "USD"),
        min_days=1,
        max_days=2,
    )

    async def render(*_: object) -> FreightQuote:
        return FreightQuote(render_id="r", services=(service,))

    monkeypatch.setattr(book_shipment, "render", render)
    for _ in range(2):
        orders = resources.ledger.orders(["A-1"])
        chosen: PartialResults[str, ChosenFreight] = PartialResults()
        await book_shipment.render_freights(step_of(orders), chosen, label="1 of 1")
        assert not chosen
        order = resources.ledger.orders(["A-1"])["A-1"]
        assert (order.state, order.reason) == (
            OrderState.HELD,
            "paid, not booked: freight of 150.00 USD is not approved. Run it without --yes, or from the "
            "Prefect UI, to approve it",
        )


async def test_a_refused_account_takes_no_answer_from_those_under_way(
    resources: Resources,
) -> None:
    """A-1 gets no answer and the look at it a 401; A-2, on its way at that moment,
    still hears its answer.
    """

    class Cut(CreateByReference):
        async def send(self, claim: Claim, order: OrderRecord) -> Proof:
            await asyncio.sleep(0.01)
            if order.order_ref == "A-1":
                raise Unanswered("the connection was cut")
            await asyncio.sleep(0.05)
            return Proof(
                answer={},
                change=OrderChange(order_ref=order.order_ref, state=OrderState.ORDERED),
            )

        async def read_back(
            self, attempts: Sequence[Attempt]
        ) -> Mapping[str, Sighting]:
            raise Misconfigured("the access key is not known")

    with pytest.raises(Misconfigured):
        await perform(
            Cut(resources),
            intents("A-1", "A-2"),
            resources.ledger.orders(["A-1", "A-2"]),
        )
    effects = {
        one.order_ref: one.status for one in resources.ledger.effects_of(["A-1", "A-2"])
    }
    assert effects == {"A-1": EffectStatus.UNKNOWN, "A-2": EffectStatus.DONE}
    assert (
        "the access key is not known" in resources.ledger.orders(["A-1"])["A-1"].reason
    )
