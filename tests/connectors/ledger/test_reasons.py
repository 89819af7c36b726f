"""A ledger keeps reasons as codes with facts; what an earlier program wrote reads as
before.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

import pytest

from connectors.ledger.plans import approved_by, declined, needing_a_person, put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.states import OrderState
from tests.connectors.ledger.older import take_back
from tests.connectors.ledger.plans import plan
from tests.history import all_orders

OVER = because(
    ReasonCode.OVER_BUDGET, costs=Money(500), taken=Money(100), limit=Money(300)
)
SAID = {
    "A-1": (
        "5.00 CNY does not fit the budget: 1.00 CNY of 3.00 CNY is taken",
        "over_budget",
        ReasonCode.OVER_BUDGET,
    ),
    "A-2": (
        "the price rose after ordering: 2.00 CNY, approved 1.00 CNY",
        None,
        ReasonCode.PRICE_ROSE,
    ),
    "A-3": (
        "the service already has order 77 under this order_ref",
        None,
        ReasonCode.ALREADY_THERE,
    ),
    "A-4": (
        "no answer to book. Is it there? Answer with: sourcing resolve A-4 --booked S",
        None,
        ReasonCode.NO_ANSWER_ASKED,
    ),
    "A-5": ("no stock", None, ReasonCode.EARLIER),
    "A-6": ("not approved by Mei: too dear", None, ReasonCode.NOT_APPROVED),
    "A-7": ("freight not approved by Mei", None, ReasonCode.NOT_APPROVED),
    "A-8": (
        "not bought, nobody answered within 20 hours",
        None,
        ReasonCode.NOBODY_ANSWERED,
    ),
    "A-9": ("not approved: nobody could be asked", None, ReasonCode.EARLIER),
    "A-10": (
        "not approved: its run was cancelled",
        None,
        ReasonCode.ASKING_RUN_CANCELLED,
    ),
}
BEFOREHAND = "a yes given beforehand"


def open_ledger(file: Path) -> Ledger:
    return Ledger(f"sqlite:///{file}", clock=lambda: datetime.now(UTC), owner="me")


@pytest.fixture
def file(tmp_path: Path) -> Path:
    with open_ledger(tmp_path / "ledger.db") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan(ref) for ref in SAID])
    return tmp_path / "ledger.db"


MOVED = """
    INSERT INTO moves (order_ref, at, old_state, new_state, reason, by)
    VALUES (?, '2026-01-02 03:04:05.000000', ?, ?, ?, 'run')
"""


def make_older(file: Path) -> None:
    with open_ledger(file) as ledger, ledger.engine.begin() as connection:
        take_back(connection, "0012")
        connection.exec_driver_sql(
            "ALTER TABLE orders ADD COLUMN reason_code VARCHAR(64)"
        )
        connection.exec_driver_sql("UPDATE alembic_version SET version_num = '0014'")


def test_the_ledger_of_the_version_before_reads_as_before(file: Path) -> None:
    """And what that program decided by the beginning of a sentence has its code."""
    make_older(file)
    with closing(sqlite3.connect(file)) as database:
        for ref, (words, code, _) in SAID.items():
            told = (words, code, ref)
            database.execute(
                "UPDATE orders SET state = 'held', reason = ?, reason_code = ? WHERE order_ref = ?",
                told,
            )
            database.execute(MOVED, (ref, "planned", "held", words))
        database.commit()
    with open_ledger(file) as ledger:
        orders = all_orders(ledger)
        assert {
            ref: (order.reason, order.reason_code) for ref, order in orders.items()
        } == {ref: (words, code) for ref, (words, _, code) in SAID.items()}
        assert {ref: ledger.moves_of(ref)[-1]["reason"] for ref in SAID} == {
            ref: one[0] for ref, one in SAID.items()
        }
        said = declined(ledger, SAID, beforehand=BEFOREHAND)
        assert said == {"A-6": True, "A-7": True, "A-8": False, "A-10": False}, (
            "a no for a night as well"
        )
        ledger.change(
            [OrderChange(order_ref="A-5", state=OrderState.HELD, why=OVER)]
        )  # the batch goes on
    assert verify(f"sqlite:///{file}").faults == []


def test_a_yes_from_the_version_before_counts(file: Path) -> None:
    """It is in the sum of what a yes given beforehand has bought, and a person's
    outranks the no before it.
    """
    make_older(file)
    at = "at 2026-01-02 03:04:05 UTC: 17.80 CNY"
    said = {
        "A-1": [f"approved by {BEFOREHAND} {at}, plan 7d116c36c54b"],
        "A-2": ["not approved by Mei", f"approved by Mei {at}, plan 7d116c36c54b"],
        "A-3": [
            "not approved by Mei",
            f"approved by {BEFOREHAND} {at}, plan 7d116c36c54b",
        ],
        "A-4": ["freight not approved by Mei", f"freight approved by Mei {at}"],
    }
    with closing(sqlite3.connect(file)) as database:
        for ref, words in said.items():
            database.executemany(
                MOVED, [(ref, "planned", "planned", one) for one in words]
            )
        database.execute(
            "UPDATE orders SET approved_minor = 1780 WHERE order_ref = 'A-1'"
        )
        database.execute(
            "UPDATE orders SET plan_hash = NULL, paid_minor = 1 WHERE order_ref != 'A-1'"
        )
        database.commit()
    with open_ledger(file) as ledger:
        bought = approved_by(ledger, "batch", BEFOREHAND)
        assert [(one.order_ref, one.total) for one in bought] == [("A-1", Money(1780))]
        assert declined(ledger, said, beforehand=BEFOREHAND) == {
            "A-3": True,
            "A-4": True,
        }
        assert needing_a_person(ledger, ["A-4"]) == set(), (
            "its freight was approved after the no"
        )
        assert ledger.moves_of("A-2")[-1]["reason"] == said["A-2"][-1]


def test_what_an_earlier_program_writes_in_the_middle_of_a_batch_counts(
    file: Path,
) -> None:
    """It knows nothing of facts: those of the reason before stay in the row."""
    with open_ledger(file) as ledger:
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.HELD, why=OVER)])
        for code, words, kept in (
            (None, "no stock", "earlier"),
            ("over_day_limit", "the day is full", "over_day_limit"),
        ):
            with closing(sqlite3.connect(file)) as database:
                database.execute(
                    "UPDATE orders SET reason = ?, reason_code = ? WHERE order_ref = 'A-1'",
                    (words, code),
                )
                database.commit()
            order = ledger.orders(["A-1"])["A-1"]
            assert (order.reason, str(order.reason_code)) == (words, kept)
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.HELD, why=OVER)])
        assert ledger.orders(["A-1"])["A-1"].why == OVER


def test_only_code_and_facts_are_kept(file: Path) -> None:
    with open_ledger(file) as ledger:
        ledger.change([OrderChange(order_ref="A-1", state=OrderState.HELD, why=OVER)])
        assert ledger.orders(["A-1"])["A-1"].reason == str(OVER)
    with closing(sqlite3.connect(file)) as database:
        (row,) = database.execute(
            "SELECT reason, reason_code FROM orders WHERE order_ref = 'A-1'"
        ).fetchall()
    assert row == ("", "over_budget")


def test_the_same_reason_again_is_no_move(file: Path) -> None:
    with open_ledger(file) as ledger:
        for _ in range(2):
            ledger.change(
                [OrderChange(order_ref="A-1", state=OrderState.HELD, why=OVER)]
            )
        assert [move["reason"] for move in ledger.moves_of("A-1")][1:] == [str(OVER)]
