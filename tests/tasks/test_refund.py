"""Asking for refunds when the service, the network or the process fails."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Collection, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from typing import Any, cast
from unittest.mock import Mock

import pytest

from connectors.foreign import Defect
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import drop, put_rows
from connectors.ledger.records import OrderChange, OrderRecord
from connectors.ledger.schema import to_json
from connectors.marketplaces import Offering
from connectors.marketplaces.protocol import Target
from connectors.xportcn.errors import (
    NEVER_S,
    NotSent,
    Refused,
    ServiceAway,
    Unanswered,
    XportcnError,
)
from domain.after_sale import (
    NOTHING,
    NothingToAsk,
    Refund,
    RefundFault,
    RefundKind,
    RefundOption,
    RefundState,
    ServiceRefund,
)
from domain.effects import Claim, Resolution, ResolutionKind, ResolutionRefused
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Quote, QuoteLine
from domain.orders import OrderLine
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import Shipment
from domain.states import OrderState
from flows.answers.resolve import resolve
from flows.answers.todo import to_do
from flows.batch.follow_up import unfinished_of
from flows.cancel_orders import foresee_cancel
from tasks.effects.kinds import settle_open
from tasks.effects.protocol import perform_alone
from tasks.effects.refund import AskRefund
from tasks.engine.resources import Resources
from tasks.refund import RefundWish, ask_refund, follow_refunds
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan
from tests.domain.test_after_sale import refund
from tests.flows.plans import planned
from tests.notified import newly_told, waiting_messages
from tests.tasks.calling import call_in

PRICE = Money(500)
WISH = RefundWish(kind=RefundKind.REFUND, reason="101")


@dataclass
class FakeAfterSale:
    """Counts what it is asked for; `failures` are raised in turn, and `lands` says
    whether it happened all the same.
    """

    failures: list[XportcnError] = field(default_factory=list)
    lands: bool = False
    asked: list[str] = field(default_factory=list)
    refunds: dict[str, ServiceRefund] = field(default_factory=dict)
    marketplace: Marketplace = Marketplace.TAOBAO
    settles_in: timedelta = timedelta(0)
    closes_after: timedelta = timedelta(0)
    over: set[int] = field(default_factory=set)
    least: Money = PRICE
    most: Money = PRICE

    async def targets(
        self, order_id: str, lines: Sequence[OrderLine], wanted: Collection[int]
    ) -> tuple[Target, ...]:
        newest = tuple(self.refunds)[-1:]
        return tuple(
            Target(lines=(one,), entry_ids=(f"77{one}",), refund_ids=newest)
            for one in sorted(wanted)
        )

    async def options(
        self, order_id: str, target: Target, kind: RefundKind
    ) -> tuple[RefundOption, ...]:
        if self.over & {*target.lines}:
            return ()
        return (
            RefundOption(
                reason_id=101,
                name="不想要了",
                goods="1",
                least=self.least,
                most=self.most,
            ),
        )

    async def ask(self, claim: Claim, refund: Refund) -> str:
        self.asked.append(claim.key)
        failure = self.failures.pop(0) if self.failures else None
        if failure is None or self.lands:
            self.land(asked=refund.asked)
        if failure is not None:
            raise failure
        return tuple(self.refunds)[-1]

    def land(
        self, state: RefundState = RefundState.ASKED, *, asked: Money = PRICE
    ) -> None:
        refund_id = f"R{len(self.refunds) + 1}"
        self.refunds[refund_id] = ServiceRefund(
            refund_id=refund_id,
            state=state,
            asked=asked,
            refunded=NOTHING,
        )

    async def read(self, refund_id: str) -> ServiceRefund:
        return self.refunds[refund_id]


@pytest.fixture
def service(resources: Resources, next_run: Resources) -> FakeAfterSale:
    fake = FakeAfterSale()
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(
            cast(Any, None), cast(Any, None), after_sale=cast(Any, fake)
        )
    return fake


LINE = OrderLine(
    line_no=1,
    item_id="6",
    sku_id="2",
    title="cup",
    image_url="",
    quantity=1,
    unit_price=Money(500),
)


def paid_order(resources: Resources, *lines: OrderLine) -> OrderRecord:
    lines = lines or (LINE,)
    cost = 500 * len(lines)
    put_rows(
        resources.ledger,
        [plan("A-1", lines=[*map(to_json, lines)], approved_minor=cost)],
    )
    ordered = {"order_id": "77", "paid_minor": cost}
    resources.ledger.change(
        [
            OrderChange(
                order_ref="A-1", state=OrderState.ORDERED, writes=Columns(ordered)
            ),
            OrderChange(order_ref="A-1", state=OrderState.PAID),
        ]
    )
    return order(resources)


async def test_a_look_at_cancelling_says_that_a_refund_could_not_be_read(
    resources: Resources, service: FakeAfterSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    await ask_refund(paid_order(resources).order_ref, WISH)

    async def is_down(_refund_id: str) -> ServiceRefund:
        raise Unanswered("no answer")

    monkeypatch.setattr(service, "read", is_down)
    would = (await foresee_cancel(resources, ["A-1"], "101"))["A-1"]
    assert isinstance(would, Reason)
    assert "no answer" in str(would)


@pytest.mark.parametrize("over", ["under way", "given back"])
async def test_lines_that_are_over_keep_no_other_from_being_asked_back(
    resources: Resources, service: FakeAfterSale, over: str
) -> None:
    """Each line has a refund of its own; once none can be asked for, the person hears
    why.
    """
    paid_order(resources, LINE, replace(LINE, line_no=2))
    await ask_refund("A-1", replace(WISH, lines=(1,)))
    if over == "given back":
        service.refunds["R1"] = replace(
            service.refunds["R1"], state=RefundState.REFUNDED, refunded=Money(500)
        )
        await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
        service.over = {1}
    assert await ask_refund("A-1", WISH) == ["A-1:2.1"]
    assert service.asked == ["A-1:refund:1.1", "A-1:refund:2.1"]
    for wish in (replace(WISH, lines=(1,)), WISH):
        with pytest.raises(
            RefundFault, match=r"takes no such refund|is under way already"
        ):
            await ask_refund("A-1", wish)


async def test_cancelling_again_asks_for_the_line_that_the_run_before_left_unasked(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It was ended halfway a moment ago: the line is written down, and no more."""

    async def half(
        pairs: Sequence[Any], ask: Callable[[Any], Awaitable[None]], **_: object
    ) -> None:
        await ask(pairs[0])
        raise KeyboardInterrupt

    async def reads(*_: object) -> tuple[dict[str, object], dict[str, object]]:
        return {}, {}

    monkeypatch.setattr("flows.cancel_orders.read_each", reads)
    paid_order(resources, LINE, replace(LINE, line_no=2))
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        patch.setattr("tasks.refund.concurrently", half)
        await ask_refund("A-1", WISH)
    assert [one.state for one in next_run.ledger.refunds.of_orders(["A-1"])] == [
        RefundState.ASKED,
        RefundState.ASKING,
    ]
    would = await foresee_cancel(next_run, ["A-1"], "101")
    assert would == {"A-1": "ask the seller for 5.00 CNY back"}
    await call_in(next_run, ask_refund, "A-1", WISH)
    assert await foresee_cancel(next_run, ["A-1"], "101") == {
        "A-1": "do nothing: it is cancelled, or all its money is asked back already"
    }
    assert service.asked == ["A-1:refund:1.1", "A-1:refund:2.1"]


