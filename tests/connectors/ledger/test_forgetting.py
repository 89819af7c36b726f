"""A receiver is erased from the ledger: from every row, and from what the database
keeps of old rows.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import JSON, Connection, String, Text, event, insert, select

from connectors.durable import scrub
from connectors.ledger.forgetting import WORDS, StillNeeded
from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.plans import put_rows
from connectors.ledger.records import EffectRecord, OrderChange, Outcome
from connectors.ledger.schema import (
    answers,
    forgotten,
    messages,
    metadata,
    refunds,
    tracking_events,
)
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.effects import EffectStatus
from domain.forgetting import Mentions
from domain.messages import Message
from domain.reasons import ReasonCode, because
from domain.service_orders import TraceStatus, TrackingEvent
from domain.states import OrderState
from tests.clock import MovableClock
from tests.connectors.ledger.plans import intents, plan
from tests.postgres import Postgres
from tests.verdicts import in_these_words

RECEIVER = {
    "name": "王小明 Quentin Zylberstein",
    "phone": "5085550199",
    "email": "quentin@zylber.example",
    "country": "US",
    "state": "Oregonia",
    "city": "Xenopolis",
    "zip": "97999",
    "address": "77 Quixote Lane",
}
MENTIONS = Mentions.of(RECEIVER)
SAID = "Signed by ZYLBERSTEIN at Xenopolis, 97999"
LEASE = timedelta(seconds=60)
ASKED = "SELECT order_ref FROM forgotten ORDER BY 1"
READ = [
    sys.executable,
    "-c",
    f"import sqlite3, sys; print(*(ref for (ref,) in sqlite3.connect(sys.argv[1]).execute('{ASKED}')))",
]


def request(order_ref: str, **receiver: str) -> dict[str, Any]:
    told = {**RECEIVER, **receiver}
    note = f"for {told['name']}"
    line = {
        "row": 2,
        "item": "1",
        "sku": "",
        "quantity": 1,
        "max_unit_price": None,
        "note": note,
    }
    return {
        "order_ref": order_ref,
        "marketplace": "taobao",
        "receiver": told,
        "freight": "cheapest",
        "lines": [line],
    }


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger(
    request: pytest.FixtureRequest, tmp_path: Path, clock: MovableClock
) -> Iterator[Ledger]:
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    if request.param == "postgresql":
        postgres: Postgres = request.getfixturevalue("postgres")
        url = postgres.new_ledger()
    with Ledger(url, clock=clock, owner="first") as ledger:
        ledger.start_batch("batch", "file.csv")
        yield ledger


def put(ledger: Ledger, *order_refs: str, **columns: Any) -> None:
    put_rows(
        ledger,
        [plan(ref, **{"request": request(ref), **columns}) for ref in order_refs],
    )


def done(effect: EffectRecord, change: OrderChange) -> Outcome:
    return Outcome(claim=effect.claim, status=EffectStatus.DONE, change=change)


def bought(ledger: Ledger, order_ref: str) -> None:
    """An order that was created, and has arrived, with everything said of it that may
    name somebody.
    """
    put(ledger, order_ref)
    won = ledger.claim(intents(order_ref), lease=LEASE).won[order_ref]
    ledger.record(
        [
            done(
                won,
                OrderChange(
                    order_ref=order_ref,
                    state=OrderState.ORDERED,
                    why=in_these_words(SAID),
                ),
            )
        ]
    )
    ledger.outbox.put(
        Message(
            cause=f"heard:{order_ref}",
            subject=f"Order {order_ref}",
            body=SAID,
        ),
        Message(
            cause="mail",
            subject="A file",
            body=f"row 2: {RECEIVER['email']}\nis odd",
        ),
    )
    with ledger.transaction() as connection:
        say_more(connection, order_ref, ledger)
    arrived = OrderUpdate(
        {"order_id": f"1{order_ref}", "shipment_order_id": f"2{order_ref}"}
    )
    for state in (OrderState.PAID, OrderState.BOOKED, OrderState.DELIVERED):
        why = (
            in_these_words(SAID)
            if state is OrderState.DELIVERED
            else because(ReasonCode.REFUSED_AFTER_ORDERING, failure=[SAID])
        )
        ledger.change(
            [OrderChange(order_ref=order_ref, state=state, why=why, writes=arrived)]
        )


def say_more(connection: Connection, ref: str, ledger: Ledger) -> None:
    now = ledger.clock()
    said = {"order_ref": ref, "at": now}
    connection.execute(
        insert(answers).values(
            **said, effect_key="k", by="ann", question=SAID, answer=SAID
        )
    )
    event = {"occurred_at": now, "recorded_at": now, "description": SAID}
    row = {
        **event,
        "order_ref": ref,
        "tracking_number": "T",
        "sequence": 1,
        "status": "x",
        "place": "Xenopolis",
    }
    connection.execute(insert(tracking_events).values(row))
    amounts = dict.fromkeys(("asked_minor", "approved_minor", "refunded_minor"), 0)
    told = {"key": f"{ref}:r", "order_ref": ref, "refund_id": "1", "recorded_at": now}
    ids = {
        "order_id": "1",
        "part": "",
        "number": 1,
        "kind": "refund",
        "state": "asked",
        "currency": "CNY",
    }
    row = {
        **told,
        **ids,
        **amounts,
        "refund": {"refusal": SAID, "currency": "CNY", "description": SAID},
        "updated_at": now,
    }
    connection.execute(insert(refunds).values(row))


def everything(ledger: Ledger) -> str:
    return repr([ledger.rows(table.select()) for table in metadata.sorted_tables])


def test_every_row_is_erased_and_the_order_stays(ledger: Ledger) -> None:
    """Request, reasons, moves, answers, tracking, refunds: without a part of the
    receiver, and with all the rest.
    """
    bought(ledger, "A-1")
    before = ledger.orders(["A-1"])["A-1"]
    ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    told = everything(ledger)
    for part in (
        "王小明",
        "Zylberstein",
        "ZYLBERSTEIN",
        "5085550199",
        "quentin@",
        "Oregonia",
        "Xenopolis",
        "97999",
        "Quix",
    ):
        assert part not in told
    after = ledger.orders(["A-1"])["A-1"]
    assert (after.state, after.order_id, after.fingerprint) == (
        before.state,
        before.order_id,
        before.fingerprint,
    )
    assert (after.request.receiver.name, after.request.receiver.country) == ("", "US")
    assert after.reason == "Signed by [forgotten] at [forgotten], [forgotten]"
    bodies = [
        row["body"]
        for row in ledger.rows(select(messages.c.body).order_by(messages.c.cause))
    ]
    assert bodies == [after.reason, "row 2: [forgotten]\nis odd"]
    assert [one.status for one in ledger.effects_of(["A-1"])] == [EffectStatus.DONE]
    assert ledger.forgotten.known(["A-1", "A-2"]) == {"A-1": ledger.clock()}


def test_what_other_orders_say_stays(ledger: Ledger) -> None:
    """Also where the same person is their receiver: those orders are told, so that each
    can be forgotten.
    """
    bought(ledger, "A-1")
    put(ledger, "A-2")
    put(
        ledger,
        "A-3",
        request=request(
            "A-3", name="Ann", phone="1", email="ann@b.example", address="Elm"
        ),
    )
    ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    assert ledger.orders(["A-2"])["A-2"].request.receiver.city == "Xenopolis"
    others_with = ledger.forgotten.others_with
    assert list(others_with(MENTIONS.identifying, besides=["A-1"])) == ["A-2"]
    assert others_with(MENTIONS.identifying, besides=["A-1", "A-2"]) == {}
    assert others_with((), besides=["A-1"]) == {}


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_no_byte_is_left_in_the_files_while_another_run_has_them_open(
    ledger: Ledger, tmp_path: Path
) -> None:
    """Free pages and write-ahead log; the other run goes on claiming, and the file is
    still the one it opened.
    """
    with Ledger(ledger.url, clock=ledger.clock, owner="second") as other:
        for number in range(30):
            put(
                other,
                f"B-{number}",
                request=request(
                    f"B-{number}", name="Ann", phone="1", email="a@b", address="Elm"
                ),
            )
        assert other.claim(intents("B-1"), lease=LEASE).won
        bought(ledger, "A-1")
        before = verify(ledger.url).faults
        ledger.forgotten.erase("A-1", MENTIONS, by="ann")
        scrub(tmp_path / "ledger.db")
        content = b"".join(path.read_bytes() for path in tmp_path.glob("ledger.db*"))
        for part in (
            "王小明",
            "Zylberstein",
            "5085550199",
            "quentin@zylber",
            "77 Quixote",
        ):
            assert part.encode() not in content
        assert other.claim(intents("B-2"), lease=LEASE).won
    assert verify(ledger.url).faults == before


@pytest.mark.parametrize("ledger", ["sqlite"], indirect=True)
def test_no_run_waits_longer_for_it_than_for_a_claim(
    ledger: Ledger, clock: MovableClock
) -> None:
    """By what SQLite's machine does while the lock is held, which on an old ledger is
    no more than on a new one.
    """
    refs = [f"B-{number}" for number in range(100)]
    bought(ledger, "A-1")
    young = steps_with_the_lock(
        ledger, lambda: ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    )
    put(ledger, *refs, *(f"C-{number}" for number in range(400)))
    ledger.outbox.put(
        *(Message(cause=f"c{n}", subject="s", body="b" * 300) for n in range(2000))
    )
    clock.advance(86_400)
    bought(ledger, "A-2")
    old = steps_with_the_lock(
        ledger, lambda: ledger.forgotten.erase("A-2", MENTIONS, by="ann")
    )
    claim = steps_with_the_lock(
        ledger, lambda: ledger.claim(intents(*refs), lease=LEASE)
    )
    assert old <= 1.5 * young + 400
    assert 0 < old <= claim


def steps_with_the_lock(ledger: Ledger, work: Callable[[], object]) -> int:
    """The steps of SQLite's machine in the transactions that write."""
    steps = 0
    is_held = False

    def traced(text: str) -> None:
        nonlocal is_held
        is_held = (is_held or text == "BEGIN IMMEDIATE") and text not in (
            "COMMIT",
            "ROLLBACK",
        )

    def stepped() -> None:
        nonlocal steps
        steps += 10 * is_held

    def watched(connection: Any, _record: object) -> None:
        connection.set_trace_callback(traced)
        connection.set_progress_handler(stepped, 10)

    event.listen(ledger.engine, "connect", watched)
    ledger.engine.dispose()
    work()
    event.remove(ledger.engine, "connect", watched)
    ledger.engine.dispose()
    return steps


