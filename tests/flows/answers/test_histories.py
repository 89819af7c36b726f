"""An order is found by what a person may know of it, and never by a part of another's
shipment.
"""

from __future__ import annotations

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from flows.answers.histories import history_of, meant_by
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan

SHIPMENT = {
    "shipment_order_id": "8000000001",
    "tracking_numbers": ["SF00000001"],
    "company": "UCS2026",
    "fee": None,
}


def test_reference_order_id_shipment_and_parcel_lead_to_the_order(
    ledger_url: str, clock: MovableClock
) -> None:
    with Ledger(ledger_url, clock=clock, owner="run") as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        ids = {
            "order_id": "77",
            "shipment_order_id": "8000000001",
            "booked_at": clock(),
        }
        ledger.change(
            [
                OrderChange(
                    order_ref="A-2", writes=Columns({**ids, "shipment": SHIPMENT})
                )
            ]
        )
    expected = {
        **{text: ["A-2"] for text in ("A-2", "77", "8000000001", "SF00000001")},
        **{text: [] for text in ("SF0000000", "%00000001", "tracking_numbers1")},
        **{text: ["A-1", "A-2"] for text in ("a-", "")},
    }
    with Ledger(ledger_url, clock=clock, owner="page", only_reads=True) as ledger:
        findings = {
            text: sorted(order.order_ref for order in meant_by(ledger, text))
            for text in expected
        }
        tables = {
            title: rows
            for title, _, rows in history_of(ledger, ledger.orders(["A-2"])["A-2"])
        }
    assert findings == expected
    assert [move[1:] for move in tables["Moves"]] == [("planned", "", "run")]
