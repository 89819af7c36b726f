"""Receivers stand in one table: requests read back whole, and nothing else of the
ledger names a person.
"""

from __future__ import annotations

from datetime import timedelta

import pytest
from pydantic import ValidationError
from sqlalchemy import select

from connectors.ledger.plans import put_rows
from connectors.ledger.schema import from_json, metadata, orders, receivers
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.orders import OrderRequest
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_forgetting import RECEIVER, ledger, put, request

__all__ = ["ledger"]
WHOLE = from_json(OrderRequest, request("A-1"))
CONTACT = {piece: RECEIVER[piece] for piece in ("name", "phone", "email", "address")}
MANY = [f"M-{number:04}" for number in range(1_001)]


def without_names(ledger: Ledger) -> str:
    """All rows but those of `receivers`, and without the notes of lines."""
    rows = [
        ledger.rows(table.select())
        for table in metadata.sorted_tables
        if table is not receivers
    ]
    return repr(rows).replace(f"for {RECEIVER['name']}", "")


def test_a_request_reads_back_whole_and_only_its_row_names_a_person(
    ledger: Ledger,
) -> None:
    put(ledger, "A-1")
    (order,) = ledger.orders(["A-1"]).values()
    assert (order.request, order.request.fingerprint) == (WHOLE, WHOLE.fingerprint)
    assert order.sourcing_order.request.receiver.address == "77 Quixote Lane"
    assert ledger.rows(select(receivers)) == [{"order_ref": "A-1", "receiver": CONTACT}]
    message = without_names(ledger)
    assert [piece for piece in CONTACT.values() if piece in message] == []
    assert "Xenopolis" in message


def test_a_new_plan_replaces_the_receiver_unless_the_order_has_begun(
    ledger: Ledger,
) -> None:
    put(ledger, "A-1", "A-2")
    assert ledger.claim(intents("A-2"), lease=timedelta(seconds=60)).won
    moved = [plan(ref, request=request(ref, address="Elm 1")) for ref in ("A-1", "A-2")]
    put_rows(ledger, moved)
    orders = ledger.orders(["A-1", "A-2"])
    assert [orders[ref].request.receiver.address for ref in ("A-1", "A-2")] == [
        "Elm 1",
        "77 Quixote Lane",
    ]


def test_a_request_that_lost_its_row_is_never_read_as_one_without_a_receiver(
    ledger: Ledger,
) -> None:
    put(ledger, "A-1")
    with ledger.transaction() as connection:
        connection.execute(receivers.delete())
        stored = connection.scalar(select(orders.c.request))
    with pytest.raises(ValidationError):
        assert ledger.orders(["A-1"])["A-1"].request
    with pytest.raises(ValidationError):
        from_json(OrderRequest, stored)
    faults = [(item.row, item.words) for item in verify(ledger.url).faults]
    assert ("A-1", "has no receiver: its row in receivers is missing") in faults
