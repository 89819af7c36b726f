"""Amounts that contradict each other: held before anything is paid, and never told as
less than was paid for.
"""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, OrderRecord, Outcome
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import Created
from domain.effects import (
    Action,
    EffectStatus,
    Resolution,
    ResolutionKind,
    ResolutionRefused,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import marketplaces_of
from domain.service_orders import DomesticParcel, ServiceStatus
from domain.states import OrderState
from flows.answers.resolve import resolve
from flows.answers.todo import to_do
from flows.batch.sorting import at_held_marketplaces
from tasks.book_shipment import still_to_book
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform
from tasks.engine.resources import Resources
from tasks.pay import pay_orders
from tasks.sync_tracking import Tracked, follow_parcels
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.flows.answers.test_resolve import LINE, FakeChannel
from tests.flows.plans import planned, put_approved
from tests.tasks.calling import call_in
from tests.tasks.stepping import step_of
from tests.verdicts import in_these_words

PAID_AT = datetime(2026, 1, 1, 12, tzinfo=UTC)
A_WORD = "waitlogisticstakein"


class PricedChannel(FakeChannel):
    """A marketplace that shows a paid order as it is told to, and answers creates with
    these totals, in fen.
    """

    then: dict[str, Any]
    totals: list[int]

    async def pay(self, claim: object, order_id: str) -> None:
        self.payments.append(order_id)
        shown = {
            "status": ServiceStatus.PAID,
            "paid": Money(1420),
            "total": Money(1420),
            **self.then,
        }
        self.show(
            order_id,
            shown.pop("status"),
            reference=self.orders[order_id].reference,
            **shown,
        )

    async def warehouse(self) -> None:
        """Nothing is sent there."""

    async def create(self, claim: Any, *_: object, approved: Money) -> Created:
        return Created(
            order_ids=(f"7{claim.order_ref[-1]}",), total=Money(self.totals.pop(0))
        )


@pytest.fixture
def channel(resources: Resources, next_run: Resources) -> PricedChannel:
    fake = PricedChannel()
    fake.then = {}
    fake.totals = []
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(cast(Any, fake), cast(Any, None))
    return fake


def approved(resources: Resources, *order_refs: str) -> None:
    put_rows(
        resources.ledger,
        [plan(ref, lines=[to_json(LINE)], approved_minor=1420) for ref in order_refs],
    )


def ordered(
    resources: Resources, order_ref: str = "A-1", order_id: str = "77", **columns: Any
) -> None:
    """An order of 14.20 that waits to be paid."""
    approved(resources, order_ref)
    record = resources.ledger.claim(intents(order_ref), lease=resources.lease).won[
        order_ref
    ]
    writes = Columns({"order_id": order_id, "total_minor": 1420, **columns})
    change = OrderChange(order_ref=order_ref, state=OrderState.ORDERED, writes=writes)
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


def now(resources: Resources, order_ref: str = "A-1") -> OrderRecord:
    return resources.ledger.orders([order_ref])[order_ref]


async def pay(resources: Resources, *order_refs: str) -> OrderRecord:
    await call_in(
        resources,
        pay_orders,
        step_of(resources.ledger.orders(order_refs or ["A-1"])),
        label="1 of 1",
    )
    return now(resources)


# before anything is paid


async def test_an_order_told_at_a_hundredth_is_not_paid_nor_is_another_there(
    resources: Resources, channel: PricedChannel
) -> None:
    """14.20 approved, 0.14 shown: a payment would take 14.20."""
    for ref, order_id in (("A-1", "77"), ("A-2", "78")):
        ordered(resources, ref, order_id)
    channel.show("77", ServiceStatus.UNPAID, total=Money(14))
    channel.show("78", ServiceStatus.UNPAID, total=Money(1420), reference="A-2")
    order = await pay(resources)
    assert (order.state, order.reason) == (
        OrderState.HELD,
        "the ledger says 14.20 CNY, and the order says 0.14 CNY: about a hundred times apart, so one of them is in "
        "another unit (yuan, fen). If the order means yuan, set XPORTCN_UNITS=taobao.orders=yuan. Nothing is ordered "
        "or paid at taobao until it is checked: sourcing confirm taobao",
    )
    await pay(resources, "A-2")
    assert (now(resources, "A-2").state, channel.payments) == (OrderState.HELD, [])


async def test_a_held_marketplace_waits_for_a_person_and_nobody_is_asked_to_buy_there(
    resources: Resources, channel: PricedChannel
) -> None:
    """What to do stands in the list of what waits, beside the order; plans of other
    marketplaces are asked about.
    """
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(14))
    await pay(resources)
    first = next(
        one
        for one in to_do(resources.ledger, refused_for=timedelta(days=7))
        if one.order_ref == "taobao"
    )
    assert (first.state, first.commands) == (
        OrderState.HELD,
        ["sourcing confirm taobao"],
    )
    assert "the ledger says 14.20 CNY, and the order says 0.14 CNY" in first.reason
    here = planned("A-2", 1420).request
    elsewhere = replace(here, order_ref="B-1", marketplace=Marketplace.POIZON)
    assert list(
        at_held_marketplaces(resources.ledger, marketplaces_of([here, elsewhere]))
    ) == ["A-2"]