async def test_a_run_that_is_taken_up_once_its_refund_was_paid_asks_for_no_second_one(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """Nor does a double press. A wish that is said anew, for another sum, or for
    another line is another one.
    """
    paid_order(resources, LINE, replace(LINE, line_no=2))
    wish = replace(WISH, lines=(1,), amount=Money(500))
    requested_at = clock()
    clock.advance(4)
    for run in (resources, next_run):
        assert await call_in(run, ask_refund, "A-1", wish, requested_at) == ["A-1:1.1"]
        refund_paid = replace(
            service.refunds["R1"], state=RefundState.REFUNDED, refunded=Money(500)
        )
        service.refunds["R1"] = refund_paid
        await call_in(
            run, follow_refunds, run.ledger.refunds.of_orders(["A-1"]), label="A-1"
        )
    assert service.asked == ["A-1:refund:1.1"]
    assert await call_in(
        next_run, ask_refund, "A-1", replace(wish, lines=(2,)), requested_at
    ) == ["A-1:2.1"]
    clock.advance(4)
    assert await call_in(next_run, ask_refund, "A-1", wish, clock()) == ["A-1:1.2"]


@pytest.mark.parametrize("amount", [Money(100), None])
@pytest.mark.parametrize(
    "failure", [NothingToAsk("no such refund now"), ServiceAway("away")]
)
async def test_what_can_t_be_asked_back_now_is_not_booked_all_the_same(
    resources: Resources,
    service: FakeAfterSale,
    monkeypatch: pytest.MonkeyPatch,
    failure: Exception,
    amount: Money | None,
) -> None:
    """Money is wanted back: an approval of before books it no more."""

    async def options(*_: object) -> tuple[RefundOption, ...]:
        raise failure

    monkeypatch.setattr(service, "options", options)
    paid_order(resources)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))]
    )
    with pytest.raises(type(failure)):
        await ask_refund("A-1", replace(WISH, amount=amount))
    assert order(resources).plan_hash is None


