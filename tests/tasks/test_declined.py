"""A no to the freight of an order that was begun earlier."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any

import pytest

from connectors.ledger.plans import declined, needing_a_person, say_no, take_back
from connectors.ledger.records import OrderChange, OrderRecord, Outcome
from domain.after_sale import RefundState
from domain.effects import EffectStatus
from domain.money import Money
from domain.plan import PlannedOrder
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from flows.approval.request import ApprovalRequest, Decision, not_approved_by
from flows.batch import run
from flows.batch.follow_up import unfinished_of
from flows.batch.plan_sources import FromRequests
from flows.batch.run import BatchRun
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, intents
from tests.domain.test_after_sale import refund
from tests.flows.plans import planned, put_approved


def stand_in(monkeypatch: pytest.MonkeyPatch, **functions: Callable[..., Any]) -> None:
    for name, function in functions.items():
        monkeypatch.setattr(run, name, function)


async def test_an_order_whose_freight_a_person_declined_is_left_alone(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Of two paid orders one is approved: only that one goes on."""
    for ref in ("A-1", "A-2"):
        put_approved(resources.ledger, planned(ref))
        won = resources.ledger.claim(intents(ref), lease=resources.lease).won[ref]
        bought = OrderChange(
            order_ref=ref,
            state=OrderState.ORDERED,
            writes=Columns({"order_id": ref, "paid_minor": 1000}),
        )
        resources.ledger.record(
            [Outcome(claim=won.claim, status=EffectStatus.DONE, change=bought)]
        )
        resources.ledger.change([OrderChange(order_ref=ref, state=OrderState.PAID)])
    went_on: list[str] = []
    approved = ["A-2"]

    async def estimate(
        _: Resources, order_refs: Sequence[str], **__: Any
    ) -> list[PlannedOrder]:
        return [
            replace(planned(ref), withdrawn_at=MovableClock().now) for ref in order_refs
        ]

    def decide(question: ApprovalRequest, *_: Any, **__: Any) -> Decision:
        return Decision(approved=approved, by="ann", why_not=not_approved_by("ann"))

    async def execute(_: Resources, refs: Sequence[str], *__: Any, **___: Any) -> None:
        went_on.extend(refs)

    async def snapshot(*_: Any) -> str:
        return "batch"

    stand_in(
        monkeypatch,
        estimate_unbooked=estimate,
        decide=decide,
        execute=execute,
        write_tables=snapshot,
    )
    requests = [planned(ref).request for ref in ("A-1", "A-2")]
    await BatchRun(resources, "batch", FromRequests(requests, "file.csv")).buy(ask=True)
    assert set(went_on) == {"A-2"}
    resources.ledger.change([OrderChange(order_ref="A-1", state=OrderState.PAID)])
    assert unfinished_of(resources.ledger, "batch").to_do == ["A-2"], (
        "a look asks nobody, so the no stands"
    )
    approved = ["A-1", "A-2"]
    await BatchRun(resources, "batch", FromRequests(requests, "file.csv")).buy(ask=True)
    assert unfinished_of(resources.ledger, "batch").to_do == ["A-1", "A-2"]