async def test_after_a_confirmation_held_orders_are_paid_at_what_was_approved(
    resources: Resources, next_run: Resources, channel: PricedChannel
) -> None:
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(14))
    await pay(resources)
    next_run.ledger.holds.release(Marketplace.TAOBAO, by="mei")
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    order = await pay(next_run)
    assert (order.state, order.paid_minor, channel.payments) == (
        OrderState.PAID,
        1420,
        ["77"],
    )


async def test_less_than_half_is_held_and_not_asked_for_again(
    resources: Resources, channel: PricedChannel, monkeypatch: pytest.MonkeyPatch
) -> None:
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(700))
    read = channel.read
    reads = list[str]()

    async def counted(order_ids: Any, **options: Any) -> Any:
        reads.extend(order_ids)
        return await read(order_ids, **options)

    monkeypatch.setattr(channel, "read", counted)
    order = await pay(resources)
    assert (order.state, reads, resources.ledger.holds.standing()) == (
        OrderState.HELD,
        ["77"],
        {},
    )
    assert order.reason == (
        "the ledger says 14.20 CNY, and the order says 7.00 CNY: less than half; look it up in the console"
    )


async def test_a_coupon_between_create_and_payment_is_paid_and_told(
    resources: Resources, channel: PricedChannel
) -> None:
    """Estimated at 339.00, payable 291.20: that is taken, and that is told."""
    ordered(resources, approved_minor=339_00, total_minor=339_00)
    channel.show("77", ServiceStatus.UNPAID, total=Money(291_20))
    channel.then = {"total": Money(291_20), "paid": Money(291_20)}
    order = await pay(resources)
    assert (order.state, order.paid_minor, order.reason, channel.payments) == (
        OrderState.PAID,
        291_20,
        "",
        ["77"],
    )


@pytest.mark.parametrize(
    ("total", "is_unit"), [(14, True), (142_000, True), (700, False)]
)
async def test_the_answer_to_a_create_is_compared_with_what_was_approved(
    resources: Resources,
    channel: PricedChannel,
    monkeypatch: pytest.MonkeyPatch,
    total: int,
    is_unit: bool,  # noqa: FBT001
) -> None:
    """The order is there, with its id; a unit holds the marketplace before the second
    is created.
    """
    monkeypatch.setattr(Resources, "warehouse", channel.warehouse)
    put_approved(resources.ledger, planned("A-1", 1420), planned("A-2", 1420))
    channel.totals = [total, 1420]
    for ref in ("A-1", "A-2"):
        await perform(
            CreateByReference(resources), intents(ref), resources.ledger.orders([ref])
        )
    first = now(resources)
    second = now(resources, "A-2")
    assert (first.state, first.order_id, first.total_minor) == (
        OrderState.HELD,
        "71",
        total,
    )
    assert (second.state, second.order_id) == (
        (OrderState.HELD, None) if is_unit else (OrderState.ORDERED, "72")
    )


async def test_an_order_that_is_found_at_a_hundredth_is_held(
    resources: Resources, next_run: Resources, channel: PricedChannel
) -> None:
    """The answer to its create was lost; what the service shows instead is no proof of
    the price.
    """
    approved(resources, "A-1")
    record = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    unknown = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=unknown)]
    )
    channel.show("77", ServiceStatus.UNPAID, total=Money(14))
    resources.clock.advance(61)  # type: ignore[attr-defined]
    await settle_open(next_run, ["A-1"])
    assert (now(resources).state, now(resources).order_id) == (OrderState.HELD, "77")
    assert list(resources.ledger.holds.standing()) == [Marketplace.TAOBAO]


