"""What counts as spent, and that no sequence of events spends beyond a limit."""

from __future__ import annotations

import shutil
import threading
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import event, select

from connectors.ledger.order_mover import change_order
from connectors.ledger.plans import put_rows
from connectors.ledger.records import Intent, OrderChange, Outcome, SpendLimits
from connectors.ledger.schema import orders
from connectors.ledger.spending import COUNTED
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.after_sale import Refund, RefundKind, RefundState
from domain.effects import Action, EffectStatus
from domain.holds import start_of_day
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import NEVER_LEFT, PROOFS, Columns, intents, plan
from tests.everyday import examples
from tests.history import all_orders
from tests.postgres import Postgres
from tests.running import ROOT
from tests.verdicts import in_these_words

LEASE = timedelta(seconds=60)
DAY_LIMIT = 160
BATCH_LIMIT = 250
LIVE = (EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE)


@pytest.fixture
def url(ledger_url: str) -> str:
    """What sums up money is tried on both databases."""
    return ledger_url


def limits(
    ledger: Ledger, *, batch: int | None = None, day: int | None = None
) -> SpendLimits:
    return SpendLimits(
        batch_id="batch",
        batch=None if batch is None else Money(batch),
        day=None if day is None else Money(day),
        timezone="Asia/Shanghai",
    )


def create(ledger: Ledger, order_ref: str) -> None:
    """Create an order at the service and record it."""
    record = ledger.claim(intents(order_ref), lease=LEASE).won[order_ref]
    change = OrderChange(
        order_ref=order_ref,
        state=OrderState.ORDERED,
        writes=Columns({"order_id": f"id-{order_ref}"}),
    )
    ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


def pay(ledger: Ledger, order_ref: str, fen: int, *, told: int | None = None) -> None:
    """Pay an order at the service and record what is told of it: what it cost when the
    payment was begun, or less.
    """
    payment = Intent(
        order_ref=order_ref, action=Action.PAY, amount=Money(fen), request_hash="h"
    )
    record = ledger.claim([payment], lease=LEASE).won[order_ref]
    shown = fen if told is None else told
    columns = {"paid_minor": shown, "total_minor": shown}
    change = OrderChange(
        order_ref=order_ref, state=OrderState.PAID, writes=Columns(columns)
    )
    ledger.record(
        [Outcome(claim=record.claim, status=EffectStatus.DONE, change=change)]
    )


def today(ledger: Ledger) -> int:
    return ledger.spent_since(start_of_day(ledger.clock(), "Asia/Shanghai"))


def test_an_order_counts_for_the_most_that_may_be_paid_until_it_is_paid(
    ledger: Ledger,
) -> None:
    """Approved 1.00 with a tolerance up to 1.10 takes 1.10; paid 0.95 takes 0.95."""
    put_rows(ledger, [plan("A-1", approved_minor=100, payable_minor=110)])
    create(ledger, "A-1")
    assert (ledger.committed_in("batch"), today(ledger)) == (110, 110)
    pay(ledger, "A-1", 95)
    assert (ledger.committed_in("batch"), today(ledger)) == (95, 95)


def test_a_payment_that_is_told_as_less_than_it_was_begun_for_opens_no_budget(
    ledger: Ledger,
) -> None:
    """One answer may tell payment and total alike as another order's: what was seen
    before it still counts.
    """
    create(ledger, "A-1")
    pay(ledger, "A-1", 95, told=20)
    assert (ledger.committed_in("batch"), today(ledger)) == (95, 95)


def test_the_limit_of_the_day_is_that_of_the_claim(
    ledger: Ledger, clock: MovableClock
) -> None:
    """A run that goes past midnight has a new day's limit, and what it claims then
    counts for that day.
    """
    given = limits(ledger, day=160)
    put_rows(ledger, [plan("A-1"), plan("A-2"), plan("A-3")])
    assert set(ledger.claim(intents("A-1", "A-2"), lease=LEASE, limits=given).won) == {
        "A-1"
    }
    clock.advance(4 * 3600 + 1)  # 12:00 UTC is 20:00 in Shanghai
    assert set(ledger.claim(intents("A-3"), lease=LEASE, limits=given).won) == {"A-3"}
    assert today(ledger) == 100