async def test_an_unpaid_order_without_an_approval_that_no_run_could_ask_about_is_held(
    resources: Resources, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its freight has no estimate, so it is in no question; no payment is claimed for
    it, which its reason says.

    A person's answer, how much of a closed order's money came back, stays, and so does
    one whose freight is booked. A second night writes nothing: since when it waits is
    still known.
    """
    told = because(ReasonCode.REST_IS_LOST, by="ann", answer="came-back 6.00")
    answered: dict[str, Any] = {
        "A-2": {"refunded_minor": 600},
        "A-3": {"shipment_order_id": "7"},
    }
    columns = {
        "A-1": dict[str, Any](),
        **{ref: {"paid_minor": 1000, **more} for ref, more in answered.items()},
    }
    for ref, paid in columns.items():
        put_approved(resources.ledger, planned(ref))
        won = resources.ledger.claim(intents(ref), lease=resources.lease).won[ref]
        made = OrderChange(
            order_ref=ref,
            state=OrderState.ORDERED,
            writes=Columns({"order_id": ref, **paid}),
        )
        resources.ledger.record(
            [Outcome(claim=won.claim, status=EffectStatus.DONE, change=made)]
        )
    resources.ledger.change(
        [
            OrderChange(order_ref=ref, state=OrderState.HELD, why=told)
            for ref in answered
        ]
    )
    take_back(resources.ledger, columns)

    async def nothing(*_: Any, **__: Any) -> list[PlannedOrder]:
        return []

    async def snapshot(*_: Any) -> str:
        return "batch"

    stand_in(
        monkeypatch,
        estimate_unbooked=nothing,
        execute=nothing,
        write_tables=snapshot,
    )
    requests = [planned(ref).request for ref in columns]
    for _ in range(2):
        await BatchRun(resources, "batch", FromRequests(requests, "file.csv")).buy(
            ask=False
        )
        held = resources.ledger.orders(columns)
        clock.advance(86_400)
    assert {(one.state, one.updated_at) for one in held.values()} == {
        (OrderState.HELD, MovableClock().now)
    }
    assert [one.reason for one in held.values()] == [
        "not approved: run it without --yes, or from the Prefect UI, to be asked",
        *[str(told)] * 2,
    ]


@pytest.mark.parametrize("paid_minor", [None, 1000])
@pytest.mark.parametrize(
    ("before", "since"), [(True, False), (False, True), (True, True)]
)
async def test_a_yes_is_to_an_order_as_the_question_names_it(
    resources: Resources,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    paid_minor: int | None,
    *,
    before: bool,
    since: bool,
) -> None:
    """Cancelled while the question waits it is neither paid nor shipped: only a run
    that asks goes on with it.
    """
    put_approved(resources.ledger, planned("A-1"))
    won = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    writes = Columns({"order_id": "A-1", "paid_minor": paid_minor})
    made = OrderChange(order_ref="A-1", state=OrderState.ORDERED, writes=writes)
    resources.ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.DONE, change=made)]
    )
    if paid_minor:
        resources.ledger.change([OrderChange(order_ref="A-1", state=OrderState.PAID)])
    if before:
        say_no(
            resources.ledger,
            ["A-1"],
            because(ReasonCode.WAITS_FOR_APPROVAL),
            {},
        )

    async def estimate(*_: Any, **__: Any) -> list[PlannedOrder]:
        at = resources.ledger.orders(["A-1"])["A-1"].updated_at if before else None
        plan = planned("A-1", freight_cents=700)
        return [replace(plan, withdrawn_at=at, is_unpaid=before and not paid_minor)]

    def decide(question: ApprovalRequest, *_: Any, **__: Any) -> Decision:
        assert question.total == Money(1000 if before and not paid_minor else 0)
        clock.advance(3_600)
        if since:
            take_back(resources.ledger, ["A-1"])
        return Decision(approved=question.refs, by="ann")

    async def nothing(*_: Any, **__: Any) -> str:
        return "batch"

    stand_in(
        monkeypatch,
        estimate_unbooked=estimate,
        decide=decide,
        execute=nothing,
        write_tables=nothing,
    )
    await BatchRun(
        resources, "batch", FromRequests([planned("A-1").request], "file.csv")
    ).buy(ask=True)
    order = resources.ledger.orders(["A-1"])["A-1"]
    if since:
        assert (order.plan_hash, order.freight_approved_minor, order.reason) == (
            None,
            500,
            str(run.OVERTAKEN),
        )
        assert needing_a_person(resources.ledger, ["A-1"]) == {"A-1"}
    else:
        said = "freight approved by ann" if paid_minor else "approved by ann"
        assert (order.plan_hash is not None, order.reason.partition(" at ")[0]) == (
            True,
            said,
        )


def put_ordered(resources: Resources, paid_minor: int) -> None:
    """An order that was approved for 10.00 CNY and made, with what was taken for it."""
    put_approved(resources.ledger, planned("A-1"))
    won = resources.ledger.claim(intents("A-1"), lease=resources.lease).won["A-1"]
    paid = Columns({"order_id": "A-1", "paid_minor": paid_minor})
    made = OrderChange(order_ref="A-1", state=OrderState.ORDERED, writes=paid)
    resources.ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.DONE, change=made)]
    )


@pytest.mark.parametrize("meanwhile", ["read again", "came back", "cancelled again"])
async def test_a_yes_waits_through_readings_without_news(
    resources: Resources,
    next_run: Resources,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
    meanwhile: str,
) -> None:
    """An order is cancelled, its seller refuses, and each hour reads that refund, for
    ever: a yes ships the goods.
    """
    put_ordered(resources, 1000)
    resources.ledger.change([OrderChange(order_ref="A-1", state=OrderState.PAID)])
    take_back(resources.ledger, ["A-1"])
    refused = refund(RefundState.REFUSED)
    resources.ledger.refunds.put(refused)
    resources.ledger.refunds.follow(refused)

    async def estimate(*_: Any, **__: Any) -> list[PlannedOrder]:
        return [
            replace(
                planned("A-1", freight_cents=700),
                withdrawn_at=order_of(resources).updated_at,
            )
        ]

    def decide(question: ApprovalRequest, *_: Any, **__: Any) -> Decision:
        clock.advance(3_600)
        if meanwhile == "cancelled again":
            take_back(next_run.ledger, ["A-1"])
        back = 300 if meanwhile == "came back" else 0
        marks = next_run.ledger.unwritten
        marks.end(marks.read().ids)
        next_run.ledger.refunds.follow(replace(refused, refunded=Money(back)))
        assert [*marks.read().days.values()] == [{"A-1"}], (
            "the tables have each reading"
        )
        return Decision(approved=question.refs, by="ann")

    async def nothing(*_: Any, **__: Any) -> str:
        return "batch"

    stand_in(
        monkeypatch,
        estimate_unbooked=estimate,
        decide=decide,
        execute=nothing,
        write_tables=nothing,
    )
    await BatchRun(
        resources, "batch", FromRequests([planned("A-1").request], "file.csv")
    ).buy(ask=True)
    order = order_of(resources)
    assert (
        order.plan_hash is not None,
        order.freight_approved_minor,
        order.reason.partition(" at ")[0],
    ) == (
        (True, 700, "freight approved by ann")
        if meanwhile == "read again"
        else (False, 500, str(run.OVERTAKEN))
    )


def order_of(resources: Resources) -> OrderRecord:
    return resources.ledger.orders(["A-1"])["A-1"]


@pytest.mark.parametrize("is_accepted", [True, False])
async def test_what_was_taken_above_the_approved_stays_the_reason_unless_a_person_accepts_it(
    resources: Resources, monkeypatch: pytest.MonkeyPatch, *, is_accepted: bool
) -> None:
    put_ordered(resources, 1050)
    why = because(
        ReasonCode.TAKEN_ABOVE_APPROVED, taken=Money(1050), approved=Money(1000)
    )
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.HELD, why=why)]
    )

    async def estimate(*_: Any, **__: Any) -> list[PlannedOrder]:
        return [replace(planned("A-1"), taken=Money(1050))]

    def decide(question: ApprovalRequest, *_: Any, **__: Any) -> Decision:
        return Decision(
            approved=question.refs if is_accepted else [],
            by="ann",
            why_not=not_approved_by("ann"),
        )

    async def nothing(*_: Any, **__: Any) -> str:
        return "batch"

    stand_in(
        monkeypatch,
        estimate_unbooked=estimate,
        decide=decide,
        execute=nothing,
        write_tables=nothing,
    )
    await BatchRun(
        resources, "batch", FromRequests([planned("A-1").request], "file.csv")
    ).buy(ask=True)
    order = resources.ledger.orders(["A-1"])["A-1"]
    assert (order.payable, re.sub(r"at [0-9].* UTC", "then", order.reason)) == (
        (
            Money(1050),
            "freight approved by ann then: 5.00 USD, and the 10.50 CNY that were taken",
        )
        if is_accepted
        else (Money(1000), str(why))
    )
    assert needing_a_person(resources.ledger, ["A-1"]) == (
        set() if is_accepted else {"A-1"}
    )


def test_what_a_run_takes_back_twice_stands_once_in_the_trail(
    resources: Resources, next_run: Resources
) -> None:
    """As `cancel` of a paid order does, which asks its money back. A later run's stands
    there anew.
    """
    put_approved(resources.ledger, planned("A-1"))
    for ledger in [resources.ledger] * 2 + [next_run.ledger] * 2:
        take_back(ledger, ["A-1"])
    assert told(resources).count(ReasonCode.WANTED_BACK) == 2


def test_what_is_taken_back_again_after_a_yes_stands_in_the_trail_again(
    resources: Resources,
) -> None:
    """The order was planned anew meanwhile: the later word counts, for a yes given
    beforehand too.
    """
    resources.ledger.put_plans([planned("A-1")], "batch")
    for at in ("at noon", "at night"):
        take_back(resources.ledger, ["A-1"])
        why = because(ReasonCode.APPROVED, by="ann", at=at, total=Money(1000), plan="p")
        resources.ledger.change(
            [OrderChange(order_ref="A-1", state=OrderState.PLANNED, why=why)]
        )
        assert not declined(resources.ledger, ["A-1"])
    take_back(resources.ledger, ["A-1"])
    assert [*declined(resources.ledger, ["A-1"])] == ["A-1"]
    assert told(resources).count(ReasonCode.WANTED_BACK) == 3


def told(resources: Resources) -> list[str | None]:
    return [move["reason_code"] for move in resources.ledger.moves_of("A-1")]