@pytest.mark.parametrize("fen", [1, 249, 500])
async def test_asking_for_a_sum_before_booking_waits_for_a_person(
    resources: Resources, service: FakeAfterSale, fen: int
) -> None:
    """6 of 10 pieces may be sold out, or all of them damaged: only a run that asks
    books it.
    """
    service.least = Money(1)
    paid_order(resources, LINE, replace(LINE, line_no=2))
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))]
    )
    await ask_refund("A-1", replace(WISH, lines=(2,), amount=Money(fen)))
    assert order(resources).plan_hash is None


async def test_a_yes_after_a_refund_stands_until_more_comes_back(
    resources: Resources, service: FakeAfterSale
) -> None:
    service.least = Money(1)
    paid_order(resources)
    approval = OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))
    for number, fen in enumerate((200, 50), start=1):
        await ask_refund("A-1", replace(WISH, amount=Money(fen)))
        resources.ledger.change([approval])
        await paid_back(resources, service, f"R{number}", Money(fen))
        assert (order(resources).plan_hash, order(resources).state) == (
            None,
            OrderState.PAID,
        )
    resources.ledger.change([approval])
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    assert order(resources).plan_hash == "hash"


async def test_a_sum_that_was_raised_in_the_console_waits_for_a_person_too(
    resources: Resources, service: FakeAfterSale
) -> None:
    service.least = Money(1)
    paid_order(resources)
    await ask_refund("A-1", replace(WISH, amount=Money(5)))
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))]
    )
    service.refunds["R1"] = replace(service.refunds["R1"], asked=Money(249))
    await paid_back(resources, service, "R1", Money(249))
    assert (order(resources).plan_hash, order(resources).state) == (
        None,
        OrderState.PAID,
    )