def test_an_order_under_way_keeps_its_receiver(ledger: Ledger) -> None:
    """Its address is needed to book it, and what nobody knows yet has to be settled
    first.
    """
    put(ledger, "A-1")
    won = ledger.claim(intents("A-1"), lease=LEASE).won["A-1"]
    with pytest.raises(
        StillNeeded,
        match=r"became of its create\. Run its request file again, or answer: sourcing res",
    ):
        ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    ordered = OrderChange(
        order_ref="A-1", state=OrderState.ORDERED, writes=OrderUpdate({"order_id": "1"})
    )
    ledger.record([done(won, ordered)])
    with pytest.raises(
        StillNeeded,
        match=r"is ordered and not booked, which needs the address\. It ends when it is bo",
    ):
        ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    assert ledger.orders(["A-1"])["A-1"].request.receiver.name == RECEIVER["name"]
    assert ledger.forgotten.known(["A-1"]) == {}


def test_an_order_of_which_nothing_was_begun_is_never_ordered(ledger: Ledger) -> None:
    """A run that has approved it and is about to order it gets nothing, and one that
    plans it again changes nothing.
    """
    put(ledger, "A-1")
    ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    order = ledger.orders(["A-1"])["A-1"]
    assert (order.state, order.plan_hash) == (OrderState.CANCELLED, None)
    approved = [replace(intent, plan_hash="h") for intent in intents("A-1")]
    assert ledger.claim(approved, lease=LEASE).won == {}
    put(ledger, "A-1", "A-2")
    assert ledger.orders(["A-1", "A-2"])["A-1"] == order
    assert "A-2" in ledger.orders(["A-2"])