# what is told of a payment


@pytest.mark.parametrize(
    ("told", "counted", "held"),
    [
        ({"paid": Money(14)}, 1420, True),
        ({"paid": Money(14), "total": Money(14)}, 1420, True),
        ({"paid": Money(1300)}, 1420, False),
        ({"paid": Money(142_000)}, 1420, True),
    ],
)
async def test_a_payment_told_as_less_counts_with_what_it_was_for(
    resources: Resources,
    channel: PricedChannel,
    told: dict[str, Money],
    counted: int,
    held: bool,  # noqa: FBT001
) -> None:
    """The difference is noted with both figures; what is a unit off holds the
    marketplace along.
    """
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    channel.then = told
    order = await pay(resources)
    assert (order.state, order.paid_minor, order.total_minor) == (
        OrderState.PAID,
        counted,
        counted,
    )
    assert order.reason.startswith(
        f"paid, counted with 14.20 CNY: the ledger says 14.20 CNY, and what is shown as taken says {told['paid']}"
    )
    assert (list(resources.ledger.holds.standing()) == [Marketplace.TAOBAO]) is held


async def test_a_dearer_payment_is_held_as_it_was_taken(
    resources: Resources, channel: PricedChannel
) -> None:
    """The seller raised the price between our look and the payment."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    channel.then = {"paid": Money(1500), "total": Money(1500)}
    order = await pay(resources)
    assert (order.state, order.paid_minor) == (OrderState.HELD, 1500)


async def test_somebody_else_s_payment_may_have_been_cheaper(
    resources: Resources, channel: PricedChannel
) -> None:
    """Within half of what was approved it is believed; at a hundredth what was approved
    counts.
    """
    for ref, order_id, paid in (("A-1", "77", 1000), ("A-2", "78", 14)):
        ordered(resources, ref, order_id)
        channel.show(
            order_id,
            ServiceStatus.PAID,
            total=Money(paid),
            paid=Money(paid),
            reference=ref,
        )
    await pay(resources, "A-1", "A-2")
    assert (now(resources).paid_minor, now(resources, "A-2").paid_minor) == (1000, 1420)


# facts before words of state


@pytest.mark.parametrize(
    "facts", [{"paid_at": PAID_AT, "paid": None}, {"paid": Money(1420)}]
)
async def test_a_paid_order_in_an_unknown_state_is_paid_with_a_note(
    resources: Resources, channel: PricedChannel, facts: dict[str, Any]
) -> None:
    """Its money is recorded; it is not held."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    channel.then = {"status": ServiceStatus.OTHER, "state_word": A_WORD, **facts}
    order = await pay(resources)
    assert (order.state, order.paid_minor) == (OrderState.PAID, 1420)
    assert order.reason == (
        "the service shows it in a state that this program does not know (waitlogisticstakein); it is read again "
        "by itself; if that lasts, look it up there"
    )


async def test_an_unknown_state_without_a_fact_is_no_payment(
    resources: Resources, channel: PricedChannel
) -> None:
    """It waits as it did, is not held, and nothing is paid again."""
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    channel.then = {"status": ServiceStatus.OTHER, "state_word": "?", "paid": None}
    for _ in range(2):
        order = await pay(resources)
    assert (order.state, order.paid_minor, channel.payments) == (
        OrderState.PAYMENT_PENDING,
        None,
        ["77"],
    )


async def test_an_unknown_state_of_an_order_that_we_never_paid_is_held(
    resources: Resources, channel: PricedChannel
) -> None:
    ordered(resources)
    channel.show(
        "77", ServiceStatus.OTHER, total=Money(1420), paid=Money(1420), paid_at=PAID_AT
    )
    order = await pay(resources)
    assert (order.state, order.paid_minor, channel.payments) == (
        OrderState.HELD,
        None,
        [],
    )


