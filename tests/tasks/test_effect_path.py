"""The last look before money or goods move: whatever changed since the plan, or is
unclear, stops the order.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any, cast

import pytest

from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows, take_back
from connectors.ledger.records import OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import Created
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import Refused, Unanswered
from domain.absence import Reading
from domain.after_sale import RefundState
from domain.decisions import NOT_SHOWN, postponed
from domain.effects import EffectStatus
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import ChosenFreight, FreightQuote, FreightService
from domain.orders import OrderRequest, SourcingOrder, marketplaces_of
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode, because
from domain.service_orders import Goods, ServiceStatus, Shipment
from domain.states import OrderState
from flows.batch.execution import may_book, may_create
from flows.batch.plan_sources import FromRequests
from flows.batch.run import BatchRun
from flows.batch.sorting import find_unrecorded
from tasks import book_shipment
from tasks.after_sale import confirm_cancellations
from tasks.book_shipment import (
    book_shipments,
    estimate_unbooked,
    render_freights,
    still_to_book,
)
from tasks.effects.cancel import ACCEPTED
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import Attempt, Sighting
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.effects.settling import settle
from tasks.engine.gathering import PartialResults
from tasks.engine.resources import Resources
from tasks.pay import pay_orders
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.domain.test_after_sale import refund
from tests.flows.answers.test_resolve import LINE, FakeChannel
from tests.flows.plans import planned, put_approved
from tests.tasks.stepping import step_of
from tests.tasks.test_effects import FakeKind, FakeService
from tests.verdicts import in_these_words, in_words

FREIGHT = FreightService(
    service_id="s",
    company="L",
    category="air",
    price=Money(500, "USD"),
    min_days=1,
    max_days=2,
)


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> FakeChannel:
    fake = FakeChannel()
    for run in (resources, next_run):
        for marketplace in (Marketplace.TAOBAO, Marketplace.ALIBABA_1688):
            run.offerings[marketplace] = Offering(cast(Any, fake), cast(Any, None))
    return fake


@pytest.fixture
def freight_offered(monkeypatch: pytest.MonkeyPatch) -> None:
    async def estimated(
        _: Resources, plan: PlannedOrder, currency: str | None
    ) -> PlannedOrder:
        return replace(plan, freight_service=FREIGHT)

    monkeypatch.setattr(book_shipment, "with_freight", estimated)


def at(resources: Resources, *states: OrderState, **columns: Any) -> OrderRecord:
    """A-1 at the service, moved through these states."""
    put_approved(resources.ledger, planned("A-1", 100))
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
    return now(resources)


def now(resources: Resources, order_ref: str = "A-1") -> OrderRecord:
    return resources.ledger.orders([order_ref])[order_ref]


def paid(resources: Resources) -> OrderRecord:
    return at(resources, OrderState.PAID, paid_minor=100)


def quote(cents: int) -> FreightQuote:
    return FreightQuote(
        render_id="r", services=(replace(FREIGHT, price=Money(cents, "USD")),)
    )


# booking


async def test_an_order_that_is_being_refunded_is_not_booked(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The run read it as paid, and another has asked the money back since."""
    order = paid(resources)
    booked = []

    async def book(*given: Any) -> Shipment:
        booked.append(given)
        return Shipment(shipment_order_id="S", tracking_numbers=())

    monkeypatch.setattr("tasks.effects.book.book", book)
    resources.ledger.change([OrderChange(order_ref="A-1", state=OrderState.REFUNDING)])
    chosen = ChosenFreight(quote=quote(500), service=FREIGHT, read_at=resources.clock())
    await book_shipments(step_of({"A-1": order}), {"A-1": chosen}, label="1 of 1")
    assert (booked, now(resources).state) == ([], OrderState.REFUNDING)


