"""What a check of the ledger finds: nothing in a sound one, and each planted fault with
its row.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from connectors.callbacks import CallbackStore
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange, Outcome
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.effects import Action, EffectStatus
from domain.states import OrderState
from tests.connectors.ledger.plans import FOR_GOOD, Columns, intents, plan
from tests.connectors.ledger.test_claims import LEASE, claim_one
from tests.verdicts import in_these_words


@pytest.fixture
def lived(ledger: Ledger, url: str) -> Ledger:
    """A ledger with an order that was bought and booked, one refused and tried again,
    and one in flight.
    """
    put_rows(ledger, [plan("A-3"), plan("A-1", payable_minor=110)])
    ledger.record([claim_one(ledger)])
    pay = ledger.claim(intents("A-1", action=Action.PAY), lease=LEASE).won["A-1"]
    paid = OrderChange(
        order_ref="A-1", state=OrderState.PAID, writes=Columns({"paid_minor": 105})
    )
    ledger.record([Outcome(claim=pay.claim, status=EffectStatus.DONE, change=paid)])
    booked = {"shipment_order_id": "9", "shipment": {"tracking_numbers": ["LP1"]}}
    ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.BOOKED, writes=Columns(booked))]
    )
    refused = ledger.claim(intents("A-2"), lease=LEASE).won["A-2"]
    order_change = OrderChange(
        order_ref="A-2", state=OrderState.REFUSED, why=in_these_words("no stock")
    )
    ledger.record(
        [
            Outcome(
                claim=refused.claim,
                status=EffectStatus.REFUSED,
                change=order_change,
                proof=FOR_GOOD,
            )
        ]
    )
    put_rows(ledger, [plan("A-2")])
    with Ledger(url, clock=ledger.clock, owner="second") as next_run:
        next_run.claim(intents("A-2", "A-3"), lease=LEASE)
    return ledger


def plant(url: str, *statements: str) -> None:
    """Change the ledger as nothing in this program would."""
    with closing(sqlite3.connect(url.removeprefix("sqlite:///"))) as database:
        database.execute("PRAGMA ignore_check_constraints = ON")
        for statement in statements:
            database.executescript(statement)
        database.commit()


def test_messages_of_the_service_in_the_same_database_are_no_fault(
    lived: Ledger, url: str
) -> None:
    with CallbackStore(url, clock=lived.clock):
        assert verify(url).faults == []


def test_a_sound_ledger_has_no_faults(lived: Ledger, url: str) -> None:
    """Also while effects are in flight; the rows are counted."""
    verdict = verify(url)
    assert verdict.faults == []
    assert (verdict.rows["orders"], verdict.rows["effects"]) == (3, 5)


@pytest.mark.parametrize(
    ("statement", "table", "row", "words"),
    [
        (
            "UPDATE orders SET state = 'bought' WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "state 'bought' does not exist",
        ),
        (
            "UPDATE orders SET state = 'held' WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "its last move led to planned",
        ),
        (
            "UPDATE orders SET marketplace = 'ebay' WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "'ebay' does not exist",
        ),
        (
            "UPDATE orders SET order_id = NULL WHERE order_ref = 'A-1'",
            "orders",
            "A-1",
            "is booked and has no order id",
        ),
        (
            "DROP INDEX uq_orders_order_id; UPDATE orders SET order_id = '77' WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "has order id 77, which A-1 has",
        ),
        *(
            (
                f"UPDATE effects SET answer = '{answer}' WHERE key = 'A-1:create'",
                "orders",
                "A-1",
                f"has order id 77, the service gave it {answer}",
            )
            for answer in (
                '{"order_ids": ["78"], "total": "1.00 CNY"}',
                '{"found": "78"}',
                '{"order_id": "78"}',
            )
        ),
        (
            "UPDATE orders SET paid_minor = 111 WHERE order_ref = 'A-1'",
            "orders",
            "A-1",
            "111 fen, 110 may be paid",
        ),
        (
            "UPDATE orders SET payable_minor = 99 WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "less than the 100",
        ),
        (
            "UPDATE orders SET shipment_order_id = NULL WHERE order_ref = 'A-1'",
            "orders",
            "A-1",
            "has no shipment",
        ),
        (
            "UPDATE orders SET refunded_minor = 5 WHERE order_ref = 'A-1'",
            "orders",
            "A-1",
            "its refunds sum to 0",
        ),
        (
            "UPDATE orders SET lines = 'nonsense' WHERE order_ref = 'A-3'",
            "orders",
            "A-3",
            "lines is not JSON",
        ),
        (
            "DELETE FROM effects WHERE action = 'pay'",
            "orders",
            "A-1",
            "neither a payment nor an answer accounts for it",
        ),
        (
            "UPDATE effects SET fence = 0 WHERE key = 'A-3:create'",
            "effects",
            "A-3:create",
            "fence 0, attempt 1",
        ),
        (
            "UPDATE effects SET action = 'buy' WHERE key = 'A-3:create'",
            "effects",
            "A-3:create",
            "'buy' does not exist",
        ),
        (
            "UPDATE effects SET status = 'ok' WHERE key = 'A-3:create'",
            "effects",
            "A-3:create",
            "'ok' does not exist",
        ),
        (
            "UPDATE effects SET status = 'done' WHERE key = 'A-3:create'",
            "effects",
            "A-3:create",
            "was never settled",
        ),
        (
            "UPDATE effects SET status = 'unknown' WHERE key = 'A-2:create'",
            "effects",
            "A-2:create",
            "a later attempt",
        ),
        (
            "DELETE FROM effects WHERE key = 'A-2:create'",
            "effects",
            "A-2:create:2",
            "not every attempt is there",
        ),
        (
            "UPDATE effects SET key = 'B:create' WHERE key = 'A-3:create'",
            "effects",
            "B:create",
            "does not name A-3:create",
        ),
        (
            "UPDATE effects SET order_ref = 'Z' WHERE key = 'A-3:create'",
            "effects",
            "row 5",
            "a row of orders that is not",
        ),
        (
            "UPDATE moves SET old_state = 'held' WHERE id = 4",
            "moves",
            "4",
            "A-1 left held, it was planned",
        ),
        (
            "UPDATE moves SET new_state = 'delivered' WHERE id = 4",
            "moves",
            "4",
            "A-1 can't go from planned to delivered",
        ),
        (
            "DROP INDEX ix_effects_status",
            "",
            "",
            "the schema is not as this program makes it",
        ),
    ],
)
def test_a_planted_fault_is_found_with_its_row(
    lived: Ledger, url: str, statement: str, table: str, row: str, words: str
) -> None:
    """Each by what it breaks."""
    plant(url, statement)
    faults = verify(url).faults
    assert [
        fault
        for fault in faults
        if (fault.table, fault.row) == (table, row) and words in fault.words
    ], faults


def test_rows_whose_order_is_not_there_are_checked_too(lived: Ledger, url: str) -> None:
    """Before, between and after the others."""
    plant(
        url,
        "UPDATE effects SET order_ref = 'Z', fence = 0 WHERE key = 'A-3:create'",
        "UPDATE effects SET order_ref = 'A', fence = 0 WHERE key = 'A-2:create'",
    )
    assert {"Z:create", "A:create"} <= {
        text for fault in verify(url).faults for text in fault.words.split()
    }


def test_one_of_two_answers_may_name_the_order_id(lived: Ledger, url: str) -> None:
    """A create that was tried again has an answer of each attempt."""
    plant(
        url,
        """UPDATE effects SET answer = '{"order_ids": ["77"]}' WHERE key = 'A-1:create'""",
        "UPDATE effects SET order_ref = 'A-1', key = 'A-1:create:2', attempt = 2,"
        """ answer = '{"order_ids": ["99"]}' WHERE key = 'A-2:create:2'""",
    )
    faults = verify(url).faults
    assert not [fault for fault in faults if "the service gave" in fault.words]


def test_a_payment_that_was_answered_for_is_no_fault(lived: Ledger, url: str) -> None:
    """A person's answer accounts for it as a payment does."""
    plant(
        url,
        "DELETE FROM effects WHERE action = 'pay'",
        "INSERT INTO answers (order_ref, effect_key, at, by, question, answer) "
        "VALUES ('A-1', 'A-1:pay', '2026-01-01 12:00:00', 'ann', '?', 'paid 1.05')",
    )
    assert verify(url).faults == []


