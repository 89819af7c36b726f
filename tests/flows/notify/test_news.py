"""What runs tell people: how many, why, and nothing of a receiver; each cause once,
also over a second run.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

import flows.messages
from connectors.ledger.overview import Happened, happened, in_warehouse_since
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import to_json
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.after_sale import RefundKind, RefundState
from domain.marketplace import Marketplace
from domain.messages import CAUSE, Message, Place, UnknownWord
from domain.money import Money
from domain.orders import Receiver
from domain.reasons import Reason, ReasonCode, because
from domain.report import BatchReport, ReportLine
from domain.request_remarks import Fault
from domain.service_orders import Shipment, TraceStatus, TrackingEvent
from domain.states import OrderState
from flows.answers.todo import ToDo
from flows.messages import digest_of, send_digest, to_send_back
from flows.notify.news import of_charges, of_faults, of_reasons, of_waiting
from flows.prefect_ui.events import budget_used_up
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan
from tests.domain.test_after_sale import refund
from tests.notified import newly_told, taken_messages
from tests.verdicts import in_these_words

JANE = Receiver(
    name="Jane Doe",
    phone="5083326888",
    email="",
    country="US",
    state="CA",
    city="Valley",
    zip="91607",
    address="1 Oak",
)
SOLD_OUT = "no stock"
OVER = ReasonCode.OVER_BUDGET
FULL = "30.00 CNY does not fit the budget: 90.00 CNY of 100.00 CNY is taken"


@pytest.fixture
def ledger(tmp_path: Path, clock: MovableClock) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner="first"
    ) as ledger:
        yield ledger


def held(
    ref: str,
    state: str = OrderState.HELD,
    reason: str = SOLD_OUT,
    code: ReasonCode | None = None,
    batch_id: str = "spring",
    **fields: Any,
) -> ToDo:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return ToDo(
        order_ref=ref,
        batch_id=batch_id,
        marketplace="1688",
        state=state,
        since=since,
        reason=reason,
        reason_code=code,
        **fields,
    )


def report(*lines: ReportLine) -> BatchReport:
    return BatchReport(
        batch_id="spring",
        orders=lines,
        spent_this_run_fen=12_300,
        bought_this_run=2,
        snapshot_id=None,
        snapshot_root="",
    )


def told_of(ledger: Ledger, *messages: Message) -> list[str]:
    """The subjects of what is new of these messages."""
    ledger.outbox.put(*messages)
    return [message.subject for message in taken_messages(ledger)]


def test_what_was_charged_beyond_the_approved_is_told_once_though_its_order_goes_on(
    ledger: Ledger,
) -> None:
    reason = because(
        ReasonCode.FREIGHT_CHARGED_MORE,
        fee=Money(9900, "USD"),
        approved=Money(1500, "USD"),
    )

    def at(state: OrderState) -> list[Message]:
        dearer = ReportLine(
            order_ref="A-1",
            marketplace="1688",
            state=state,
            reason=str(reason),
            reason_code=reason.code,
        )
        report_line = replace(dearer, order_ref="A-2", reason="", reason_code=None)
        return of_charges(report(dearer, report_line))

    (message,) = at(OrderState.BOOKED)
    assert message.subject == "Batch spring: 1 order cost more than approved"
    assert (
        message.body
        == "A-1: the warehouse charges 99.00 USD, approved was 15.00 USD: ask for the difference"
    )
    states = (OrderState.BOOKED, OrderState.IN_WAREHOUSE, OrderState.DELIVERED)
    assert [len(told_of(ledger, *at(state))) for state in states] == [1, 0, 0]


def test_what_waits_is_a_message_for_each_batch_and_marketplace() -> None:
    at_1688 = held("1688", "question", "did the balance fall?", batch_id="")
    first, second = of_waiting(
        [
            held("A-1"),
            held("A-2"),
            held("A-3", OrderState.UNKNOWN, "no answer"),
            at_1688,
        ]
    )
    assert first.subject == "Batch spring: 2 held, 1 unknown"
    assert first.body == "2 held (A-1, A-2): no stock\n1 unknown (A-3): no answer"
    assert (second.subject, second.body) == (
        "1688: 1 question",
        "1 question (1688): did the balance fall?",
    )


def test_what_is_left_to_a_run_or_told_otherwise_is_in_no_message() -> None:
    reason = because(ReasonCode.WAITS_FOR_APPROVAL)
    assert (
        of_waiting(
            [
                held("A-1", OrderState.PAID, "", is_left_to_run=True),
                held("A-2", reason=str(reason), code=reason.code),
                held("a.csv", "faulty file"),
                held("Batch spring: 1 held", "not told"),
            ]
        )
        == []
    )


def test_unknown_words_are_told_once_a_word(ledger: Ledger) -> None:
    """An order that shows it later is not told of again; another word is."""
    state = UnknownWord(Marketplace.TAOBAO, Place.ORDER, "77")
    for text, refs in (
        (state, {"A-1", "A-2"}),
        (state, {"A-3"}),
        (state._replace(word=""), {"A-3"}),
    ):
        ledger.outbox.put(text.message(refs))
    first, second = taken_messages(ledger)
    assert (
        first.subject
        == "taobao shows 2 orders whose order state this program does not know: 77"
    )
    assert first.body.startswith(
        "A-1, A-2. Nothing is guessed from it: what this program has paid counts as paid"
    )
    assert second.subject.endswith(": none told")
    assert [*ledger.outbox.causes(CAUSE)] == [
        f"{CAUSE}taobao order state 77",
        f"{CAUSE}taobao order state none told",
    ]


def test_a_second_run_tells_only_what_is_new(ledger: Ledger) -> None:
    """As after a crash; one order fewer is no news, another reason is."""

    def run(*todos: ToDo) -> list[str]:
        return told_of(ledger, *of_waiting(todos))

    assert run(held("A-1"), held("A-2")) == ["Batch spring: 2 held"]
    assert run(held("A-1"), held("A-2")) == []
    assert run(held("A-1")) == []
    assert run(held("A-1", reason="too dear")) == ["Batch spring: 1 held"]
    assert run(held("A-1"), held("A-3")) == ["Batch spring: 2 held"]


def test_an_order_is_news_by_code_and_facts_whatever_the_words(ledger: Ledger) -> None:
    def run(words: str, **facts: object) -> int:
        todo = held("A-1", reason=words, code=OVER, reason_facts=facts)
        return len(told_of(ledger, *of_waiting([todo])))

    assert run("does not fit the budget", taken=90) == 1
    assert run("reworded by a later version", taken=90) == 0
    assert run("reworded by a later version", taken=95) == 1


def test_faults_of_rows_are_told_by_their_places_and_those_of_the_file_in_words() -> (
    None
):
    faults = [
        Fault(3, "receiver_phone", "'+1 x' is none"),
        Fault(9, "item", "'Mei' is no item"),
        Fault(0, "", "no rows"),
    ]
    message = of_faults("may.csv", "0a1b2c3d", "2 faults; nothing was bought", faults)
    assert message.subject == "may.csv: 2 faults; nothing was bought"
    assert message.body.startswith(
        "no rows\nSee row 3 receiver_phone, row 9 item.\nEach fault stands"
    )
    assert "Mei" not in message.body


def test_a_parcel_that_is_stuck_is_told_once(ledger: Ledger) -> None:
    """A second one is told of by itself."""
    stuck = because(ReasonCode.PARCEL_EXCEPTION)

    def run(*parcels: tuple[str, ...]) -> list[str]:
        messages = of_reasons("stuck", "Parcels stuck", dict.fromkeys(parcels, stuck))
        return told_of(ledger, *messages)

    assert run(("A-1", "FAR1")) == ["Parcels stuck: A-1"]
    assert run(("A-1", "FAR1")) == []
    assert run(("A-1", "FAR1"), ("B-1", "FAR2")) == ["Parcels stuck: A-1, B-1"]
    assert of_reasons("stuck", "Parcels stuck", {}) == []


def test_three_hundred_silent_parcels_are_one_message(ledger: Ledger) -> None:
    """Each is told once, until something is heard of it and then nothing again."""
    silent: dict[tuple[str, ...], Reason] = {
        (f"A-{number}", "2026-01-01"): because(ReasonCode.PARCEL_SILENT, days=7)
        for number in range(300)
    }
    ledger.outbox.put(*of_reasons("stalled", "No news of parcels", silent))
    (message,) = taken_messages(ledger)
    assert message.subject == "No news of parcels: A-0, A-1, A-2 and 297 more"
    assert len(message.body) < 500
    assert told_of(ledger, *of_reasons("stalled", "No news", silent)) == []
    later = {("A-7", "2026-01-09"): because(ReasonCode.PARCEL_SILENT, days=7)}
    assert len(told_of(ledger, *of_reasons("stalled", "No news", silent | later))) == 1


@pytest.mark.parametrize(
    "reason",
    [
        "the answer does not fit the contract at `skus.0.price`",
        "it does not fit the budget",
        FULL,
    ],
)
def test_no_words_make_an_order_one_without_room(reason: str) -> None:
    """The event of a budget comes with the budget's own code alone."""
    line = ReportLine(
        order_ref="A-1", marketplace="1688", state=OrderState.HELD, reason=reason
    )
    assert budget_used_up("b", report(line)) == []
    assert budget_used_up("b", report(replace(line, reason_code=OVER))) != []


