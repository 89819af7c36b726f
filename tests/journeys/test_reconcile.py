"""Reconciling with the sandbox's books, after one side was changed behind the other's
back.
"""

from __future__ import annotations

import asyncio
import sqlite3

import aiohttp
import pytest

from tests.running import Merchant, single_line_orders, write_csv
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller

ALL_FIVE = {"taobao": 2, "1688": 2, "big_major": 1, "international": 1, "poizon": 1}


def buy(
    merchant: Merchant, counts: dict[str, int], name: str = "requests"
) -> dict[str, int]:
    file = write_csv(
        merchant.folder / f"{name}.csv", single_line_orders(merchant.sandbox, counts)
    )
    counted: dict[str, int] = merchant.report("run", file, "--yes")["counts"]
    return counted


def change_ledger(merchant: Merchant, statement: str) -> None:
    with sqlite3.connect(merchant.folder / "data" / "ledger.db") as ledger:
        assert ledger.execute(statement).rowcount == 1


def order_by_hand(merchant: Merchant) -> str:
    """An order at the sandbox that no run of ours has made."""

    async def ordered() -> str:
        async with aiohttp.ClientSession() as session:
            buyer = Buyer(Caller(session, merchant.sandbox.url))
            return await buyer.create_1688(
                merchant.sandbox.catalogue("1688", 1)[0], reference="by hand"
            )

    return asyncio.run(ordered())


@pytest.mark.endurance
def test_what_is_planted_is_found_and_named(merchant: Merchant) -> None:
    """After a clean run: an order made by hand, a wrong amount and a payment that never
    was. Each once, with remedy.
    """
    assert buy(merchant, ALL_FIVE) == {"booked": 7}
    clean = merchant.sourcing("reconcile")
    assert clean.exit_code == 0, clean.stdout
    assert "nothing differs; 7 orders compared" in clean.stdout

    merchant.sandbox.control("PUT", "wallet", {"balance_fen": 0})
    assert buy(merchant, {"taobao": 3}, "poor") == {"booked": 2, "held": 1}
    change_ledger(
        merchant,
        "update orders set state = 'paid', paid_minor = total_minor where order_ref = 'taobao-002'",
    )
    change_ledger(
        merchant,
        "update orders set paid_minor = paid_minor + 100 where order_ref = 'poizon-000'",
    )
    by_hand = order_by_hand(merchant)
    merchant.sandbox.advance(5)  # a new order is being built for two seconds

    report = merchant.report("reconcile")
    assert report["counts"] == {"orphan": 1, "payment_differs": 1, "amount_differs": 1}
    orphan, unpaid, amount = report["findings"]
    assert (orphan["marketplace"], orphan["order_ref"], orphan["order_id"]) == (
        "1688",
        "by hand",
        by_hand,
    )
    assert orphan["seen"].startswith("unpaid, ")
    assert (unpaid["order_ref"], unpaid["seen"].split(",")[0]) == (
        "taobao-002",
        "unpaid",
    )
    expected = amount["expected_amount"]["minor"]
    seen = amount["seen_amount"]["minor"]
    assert (amount["order_ref"], expected - seen) == ("poizon-000", 100)

    told = merchant.sourcing("reconcile")
    assert told.exit_code == 3
    assert all(
        words in told.stdout
        for words in ("orphan", by_hand, "payment differs", "taobao-002", "poizon-000")
    )
    noted = merchant.sourcing("reconcile", "--not-ours", f"1688:{by_hand}")
    assert (noted.exit_code, "orphan" in noted.stdout) == (
        3,
        False,
    )  # the other two are still there
    later = merchant.sourcing("reconcile")
    assert "marked as not ours: 1" in later.stdout
    assert (
        "orphan" in merchant.sourcing("reconcile", "--ours", f"1688:{by_hand}").stdout
    )
    assert merchant.sourcing("reconcile", "--not-ours", by_hand).exit_code == 2
    runs = merchant.report(
        "sql",
        "select findings from reconciliation_history where kind = 'run' order by snapshot_at",
    )
    assert [row["findings"] for row in runs] == [0, 3, 3, 2, 2, 3]


@pytest.mark.endurance
def test_a_payment_without_an_answer_is_settled_by_reading(merchant: Merchant) -> None:
    """While it may still arrive it is an open question; once it shows, the ledger has
    it and everything agrees.
    """
    late = {"kind": "late_effect", "probability": 1, "times": 1, "delay_s": 600}
    merchant.sandbox.faults({"path": "/open/purchase/pay", **late})
    assert buy(merchant, {"taobao": 1}) == {"unknown": 1}
    (question,) = merchant.report("reconcile")["findings"]
    assert question["kind"] == "open_question"
    assert question["remedy"].startswith("run sourcing reconcile again after ")
    merchant.sandbox.advance(601)
    settled = merchant.report("reconcile")
    (line,) = settled["settled"]
    assert (line["order_ref"], line["state"]) == ("taobao-000", "paid")
    assert (settled["findings"], settled["troubles"]) == ([], [])
    agreeing = "from orders o join payments p using (order_ref, batch_id) where o.paid_minor = p.amount_minor"
    (row,) = merchant.report("sql", f"select o.state, o.snapshot_id {agreeing}")
    assert row == {"state": "paid", "snapshot_id": settled["snapshot_id"]}


@pytest.mark.endurance
def test_a_marketplace_that_can_not_be_read_stops_no_other(merchant: Merchant) -> None:
    """It is told, and its orders are not taken for missing; when none can be read, that
    is the message.
    """
    assert buy(merchant, {"taobao": 1, "big_major": 1}) == {"booked": 2}
    broken = {"kind": "http_500", "probability": 1, "times": None, "delay_s": 0}
    merchant.sandbox.faults({"path": "/alibaba/ka/order/page", **broken})
    report = merchant.report("reconcile", XPORTCN_RETRIES="0")
    assert (report["findings"], report["compared"]) == ([], 1)
    assert [trouble.split(" (")[0] for trouble in report["troubles"]] == [
        "big_major: its orders could not be listed"
    ]
    merchant.sandbox.faults(
        *(
            {"path": path, **broken}
            for path in ("/alibaba/*", "/v2/alibaba/*", "/poizon/*", "/open/purchase/*")
        )
    )
    nothing = merchant.sourcing("reconcile", XPORTCN_RETRIES="0")
    assert nothing.exit_code == 1
    assert nothing.stderr.startswith("sourcing: ")
