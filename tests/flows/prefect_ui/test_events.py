"""Which events a change in the ledger makes."""

from __future__ import annotations

import asyncio
import threading
from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from prefect.events import Event

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, OrderRecord, Outcome
from connectors.ledger.store import Ledger
from domain.effects import EffectStatus
from domain.reasons import ReasonCode, because
from domain.report import BatchReport, ReportLine
from domain.states import OrderState
from flows.prefect_ui import events
from flows.prefect_ui.events import EventFeed, batch_finished, budget_used_up, stalled
from tests.connectors.ledger.plans import Columns, intents, plan
from tests.history import all_orders
from tests.running import PATIENCE_S
from tests.verdicts import in_these_words

NOW = datetime(2026, 1, 10, 12, tzinfo=UTC)


@pytest.fixture
def ledger(tmp_path: Path) -> Iterator[Ledger]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=lambda: NOW, owner="run"
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        yield ledger


@pytest.fixture
def sent(monkeypatch: pytest.MonkeyPatch) -> list[Event]:
    """What is told, in order."""
    notices: list[Event] = []

    async def send(events: list[Event]) -> bool:
        notices.extend(events)
        return True

    monkeypatch.setattr(events, "send", send)
    return notices


def names(sent: list[Event]) -> list[str]:
    return [f"{event.event} {event.resource.id}" for event in sent]


async def test_only_changes_are_told_and_each_once(
    ledger: Ledger, sent: list[Event]
) -> None:
    """Paid and booked within one chunk are both told; what stays as it is, is not."""
    feed = EventFeed(ledger, ledger.each_order(["A-1", "A-2"]))
    await feed.emit(["A-1", "A-2"])
    assert sent == []
    for state in (OrderState.ORDERED, OrderState.PAID, OrderState.BOOKED):
        ledger.change(
            [
                OrderChange(
                    order_ref="A-1", state=state, writes=Columns({"paid_minor": 100})
                )
            ]
        )
    ledger.change(
        [
            OrderChange(
                order_ref="A-2",
                state=OrderState.HELD,
                why=in_these_words("over the limit"),
            )
        ]
    )
    await feed.emit(["A-1", "A-2"])
    await feed.emit(["A-1", "A-2"])
    assert names(sent) == [
        f"sourcing.order.{name} sourcing.batch.batch"
        for name in ("paid", "booked", "held")
    ]
    held = {
        "order_ref": "A-2",
        "marketplace": "taobao",
        "state": "held",
        "reason": "over the limit",
    } | {"reason_code": "of_another_version"}
    assert sent[2].payload == {"batch_id": "batch", "orders": [held]}