@pytest.mark.parametrize(("cents", "chosen"), [(500, True), (501, False)])
async def test_freight_is_booked_up_to_what_was_approved(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    cents: int,
    *,
    chosen: bool,
) -> None:
    """Approved 5.00 USD: not a cent more; the price is kept, so that the next run asks
    for it.
    """
    order = paid(resources)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))

    async def render(*_: Any) -> FreightQuote:
        return quote(cents)

    monkeypatch.setattr(book_shipment, "render", render)
    found: PartialResults[str, ChosenFreight] = PartialResults()
    await render_freights(step_of({"A-1": order}), found, label="1 of 1")
    assert bool(found) is chosen
    if not chosen:
        after = now(resources)
        assert (after.state, after.freight_minor) == (OrderState.HELD, 501)
        assert "freight of 5.01 USD is not approved, 5.00 USD was" in after.reason


@pytest.mark.parametrize(
    ("back", "fen", "shipped"),
    [((2,), 45, (1,)), ((2,), 44, (1, 2)), ((1, 2), 50, ()), ((1, 2), 30, (1, 2))],
)
async def test_no_freight_is_bought_for_a_line_whose_money_came_back(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    back: tuple[int, ...],
    fen: int,
    shipped: tuple[int, ...],
) -> None:
    """Its goods never arrive at the warehouse; where none are left the order is held.

    With a coupon 0.50 CNY was paid for each: a tenth less may be for all of it, more
    leaves goods that travel.
    """
    paid(resources)
    two = [
        to_json(replace(planned("A-1").lines[0], line_no=number, item_id=str(number)))
        for number in (1, 2)
    ]
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"lines": two}))]
    )
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    for number in back:
        gone = {
            "key": f"A-1:{number}.1",
            "part": str(number),
            "lines": (number,),
            "refunded": Money(fen),
        }
        resources.ledger.refunds.put(
            refund(RefundState.REFUNDED, state_before=OrderState.PAID, **gone)
        )
    asked: list[tuple[str, list[str]]] = []

    async def estimated(
        _: Resources, plan: PlannedOrder, currency: str | None
    ) -> PlannedOrder:
        asked.append(("estimate", [line.item_id for line in plan.lines]))
        return replace(plan, freight_service=FREIGHT)

    async def render(_: object, order: SourcingOrder) -> FreightQuote:
        asked.append(("render", [line.item_id for line in order.lines]))
        return quote(500)

    async def book(
        _client: object, _claim: object, order: SourcingOrder, *_: object
    ) -> Shipment:
        asked.append(("book", [line.item_id for line in order.lines]))
        return Shipment(shipment_order_id="S", tracking_numbers=())

    monkeypatch.setattr(book_shipment, "with_freight", estimated)
    monkeypatch.setattr(book_shipment, "render", render)
    monkeypatch.setattr("tasks.effects.book.book", book)
    await estimate_unbooked(resources, ["A-1"])
    found: PartialResults[str, ChosenFreight] = PartialResults()
    await render_freights(step_of({"A-1": now(resources)}), found, label="1 of 1")
    if found:
        await book_shipments(step_of({"A-1": now(resources)}), found, label="1 of 1")
    sent = [*map(str, shipped)]
    assert (
        asked == [("estimate", sent), ("render", sent), ("book", sent)][: 3 * len(sent)]
    )
    assert now(resources).state is (OrderState.BOOKED if sent else OrderState.HELD)


@pytest.mark.parametrize(
    ("cents", "declined", "asked"),
    [(501, False, []), (501, True, []), (500, False, []), (500, True, [500])],
)
async def test_a_yes_given_beforehand_raises_no_freight(
    resources: Resources,
    monkeypatch: pytest.MonkeyPatch,
    cents: int,
    asked: list[int],
    *,
    declined: bool,
) -> None:
    """Approved 5.00 USD. A yes that was withdrawn it may renew; a person may approve
    any price.
    """
    asking = OrderUpdate.freight_asked(price=Money(cents, "USD"), voids_approval=False)
    if declined:
        asking |= OrderUpdate.approval_withdrawn()
    order = paid(resources)
    resources.ledger.change([OrderChange(order_ref=order.order_ref, writes=asking)])

    async def estimated(
        _: Resources, plan: PlannedOrder, currency: str | None
    ) -> PlannedOrder:
        assert (
            currency == "USD"
        )  # the one that was approved, also where others are offered
        return replace(plan, freight_service=FREIGHT)

    monkeypatch.setattr(book_shipment, "with_freight", estimated)
    beforehand = await estimate_unbooked(resources, ["A-1"], beforehand=True)
    assert [
        plan.freight_service.price.minor for plan in beforehand if plan.freight_service
    ] == asked
    assert len(await estimate_unbooked(resources, ["A-1"])) == 1


