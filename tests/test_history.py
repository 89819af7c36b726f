"""The checker finds each planted breach, and nothing in an honest history."""

from __future__ import annotations

from collections.abc import Callable
from copy import deepcopy
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.ledger.records import EffectRecord, OrderRecord
from domain.effects import Action, EffectStatus
from domain.marketplace import Marketplace
from domain.states import OrderState
from tests.history import AllowedAmounts, Rule, violations

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)


def record(
    order_ref: str, order_id: str, paid_minor: int, shipment_order_id: str
) -> OrderRecord:
    expected: dict[str, Any] = dict.fromkeys(OrderRecord.__dataclass_fields__)
    expected |= {
        "order_ref": order_ref,
        "order_id": order_id,
        "batch_id": "batch",
        "state": OrderState.BOOKED,
    }
    expected |= {
        "marketplace": Marketplace.TAOBAO,
        "currency": "CNY",
        "approved_minor": 1000,
        "spent_at": NOON,
    }
    return OrderRecord(
        **expected | {"paid_minor": paid_minor, "shipment_order_id": shipment_order_id}
    )


def effect(
    order_ref: str, action: Action, status: EffectStatus = EffectStatus.DONE
) -> EffectRecord:
    expected: dict[str, Any] = dict.fromkeys(EffectRecord.__dataclass_fields__)
    expected |= {
        "key": f"{order_ref}:{action}",
        "order_ref": order_ref,
        "action": action,
        "status": status,
    }
    return EffectRecord(**expected | {"attempt": 1, "intent_at": NOON})


class Story:
    """Two orders, A and B: ordered, paid with 900 and 800 fen, booked; everything told
    as it was.
    """

    def __init__(self) -> None:
        self.books: dict[str, Any] = {
            "orders": [book_order("A", "1", 900), book_order("B", "2", 800)],
            "payments": [
                {"order_id": "1", "amount_fen": 900},
                {"order_id": "2", "amount_fen": 800},
            ],
            "shipments": [shipment("S1", "1", "T1"), shipment("S2", "2", "T2")],
            "wallet": {"opening_fen": 5000, "balance_fen": 3300},
        }
        self.orders = {
            "A": record("A", "1", 900, "S1"),
            "B": record("B", "2", 800, "S2"),
        }
        self.effects = [
            effect(ref, action)
            for ref in "AB"
            for action in (Action.CREATE, Action.PAY, Action.BOOK)
        ]
        self.snapshot = [
            {"order_ref": "A", "paid_minor": 900},
            {"order_ref": "B", "paid_minor": 800},
        ]
        self.limits = AllowedAmounts(batches={"batch": 2000}, day=2000)

    def told(self, *, at_rest: bool = True) -> list[str]:
        findings = violations(
            self.books,
            self.orders,
            self.effects,
            snapshot=self.snapshot,
            limits=self.limits,
            at_rest=at_rest,
        )
        return [str(violation) for violation in findings]

    def ledger(self, order_ref: str, **columns: Any) -> None:
        self.orders[order_ref] = replace(self.orders[order_ref], **columns)

    def status(self, order_ref: str, action: Action, status: EffectStatus) -> None:
        effects = [
            e for e in self.effects if (e.order_ref, e.action) != (order_ref, action)
        ]
        self.effects = [*effects, effect(order_ref, action, status)]


def book_order(reference: str, order_id: str, paid_fen: int) -> dict[str, Any]:
    return {
        "marketplace": "taobao",
        "order_id": order_id,
        "reference": reference,
        "amount_fen": paid_fen,
        "status": 10 if paid_fen else 0,
        "paid_fen": paid_fen,
        "paid_times": 1 if paid_fen else 0,
        "refunded_fen": 0,
    }


def shipment(shipment_id: str, order_id: str, number: str) -> dict[str, Any]:
    return {
        "order_id": shipment_id,
        "tmall_order_id": order_id,
        "tracking_numbers": [number],
    }


def pay_again(story: Story) -> None:
    story.books["orders"][0] |= {"paid_times": 2, "paid_fen": 1800}
    story.books["payments"].append({"order_id": "1", "amount_fen": 900})
    story.books["wallet"]["balance_fen"] -= 900


def buy_again(story: Story) -> None:
    story.books["orders"].append(book_order("A", "3", 900))
    story.books["payments"].append({"order_id": "3", "amount_fen": 900})
    story.books["wallet"]["balance_fen"] -= 900
    story.limits = AllowedAmounts()


def order_again(story: Story) -> None:
    story.books["orders"].append(book_order("A", "3", 0))
    story.status("A", Action.CREATE, EffectStatus.UNKNOWN)


def approve_less(story: Story) -> None:
    story.ledger("A", approved_minor=899)


def lose_the_order(story: Story) -> None:
    story.books["orders"].append(book_order("C", "3", 0))


def lose_the_payment(story: Story) -> None:
    story.ledger("A", paid_minor=None)
    story.status("A", Action.PAY, EffectStatus.REFUSED)


def tell_another_amount(story: Story) -> None:
    story.ledger("A", paid_minor=901)


def imagine_a_payment(story: Story) -> None:
    story.books["orders"][0] |= {"paid_fen": 0, "paid_times": 0, "status": 0}
    del story.books["payments"][0]
    del story.books["shipments"][0]
    story.books["wallet"]["balance_fen"] = 4200
    story.ledger("A", shipment_order_id=None)


def leave_out_of_the_snapshot(story: Story) -> None:
    del story.snapshot[0]


