"""The remedies as the UI starts them: what a run would do is shown and nothing sent;
two at once do it once.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass
from typing import Any
from unittest.mock import patch

import pytest

from connectors.ledger.store import Ledger
from domain.effects import ResolutionKind, ResolutionRefused
from flows.after_sale import request_refund
from flows.after_sale_reporting import NEEDS_ATTENTION, artifact_rows
from flows.cancel_orders import cancel_orders
from flows.remedies import resolve_order
from tests.history import all_orders
from tests.running import Merchant, single_line_orders, write_csv

LATE = {
    "path": "/open/pp/logistics/orderBookingFreight",
    "kind": "late_effect",
    "probability": 1,
    "times": 1,
}
AN_HOUR_S = 3_600


@dataclass(frozen=True)
class Bought:
    """A merchant with two booked orders, and one whose booking got no answer and lands
    an hour later.
    """

    merchant: Merchant
    booked: list[str]
    unknown: str

    def sent(self) -> dict[str, Any]:
        """What the service has heard."""
        books = self.merchant.sandbox.books()
        return {
            name: books[name]
            for name in ("orders", "payments", "refunds", "shipments", "wallet")
        }

    def written(self) -> list[tuple[str, str, str]]:
        """The ledger's effects, and where their orders stand."""

        def never() -> Any:
            raise AssertionError("a reader needs no clock")

        url = f"sqlite:///{self.merchant.folder / 'data' / 'ledger.db'}"
        with Ledger(url, clock=never, owner="test") as ledger:
            orders = all_orders(ledger)
            return sorted(
                (effect.key, effect.status, orders[effect.order_ref].state)
                for effect in ledger.effects_of(orders)
            )


@pytest.fixture
def bought(merchant: Merchant) -> Iterator[Bought]:
    merchant.sandbox.faults({**LATE, "delay_s": AN_HOUR_S})
    rows = single_line_orders(merchant.sandbox, {"taobao": 3})
    report = merchant.report("run", write_csv(merchant.folder / "a.csv", rows), "--yes")
    by_state = {
        state: [o["order_ref"] for o in report["orders"] if o["state"] == state]
        for state in report["counts"]
    }
    (unknown,) = by_state["unknown"]
    with patch.dict(os.environ, merchant.environment, clear=True):
        yield Bought(merchant, by_state["booked"], unknown)


def run(*flows: Coroutine[Any, Any, Any]) -> list[Any]:
    async def all_of_them() -> list[Any]:
        return await asyncio.gather(*flows)

    return asyncio.run(all_of_them())


def test_what_a_run_would_do_is_shown_before_it_does_it(bought: Bought) -> None:
    """With the switch as the forms have it the books and the ledger stay as they were.

    Then an answer that the service contradicts is refused with what was seen, by the
    form and by the command alike.
    """
    before = bought.sent(), bought.written()
    listed, calls, cancelled, question = run(
        request_refund.fn(bought.booked[0]),
        request_refund.fn(bought.booked[0], reason="101"),
        cancel_orders.fn([*bought.booked, bought.unknown, "NOPE-1"]),
        resolve_order.fn(bought.unknown),
    )
    assert (bought.sent(), bought.written()) == before
    assert (listed.troubles, calls.troubles) == ([], [])
    assert (cancelled.name, cancelled.is_completed()) == (NEEDS_ATTENTION, True)
    assert "NOPE-1: no such order in the ledger" in cancelled.message
    assert question == "1 to answer"

    bought.merchant.sandbox.advance(AN_HOUR_S + 60)
    (state,) = run(
        resolve_order.fn(
            bought.unknown, ResolutionKind.BOOKED, "9", tracking=["T1"], by="Ann"
        )
    )
    assert isinstance(state.data, ResolutionRefused)
    assert state.message.startswith("the service shows the opposite: shipment ")
    notices = bought.merchant.sourcing(
        "resolve", bought.unknown, "booked", "9", "--tracking", "T1"
    )
    assert (notices.exit_code, notices.stderr) == (1, f"sourcing: {state.message}\n")
    assert bought.written() == before[1]


@pytest.mark.endurance
def test_two_starts_of_the_same_remedy_do_it_once(bought: Bought) -> None:
    """What cancelling could not do stands in its table, also of an order that is
    nowhere.
    """
    first, second = bought.booked
    run(*(request_refund.fn(first, reason="101", only_show=False) for _ in range(2)))
    assert len(bought.sent()["refunds"]) == 1
    (state,) = run(cancel_orders.fn([second, "NOPE-1"], only_show=False))
    rows = artifact_rows(state.data)
    assert [(row["order"], row["state"], row["not as asked"]) for row in rows] == [
        (second, "refunding", "its freight is booked: ask the warehouse to cancel it"),
        ("NOPE-1", "", "no such order in the ledger; see all with: sourcing status"),
    ]