def test_an_order_cancelled_before_any_payment_counts_no_more(ledger: Ledger) -> None:
    """Nothing left the account and nothing can, so batch and day are free again."""
    create(ledger, "A-1")
    ledger.change([OrderChange(order_ref="A-1", state=OrderState.CANCELLED)])
    assert (ledger.committed_in("batch"), today(ledger)) == (0, 0)


@pytest.mark.parametrize(
    "status", [EffectStatus.SENDING, EffectStatus.UNKNOWN, EffectStatus.DONE]
)
def test_a_cancelled_order_whose_payment_may_have_left_still_counts(
    ledger: Ledger, status: EffectStatus
) -> None:
    """A payment in flight, without an answer, or accepted may take the money although
    the order is closed.
    """
    create(ledger, "A-1")
    record = ledger.claim(intents("A-1", action=Action.PAY), lease=LEASE).won["A-1"]
    if status is not EffectStatus.SENDING:
        ledger.record([Outcome(claim=record.claim, status=status)])
    ledger.change([OrderChange(order_ref="A-1", state=OrderState.CANCELLED)])
    assert (ledger.committed_in("batch"), today(ledger)) == (100, 100)


def test_what_came_back_frees_the_batch_and_not_the_day(ledger: Ledger) -> None:
    """The batch's budget is what the goods may cost, the day's limit what may leave in
    one day.
    """
    create(ledger, "A-1")
    pay(ledger, "A-1", 100)
    ledger.change([OrderChange(order_ref="A-1", state=OrderState.REFUNDING)])
    assert ledger.committed_in("batch") == 100
    ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"refunded_minor": 40}))]
    )
    assert (ledger.committed_in("batch"), today(ledger)) == (60, 100)
    ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"refunded_minor": 100}))]
    )
    assert (ledger.committed_in("batch"), today(ledger)) == (0, 100)


def test_what_another_run_claims_meanwhile_is_counted(
    ledger: Ledger, other: Ledger
) -> None:
    """A run follows its own orders, and sums up anew after a commit of somebody
    else.
    """
    put_rows(ledger, [plan("A-3")])
    given = limits(ledger, batch=250)
    in_turn = [(ledger, "A-1"), (other, "A-2"), (ledger, "A-3")]
    won = [
        list(run.claim(intents(ref), lease=LEASE, limits=given).won)
        for run, ref in in_turn
    ]
    assert won == [["A-1"], ["A-2"], []]


