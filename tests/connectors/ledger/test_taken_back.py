"""What a person took back under an earlier program goes on after a person's yes alone,
as what is taken back now.

So does an order of which more was taken than was approved: earlier manuals said to get
the difference back and to book it by hand, of which the ledger knows nothing.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import insert, select, text

from connectors.ledger.plans import needing_a_person, put_rows
from connectors.ledger.records import Intent, Outcome
from connectors.ledger.schema import moves, orders, refunds
from connectors.ledger.store import Ledger
from domain.effects import Action, EffectStatus
from domain.money import Money
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_forgetting import ledger
from tests.history import all_orders

__all__ = ["ledger"]


def paid(order_ref: str, **columns: Any) -> dict[str, Any]:
    return plan(
        order_ref,
        **{"state": "paid", "order_id": order_ref, "paid_minor": 100, **columns},
    )


def asked_back(order_ref: str, part: str, amount: int, at: datetime) -> dict[str, Any]:
    now = {"recorded_at": at, "updated_at": at}
    texts = {
        "kind": "refund",
        "state": "refused",
        "currency": "CNY",
        "order_id": order_ref,
        "refund_id": part,
    }
    amounts = {
        "asked_minor": amount,
        "approved_minor": 0,
        "refunded_minor": 0,
        "number": 1,
        "refund": {},
    }
    return {
        "key": f"{order_ref}:{part}.1",
        "order_ref": order_ref,
        "part": part,
        **texts,
        **amounts,
        **now,
    }


def test_what_an_earlier_program_was_to_take_back_waits_for_a_yes(
    ledger: Ledger,
) -> None:
    """A cancelling, and refunds of half the money or more, by lines too. What is over,
    or booked, stays as it is.

    Of what was taken above the approved the difference has come back, or is on its way.
    """
    to_cancel = [
        plan("unpaid", state="ordered", order_id="1"),
        plan("declined", state="held", order_id="2", plan_hash=None, paid_minor=100),
        plan("closed", state="cancelled", order_id="3"),
        paid("booked", shipment_order_id="4", state="booked"),
    ]
    within = {"approved_minor": 90, "payable_minor": 100}
    above = [
        paid("above", state="held", approved_minor=90, refunded_minor=10),
        paid("awaited", state="refunding", approved_minor=80, payable_minor=90),
    ]
    fine = [paid("fine"), paid("tolerated", **within), paid("compensated")]
    put_rows(ledger, [*to_cancel, *above, *fine, paid("all"), paid("lines")])
    cancelling = intents(*(row["order_ref"] for row in to_cancel), action=Action.CANCEL)
    ledger.claim(cancelling, lease=timedelta(seconds=60))
    asked = (
        ("all", "all", 100),
        ("lines", "1", 40),
        ("lines", "2", 20),
        ("compensated", "all", 5),
    )
    with ledger.transaction() as connection:
        connection.execute(
            insert(refunds), [asked_back(*one, ledger.clock()) for one in asked]
        )
        connection.execute(text("DELETE FROM moves"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0023'"))
    with Ledger(ledger.url, clock=ledger.clock, owner="later") as later:
        stands = select(orders.c.order_ref).where(orders.c.plan_hash.is_not(None))
        assert {row["order_ref"] for row in later.rows(stands)} == {
            row["order_ref"] for row in fine
        } | {
            "closed",
            "booked",
        }
        assert needing_a_person(later, all_orders(later)) == {
            "unpaid",
            "declined",
            "all",
            "lines",
            "above",
            "awaited",
        }
        told = later.rows(
            select(moves.c.order_ref, moves.c.new_state, moves.c.reason_code).order_by(
                moves.c.order_ref
            )
        )
        assert [tuple(row.values()) for row in told] == [
            ("above", "held", "wanted_back"),
            ("all", "paid", "wanted_back"),
            ("awaited", "refunding", "wanted_back"),
            ("declined", "held", "wanted_back"),
            ("lines", "paid", "wanted_back"),
            ("unpaid", "ordered", "wanted_back"),
        ]


def test_what_was_booked_and_is_paid_by_an_earlier_program_s_fault_is_booked(
    ledger: Ledger,
) -> None:
    """A booking whose answer was lost costs what it was sent with; a fee that is known
    stays.
    """
    booked = {
        "shipment_order_id": "9",
        "freight_approved_minor": 900,
        "freight_currency": "USD",
    }
    put_rows(
        ledger,
        [
            paid("paid"),
            paid("back", **booked),
            paid("lost", **booked, state="booked"),
            paid("known", **booked, state="shipped", freight_minor=700),
            paid("console", **booked, state="booked"),
        ],
    )
    price = Money(800, "USD")
    refs = ("back", "lost", "known")
    sent = [
        Intent(order_ref=ref, action=Action.BOOK, amount=price, request_hash="h")
        for ref in refs
    ]
    won = ledger.claim(sent, lease=timedelta(seconds=60)).won.values()
    ledger.record(
        [
            Outcome(claim=record.claim, status=EffectStatus.DONE, answer={})
            for record in won
        ]
    )
    with ledger.transaction() as connection:
        connection.execute(text("DELETE FROM moves"))
        connection.execute(text("UPDATE alembic_version SET version_num = '0025'"))
    with Ledger(ledger.url, clock=ledger.clock, owner="later") as later:
        shown = select(
            *(orders.c[name] for name in ("order_ref", "state", "freight_minor"))
        ).order_by(orders.c.order_ref)
        assert [tuple(row.values()) for row in later.rows(shown)] == [
            ("back", "booked", 800),
            ("console", "booked", None),
            ("known", "shipped", 700),
            ("lost", "booked", 800),
            ("paid", "paid", None),
        ]
        (told,) = later.rows(select(moves))
        assert (
            told["order_ref"],
            told["old_state"],
            told["new_state"],
            told["by"],
        ) == (
            "back",
            "paid",
            "booked",
            "upgrade",
        )