def test_the_digest_sums_what_happened(ledger_url: str, clock: MovableClock) -> None:
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        sums_what_happened(ledger, clock)


def test_a_payment_counts_once_when_the_ledger_learned_of_it(
    ledger_url: str, clock: MovableClock
) -> None:
    """The service's clock is behind, ahead, or shows no time; more was taken than
    approved; a run was resumed.
    """
    above = because(
        ReasonCode.TAKEN_ABOVE_APPROVED, taken=Money(105), approved=Money(90)
    )
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(f"A-{number}") for number in range(1, 5)])
        mornings = [clock()]
        for moment in (
            mornings[0] - timedelta(hours=5),
            mornings[0] + timedelta(minutes=10),
            None,
            mornings[0],
        ):
            ref = f"A-{len(mornings)}"
            paid = Columns({"paid_minor": 105, "paid_at": moment})
            clock.advance(3600)
            state, reason = (
                (OrderState.HELD, above) if ref == "A-4" else (OrderState.PAID, None)
            )
            ledger.change([OrderChange(order_ref=ref, state=OrderState.ORDERED)])
            ledger.change(
                [OrderChange(order_ref=ref, state=state, why=reason, writes=paid)]
            )
            clock.advance(3600)
            mornings.append(clock())
        ledger.change(
            [
                OrderChange(
                    order_ref="A-1",
                    state=OrderState.HELD,
                    why=in_these_words("no freight"),
                )
            ]
        )
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.PAID)])
        assert [happened(ledger, since).bought for since in mornings] == [4, 3, 2, 1, 0]
        assert happened(ledger, mornings[3]).spent == (Money(105),)