def test_one_that_the_ledger_never_knew_is_not_taken_up_again(ledger: Ledger) -> None:
    """A dry run leaves its receiver in snapshots alone."""
    ledger.forgotten.erase("A-9", MENTIONS, by="ann")
    put(ledger, "A-9")
    assert ledger.orders(["A-9"]) == {}


def test_what_carriers_and_sellers_write_later_is_not_taken_down(
    ledger: Ledger,
) -> None:
    """A scan that is known is known again without its words, and a new one comes
    without them.
    """
    bought(ledger, "A-1")
    at = ledger.clock()
    signed = TrackingEvent(
        tracking_number="S",
        occurred_at=at,
        status=TraceStatus.SIGN,
        description=SAID,
        place="Xenopolis",
    )
    assert len(ledger.tracking.add({"A-1": [signed]})) == 1
    ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    later = replace(signed, occurred_at=at + LEASE)
    assert len(ledger.tracking.add({"A-1": [signed, later]})) == 1
    assert {
        (row["description"], row["place"])
        for row in ledger.tracking.listed(order_refs=["A-1"])
    } == {("", "")}


def test_a_second_call_changes_nothing(ledger: Ledger) -> None:
    """Who erased it first stays."""
    bought(ledger, "A-1")
    ledger.forgotten.erase("A-1", MENTIONS, by="ann")
    before = ledger.orders(["A-1"])["A-1"]
    ledger.forgotten.erase("A-1", Mentions.of({}), by="bob")
    assert ledger.orders(["A-1"])["A-1"] == before
    (row,) = ledger.rows(select(forgotten))
    assert (row["order_ref"], row["by"]) == ("A-1", "ann")