def test_an_order_that_was_answered_for_has_the_id_of_the_answer(
    lived: Ledger, url: str
) -> None:
    """Whatever the service answered before."""
    plant(
        url,
        """UPDATE effects SET answer = '{"order_ids": ["78"]}' WHERE key = 'A-1:create'""",
        "INSERT INTO answers (order_ref, effect_key, at, by, question, answer) "
        "VALUES ('A-1', 'A-1:create', '2026-01-01 12:00:00', 'ann', '?', 'ordered 77')",
    )
    assert verify(url).faults == []


def test_damage_is_a_fault_and_not_the_end(
    lived: Ledger, url: str, tmp_path: Path
) -> None:
    """The damaged page is named; rows are not looked at then."""
    put_rows(
        lived,
        [plan(f"B-{number}", request={"note": "n" * 900}) for number in range(200)],
    )
    lived.close()
    with (tmp_path / "ledger.db").open("r+b") as content:
        content.seek(4096 * 40)
        content.write(b"\xff" * 4096)
    verdict = verify(url)
    assert verdict.faults
    assert verdict.rows == {}


@pytest.mark.parametrize("content", [b"no database at all" * 100, b""])
def test_what_is_no_ledger_cannot_be_verified(tmp_path: Path, content: bytes) -> None:
    """That is an error and not a ledger without faults."""
    (tmp_path / "b.db").write_bytes(content)
    with pytest.raises(LedgerUnusable, match=r"not a database|no ledger"):
        verify(f"sqlite:///{tmp_path / 'b.db'}")