@pytest.mark.parametrize(
    ("overtaken", "bought"), [(OrderState.ORDERED, [1, 1]), (OrderState.PAID, [1, 0])]
)
def test_a_payment_counts_though_something_else_of_its_order_was_overtaken(
    ledger_url: str, clock: MovableClock, overtaken: OrderState, bought: list[int]
) -> None:
    reason = because(ReasonCode.OVERTAKEN, what=overtaken, old=OrderState.HELD)
    with Ledger(ledger_url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
        mornings = [clock()]
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.HELD, why=reason)])
        clock.advance(3600)
        mornings.append(clock())
        paid = Columns({"paid_minor": 105})
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.ORDERED)])
        ledger.change(
            [OrderChange(order_ref="A-1", state=OrderState.PAID, writes=paid)]
        )
        assert [happened(ledger, since).bought for since in mornings] == bought


def sums_what_happened(ledger: Ledger, clock: MovableClock) -> None:
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1"), plan("A-2"), plan("A-3")])
    since = clock()
    ledger.change(
        [
            OrderChange(
                order_ref="A-3", state=OrderState.HELD, why=in_these_words("no stock")
            )
        ]
    )
    paid = {"order_id": "77", "paid_minor": 105, "paid_at": since}
    for state in (OrderState.ORDERED, OrderState.PAID):
        ledger.change([OrderChange(order_ref="A-1", state=state, writes=Columns(paid))])
    booked = {
        "shipment_order_id": "9",
        "booked_at": since,
        "freight_minor": 900,
        "freight_currency": "USD",
    }
    ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.BOOKED, writes=Columns(booked))]
    )
    fee = {
        "shipment": to_json(
            Shipment(shipment_order_id="8", tracking_numbers=(), fee=Money(950, "USD"))
        )
    }
    for state in (OrderState.ORDERED, OrderState.PAID):
        ledger.change([OrderChange(order_ref="A-2", state=state)])
    charged = Columns(booked | fee | {"shipment_order_id": "8"})
    ledger.change(
        [OrderChange(order_ref="A-2", state=OrderState.BOOKED, writes=charged)]
    )
    done = happened(ledger, since)
    assert (done.bought, done.spent, done.booked, done.freight) == (
        1,
        (Money(105),),
        2,
        (Money(1850, "USD"),),
    )
    assert {
        state: count for state, count in done.came.items() if state != "planned"
    } == {"held": 1, "booked": 2}
    assert happened(ledger, since + timedelta(seconds=1)).bought == 0


