"""Receivers stand in one table: requests read back whole, and nothing else of the
ledger names a person.
"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import pytest
from pydantic import ValidationError
from sqlalchemy import insert, select, update

from connectors.ledger.plans import put_rows
from connectors.ledger.schema import forgotten, from_json, metadata, orders, receivers
from connectors.ledger.store import Ledger
from connectors.ledger.verify import verify
from domain.orders import OrderRequest
from tests.connectors.ledger.older import take_back
from tests.connectors.ledger.plans import intents, plan
from tests.connectors.ledger.test_forgetting import RECEIVER, ledger, put, request

__all__ = ["ledger"]
WHOLE = from_json(OrderRequest, request("A-1"))
CONTACT = {part: RECEIVER[part] for part in ("name", "phone", "email", "address")}
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
    told = without_names(ledger)
    assert [part for part in CONTACT.values() if part in told] == []
    assert "Xenopolis" in told


def test_a_new_plan_replaces_the_receiver_unless_the_order_has_begun(
    ledger: Ledger,
) -> None:
    put(ledger, "A-1", "A-2")
    assert ledger.claim(intents("A-2"), lease=timedelta(seconds=60)).won
    moved = [plan(ref, request=request(ref, address="Elm 1")) for ref in ("A-1", "A-2")]
    put_rows(ledger, moved)
    known = ledger.orders(["A-1", "A-2"])
    assert [known[ref].request.receiver.address for ref in ("A-1", "A-2")] == [
        "Elm 1",
        "77 Quixote Lane",
    ]


def test_a_request_that_lost_its_row_is_never_read_as_one_without_a_receiver(
    ledger: Ledger,
) -> None:
    """Not by this program, and not by an earlier one, which reads the stored request
    alone.
    """
    put(ledger, "A-1")
    with ledger.transaction() as connection:
        connection.execute(receivers.delete())
        stored = connection.scalar(select(orders.c.request))
    with pytest.raises(ValidationError):
        assert ledger.orders(["A-1"])["A-1"].request
    with pytest.raises(ValidationError):
        from_json(OrderRequest, stored)
    faults = [(one.row, one.words) for one in verify(ledger.url).faults]
    assert ("A-1", "has no receiver: its row in receivers is missing") in faults


def test_what_an_earlier_program_writes_meanwhile_counts(ledger: Ledger) -> None:
    """It was started before the migration, and plans the order anew with another
    street.
    """
    put(ledger, "A-1")
    with ledger.transaction() as connection:
        connection.execute(
            update(orders).values(request=request("A-1", address="Elm 1"))
        )
    assert ledger.orders(["A-1"])["A-1"].request.receiver.address == "Elm 1"


def as_0012(ledger: Ledger, requests: dict[str, Any]) -> None:
    with ledger.transaction() as connection:
        for ref, stored in requests.items():
            connection.execute(
                update(orders).where(orders.c.order_ref == ref).values(request=stored)
            )
        take_back(connection, "0012")


def test_an_earlier_ledger_gets_its_receivers_moved(ledger: Ledger) -> None:
    """Thousands of them; a forgotten one stays forgotten, and what has no receiver
    stays as it is.
    """
    put(ledger, *MANY)
    put_rows(ledger, [plan("A-0", request={"note": "odd"})])
    gone = request("M-0001", **dict.fromkeys(RECEIVER, ""))
    with ledger.transaction() as connection:
        connection.execute(
            insert(forgotten).values(order_ref="M-0001", at=ledger.clock(), by="ann")
        )
    as_0012(ledger, {**{ref: request(ref) for ref in MANY}, "M-0001": gone})
    with Ledger(ledger.url, clock=ledger.clock, owner="later") as later:
        found = {order.order_ref: order.request for order in later.each_order(MANY)}
        assert found == {
            ref: from_json(OrderRequest, gone if ref == "M-0001" else request(ref))
            for ref in MANY
        }
        assert len(later.rows(select(receivers))) == 1_000
        told = without_names(later)
        assert [part for part in CONTACT.values() if part in told] == []
        assert later.rows(
            select(orders.c.request).where(orders.c.order_ref == "A-0")
        ) == [{"request": {"note": "odd"}}]