async def test_orders_that_came_into_the_same_state_share_an_event(
    ledger: Ledger, sent: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """One a state and batch, of so many orders at most: what an event costs Prefect's
    server is paid once for all.
    """
    monkeypatch.setattr(events, "MOST_REFS", 2)
    ledger.start_batch("other", "other.csv")
    put_rows(ledger, [plan("A-3"), plan("A-4"), plan("B-1", batch_id="other")])
    refs = ["A-1", "A-2", "A-3", "B-1", "A-4"]
    feed = EventFeed(ledger, ledger.each_order(refs))
    ledger.change(
        [
            OrderChange(
                order_ref=ref, state=OrderState.HELD, why=in_these_words(f"why {ref}")
            )
            for ref in refs[:4]
        ]
    )
    assert await feed.emit(refs) == {"held": 4, "planned": 1}
    assert [
        (event.resource.id, [item["reason"] for item in event.payload["orders"]])
        for event in sent
    ] == [
        ("sourcing.batch.batch", ["why A-1", "why A-2"]),
        ("sourcing.batch.batch", ["why A-3"]),
        ("sourcing.batch.other", ["why B-1"]),
    ]


async def test_an_effect_without_an_answer_is_told_and_so_is_its_end(
    ledger: Ledger, sent: list[Event]
) -> None:
    """`unknown` once, `settled` when something is known again."""
    feed = EventFeed(ledger, ledger.each_order(["A-1"]))
    claim = ledger.claim(intents("A-1"), lease=timedelta(minutes=2)).won["A-1"].claim
    ledger.record(
        [
            Outcome(
                claim=claim,
                status=EffectStatus.UNKNOWN,
                why=because(ReasonCode.NO_ANSWER, action="create"),
            )
        ]
    )
    await feed.emit(["A-1"])
    await feed.emit(["A-1"])
    ledger.record([Outcome(claim=claim, status=EffectStatus.DONE)])
    await feed.emit(["A-1"])
    assert names(sent) == [
        "sourcing.effect.unknown sourcing.effect.A-1:create",
        "sourcing.effect.settled sourcing.effect.A-1:create",
    ]
    assert sent[0].payload == {
        "order_ref": "A-1",
        "action": "create",
        "status": "unknown",
        "amount_minor": 100,
        "currency": "CNY",
        "sent_at": "2026-01-10T12:00:00+00:00",
        "reason": "no answer to create",
        "reason_code": "no_answer",
    }


async def test_what_could_not_be_told_comes_with_the_next_news(
    ledger: Ledger, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A server that is away for one chunk misses nothing."""
    tries: list[list[str]] = []

    async def send(events: list[Event]) -> bool:
        tries.append(
            [item["order_ref"] for event in events for item in event.payload["orders"]]
        )
        return len(tries) > 1

    monkeypatch.setattr(events, "send", send)
    feed = EventFeed(ledger, ledger.each_order(["A-1", "A-2"]))
    ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.HELD, why=in_these_words("why"))]
    )
    await feed.emit(["A-1"])
    ledger.change(
        [OrderChange(order_ref="A-2", state=OrderState.HELD, why=in_these_words("why"))]
    )
    await feed.emit(["A-2"])
    await feed.emit(["A-2"])
    assert tries == [["A-1"], ["A-1", "A-2"], []]


def report(code: ReasonCode | None = None, **reasons: str) -> BatchReport:
    lines = [
        ReportLine(
            order_ref=ref,
            marketplace="taobao",
            state=OrderState.HELD,
            reason=reason,
            reason_code=code,
        )
        for ref, reason in reasons.items()
    ]
    return BatchReport(
        batch_id="b",
        orders=lines,
        spent_this_run_fen=0,
        bought_this_run=0,
        snapshot_id="b",
        snapshot_root="r",
    )


def test_a_budget_without_room_is_told_once_a_run() -> None:
    """The words are those of the first order; orders that are held for another reason
    don't count.
    """
    message = "12.00 CNY does not fit the day's limit: 90.00 CNY of 100.00 CNY is taken"
    full = report(ReasonCode.OVER_DAY_LIMIT, a=message)
    budget = report(ReasonCode.OVER_BUDGET, c="no room")
    orders = [*full.orders, *report(b="over the price limit").orders, *budget.orders]
    (event,) = budget_used_up("b", replace(full, orders=orders))
    assert (event.event, event.resource.id) == (
        "sourcing.budget.used-up",
        "sourcing.batch.b",
    )
    assert event.payload == {
        "orders": ["a", "c"],
        "count": 2,
        "reason": message,
        "reason_code": "over_day_limit",
    }
    assert budget_used_up("b", report(b="over the price limit")) == []


def test_the_end_of_a_batch_has_its_sums() -> None:
    """Counts and money, nothing about people."""
    assert batch_finished(report(a="why")).payload == {
        "counts": {"held": 1},
        "spent_fen": 0,
        "spent_this_run_fen": 0,
        "bought_this_run": 0,
        "snapshot_id": "b",
    }


@pytest.mark.parametrize(
    ("days", "told"),
    [(6.99, []), (7, ["sourcing.tracking.stalled sourcing.order.A-1"])],
)
def test_an_order_without_news_for_a_week_is_stalled(
    ledger: Ledger, days: float, told: list[str]
) -> None:
    """Counted from the booking while no parcel was ever scanned; orders not yet booked
    don't count.
    """
    booked_at = NOW - timedelta(days=days)
    changes: list[dict[str, Any]] = [{}, {}, {"booked_at": booked_at}]
    for state, columns in zip(
        (OrderState.ORDERED, OrderState.PAID, OrderState.BOOKED), changes, strict=True
    ):
        ledger.change(
            [OrderChange(order_ref="A-1", state=state, writes=Columns(columns))]
        )
    assert names(stalled(ledger, all_orders(ledger), NOW)) == told


async def test_a_ledger_that_takes_its_time_keeps_no_other_chunk_waiting(
    ledger: Ledger, sent: list[Event], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Chunks are under way side by side: while one is told of, the answers to another's
    effects must be heard.
    """
    feed = EventFeed(ledger, ledger.each_order(["A-1"]))
    heard = threading.Event()
    look = ledger.orders

    def slow(refs: Iterable[str]) -> dict[str, OrderRecord]:
        assert heard.wait(PATIENCE_S)
        return look(refs)

    monkeypatch.setattr(ledger, "orders", slow)
    telling = asyncio.create_task(feed.emit(["A-1"]))
    await asyncio.sleep(0)
    heard.set()
    assert await telling == {"planned": 1}
