"""What a second look takes up, what it leaves alone, and whether there is one."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from itertools import count
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from unittest.mock import AsyncMock

import pytest

from cli import running
from cli.running import with_follow_ups
from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows, take_back
from connectors.ledger.records import Intent, OrderChange, Outcome
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import ContractMismatch, ServiceAway
from domain.effects import Action, EffectStatus
from domain.follow_ups import FollowUp
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows import buy_from_file as finishing
from flows.batch import execution
from flows.batch.execution import Canaries
from flows.batch.follow_up import next_follow_up, sort_approved, unfinished_of
from flows.prefect_ui.events import EventFeed
from tasks.engine.resources import Resources
from tasks.pay import pay_orders
from tasks.steps import Step
from tests.clock import MovableClock
from tests.connectors.ledger.plans import PROOFS, plan
from tests.history import all_orders
from tests.postgres import Postgres
from tests.verdicts import in_these_words

KEPT: dict[str, Any] = {"plan_hash": None}


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock
) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        server: Postgres = request.getfixturevalue("postgres")
        url = server.new_ledger()
    with Ledger(url, clock=clock, owner="run") as ledger:
        ledger.start_batch("batch", "file.csv")
        ledger.start_batch("later", "file.csv")
        yield ledger


def run_on(ledger: Ledger, clock: MovableClock, ready_in_s: float = 0) -> Resources:
    settings = SourcingSettings(lease_s=60, settle_s=900)
    breaker = SimpleNamespace(ready_in_s=ready_in_s, is_over=False)
    run = SimpleNamespace(
        ledger=ledger,
        clock=clock,
        breaker=breaker,
        settings=settings,
        lease=timedelta(seconds=60),
        paused=None,
    )
    return cast(
        Resources,
        SimpleNamespace(
            **vars(run), done_by=None, group_commit=GroupCommit(ledger), concurrency=4
        ),
    )


def began(
    ledger: Ledger,
    order_ref: str,
    action: Action,
    status: EffectStatus,
    *,
    part: str = "",
    **ends: Any,
) -> None:
    """A run did this with an order, and that became of it."""
    intent = Intent(
        order_ref=order_ref, action=action, amount=Money(1), request_hash="h", part=part
    )
    won = ledger.claim([intent], lease=timedelta(seconds=60)).won[order_ref]
    ledger.record(
        [Outcome(claim=won.claim, status=status, proof=PROOFS.get(status), **ends)]
    )


def unanswered(
    ledger: Ledger, order_ref: str, action: Action, code: ReasonCode
) -> None:
    why = because(code, action=action)
    change = OrderChange(order_ref=order_ref, state=OrderState.UNKNOWN, why=why)
    began(ledger, order_ref, action, EffectStatus.UNKNOWN, why=why, change=change)


def begun(order_ref: str, *, state: str = "", **columns: Any) -> dict[str, Any]:
    return plan(
        order_ref, state=state or order_ref, order_id=f"of {order_ref}", **columns
    )


def test_only_what_is_approved_still_and_waits_for_nobody_is_taken_up(
    ledger: Ledger,
) -> None:
    """Held, refused, cancelled, unknown and merely planned orders are left alone, and
    those of another batch.

    So is one that somebody wanted to cancel, where that never arrived: a run that asks
    may go on with it.
    """
    for row in [
        plan("approved"),
        plan("kept", **KEPT),
        plan("another-s", batch_id="later"),
        *(
            plan(state, state=state)
            for state in ("held", "refused", "cancelled", "unknown")
        ),
        *(begun(state) for state in ("ordered", "payment_pending", "paid")),
        begun("refunding"),
        begun("booked"),
        begun("declined-since", state="ordered", **KEPT),
        begun("held-begun", state="held"),
    ]:
        put_rows(ledger, [row])
    put_rows(ledger, [begun("not-cancelled", state="ordered")])
    take_back(ledger, ["not-cancelled"])
    orders = all_orders(ledger)
    work = sort_approved(ledger, "batch", list(orders))
    assert work.approved == {"approved": "h"}
    assert set(work.under_way) == {"ordered", "payment_pending", "paid"}
    assert (work.to_plan, unfinished_of(ledger, "batch").words) == (
        [],
        "4 to go on with",
    )
    assert unfinished_of(ledger, "later").words == "1 to go on with"


async def test_what_somebody_holds_or_declines_meanwhile_is_left_alone(
    ledger: Ledger, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Orders that were approved when the look began; a run that asks goes on with what
    is held.
    """
    put_rows(
        ledger, [begun(ref, state="ordered") for ref in ("held", "declined", "fine")]
    )
    ledger.change([OrderChange(order_ref="held", state=OrderState.HELD)])
    ledger.change(
        [OrderChange(order_ref="declined", writes=OrderUpdate.approval_withdrawn())]
    )
    paid: list[set[str]] = []

    async def pay(step: Step, **_: object) -> None:
        paid.append(set(step.given))

    monkeypatch.setattr(pay_orders, "fn", pay)
    run = run_on(ledger, clock)
    feed = EventFeed(ledger, ledger.each_order(["held", "declined", "fine"]))
    for asks in (False, True):
        refs = ["held", "declined", "fine"]
        await execution.execute(
            run,
            refs,
            {},
            limits=cast(Any, None),
            feed=feed,
            canaries=Canaries(run),
            asks=asks,
        )
    assert paid == [{"fine"}, {"held", "declined", "fine"}]