def to_do_of(state: str, code: ReasonCode, remedy: str) -> ToDo:
    since = datetime(2026, 1, 1, tzinfo=UTC)
    return ToDo(
        order_ref="A-1",
        batch_id="b",
        marketplace="1688",
        state=state,
        since=since,
        reason="",
        reason_code=code,
        remedy=remedy,
    )


def test_the_digest_is_one_message_a_day_of_the_merchants_zone() -> None:
    done = Happened(
        bought=3,
        spent=(Money(12_345),),
        booked=2,
        freight=(Money(900, "USD"), Money(100, "EUR")),
        came={"held": 1},
    )
    moment = datetime(2026, 1, 1, 23, 30, tzinfo=UTC)
    over = ReasonCode.OVER_BUDGET
    waits = [
        to_do_of("held", over, "raise the budget"),
        to_do_of("held", over, "raise the budget"),
    ]
    waits += [to_do_of("unknown", ReasonCode.NO_ANSWER_ASKED, "answer")]
    message = digest_of(
        done,
        waits,
        since=moment - timedelta(days=1),
        now=moment,
        timezone="Asia/Shanghai",
    )
    assert message.cause == "digest:2026-01-02"
    assert message.subject == "3 orders bought for 123.45 CNY; 3 waiting for you"
    assert message.body.splitlines() == [
        "Since 2026-01-01 07:30:",
        "- bought: 3 orders for 123.45 CNY",
        "- shipment booked: 2 orders, freight 9.00 USD and 1.00 EUR",
        "- held: 1",
        "- delivered: 0, refunded: 0",
        "Waiting for you: 2 held, 1 unknown",
        "- 2 held: over budget. Raise the budget",
    ]


async def test_a_digest_goes_back_to_the_last_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, clock: MovableClock
) -> None:
    """A day at first, seven days at most, and once a day."""
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setattr(flows.messages, "utc_now", clock)
    since = []
    with Ledger(SourcingSettings().ledger_url, clock=clock, owner="test") as ledger:
        for days in (0, 1, 3, 10):
            clock.advance(timedelta(days=days).total_seconds())
            await send_digest.fn()
            await send_digest.fn()
            (digest,) = taken_messages(ledger)
            since.append(digest.body.splitlines()[0])
            assert digest.body.splitlines()[-1] == "Last backup of the ledger: never"
    assert since == [
        f"Since {day} 12:00:"
        for day in ("2025-12-31", "2026-01-01", "2026-01-02", "2026-01-08")
    ]


def refund_told(
    ledger: Ledger, state: RefundState, deadline: datetime | None = None
) -> list[str]:
    calls = refund(state, reason="broken", refusal="not as described")
    ledger.refunds.put(replace(calls, kind=RefundKind.RETURN, deadline=deadline))
    return [f"{message.subject}. {message.body}" for message in newly_told(ledger)]