@pytest.mark.parametrize(
    ("paid_fen", "demanded", "pays"),
    [(None, 90, "0.90 CNY"), (None, None, "1.00 CNY"), (100, 120, "")],
)
@pytest.mark.usefixtures("freight_offered")
async def test_a_begun_order_without_an_approval_is_asked_about_with_what_is_left_to_pay(
    resources: Resources, paid_fen: int | None, demanded: int | None, pays: str
) -> None:
    back = 60 if paid_fen else 0
    at(resources, paid_minor=paid_fen, total_minor=demanded, refunded_minor=back)
    [approved] = await estimate_unbooked(resources, ["A-1"])
    take_back(resources.ledger, ["A-1"])
    [asked] = await estimate_unbooked(resources, ["A-1"])
    written = resources.ledger.orders(["A-1"])["A-1"].updated_at
    assert (approved.withdrawn_at, approved.is_unpaid, asked.withdrawn_at) == (
        None,
        False,
        written,
    )
    assert (str(asked.total) if asked.is_unpaid else "", asked.came_back) == (
        pays,
        Money(back),
    )


@pytest.mark.usefixtures("freight_offered")
async def test_what_costs_more_than_may_be_paid_is_in_no_question(
    resources: Resources,
) -> None:
    """A yes renews the approval of its plan, and so pays no more than that."""
    at(resources, total_minor=101)
    take_back(resources.ledger, ["A-1"])
    assert await estimate_unbooked(resources, ["A-1"]) == []


async def test_freight_of_an_order_that_a_person_has_yet_to_name_is_not_asked_about(
    resources: Resources,
) -> None:
    """Its reason and remedy stay: an approval's words would take their place each
    night.
    """
    at(resources, OrderState.HELD, order_id=None)
    assert await estimate_unbooked(resources, ["A-1"]) == []


async def test_an_order_that_the_marketplace_closed_is_not_booked(
    resources: Resources, channel: FakeChannel
) -> None:
    """Its money comes back; there is nothing to ship."""
    channel.show("77", ServiceStatus.CLOSED, close_reason="sold out")
    assert await still_to_book(resources, {"A-1": paid(resources)}) == {}
    assert (now(resources).state, "sold out" in now(resources).reason) == (
        OrderState.HELD,
        True,
    )


async def test_what_came_back_of_a_closed_order_is_not_asked_for_again_by_a_run(
    resources: Resources, channel: FakeChannel
) -> None:
    """Less than was paid did: the rest is lost, and the person's answer stands."""
    channel.show("77", ServiceStatus.CLOSED, close_reason="sold out")
    assert await still_to_book(resources, {"A-1": paid(resources)}) == {}
    told = because(ReasonCode.REST_IS_LOST, by="ann", answer="came-back 0.60")
    resources.ledger.change(
        [
            replace(
                now(resources).stays(told), writes=OrderUpdate.refunded(amount_minor=60)
            )
        ]
    )
    assert await still_to_book(resources, {"A-1": now(resources)}) == {}
    assert (now(resources).state, now(resources).why) == (OrderState.HELD, told)


async def test_a_part_that_came_back_before_the_order_was_closed_is_no_answer_about_the_rest(
    resources: Resources, channel: FakeChannel
) -> None:
    """It was held for another cause then: a person is asked about the money that
    closing left.
    """
    order = paid(resources)
    note = because(
        ReasonCode.REFUND_CAME_BACK, refunded=Money(40), what="refund of 0.40 CNY"
    )
    resources.ledger.change(
        [replace(order.held(note), writes=OrderUpdate.refunded(amount_minor=40))]
    )
    channel.show("77", ServiceStatus.CLOSED, close_reason="sold out")
    assert await still_to_book(resources, {"A-1": now(resources)}) == {}
    assert now(resources).reason_code is ReasonCode.CLOSED_AFTER_PAYMENT