def test_a_look_comes_when_what_got_no_answer_can_no_longer_arrive(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Not for a booking, about which a person is asked; nor for what was looked for in
    time and can't be told.
    """
    put_rows(ledger, [plan("A-1"), begun("A-2", state="paid"), plan("A-3", **KEPT)])
    unanswered(ledger, "A-1", Action.CREATE, ReasonCode.NO_ANSWER)
    unanswered(ledger, "A-2", Action.BOOK, ReasonCode.NO_ANSWER_ASKED)
    at = clock.now + timedelta(seconds=60 + 900 + 5)
    assert unfinished_of(ledger, "batch").words == "2 to settle"
    assert next_follow_up(run_on(ledger, clock), "batch", 1) == FollowUp(
        orders=1, batches=("batch",), number=1, at=at
    )
    clock.advance(960)
    (late,) = filter(None, [next_follow_up(run_on(ledger, clock), "batch", 2)])
    assert (late.at - clock.now > timedelta(minutes=19), late.number) == (True, 2)
    far = next_follow_up(run_on(ledger, clock, ready_in_s=7200), "batch", 1)
    assert far is not None
    assert far.at >= clock.now + timedelta(hours=2)
    for minutes, is_late in ((60, False), (1, True)):
        look = next_follow_up(
            run_on(ledger, clock),
            "batch",
            1,
            done_by=clock.now + timedelta(minutes=minutes),
        )
        assert look is not None
        assert look.is_late == is_late
    ledger.change(
        [
            OrderChange(
                order_ref="A-3",
                state=OrderState.HELD,
                why=in_these_words("not approved by ann"),
            )
        ]
    )
    assert next_follow_up(run_on(ledger, clock), "later", 1) is None


def test_a_look_that_can_only_buy_waits_for_the_end_of_a_pause(
    ledger: Ledger, clock: MovableClock
) -> None:
    """It counts for none of the five; one that can settle something comes in time."""
    put_rows(ledger, [plan("A-1")])
    run = run_on(ledger, clock)
    run.paused = ledger.pause_buying("mei")
    looks = [next_follow_up(run, "batch", number) for number in (1, 2, 6)]
    assert [(one.number, one.is_paused, one.is_over) for one in looks if one] == [
        (n, True, False) for n in (1, 1, 5)
    ]
    assert {one.at for one in looks if one} == {clock.now}
    ledger.resume_buying("mei")
    unanswered(ledger, "A-1", Action.CREATE, ReasonCode.NO_ANSWER)
    settling = next_follow_up(run, "batch", 2)
    assert settling
    assert (settling.is_paused, settling.number, settling.at) == (
        False,
        2,
        clock.now + timedelta(seconds=60 + 900 + 5),
    )


def test_a_look_that_met_an_absent_service_counts_for_none_of_the_five(
    ledger: Ledger, clock: MovableClock
) -> None:
    """However long it is away: what is approved still is bought once it is back."""
    put_rows(ledger, [plan("A-1")])
    run = run_on(ledger, clock)
    cast(Any, run.breaker).is_over = True
    looks = [next_follow_up(run, "batch", number) for number in (1, 2, 6)]
    assert [(one.number, one.is_over) for one in looks if one] == [
        (1, False),
        (1, False),
        (5, False),
    ]


def test_a_sweep_whose_time_is_up_leaves_the_batch_to_the_next_one(
    ledger: Ledger, clock: MovableClock
) -> None:
    """At once, and it counts for none of the five: a large batch takes several."""
    put_rows(ledger, [plan("A-1")])
    run = run_on(ledger, clock)
    run.done_by = clock.now
    looks = [next_follow_up(run, "batch", number) for number in (1, 6)]
    assert [(one.number, one.at, one.is_late) for one in looks if one] == [
        (1, clock.now, False),
        (5, clock.now, False),
    ]


def test_orders_without_a_plan_are_looked_at_again(
    ledger: Ledger, clock: MovableClock
) -> None:
    look = next_follow_up(run_on(ledger, clock), "batch", 1, unplanned=2)
    assert look is not None
    assert (look.orders, look.number) == (2, 1)
    assert next_follow_up(run_on(ledger, clock), "batch", 1) is None


NUMBER = FollowUp(orders=1, batches=("b",), number=1, at=MovableClock().now)


def report(
    state: OrderState, follow_up: FollowUp | None, spent: int = 0
) -> BatchReport:
    lines = [
        ReportLine(
            order_ref="A-1", marketplace="taobao", state=state, reason="", paid_fen=100
        )
    ]
    return BatchReport(
        batch_id="b", orders=lines, spent_this_run_fen=spent, bought_this_run=spent // 100, snapshot_id="s",
        snapshot_root="/", next_look=follow_up,
    )  # fmt: skip


@pytest.fixture
def first(monkeypatch: pytest.MonkeyPatch) -> Any:
    """A run that left something open, whose look is due at once."""
    monkeypatch.setattr(running, "wait_until", AsyncMock())

    async def flow() -> BatchReport:
        other = ReportLine(
            order_ref="taken",
            marketplace="taobao",
            state=OrderState.REFUSED,
            reason="taken",
        )
        left = report(OrderState.UNKNOWN, NUMBER, spent=100)
        return replace(left, orders=[*left.orders, other])

    return flow


async def test_whoever_waits_gets_the_report_of_the_last_look(
    first: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A look that the service does not answer is made once more, and counts no more
    than under `serve`.

    What the file's other lines came to stays.
    """
    asked: list[str] = []

    async def finish(batch_id: str) -> BatchReport:
        asked.append(batch_id)
        if len(asked) < 8:
            raise ServiceAway("the service is away", retry_after_s=5)
        if len(asked) == 8:
            raise ContractMismatch("odd")
        further = replace(NUMBER, number=3) if len(asked) == 9 else None
        state = OrderState.UNKNOWN if further else OrderState.BOOKED
        return report(state, further, spent=200)

    monkeypatch.setattr(finishing, "finish_batch", finish)
    last = await with_follow_ups(first)()
    assert asked == ["b"] * 10
    assert [line.state for line in last.orders] == [
        OrderState.BOOKED,
        OrderState.REFUSED,
    ]
    assert (last.spent_this_run_fen, last.bought_this_run, last.next_look) == (
        500,
        5,
        None,
    )


async def test_there_are_no_more_than_five_looks(
    first: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    numbers = count(2)

    async def finish(_batch_id: str) -> BatchReport:
        return report(OrderState.UNKNOWN, replace(NUMBER, number=next(numbers)))

    monkeypatch.setattr(finishing, "finish_batch", finish)
    last = (await with_follow_ups(first)()).next_look
    assert last is not None
    assert (last.number, last.is_over) == (6, True)


async def test_an_interrupt_ends_the_waiting_and_not_the_report(
    first: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(running, "wait_until", lambda *_: asyncio.sleep(900))
    waiting = asyncio.create_task(with_follow_ups(first)())
    await asyncio.sleep(0.01)
    waiting.cancel()
    assert (await waiting).next_look == NUMBER
