"""A row is read from its record by the getters of the table's columns."""

from __future__ import annotations

from datetime import timedelta

import pytest

from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables.parcels import TRACKING_EVENTS
from connectors.snapshots.tables.reconciliation import RECONCILIATION
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from domain.marketplace import Marketplace
from domain.matching import Match
from domain.money import Money
from domain.offers import Candidate
from domain.orders import OrderRequest, Receiver, RequestLine
from domain.plan import PlannedOrder
from tests.connectors.snapshots.sample import AT

RECEIVER = Receiver(
    name="Ann",
    phone="1",
    email="",
    country="GB",
    state="",
    city="London",
    zip="N1",
    address="1 St",
)
PLAN = PlannedOrder(
    request=OrderRequest(
        order_ref="A-1",
        marketplace=Marketplace.TAOBAO,
        receiver=RECEIVER,
        freight="cheapest",
        lines=(
            RequestLine(row=2, item="730", sku="", quantity=1, max_unit_price=None),
            RequestLine(
                row=5,
                item="red bag",
                sku="9",
                quantity=2,
                max_unit_price=Money(1250),
                note="gift",
            ),
        ),
    ),
    matches=(
        Match(
            marketplace=Marketplace.TAOBAO,
            words="red bag",
            candidates=(
                Candidate(item_id="71", title="bag", price=Money(5)),
                Candidate(item_id="72", title="red bag", price=Money(6)),
            ),
            item_id="72",
            note="its title holds all the words",
            decided_at=AT,
        ),
    ),
)


def test_a_plan_has_a_row_for_each_line_of_its_request() -> None:
    first, second = REQUESTS.rows(PLAN)
    assert [
        first[name]
        for name in ("line_no", "file_row", "max_unit_price_minor", "currency")
    ] == [1, 2, 0, None]
    assert second == {
        "order_ref": "A-1",
        "line_no": 2,
        "file_row": 5,
        "marketplace": "taobao",
        "item": "red bag",
        "sku": "9",
        "own_sku": None,
        "quantity": 2,
        "max_unit_price_minor": 1250,
        "currency": "CNY",
        "country": "GB",
        "state": "",
        "city": "London",
        "zip": "N1",
        "freight": "cheapest",
        "note": "gift",
    }


def test_the_offers_found_for_words_are_told_with_the_one_taken() -> None:
    rows = CANDIDATES.rows(PLAN)
    listing = [
        (row["line_no"], row["place"], row["item_id"], row["price_minor"], row["taken"])
        for row in rows
    ]
    assert listing == [(2, 1, "71", 5, False), (2, 2, "72", 6, True)]
    envelope = {"snapshot_id": "s", "batch_id": None, "snapshot_at": AT}
    assert to_arrow(CANDIDATES, [envelope | row for row in rows])[
        "decided_at"
    ].to_pylist() == [AT, AT]


def test_a_mapping_is_a_record_too_and_given_values_are_not_read_from_it() -> None:
    event = {
        "order_ref": "A-1",
        "tracking_number": "F1",
        "sequence": 1,
        "occurred_at": AT,
        "status": "SIGN",
    }
    text = {"description": "signed", "place": ""}
    recorded = {**event, **text, "recorded_at": AT + timedelta(days=1)}
    assert TRACKING_EVENTS.row(recorded) == {**event, **text}
    assert TRACKING_EVENTS.row(event, **text) == {**event, **text}


def test_a_record_without_a_column_makes_no_row() -> None:
    with pytest.raises(AttributeError, match="expected_amount"):
        RECONCILIATION.row({"kind": "run", "marketplace": None, "order_ref": "", "order_id": "", "expected": "",
                            "seen": "", "remedy": ""})  # fmt: skip
