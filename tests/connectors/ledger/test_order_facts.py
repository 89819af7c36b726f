"""Each fact fills columns that `orders` has."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.schema import orders
from domain.money import Money
from domain.offers import ChosenFreight, FreightQuote, FreightService
from domain.service_orders import Shipment
from domain.witnessed import Booked, Paid, Source, Statement

NOON = datetime(2026, 1, 1, 12, tzinfo=UTC)
DOLLARS = Money(900, "USD")
SERVICE = FreightService(
    service_id="s", company="c", category="x", price=DOLLARS, min_days=1, max_days=2
)
SHIPMENT = Shipment(shipment_order_id="9", tracking_numbers=("LP1",))
BOOKED = {"shipment_order_id": "9", "booked_at": NOON}
_OURS = Statement(source=Source.LEDGER, value="7")
PAID = Paid(order=Statement(source=Source.DETAIL, value=Money(5)), ours=_OURS)
STANDS = Booked(shown=Statement(source=Source.ANSWER, value="9"), ours=_OURS)
ASKED = {"freight_minor": 900, "freight_currency": "USD"}


@pytest.mark.parametrize(
    ("fact", "columns"),
    [
        (
            OrderUpdate.approved(amount=Money(5)),
            {"approved_minor": 5, "payable_minor": 5},
        ),
        (
            OrderUpdate.ordered(order_id="7", total=Money(5), at=NOON),
            {"order_id": "7", "total_minor": 5, "ordered_at": NOON},
        ),
        (OrderUpdate.plan_approved("h"), {"plan_hash": "h"}),
        (OrderUpdate.approval_withdrawn(), {"plan_hash": None}),
        (OrderUpdate.sent_to("一号仓, 深圳市"), {"warehouse": "一号仓, 深圳市"}),
        (OrderUpdate.parcel_reported(at=NOON), {"parcel_reported_at": NOON}),
        (OrderUpdate.not_ordered(), {"order_id": None, "total_minor": None}),
        (
            OrderUpdate.paid(PAID, amount=Money(5), at=None),
            {"paid_minor": 5, "paid_at": None},
        ),
        (
            OrderUpdate.paid(PAID, amount=Money(5), at=NOON, total=Money(6)),
            {"paid_minor": 5, "paid_at": NOON, "total_minor": 6},
        ),
        (OrderUpdate.refunded(amount_minor=5), {"refunded_minor": 5}),
        (
            OrderUpdate.freight_approved(price=DOLLARS),
            {"freight_approved_minor": 900, "freight_currency": "USD"},
        ),
        (OrderUpdate.freight_asked(price=DOLLARS, voids_approval=False), ASKED),
        (
            OrderUpdate.freight_asked(price=DOLLARS, voids_approval=True),
            {**ASKED, "freight_approved_minor": None},
        ),
        (
            OrderUpdate.not_booked(),
            {"shipment": None, "shipment_order_id": None, "booked_at": None},
        ),
    ],
)
def test_a_fact_fills_its_columns(fact: OrderUpdate, columns: dict[str, Any]) -> None:
    """Amounts in the smallest unit; nothing else of the order is touched."""
    assert fact.columns == columns
    assert columns.keys() <= set(orders.c.keys())


def test_a_booking_fills_what_was_chosen_too() -> None:
    """What the service merely shows as booked leaves the order's freight as it is."""
    chosen = ChosenFreight(
        quote=FreightQuote(render_id="r", services=(SERVICE,)),
        service=SERVICE,
        read_at=NOON,
    )
    columns = OrderUpdate.booked(STANDS, shipment=SHIPMENT, at=NOON).columns
    own = OrderUpdate.booked(STANDS, shipment=SHIPMENT, at=NOON, freight=chosen).columns
    assert {**BOOKED, "shipment": columns["shipment"]} == columns
    assert columns["shipment"]["tracking_numbers"] == ["LP1"]
    assert own == {
        **columns,
        **ASKED,
        "freight_service": "s",
        "freight_quote": own["freight_quote"],
    }
    assert own["freight_quote"]["render_id"] == "r"
    assert own.keys() <= set(orders.c.keys())


def test_facts_that_go_together_are_one() -> None:
    """A person who names an order approves it in the same commit."""
    ordered = OrderUpdate.ordered(order_id="7", total=Money(5), at=NOON)
    order_update = ordered | OrderUpdate.approved(amount=Money(6))
    assert order_update.columns == {
        **ordered.columns,
        "approved_minor": 6,
        "payable_minor": 6,
    }