def test_each_column_of_words_is_known() -> None:
    """A new one is either erased or named here as one that never speaks of a
    receiver.
    """
    without_words = {
        *(
            "name",
            "source",
            "fingerprint",
            "lines",
            "offers",
            "seller_id",
            "receivers",
            "receiver",
            "words",
            "match",
        ),
        *(
            "order_ref",
            "batch_id",
            "marketplace",
            "state",
            "plan_hash",
            "currency",
            "order_id",
            "freight_service",
        ),
        *(
            "freight_currency",
            "shipment_order_id",
            "key",
            "action",
            "status",
            "request_hash",
            "owner",
            "sender",
            "worker",
            "options",
            "flow_run",
            "digest",
        ),
        *(
            "effect_key",
            "by",
            "ended_by",
            "old_state",
            "new_state",
            "tracking_number",
            "part",
            "kind",
            "refund_id",
        ),
        *(
            "role",
            "why",
            "cause",
            "link",
            "failure",
            "address",
            "reason_code",
        ),
        *(
            "shared",
            "shared_by",
            "work",
            "content",
            "taken_by",
            "takers",
            "writer",
            "order_refs",
        ),
        *("part_of", "own_sku", "shop", "shop_ref", "file"),
        "warehouse",  # the service's own address
    }
    told = {
        c.name
        for table in metadata.sorted_tables
        for c in table.c
        if isinstance(c.type, JSON | String | Text)
    }
    assert told - without_words == WORDS