def test_a_payment_counts_on_the_day_it_leaves(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Yesterday's order is paid today only when today's limit has room for it too."""
    create(ledger, "A-1")
    clock.advance(86_400)
    create(ledger, "A-2")
    payment = intents("A-1", action=Action.PAY)
    assert ledger.claim(payment, lease=LEASE, limits=limits(ledger, day=150)).won == {}
    order = ledger.orders(["A-1"])["A-1"]
    assert order.state is OrderState.HELD
    assert order.reason == (
        "ordered, not paid: 1.00 CNY does not fit the day's limit: 1.00 CNY of 1.50 CNY is taken"
    )
    assert order.reason_code is ReasonCode.OVER_DAY_LIMIT
    ledger.change([order.held(in_these_words("the answer does not fit the contract"))])
    assert ledger.orders(["A-1"])["A-1"].reason_code is ReasonCode.OF_ANOTHER_VERSION
    clock.advance(86_400)
    assert set(
        ledger.claim(payment, lease=LEASE, limits=limits(ledger, day=150)).won
    ) == {"A-1"}
    assert today(ledger) == 100


def test_an_order_created_and_paid_on_one_day_counts_once(ledger: Ledger) -> None:
    """Its payment needs no second room."""
    create(ledger, "A-1")
    payment = intents("A-1", action=Action.PAY)
    assert set(
        ledger.claim(payment, lease=LEASE, limits=limits(ledger, day=100)).won
    ) == {"A-1"}


@pytest.mark.parametrize(
    ("first", "second", "room"),
    [
        (
            "2026-06-01T15:59:59+00:00",
            "2026-06-01T16:00:00+00:00",
            True,
        ),  # midnight in Shanghai
        (
            "2026-06-01T16:00:00+00:00",
            "2026-06-02T15:59:59+00:00",
            False,
        ),  # one Shanghai day, two UTC dates
    ],
)
def test_the_day_is_the_merchants(
    ledger: Ledger, clock: MovableClock, first: str, second: str, *, room: bool
) -> None:
    """The limit starts anew at midnight in the merchant's zone, and not at any other
    midnight.
    """
    clock.now = clock.now.fromisoformat(first)
    create(ledger, "A-1")
    clock.now = clock.now.fromisoformat(second)
    won = ledger.claim(intents("A-2"), lease=LEASE, limits=limits(ledger, day=150)).won
    assert bool(won) is room


EVENTS = st.one_of(
    st.tuples(st.sampled_from(["create", "pay"]), st.integers(0, 3)),
    st.tuples(
        st.sampled_from(["done", "unknown", "refused", "unsent"]),
        st.integers(0, 3),
        st.integers(1, 120),
    ),
    st.tuples(st.just("cancel"), st.integers(0, 3)),
    st.tuples(st.just("refund"), st.integers(0, 3), st.integers(1, 120)),
    st.tuples(st.just("wait"), st.integers(1, 30)),
)
BY_EITHER_RUN = st.tuples(st.booleans(), EVENTS)
PRICES = st.lists(
    st.tuples(st.integers(1, 150), st.integers(0, 20)), min_size=4, max_size=4
)


@pytest.fixture(scope="module")
def empty_ledger(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("empty") / "ledger.db"
    with Ledger(f"sqlite:///{file}", clock=MovableClock(), owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
    return file


@settings(
    max_examples=examples(12),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(prices=PRICES, events=st.lists(BY_EITHER_RUN, min_size=15, max_size=40))
def test_no_sequence_of_events_spends_beyond_a_limit(
    empty_ledger: Path,
    tmp_path: Path,
    prices: Sequence[tuple[int, int]],
    events: Sequence[tuple[bool, tuple[Any, ...]]],
) -> None:
    """What is or may be paid stays within the budget of the batch and the limit of
    every day, whichever run does it.
    """
    file = shutil.copy(empty_ledger, tmp_path / "ledger.db")
    clock = MovableClock()
    url = f"sqlite:///{file}"
    with (
        Ledger(url, clock=clock, owner="first") as first,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        put_rows(
            first,
            [
                plan(f"A-{n}", approved_minor=fen, payable_minor=fen + more)
                for n, (fen, more) in enumerate(prices)
            ],
        )
        for is_first, event in events:
            happen(first if is_first else second, clock, *event)
            assert_within_limits(first)
            assert_columns_follow_effects(first)
    for path in tmp_path.glob("ledger.db*"):
        path.unlink()


def happen(ledger: Ledger, clock: MovableClock, what: str, *values: int) -> None:
    """Let something happen, as far as the product would let it."""
    if what == "wait":
        clock.advance(3600 * values[0])
        return
    ref = f"A-{values[0]}"
    order = ledger.orders([ref])[ref]
    if what == "create" and order.state in (
        OrderState.PLANNED,
        OrderState.HELD,
        OrderState.REFUSED,
    ):
        ledger.claim(
            intents(ref),
            lease=LEASE,
            limits=limits(ledger, batch=BATCH_LIMIT, day=DAY_LIMIT),
        )
    if (
        what == "pay"
        and order.order_id
        and order.paid_minor is None
        and order.state is not OrderState.CANCELLED
    ):
        payment = Intent(
            order_ref=ref, action=Action.PAY, amount=order.approved, request_hash="h"
        )
        ledger.claim([payment], lease=LEASE, limits=limits(ledger, day=DAY_LIMIT))
    if what == "cancel" and order.order_id and order.paid_minor is None:
        ledger.change([OrderChange(order_ref=ref, state=OrderState.CANCELLED)])
    if what == "refund" and order.paid_minor is not None:
        ledger.change(
            [
                OrderChange(
                    order_ref=ref,
                    writes=Columns(
                        {"refunded_minor": min(values[1], order.paid_minor)}
                    ),
                )
            ]
        )
    if what in set(EffectStatus):
        answer(ledger, ref, EffectStatus(what), values[1])


def answer(ledger: Ledger, ref: str, status: EffectStatus, fen: int) -> None:
    order = ledger.orders([ref])[ref]
    for effect in ledger.effects_of([ref]):
        if effect.status in (EffectStatus.SENDING, EffectStatus.UNKNOWN):
            columns: dict[str, Any] = {}
            if status is EffectStatus.DONE and effect.action is Action.CREATE:
                columns = {"order_id": f"id-{ref}"}
            if status is EffectStatus.DONE and effect.action is Action.PAY:
                columns = {"paid_minor": min(fen, order.payable.minor)}
            change = OrderChange(order_ref=ref, writes=Columns(columns))
            ledger.record(
                [
                    Outcome(
                        claim=effect.claim,
                        status=status,
                        change=change,
                        proof=PROOFS.get(status),
                    )
                ]
            )


def assert_columns_follow_effects(ledger: Ledger) -> None:
    """What an order counts for is what its effects say."""
    columns = ("order_ref", "committed_minor", "outlay_minor", "spent_at")
    refs = ledger.refs_in("batch")
    counted = ledger.rows(select(COUNTED).order_by(COUNTED.c.order_ref), refs=refs)
    stored = select(*(orders.c[name] for name in columns)).order_by(orders.c.order_ref)
    assert [[*row.values()] for row in ledger.rows(stored)] == [
        [*row.values()] for row in counted
    ]


def assert_within_limits(ledger: Ledger) -> None:
    """Count anew, from orders and effects alone."""
    orders = all_orders(ledger)
    live = [
        effect
        for effect in ledger.effects_of(orders)
        if effect.status in LIVE and effect.action in (Action.CREATE, Action.PAY)
    ]
    most: dict[str, int] = {}
    for ref, order in orders.items():
        paying = any(
            effect.order_ref == ref and effect.action is Action.PAY for effect in live
        )
        gone = order.state is OrderState.CANCELLED and not paying
        most[ref] = (
            order.paid_minor
            if order.paid_minor is not None
            else 0
            if gone
            else order.payable.minor
        )
    begun = {effect.order_ref for effect in live}
    assert sum(most[ref] - orders[ref].refunded.minor for ref in begun) <= BATCH_LIMIT
    days: dict[object, set[str]] = {}
    for effect in live:
        days.setdefault(start_of_day(effect.intent_at, "Asia/Shanghai"), set()).add(
            effect.order_ref
        )
    for refs in days.values():
        assert sum(most[ref] for ref in refs) <= DAY_LIMIT


def test_an_order_counts_for_the_batch_that_buys_it(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Held in one file, bought by the corrected one: the later batch's budget counts
    it, over all its runs.
    """
    ledger.start_batch("corrected", "file.csv")
    won: list[str] = []
    for order_ref in ("B-1", "B-2"):
        put_rows(
            ledger, [plan(order_ref, state="held", approved_minor=None, plan_hash=None)]
        )
        put_rows(ledger, [plan(order_ref, batch_id="corrected")])
        limits = SpendLimits(batch_id="corrected", batch=Money(150), day=None)
        won += ledger.claim(intents(order_ref), lease=LEASE, limits=limits).won
    assert won == ["B-1"]
    assert (ledger.committed_in("batch"), ledger.committed_in("corrected")) == (0, 100)


def test_a_run_buys_nothing_that_another_batch_has_planned_anew(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Its budget would not count it."""
    ledger.start_batch("corrected", "file.csv")
    put_rows(ledger, [plan("A-1", batch_id="corrected")])
    limits = SpendLimits(batch_id="batch", batch=Money(150), day=None)
    assert list(
        ledger.claim(intents("A-1", "A-2"), lease=LEASE, limits=limits).won
    ) == ["A-2"]


def test_refunds_that_are_followed_at_once_are_both_summed(
    postgres: Postgres, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """On PostgreSQL neither transaction sees the other's refund; the order's row lets
    them in one by one.
    """
    with Ledger(postgres.new_ledger(), clock=clock, owner="one") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
        for part in ("1", "2"):
            ledger.refunds.put(refund(part))
        written = threading.Event()

        def slowly(*args: Any, **options: Any) -> None:
            written.set()
            time.sleep(0.3)
            change_order(*args, **options)

        monkeypatch.setattr("connectors.ledger.refunds.change_order", slowly)
        first = threading.Thread(
            target=ledger.refunds.follow,
            args=(replace(refund("1"), refunded=Money(30)),),
        )
        first.start()
        assert written.wait(10)
        ledger.refunds.follow(replace(refund("2"), refunded=Money(20)))
        first.join()
        assert ledger.orders(["A-1"])["A-1"].refunded_minor == 50


def test_no_more_comes_back_than_was_paid(ledger: Ledger, url: str) -> None:
    """One refund under two ids makes room in no budget a second time, and is no defect
    of the ledger.
    """
    create(ledger, "A-1")
    pay(ledger, "A-1", 100)
    for part in ("1", "2"):
        ledger.refunds.put(refund(part))
        ledger.refunds.follow(replace(refund(part), refunded=Money(70)))
    assert ledger.orders(["A-1"])["A-1"].refunded_minor == 100
    assert [
        flaw.words for flaw in verify(url).faults if "came back" in flaw.words
    ] == []
    ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"refunded_minor": 90}))]
    )
    assert [flaw.words for flaw in verify(url).faults if "came back" in flaw.words] == [
        "90 fen came back, its refunds sum to 140"
    ]


def test_sums_in_sql_are_made_in_one_place() -> None:
    ledger = ROOT / "connectors" / "ledger"
    assert [
        path.name for path in ledger.glob("*.py") if "func.sum(" in path.read_text()
    ] == ["schema.py"]


def refund(part: str) -> Refund:
    """A refund of one line that is still to be asked for."""
    return Refund(
        key=f"A-1:{part}.1", order_ref="A-1", marketplace=Marketplace.TAOBAO, order_id="77", part=part, number=1,
        lines=(int(part),), entry_ids=(), kind=RefundKind.REFUND, state=RefundState.ASKING, reason_id=1, reason="r",
        goods="1", goods_amount=Money(50), postage=Money(0), approved=Money(0), refunded=Money(0), description="",
        vouchers=(), earlier_refund_ids=(), state_before=OrderState.PAID,
    )  # fmt: skip


def test_what_is_claimed_anew_counts_on_the_day_of_the_new_claim(
    ledger: Ledger, clock: MovableClock
) -> None:
    """It provably never left yesterday, and leaves today."""
    won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    ledger.record(
        [Outcome(claim=won.claim, status=EffectStatus.UNSENT, proof=NEVER_LEFT)]
    )
    clock.advance(86_400)
    again = ledger.claim(
        intents("A-1"), lease=LEASE, limits=limits(ledger, day=150)
    ).won["A-1"]
    assert (again.intent_at, again.leaves_by, again.sender) == (
        clock(),
        clock() + LEASE,
        ledger.owner,
    )
    assert today(ledger) == 100
    assert (
        ledger.claim(intents("A-2"), lease=LEASE, limits=limits(ledger, day=150)).won
        == {}
    )


@pytest.mark.parametrize(
    "default",
    ["", "default_transaction_isolation = 'repeatable read'", "lock_timeout = 100"],
)
def test_two_claims_at_one_moment_share_a_limit_on_postgresql(
    postgres: Postgres, clock: MovableClock, default: str
) -> None:
    """Neither sees the other's rows before it commits: they must be let in one by one,
    by any default of the server.
    """
    url = postgres.new_ledger()
    if default:
        with psycopg.connect(url, autocommit=True) as server:
            server.execute(f'ALTER DATABASE "{server.info.dbname}" SET {default}')
    with (
        Ledger(url, clock=clock, owner="first") as first,
        Ledger(url, clock=clock, owner="second") as second,
    ):
        first.start_batch("batch", "file.csv")
        put_rows(first, [plan("A-1"), plan("A-2")])
        summed = threading.Event()
        go_on = threading.Event()

        @event.listens_for(first.engine, "before_cursor_execute")
        def slowly(_connection: Any, _cursor: Any, statement: str, *_: Any) -> None:
            if statement.startswith("INSERT INTO effects"):
                summed.set()
                go_on.wait(2)

        def claim(ledger: Ledger, order_ref: str) -> list[str]:
            return list(
                ledger.claim(
                    intents(order_ref), lease=LEASE, limits=limits(ledger, day=150)
                ).won
            )

        with ThreadPoolExecutor() as pool:
            one = pool.submit(claim, first, "A-1")
            assert summed.wait(10)
            other = pool.submit(claim, second, "A-2")
            threading.Timer(0.5, go_on.set).start()
            assert (one.result(20), other.result(20)) == (["A-1"], [])