async def test_a_run_that_dies_as_what_came_back_is_written_leaves_no_approval(
    resources: Resources, service: FakeAfterSale, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The seller refused, and paid in the console: such a refund is followed to its end
    once, and never read again.
    """
    service.least = Money(1)
    follow = resources.ledger.refunds.follow
    paid_order(resources)
    await ask_refund("A-1", replace(WISH, amount=Money(300)))
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.REFUSED)
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=OrderUpdate.plan_approved("hash"))]
    )

    def dies(*given: Any) -> int:
        follow(*given)
        raise Defect

    monkeypatch.setattr(resources.ledger.refunds, "follow", dies)
    with pytest.raises(Defect):
        await paid_back(resources, service, "R1", Money(300))
    (refund,) = resources.ledger.refunds.of_orders(["A-1"])
    assert (refund.state, order(resources).state) == (
        RefundState.REFUNDED,
        OrderState.PAID,
    )
    assert order(resources).plan_hash is None


async def paid_back(
    resources: Resources, service: FakeAfterSale, refund_id: str, back: Money
) -> None:
    service.refunds[refund_id] = replace(
        service.refunds[refund_id], state=RefundState.REFUNDED, refunded=back
    )
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")


@pytest.mark.parametrize(
    ("line_no", "back", "unsent"),
    [(2, 40_000, set()), (2, 72_000, {2}), (1, 20_000, {1})],
)
def test_what_came_back_is_compared_with_what_a_line_was_bought_at(
    resources: Resources, line_no: int, back: int, unsent: set[int]
) -> None:
    """1,000 pieces of 1.00 cost 0.20 each by volume, and their freight is asked for at
    that price.
    """
    many = replace(LINE, quantity=1_000, unit_price=Money(100))
    one = replace(LINE, line_no=2, unit_price=Money(80_000))
    paid_for = {1: (Money(20), Money(20_000)), 2: (Money(80_000), Money(80_000))}
    told = tuple(
        QuoteLine(line_no=no, unit_price=each, amount=amount)
        for no, (each, amount) in paid_for.items()
    )
    quote = Quote(
        goods=Money(100_000), postage=NOTHING, total=Money(100_000), lines=told
    )
    lines = [to_json(many), to_json(one)]
    request = to_json(planned("A-1").request)
    made = plan(
        "A-1",
        request=request,
        lines=lines,
        quote=to_json(quote),
        approved_minor=100_000,
    )
    put_rows(resources.ledger, [made])
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"paid_minor": 100_000}))]
    )
    came = refund(
        RefundState.REFUNDED, part=str(line_no), lines=(line_no,), refunded=Money(back)
    )
    resources.ledger.refunds.put(came)
    found = resources.ledger.refunds.unsent({"A-1": order(resources)})["A-1"]
    assert found == unsent
    shipped = {
        one.line_no: one.unit_price
        for one in order(resources).shipped_order(found).lines
    }
    assert shipped == {
        no: each for no, (each, _) in paid_for.items() if no not in unsent
    }


@pytest.mark.parametrize("accepted", [False, True])
@pytest.mark.parametrize(
    ("came", "unsent"),
    [
        ([(1, 2_000, 0)], set()),
        ([(1, 3_500, 0)], {1}),
        ([(1, 2_000, 0), (2, 10_000, 0)], {2}),
        ([(2, 2_000, 0), (1, 1_500, 0)], {1}),
        ([(1, 3_500, 700)], set()),
    ],
    ids=[
        "difference",
        "price",
        "price-of-the-other",
        "difference-by-the-other",
        "postage",
    ],
)
def test_the_difference_that_the_seller_gives_back_keeps_no_line_from_being_shipped(
    resources: Resources,
    clock: MovableClock,
    came: list[tuple[int, int, int]],
    unsent: set[int],
    *,
    accepted: bool,
) -> None:
    """Of 115.00 CNY approved 135.00 were taken: line 1 cost 35.00 in place of 15.00,
    and money comes back by lines.

    A person may have said yes to shipping it at that before.
    """
    lines = [
        replace(LINE, unit_price=Money(1_500)),
        replace(LINE, line_no=2, unit_price=Money(10_000)),
    ]
    quote = to_json(Quote(goods=Money(11_500), postage=NOTHING, total=Money(11_500)))
    put_rows(
        resources.ledger,
        [plan("A-1", lines=[*map(to_json, lines)], quote=quote, approved_minor=11_500)],
    )
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"paid_minor": 13_500}))]
    )
    if accepted:
        resources.ledger.change(
            [
                OrderChange(
                    order_ref="A-1", writes=OrderUpdate.approved(amount=Money(13_500))
                )
            ]
        )
    for line_no, back, postage in came:
        sums = {"refunded": Money(back), "postage": Money(postage)}
        part = {"key": f"A-1:{line_no}.1", "part": str(line_no), "lines": (line_no,)}
        resources.ledger.refunds.put(refund(RefundState.REFUNDED, **part, **sums))
        clock.advance(1)
    assert resources.ledger.refunds.unsent({"A-1": order(resources)}) == {"A-1": unsent}


@pytest.mark.parametrize(("amount", "unsent"), [(None, {1}), (Money(20), set())])
async def test_a_line_that_is_given_back_whole_is_not_shipped_though_a_discount_was_for_it_alone(
    resources: Resources, service: FakeAfterSale, amount: Money | None, unsent: set[int]
) -> None:
    """Of 10.00 CNY for two lines 6.50 were paid, for this one 1.50: the seller gives no
    more back for it.
    """
    service.least, service.most = Money(1), Money(150)
    paid_order(resources, LINE, replace(LINE, line_no=2))
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"paid_minor": 650}))]
    )
    wish = replace(WISH, kind=RefundKind.RETURN, lines=(1,), amount=amount)
    await ask_refund("A-1", wish)
    await paid_back(resources, service, "R1", amount or Money(150))
    assert resources.ledger.refunds.unsent({"A-1": order(resources)}) == {"A-1": unsent}


def order(resources: Resources) -> OrderRecord:
    return resources.ledger.orders(["A-1"])["A-1"]


async def test_who_cancels_what_is_approved_and_not_ordered_yet_hears_that_it_will_be(
    resources: Resources, service: FakeAfterSale
) -> None:
    """During a pause, say: a file without its lines keeps no look from ordering it once
    buying is resumed.
    """
    put_rows(resources.ledger, [plan("A-1"), plan("A-2", plan_hash=None)])
    assert unfinished_of(resources.ledger, "batch").to_do == ["A-1"]
    told = await foresee_cancel(resources, ["A-1", "A-2"], "101")
    assert told == {
        "A-1": because(ReasonCode.NOTHING_TO_CANCEL, approved=True),
        "A-2": because(ReasonCode.NOTHING_TO_CANCEL, approved=False),
    }
    assert str(told["A-1"]).endswith("Drop it: sourcing drop")
    assert drop(resources.ledger, ["A-1"], by="mei") == {}
    assert unfinished_of(resources.ledger, "batch").to_do == []


async def run(resources: Resources) -> tuple[OrderState, list[RefundState]]:
    """Another run: settle what is open, then ask; answers how the order and its refunds
    stand.
    """
    await settle_open(resources, ["A-1"])
    with suppress(RefundFault):  # it is under way already
        await call_in(resources, ask_refund, "A-1", WISH)
    return order(resources).state, [
        refund.state for refund in resources.ledger.refunds.of_orders(["A-1"])
    ]


async def test_a_refund_is_asked_for_once(
    resources: Resources, service: FakeAfterSale
) -> None:
    """The second run finds it under way."""
    paid_order(resources)
    assert await run(resources) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert await run(resources) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert service.asked == ["A-1:refund:all.1"]


async def test_a_lost_answer_is_found_at_the_order(
    resources: Resources, service: FakeAfterSale
) -> None:
    """The order names the new refund, which settles it in the same run."""
    paid_order(resources)
    service.failures = [Unanswered("cut")]
    service.lands = True
    assert await run(resources) == (OrderState.REFUNDING, [RefundState.ASKED])
    [refund] = resources.ledger.refunds.of_orders(["A-1"])
    assert (refund.refund_id, len(service.refunds)) == ("R1", 1)


async def test_a_refund_that_lands_late_is_found(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """Until then the order is refunding with the open question, and nothing is asked
    for twice.
    """
    paid_order(resources)
    service.failures = [Unanswered("500")]
    assert await run(resources) == (OrderState.REFUNDING, [RefundState.ASKING])
    assert await run(resources) == (OrderState.REFUNDING, [RefundState.ASKING])
    service.land()
    clock.advance(10**5)
    assert await run(next_run) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert service.asked == ["A-1:refund:all.1"]


async def test_what_may_be_under_way_is_not_asked_for_differently(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """A refund that landed meanwhile must not be taken for an older one, nor its amount
    be overwritten.
    """
    paid_order(resources)
    service.failures = [Unanswered("500")]
    await run(resources)
    service.land()
    with pytest.raises(RefundFault, match="a refund is under way already"):
        await ask_refund("A-1", WISH)
    clock.advance(10**5)
    assert await run(next_run) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert service.asked == ["A-1:refund:all.1"]


async def test_what_never_arrived_is_asked_for_again(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """Once it can no longer arrive, absence proves it."""
    paid_order(resources)
    service.failures = [Unanswered("cut")]
    await run(resources)
    clock.advance(10**5)
    assert await run(next_run) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert service.asked == ["A-1:refund:all.1", "A-1:refund:all.1"]
    assert len(service.refunds) == 1


async def test_an_older_refund_is_not_taken_for_the_new_one(
    resources: Resources, service: FakeAfterSale
) -> None:
    """One that the order showed before was somebody else's: the refusal stands."""
    paid_order(resources)
    service.land(RefundState.CLOSED)
    service.failures = [Refused("REFUND_FEE_INVALID")]
    assert await run(resources) == (OrderState.PAID, [RefundState.DECLINED])
    assert (
        order(resources).reason
        == "the service refused the refund of 5.00 CNY (不想要了): REFUND_FEE_INVALID"
    )


async def test_after_a_refusal_a_new_refund_is_asked_for(
    resources: Resources, service: FakeAfterSale
) -> None:
    """It is a refund of its own, with a key of its own."""
    paid_order(resources)
    service.failures = [Refused("REASON_INVALID")]
    await run(resources)
    assert await run(resources) == (
        OrderState.REFUNDING,
        [RefundState.DECLINED, RefundState.ASKED],
    )
    assert service.asked == ["A-1:refund:all.1", "A-1:refund:all.2"]


async def test_a_run_that_died_before_sending_leaves_no_trace_on_the_order(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The refund is written down, the order is where it was, and the next run asks
    under the same key.
    """
    paid_order(resources)

    async def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr("tasks.refund.concurrently", dies)
        with pytest.raises(KeyboardInterrupt):
            await run(resources)
    assert order(resources).state is OrderState.PAID
    assert await run(next_run) == (OrderState.REFUNDING, [RefundState.ASKED])
    assert service.asked == ["A-1:refund:all.1"]


@pytest.mark.parametrize("way", ["away", "killed"])
async def test_a_refund_that_never_left_is_over_until_it_is_asked_for_again(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    way: str,
) -> None:
    """Line 1 is asked back, line 2 is not: once the money of line 1 is there the order
    goes on, and a person is told.

    Told again, it is the same refund, under its own key; what came back otherwise can
    be told.
    """

    async def dies(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    paid_order(resources, LINE, replace(LINE, line_no=2))
    await ask_refund("A-1", replace(WISH, lines=(1,)))
    service.failures = [NotSent("no connection", retry_after_s=NEVER_S)]
    with monkeypatch.context() as patch, suppress(KeyboardInterrupt):
        if way == "killed":
            patch.setattr("tasks.refund.concurrently", dies)
        await ask_refund("A-1", replace(WISH, lines=(2,)))
    clock.advance(7200)
    service.refunds["R1"] = replace(
        service.refunds["R1"], state=RefundState.REFUNDED, refunded=Money(500)
    )
    await call_in(
        next_run,
        follow_refunds,
        next_run.ledger.refunds.of_orders(["A-1"]),
        label="A-1",
    )
    came, never = next_run.ledger.refunds.of_orders(["A-1"])
    assert (order(next_run).state, came.state, never.state) == (
        OrderState.PAID,
        RefundState.REFUNDED,
        RefundState.DECLINED,
    )
    assert (
        never.refusal
        == {
            "away": "no connection",
            "killed": "the run ended before it was sent",
        }[way]
    )
    service.failures = []
    service.asked = []
    await call_in(next_run, ask_refund, "A-1", replace(WISH, lines=(2,)))
    assert (service.asked, order(next_run).state) == (
        ["A-1:refund:2.1"],
        OrderState.REFUNDING,
    )
    assert [one.state for one in next_run.ledger.refunds.of_orders(["A-1"])] == [
        came.state,
        RefundState.ASKED,
    ]


async def _never_sent(resources: Resources, service: FakeAfterSale) -> Refund:
    """A refund of A-1 that did not reach the service."""
    paid_order(resources)
    service.failures = [NotSent("no connection", retry_after_s=NEVER_S)]
    assert await run(resources) == (OrderState.PAID, [RefundState.DECLINED])
    (never,) = resources.ledger.refunds.of_orders(["A-1"])
    return never


async def test_a_refund_that_another_run_asked_for_though_it_was_over_is_followed(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """It slept between two rounds, asked after all, and died before it wrote that
    down.
    """
    never = await _never_sent(resources, service)
    kind = AskRefund(resources, never)
    await perform_alone(
        kind, order(resources), "101", part=never.effect_part, amount=Money(500)
    )
    clock.advance(3600)
    await settle_open(next_run, ["A-1"])
    (refund,) = next_run.ledger.refunds.of_orders(["A-1"])
    assert (refund.state, refund.refund_id, order(next_run).state) == (
        RefundState.ASKED,
        "R1",
        OrderState.REFUNDING,
    )


@pytest.mark.parametrize("kind", RefundKind)
@pytest.mark.parametrize(
    ("state", "told"),
    [
        (RefundState.REFUSED, "ask anew in the console: the seller refused"),
        (RefundState.ASKED, "a refund is under way already"),
    ],
)
async def test_no_second_refund_is_asked_for_beside_one_that_is_not_over(
    resources: Resources,
    service: FakeAfterSale,
    state: RefundState,
    told: str,
    kind: RefundKind,
) -> None:
    """The service keeps one that the seller refused, and would refuse a second in words
    that prove nothing.
    """
    paid_order(resources)
    await run(resources)
    service.refunds["R1"] = replace(service.refunds["R1"], state=state)
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    with pytest.raises(RefundFault, match=told):
        await ask_refund("A-1", replace(WISH, kind=kind))
    assert service.asked == ["A-1:refund:all.1"]


async def test_a_refund_that_a_run_still_tries_to_ask_for_is_told_as_no_refusal(
    resources: Resources,
    next_run: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
) -> None:
    """Between two of its tries: a person who obeyed such a message in the console would
    have two.
    """
    never = await _never_sent(resources, service)
    resources.ledger.refunds.put(replace(never, state=RefundState.ASKING, refusal=""))
    for seconds, state, told in (
        (1800, RefundState.ASKING, 0),
        (5400, RefundState.DECLINED, 1),
    ):
        clock.advance(seconds)
        await settle_open(next_run, ["A-1"])
        await call_in(
            next_run,
            follow_refunds,
            next_run.ledger.refunds.of_orders(["A-1"]),
            label="A-1",
        )
        (never,) = next_run.ledger.refunds.of_orders(["A-1"])
        assert (
            order(next_run).state,
            never.state,
            len(waiting_messages(next_run.ledger)),
        ) == (
            OrderState.PAID,
            state,
            told,
        )


async def test_a_refund_that_never_left_is_told_once_more_each_time_that_it_is_not_taken(
    resources: Resources, service: FakeAfterSale
) -> None:
    """It keeps its key; unheard of, its money would not be asked back while the days
    for that pass.
    """
    paid_order(resources)
    away = NotSent("no connection", retry_after_s=NEVER_S)
    told = []
    for failure in (away, away, Refused("REFUND_FEE_INVALID")):
        service.failures = [failure]
        assert await run(resources) == (OrderState.PAID, [RefundState.DECLINED])
        told.append(len(newly_told(resources.ledger)))
        assert newly_told(resources.ledger) == []
    assert (told, service.asked) == ([1, 1, 1], ["A-1:refund:all.1"] * 3)


@pytest.mark.parametrize(
    ("before", "since"),
    [
        (OrderState.PAID, OrderState.BOOKED),
        (OrderState.HELD, OrderState.IN_TRANSIT),
        (OrderState.BOOKED, OrderState.DELIVERED),
    ],
)
async def test_an_order_that_went_on_since_its_refund_was_refused_is_there_again_once_that_ends(
    resources: Resources, service: FakeAfterSale, before: OrderState, since: OrderState
) -> None:
    """Asked anew in the console, and given nothing, it is not where it was at the first
    asking.
    """
    paid_order(resources)
    if before is not OrderState.PAID:
        resources.ledger.change([OrderChange(order_ref="A-1", state=before)])
    await run(resources)
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.REFUSED)
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    shipment = Columns(
        {
            "shipment": to_json(
                Shipment(shipment_order_id="S", tracking_numbers=("SF1",))
            )
        }
    )
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=since, writes=shipment)]
    )
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.ASKED)
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    assert order(resources).state is OrderState.REFUNDING
    service.refunds["R1"] = replace(service.refunds["R1"], state=RefundState.CLOSED)
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    (ended,) = resources.ledger.refunds.of_orders(["A-1"])
    assert (order(resources).state, ended.state_before) == (since, since)


async def test_the_end_is_followed(
    resources: Resources, service: FakeAfterSale
) -> None:
    """Approved and refunded amounts reach the ledger, and the order ends refunded."""
    paid_order(resources)
    await run(resources)
    service.refunds["R1"] = ServiceRefund(
        refund_id="R1",
        state=RefundState.REFUNDED,
        asked=Money(500),
        refunded=Money(500),
    )
    await follow_refunds(resources.ledger.refunds.of_orders(["A-1"]), label="A-1")
    [refund] = resources.ledger.refunds.of_orders(["A-1"])
    assert (refund.state, refund.approved, refund.refunded) == (
        RefundState.REFUNDED,
        Money(500),
        Money(500),
    )
    assert (order(resources).state, order(resources).refunded) == (
        OrderState.REFUNDED,
        Money(500),
    )


async def test_a_person_can_answer_whether_a_refund_was_asked_for(
    resources: Resources,
    service: FakeAfterSale,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """A no is taken late and lets it be asked for again; a yes names a new refund that
    the service has.
    """
    paid_order(resources)
    service.failures = [Unanswered("cut")]
    await run(resources)
    with pytest.raises(ResolutionRefused, match="may still arrive"):
        await resolve(
            resources, "A-1", Resolution(kind=ResolutionKind.NOT_REFUNDED), by="ann"
        )
    clock.advance(10**5)
    answered = await resolve(
        resources, "A-1", Resolution(kind=ResolutionKind.NOT_REFUNDED), by="ann"
    )
    assert answered.state is OrderState.PAID
    service.failures = [Unanswered("cut")]
    await run(resources)
    service.land()
    answered = await resolve(
        resources,
        "A-1",
        Resolution(kind=ResolutionKind.REFUND_ASKED, value="R1"),
        by="ann",
    )
    assert answered.state is OrderState.REFUNDING
    (refund,) = resources.ledger.refunds.of_orders(["A-1"])
    assert (refund.refund_id, refund.state) == ("R1", RefundState.ASKED)
    assert len(service.asked) == 2


@pytest.mark.parametrize(
    "told",
    [{"refunded": Money(501)}, {"asked": Money(501)}, {"refunded": Money(10**15)}],
)
async def test_more_than_was_paid_never_comes_back(
    resources: Resources, service: FakeAfterSale, told: dict[str, Any]
) -> None:
    """Of 5.00 paid the service shows 5.01 given back: said, not written, and the budget
    is not freed by it.
    """
    paid_order(resources)
    await run(resources)
    service.refunds["R1"] = replace(
        service.refunds["R1"], state=RefundState.REFUNDED, **told
    )
    refunds = resources.ledger.refunds.of_orders(["A-1"])
    [trouble] = (await follow_refunds(refunds, label="1 of 1")).values()
    assert "5.00 CNY was paid: not believed" in str(trouble)
    assert (order(resources).state, order(resources).refunded) == (
        OrderState.REFUNDING,
        NOTHING,
    )


async def test_each_refusal_of_a_refund_that_was_asked_anew_is_told(
    resources: Resources, service: FakeAfterSale, clock: MovableClock
) -> None:
    """The row and its state are the same: else who asked anew in the console would wait
    while the time to answer passes.
    """
    paid_order(resources)
    await run(resources)
    told = []
    for _ in range(2):
        for state in (RefundState.REFUSED, RefundState.ASKED):
            clock.advance(3600)
            service.refunds["R1"] = replace(service.refunds["R1"], state=state)
            await follow_refunds(
                resources.ledger.refunds.of_orders(["A-1"]), label="A-1"
            )
            told.append(len(newly_told(resources.ledger)))
    assert told == [1, 0, 1, 0]


def test_all_refunds_that_wait_are_counted_in_one_reading(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Those that were declined wait for ever, and each run looks at its end."""
    paid_order(resources)
    for number in range(1, 4):
        resources.ledger.refunds.put(
            refund(RefundState.REFUSED, key=f"A-1:all.{number}", number=number)
        )
    reading = Mock(wraps=resources.ledger.effects_of)
    monkeypatch.setattr(resources.ledger, "effects_of", reading)
    waits = to_do(resources.ledger)
    assert ([todo.kind for todo in waits], reading.call_count) == (
        ["refund refused"] * 3,
        1,
    )