def test_an_agreed_return_is_told_with_its_date_and_again_two_days_before_it_is_over(
    ledger: Ledger, clock: MovableClock
) -> None:
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1")])
    by = clock() + timedelta(days=7)
    (first,) = refund_told(ledger, RefundState.TO_RETURN, by)
    assert first.startswith("Batch batch: 1 return to send. 1 return to send (A-1): ")
    assert f"{by:%Y-%m-%d %H:%M} UTC" in first
    assert first.endswith(
        "What to do: send the goods back, then: sourcing return A-1 --company CODE "
        "--number NUMBER"
    )
    clock.advance(timedelta(days=4).total_seconds())
    assert newly_told(ledger) == []
    clock.advance(timedelta(days=1).total_seconds())
    assert len(newly_told(ledger)) == 1
    assert newly_told(ledger) == []


@pytest.mark.parametrize("state", [RefundState.REFUSED, RefundState.DECLINED])
def test_a_refused_refund_is_told_with_its_reason(
    ledger: Ledger, state: RefundState
) -> None:
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1")])
    (message,) = refund_told(ledger, state)
    assert "1 refund refused (A-1): " in message
    assert "not as described" in message
    assert "sourcing refund A-1 --kind return" in message


def test_the_time_in_which_goods_can_go_back_is_in_the_digest_before_it_is_over(
    ledger: Ledger, clock: MovableClock
) -> None:
    """Of orders whose goods are still in the warehouse, from two days before on."""
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1"), plan("A-2"), plan("A-3")])
    method = (
        OrderState.ORDERED,
        OrderState.PAID,
        OrderState.BOOKED,
        OrderState.SHIPPED,
        OrderState.IN_WAREHOUSE,
    )
    for ref in ("A-1", "A-2"):
        ledger.change([OrderChange(order_ref=ref, state=state) for state in method])
    ledger.change([OrderChange(order_ref="A-2", state=OrderState.IN_TRANSIT)])
    arrived = in_warehouse_since(ledger, clock() - timedelta(days=7))
    assert arrived == {"A-1": clock()}
    at = [clock() + timedelta(days=days) for days in (4, 5, 6, 7)]
    notes = [to_send_back(arrived, moment) for moment in at]
    assert [bool(note) for note in notes] == [False, True, True, False]
    assert notes[1].startswith("Until 2026-01-08 12:00 UTC sellers take back")
    assert "A-1" in notes[1]
    arrived_at = clock()
    clock.advance(timedelta(days=9).total_seconds())
    for came in (
        OrderState.REFUNDING,
        OrderState.IN_WAREHOUSE,
    ):  # a refund was asked for, and refused
        ledger.change([OrderChange(order_ref="A-1", state=came)])
    assert in_warehouse_since(ledger, clock() - timedelta(days=7)) == {}
    assert in_warehouse_since(ledger, arrived_at) == {"A-1": arrived_at}


def test_goods_arrived_when_the_last_parcel_was_signed_for_and_not_when_that_was_read(
    ledger: Ledger, clock: MovableClock
) -> None:
    ledger.start_batch("batch", "file.csv")
    put_rows(ledger, [plan("A-1"), plan("A-2")])
    at = {
        TraceStatus.SIGN: (clock(), clock() + timedelta(days=1)),
        TraceStatus.TRANSPORT: (clock() + timedelta(days=2),),
    }
    scans = [
        TrackingEvent(
            tracking_number=f"YT{item}", occurred_at=item, status=status, description=""
        )
        for status, times in at.items()
        for item in times
    ]
    clock.advance(timedelta(days=3).total_seconds())
    method = (
        OrderState.ORDERED,
        OrderState.PAID,
        OrderState.BOOKED,
        OrderState.SHIPPED,
        OrderState.IN_WAREHOUSE,
    )
    moves = [
        OrderChange(order_ref=ref, state=state)
        for ref in ("A-1", "A-2")
        for state in method
    ]
    ledger.tracking.add({"A-1": scans}, moves)
    moments = in_warehouse_since(ledger, clock() - timedelta(days=7))
    assert moments == {"A-1": at[TraceStatus.SIGN][1], "A-2": clock()}