def write_another_amount(story: Story) -> None:
    story.snapshot[0]["paid_minor"] = 0


def take_from_the_wallet(story: Story) -> None:
    story.books["wallet"]["balance_fen"] -= 1


def ship_unpaid(story: Story) -> None:
    story.books["shipments"].append(shipment("S3", "99", "T3"))


def book_again(story: Story) -> None:
    story.books["shipments"].append(shipment("S3", "1", "T3"))
    story.status("A", Action.BOOK, EffectStatus.UNKNOWN)


def mix_up_parcels(story: Story) -> None:
    story.books["shipments"][1]["tracking_numbers"] = ["T1"]


def lose_the_shipment(story: Story) -> None:
    story.ledger("A", shipment_order_id=None)


def imagine_a_shipment(story: Story) -> None:
    del story.books["shipments"][0]


def lower_the_budget(story: Story) -> None:
    story.limits = AllowedAmounts(batches={"batch": 1999})


def forget_to_count(story: Story) -> None:
    story.ledger("A", spent_at=None)


def lower_the_day_limit(story: Story) -> None:
    story.limits = AllowedAmounts(day=1999)


PLANTED: dict[Callable[[Story], None], list[str]] = {
    pay_again: [
        "an order was paid more than once: A: 1 2 times",
        "more was paid than approved: A: paid 1800, approved 1000",
        "the ledger tells another amount than was paid: A: paid 1800, ledger 900",
        "the snapshot does not tell a payment, or not its amount: A: paid 1800, snapshot 900",
        "a batch cost more than its budget, or may: batch batch: paid 2600, begun 2000, allowed 2000",
    ],
    buy_again: [
        "two orders of one reference were paid: A: 1, 3",
        "two orders of one reference are live: A: 1, 3",
        "a live order is not in the ledger: A: 3",
    ],
    order_again: ["two orders of one reference are live: A: 1, 3"],
    approve_less: ["more was paid than approved: A: paid 900, approved 899"],
    lose_the_order: ["a live order is not in the ledger: C: 3"],
    lose_the_payment: ["a payment is not in the ledger: A: 900"],
    tell_another_amount: [
        "the ledger tells another amount than was paid: A: paid 900, ledger 901"
    ],
    imagine_a_payment: ["the ledger tells a payment that was never made: A: 900"],
    leave_out_of_the_snapshot: [
        "the snapshot does not tell a payment, or not its amount: A: paid 900, snapshot None",
    ],
    write_another_amount: [
        "the snapshot does not tell a payment, or not its amount: A: paid 900, snapshot 0",
    ],
    take_from_the_wallet: [
        "payments and refunds are not what left the wallet: 1701 left the wallet, paid 1700, refunded 0",
    ],
    ship_unpaid: ["a shipment has no paid order: shipment S3 of order 99"],
    book_again: ["an order was booked more than once: order 1: 2 shipments"],
    mix_up_parcels: ["a parcel is in two shipments: parcel T1: S1, S2"],
    lose_the_shipment: ["a shipment is not in the ledger: A: S1"],
    imagine_a_shipment: ["the ledger tells a shipment that was never booked: A: S1"],
    lower_the_budget: [
        "a batch cost more than its budget, or may: batch batch: paid 1700, begun 2000, allowed 1999",
    ],
    forget_to_count: [
        "an order that may have spent counts for nothing, or the reverse: A: counted since None"
    ],
    lower_the_day_limit: [
        "orders begun on one day exceed the day's limit: 2026-01-01: begun 2000, allowed 1999",
    ],
}


def test_an_honest_history_has_no_violation() -> None:
    """Nothing is said of two orders that went as told."""
    assert Story().told() == []


@pytest.mark.parametrize("plant", PLANTED, ids=lambda plant: plant.__name__)
def test_a_planted_violation_is_found(plant: Callable[[Story], None]) -> None:
    """Each breach is told by its rule, with the order and the amounts."""
    story = Story()
    plant(story)
    assert story.told() == PLANTED[plant]


def test_every_rule_has_a_planted_violation() -> None:
    """A new rule needs a planted breach."""

    assert {
        line.split(":")[0] for notices in PLANTED.values() for line in notices
    } == set(Rule)


def test_what_is_open_excuses_what_the_row_does_not_tell() -> None:
    """A payment and a shipment whose answers were lost are no breach while their
    effects are unknown.
    """
    story = Story()
    story.ledger("A", paid_minor=None, shipment_order_id=None)
    story.status("A", Action.PAY, EffectStatus.UNKNOWN)
    story.status("A", Action.BOOK, EffectStatus.SENDING)
    assert story.told() == []


def test_an_accepted_payment_must_be_told_at_rest() -> None:
    """Between acceptance and confirmation the row may be empty; when all runs have
    ended it may not.
    """
    story = Story()
    story.snapshot = deepcopy(story.snapshot)
    story.ledger("A", paid_minor=None)
    assert story.told(at_rest=False) == []
    assert story.told() == ["a payment is not in the ledger: A: 900"]


def test_refunds_come_back_to_the_wallet() -> None:
    """A refund is no payment that is missing."""
    story = Story()
    story.books["orders"][0]["refunded_fen"] = 900
    story.books["wallet"]["balance_fen"] += 900
    assert story.told() == []


def test_an_order_that_closed_unpaid_is_no_second_one() -> None:
    """A late create that the service closed again costs nothing."""
    story = Story()
    story.books["orders"].append(book_order("A", "3", 0) | {"status": 4})
    assert story.told() == []