async def test_an_order_that_shows_a_shipment_is_not_booked_again(
    resources: Resources, channel: FakeChannel
) -> None:
    """A person or another ledger has booked it."""
    shipment = Shipment(shipment_order_id="S-1", tracking_numbers=("N",))
    channel.show("77", ServiceStatus.PAID, paid=Money(100), shipments=(shipment,))
    assert await still_to_book(resources, {"A-1": paid(resources)}) == {}
    assert (now(resources).state, now(resources).shipment_order_id) == (
        OrderState.BOOKED,
        "S-1",
    )


async def test_an_order_that_took_more_than_approved_is_held_and_not_booked(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seller raised the price between our last look and the payment."""
    order = at(resources)
    channel.show("77", ServiceStatus.UNPAID)

    async def pay(claim: object, order_id: str) -> None:
        channel.show(order_id, ServiceStatus.PAID, total=Money(120), paid=Money(120))

    monkeypatch.setattr(channel, "pay", pay)
    await pay_orders(step_of({"A-1": order}), label="1 of 1")
    after = now(resources)
    assert (after.state, after.paid_minor, may_book(after)) == (
        OrderState.HELD,
        120,
        False,
    )
    assert after.reason == (
        "the service took 1.20 CNY, approved was 1.00 CNY: ask for the difference back, then run again; or accept it: "
        "run without --yes, or from the Prefect UI"
    )


@pytest.mark.usefixtures("freight_offered")
async def test_only_a_person_who_is_asked_accepts_what_was_taken_above_the_approved(
    resources: Resources,
) -> None:
    """Taken 1.20, approved 1.00 CNY: the question names it, and its yes lets it be
    shipped; a standing yes does not.
    """
    at(resources, OrderState.HELD, paid_minor=120)
    assert await estimate_unbooked(resources, ["A-1"], beforehand=True) == []
    [asked] = await estimate_unbooked(resources, ["A-1"])
    assert asked.taken == Money(120)
    book_shipment.approve_freight(resources, [asked])
    assert (now(resources).payable, may_book(now(resources))) == (Money(120), True)
    [again] = await estimate_unbooked(resources, ["A-1"])
    assert again.taken == Money(0)


@pytest.mark.parametrize(("back", "is_shipped"), [(19, False), (20, True)])
def test_an_order_whose_difference_came_back_is_booked(
    resources: Resources, back: int, *, is_shipped: bool
) -> None:
    order = at(resources, OrderState.HELD, paid_minor=120, refunded_minor=back)
    assert may_book(order) is is_shipped


async def test_an_order_to_which_a_person_said_no_is_not_paid(
    resources: Resources, channel: FakeChannel
) -> None:
    """Its freight could not be estimated since, so nobody was asked again."""
    order = at(resources)
    channel.show("77", ServiceStatus.UNPAID)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.approval_withdrawn())]
    )
    for seen in (order, now(resources)):
        await pay_orders(step_of({"A-1": seen}), label="1 of 1")
        assert (now(resources).state, channel.payments) == (OrderState.ORDERED, [])


async def test_an_order_that_was_read_before_the_machine_slept_is_not_paid(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    clock: MovableClock,
) -> None:
    """Its price may have risen overnight, and no payment call takes an amount."""
    order = at(resources)
    right = GroupCommit.effects_of
    channel.show("77", ServiceStatus.UNPAID)

    async def slept(commits: GroupCommit, order_refs: Sequence[str]) -> Any:
        clock.advance(8 * 3600)
        return await right(commits, order_refs)

    monkeypatch.setattr(GroupCommit, "effects_of", slept)
    await pay_orders(step_of({"A-1": order}), label="1 of 1")
    assert (now(resources).state, channel.payments) == (OrderState.ORDERED, [])
    assert "too old" in now(resources).reason


async def test_an_order_that_was_read_before_the_machine_slept_is_not_booked(
    resources: Resources,
    channel: FakeChannel,
    monkeypatch: pytest.MonkeyPatch,
    clock: MovableClock,
) -> None:
    """A person may have booked it meanwhile, and a second booking is refused by
    nothing.
    """
    order = paid(resources)
    booked = []
    channel.show("77", ServiceStatus.PAID, paid=Money(100))

    async def render(*_: Any) -> FreightQuote:
        clock.advance(8 * 3600)
        return quote(500)

    async def book(*given: Any) -> Shipment:
        booked.append(given)
        return Shipment(shipment_order_id="S", tracking_numbers=())

    monkeypatch.setattr(book_shipment, "render", render)
    monkeypatch.setattr("tasks.effects.book.book", book)
    found: PartialResults[str, ChosenFreight] = PartialResults()
    await render_freights(step_of({"A-1": order}), found, label="1 of 1")
    await book_shipments(step_of({"A-1": now(resources)}), found, label="1 of 1")
    assert (now(resources).state, booked) == (OrderState.PAID, [])
    assert "too old" in now(resources).reason


async def test_a_payment_for_nothing_is_looked_at_again(
    resources: Resources, channel: FakeChannel
) -> None:
    """A paid order that is shown without an amount would free the whole budget it
    took.
    """
    at(resources)
    channel.show("77", ServiceStatus.PAID, total=Money(0), paid=Money(0))
    await pay_orders(step_of({"A-1": now(resources)}), label="1 of 1")
    after = now(resources)
    assert (after.state, after.paid_minor, channel.payments) == (
        OrderState.ORDERED,
        None,
        [],
    )
    channel.show("77", ServiceStatus.PAID, total=Money(100), paid=Money(0))
    await pay_orders(step_of({"A-1": now(resources)}), label="1 of 1")
    assert (now(resources).state, now(resources).paid_minor) == (OrderState.PAID, 100)


async def test_a_price_that_fell_is_paid_once_a_second_look_shows_it_too(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Told too low once, a price that rose would be paid: the payment itself names no
    amount.
    """
    order = at(resources, total_minor=100)
    channel.show("77", ServiceStatus.UNPAID, total=Money(120))
    right = channel.read
    told = [Money(60), Money(120)]

    async def read(
        order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, Any]:
        shown = await right(order_ids)
        return (
            {
                order_id: replace(one, total=told.pop(0))
                for order_id, one in shown.items()
            }
            if told
            else shown
        )

    with monkeypatch.context() as lying:
        lying.setattr(channel, "read", read)
        await pay_orders(step_of({"A-1": order}), label="1 of 1")
    assert (now(resources).state, channel.payments) == (OrderState.ORDERED, [])
    assert (
        now(resources).reason
        == "the service showed it for 0.60 CNY, and when asked again not; run again"
    )
    channel.show("77", ServiceStatus.UNPAID, total=Money(80))
    await pay_orders(step_of({"A-1": now(resources)}), label="1 of 1")
    assert channel.payments == ["77"]


async def test_only_whether_a_payment_was_taken_may_come_from_a_list(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list may be some moments old: what is paid stays paid, but what is to be paid
    may have changed.
    """
    order = at(resources, total_minor=100)
    channel.show("77", ServiceStatus.UNPAID, total=Money(100))
    right = channel.read
    lagging = list[bool]()

    async def read(
        order_ids: Sequence[str], *, may_lag: bool = False
    ) -> dict[str, Any]:
        lagging.append(may_lag)
        return await right(order_ids)

    monkeypatch.setattr(channel, "read", read)
    await pay_orders(step_of({"A-1": order}), label="1 of 1")
    assert (channel.payments, lagging) == (["77"], [False, True])


# creating


async def test_several_orders_of_one_reference_are_held(
    resources: Resources, channel: FakeChannel
) -> None:
    """Found after a lost answer: nobody may pay the first of them."""
    put_rows(resources.ledger, [plan("A-1", lines=[to_json(LINE)])])
    won = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    unknown = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.UNKNOWN, change=unknown)]
    )
    for order_id in ("77", "78"):
        channel.show(order_id, ServiceStatus.UNPAID)
    await settle_open(resources, ["A-1"])
    assert (now(resources).state, now(resources).order_id) == (OrderState.HELD, None)
    assert "77, 78" in now(resources).reason


async def test_an_order_that_lacks_a_line_is_held_with_what_the_service_said(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A create that failed in part is found under our reference: its goods are not paid
    and booked as the whole.
    """
    two = (LINE, replace(LINE, line_no=2, sku_id="3", title="lid"))
    put_approved(resources.ledger, replace(planned("A-1", 100), lines=two))

    async def create(*_: Any, **__: Any) -> Created:
        channel.show(
            "77",
            ServiceStatus.UNPAID,
            goods=(Goods(item_id="6", sku_id="2", quantity=1),),
        )
        raise Unanswered("failed lines ['6 库存不足']")

    async def warehouse() -> None:
        pass

    monkeypatch.setattr(channel, "create", create, raising=False)
    monkeypatch.setattr(resources, "warehouse", warehouse)
    await perform(
        CreateByReference(resources), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert (now(resources).state, now(resources).order_id) == (OrderState.HELD, None)
    assert now(resources).reason == (
        "order 77 of A-1 lacks lid (6) × 1, and is not paid (the service said: failed lines ['6 库存不足']). Let it "
        "close unpaid and order again under a new order_ref, or take it as it is: sourcing resolve A-1 ordered 77 "
        "--up-to 1.00"
    )


async def test_an_order_that_is_split_while_it_is_created_is_held(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was approved as one order is not paid as two."""
    put_approved(resources.ledger, planned("A-1", 100))

    async def create(*_: Any, **__: Any) -> Created:
        return Created(order_ids=("77", "78"), total=Money(100))

    async def warehouse() -> None:
        pass

    monkeypatch.setattr(channel, "create", create, raising=False)
    monkeypatch.setattr(resources, "warehouse", warehouse)
    await perform(
        CreateByReference(resources), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    assert (now(resources).state, now(resources).order_id) == (OrderState.HELD, None)


async def test_an_id_that_a_list_names_is_believed_once_it_leads_to_the_order(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that names a wrong id under our reference would tie the order to somebody
    else's.
    """
    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    lost = OrderChange(order_ref="A-1", state=OrderState.UNKNOWN)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=lost)]
    )
    channel.show("77", ServiceStatus.UNPAID)
    wrong = replace(channel.orders["77"], order_id="78")

    async def find(*_: Any, **__: Any) -> Reading:
        return Reading(found={"A-1": [wrong]}, listed=[wrong])

    with monkeypatch.context() as lying:
        lying.setattr(channel, "find", find)
        await settle_open(resources, ["A-1"])
    assert (now(resources).state, now(resources).order_id) == (OrderState.UNKNOWN, None)
    assert (
        "the order does not show A-1, and the order list shows A-1 as 78"
        in now(resources).reason
    )
    await settle_open(resources, ["A-1"])
    assert (now(resources).state, now(resources).order_id) == (OrderState.ORDERED, "77")


async def test_orders_are_looked_for_from_the_oldest_intent_on(
    resources: Resources,
    channel: FakeChannel,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """One create was lost an hour before the other: both must be within what is asked
    for.
    """
    begun = clock()
    asked = []
    for order_ref in ("A-1", "A-2"):
        record = resources.ledger.claim(intents(order_ref), lease=resources.lease).won[
            order_ref
        ]
        change = OrderChange(order_ref=order_ref, state=OrderState.UNKNOWN)
        resources.ledger.record(
            [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=change)]
        )
        clock.advance(3600)

    async def find(
        references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()
    ) -> Reading:
        asked.append(since)
        return Reading(found={})

    monkeypatch.setattr(channel, "find", find)
    await settle_open(resources, ["A-1", "A-2"])
    assert asked
    assert max(asked) < begun


async def test_what_could_not_be_looked_for_is_not_ordered(
    resources: Resources, channel: FakeChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A list that can't be read does not say that the order is not there."""

    async def find(
        references: Sequence[str], *, since: datetime, controls: Sequence[str] = ()
    ) -> Reading:
        raise Unanswered("no answer")

    monkeypatch.setattr(channel, "find", find)
    request: OrderRequest = replace(
        planned("A-1").request, marketplace=Marketplace.ALIBABA_1688
    )
    assert (in_words(await find_unrecorded(resources, marketplaces_of([request])))) == {
        "A-1": postponed(
            in_these_words("could not be looked for at the service (no answer)")
        )
    }


def test_only_the_plan_that_was_approved_is_created(resources: Resources) -> None:
    """Another run may have written a plan of its own since."""
    order = now(resources)
    assert order.plan_hash == "h"
    assert [may_create(order, approved) for approved in ("h", "other", None)] == [
        True,
        False,
        False,
    ]


def test_the_limit_for_one_order_reaches_the_plan(resources: Resources) -> None:
    """`SOURCING_ORDER_LIMIT_CNY` holds an order above it."""
    resources.settings = SourcingSettings(
        data_dir=resources.settings.data_dir, order_limit_cny="5"
    )
    run = BatchRun(resources, "batch", FromRequests([], "file.csv"))
    dear, cheap = run.within_budget([planned("A-1", 501), planned("A-2", 500)])
    assert (dear.state, cheap.state) == (OrderState.HELD, OrderState.PLANNED)
    assert "limit for one order" in dear.reason


# what a look can't tell


class Unclear(FakeKind):
    async def read_back(self, attempts: Sequence[Attempt]) -> Mapping[str, Sighting]:
        return {attempt.effect.key: NOT_SHOWN for attempt in attempts}


async def test_a_refusal_is_not_believed_while_the_service_shows_nothing_clear(
    resources: Resources,
) -> None:
    """Whether it said "done already" can't be told: it counts as spent until it can."""
    kind = Unclear(resources, FakeService([Refused("no")]))
    await perform(kind, intents("A-1"), resources.ledger.orders(["A-1"]))
    assert resources.ledger.effects_of(["A-1"])[-1].status is EffectStatus.UNKNOWN


async def test_a_refusal_is_not_believed_while_the_service_can_not_be_read(
    resources: Resources,
) -> None:
    """The look that would tell has no answer."""
    kind = FakeKind(resources, FakeService([Refused("no")], blind=True))
    await perform(kind, intents("A-1"), resources.ledger.orders(["A-1"]))
    assert resources.ledger.effects_of(["A-1"])[-1].status is EffectStatus.UNKNOWN


async def test_an_unclear_look_proves_nothing_after_the_settle_time(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """Only an order that is plainly shown without it proves that it never arrived."""
    service = FakeService([Unanswered("cut")])
    await perform(
        Unclear(resources, service), intents("A-1"), resources.ledger.orders(["A-1"])
    )
    clock.advance(10_000)
    await settle(Unclear(next_run, service), ["A-1"])
    assert next_run.ledger.effects_of(["A-1"])[-1].status is EffectStatus.UNKNOWN


# what must be told


async def test_an_order_that_was_paid_before_it_closed_is_told_with_its_money(
    resources: Resources, channel: FakeChannel
) -> None:
    """An accepted cancellation lapses with a payment: what it cost must be in the
    ledger.
    """
    at(resources)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.CANCELLED, why=ACCEPTED)]
    )
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    await confirm_cancellations(resources, ["A-1"])
    assert now(resources).paid_minor == 100
    assert "ask for 1.00 CNY back" in now(resources).reason


async def test_an_outcome_that_was_not_written_is_not_passed_over(
    resources: Resources,
) -> None:
    """The run hears of it and ends, instead of going on with what the ledger does not
    know.
    """

    class Full:
        def write(
            self, outcomes: Sequence[Outcome], changes: Sequence[OrderChange]
        ) -> list[bool]:
            raise OSError("disk full")

    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    with pytest.raises(OSError, match="disk full"):
        await GroupCommit(cast(Any, Full())).record(
            Outcome(claim=record.claim, status=EffectStatus.DONE)
        )