async def test_a_lost_payment_is_settled_by_its_facts(
    resources: Resources, next_run: Resources, channel: PricedChannel
) -> None:
    """No answer to the payment, and the order in a state that nobody knows: the time of
    payment tells.
    """
    ordered(resources)
    record = resources.ledger.claim(
        intents("A-1", action=Action.PAY), lease=resources.lease
    ).won["A-1"]
    unknown = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=unknown)]
    )
    channel.show(
        "77", ServiceStatus.OTHER, total=Money(1420), paid_at=PAID_AT, state_word=A_WORD
    )
    resources.clock.advance(61)  # type: ignore[attr-defined]
    await settle_open(next_run, ["A-1"])
    assert (now(resources).state, now(resources).paid_minor) == (OrderState.PAID, 1420)


async def paid_in_an_unknown_state(
    resources: Resources, channel: PricedChannel
) -> None:
    ordered(resources)
    channel.show("77", ServiceStatus.UNPAID, total=Money(1420))
    channel.then = {"status": ServiceStatus.OTHER, "state_word": A_WORD}
    await pay(resources)


async def track(resources: Resources) -> None:
    tracked = Tracked()
    await follow_parcels(resources, resources.ledger.orders(["A-1"]), tracked)


async def test_it_is_booked_once_its_state_is_known_or_a_parcel_shows(
    resources: Resources, channel: PricedChannel
) -> None:
    await paid_in_an_unknown_state(resources, channel)
    assert await still_to_book(resources, resources.ledger.orders(["A-1"])) == {}
    assert now(resources).state is OrderState.PAID
    parcel = DomesticParcel(tracking_number="SF1", company="顺丰", sent_at=None)
    for status, parcels in (
        (ServiceStatus.OTHER, (parcel,)),
        (ServiceStatus.SHIPPED, ()),
    ):
        channel.show("77", status, total=Money(1420), parcels=parcels)
        assert list(
            await still_to_book(resources, resources.ledger.orders(["A-1"]))
        ) == ["A-1"]


async def test_tracking_takes_the_note_away_once_the_state_is_known(
    resources: Resources, channel: PricedChannel
) -> None:
    await paid_in_an_unknown_state(resources, channel)
    await track(resources)
    assert A_WORD in now(resources).reason
    channel.show("77", ServiceStatus.PAID, total=Money(1420), paid=Money(1420))
    await track(resources)
    assert (now(resources).state, now(resources).reason) == (OrderState.PAID, "")


async def test_tracking_records_a_payment_of_an_order_that_an_earlier_program_held(
    resources: Resources, channel: PricedChannel
) -> None:
    """Paid by us, held for its unknown state, 0 told: now it is paid."""
    ordered(resources)
    record = resources.ledger.claim(
        intents("A-1", action=Action.PAY), lease=resources.lease
    ).won["A-1"]
    held = OrderChange(
        order_ref="A-1",
        state=OrderState.HELD,
        why=in_these_words("a state that this program does not know"),
    )
    resources.ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=held)]
    )
    channel.show(
        "77", ServiceStatus.OTHER, total=Money(1420), paid_at=PAID_AT, state_word=A_WORD
    )
    await track(resources)
    assert (now(resources).state, now(resources).paid_minor) == (OrderState.PAID, 1420)


async def test_a_person_tells_what_was_taken_where_the_service_is_a_unit_off(
    resources: Resources, channel: PricedChannel
) -> None:
    """Shown as 0.14 taken of 14.20: an answer with 14.20 is taken; of a payment that
    shows, "not paid" is not.
    """
    ordered(resources)
    record = resources.ledger.claim(
        intents("A-1", action=Action.PAY), lease=resources.lease
    ).won["A-1"]
    unknown = OrderChange(
        order_ref="A-1", state=OrderState.UNKNOWN, why=in_these_words("no answer")
    )
    effect = Outcome(claim=record.claim, status=EffectStatus.UNKNOWN, change=unknown)
    resources.ledger.record([effect])
    resources.clock.advance(2_000)  # type: ignore[attr-defined]
    channel.show(
        "77", ServiceStatus.OTHER, total=Money(1), paid=Money(1), paid_at=PAID_AT
    )
    with pytest.raises(ResolutionRefused, match="it happened"):
        await resolve(
            resources, "A-1", Resolution(kind=ResolutionKind.NOT_PAID), by="mei"
        )
    said = Resolution(kind=ResolutionKind.PAID, value="1.00", amount=Money(100))
    order = await resolve(resources, "A-1", said, by="mei")
    assert (order.state, order.paid_minor) == (OrderState.PAID, 100)
