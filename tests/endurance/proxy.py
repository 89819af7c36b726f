"""What broke a promise once: the real command against a real sandbox behind a proxy
that makes it deviate.
"""

from __future__ import annotations

import json
import shutil
import sqlite3
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from deployments.local_server import prefect_server
from tests.rewriting_proxy import RewritingProxy, rewriting_proxy
from tests.running import (
    Merchant,
    RunningSandbox,
    own_sandbox,
    single_line_orders,
    write_csv,
)
from tests.simulation.deviations.catalogue import BY_NAME
from tests.simulation.deviations.service import Deviation, Group, Outcome, Told
from tests.simulation.deviations.wire import ORDERS, Role, changed

LEASE_S = 10
SETTLE_S = 10
SETTINGS = {"SOURCING_LEASE_S": str(LEASE_S), "SOURCING_SETTLE_S": str(SETTLE_S)}
YOUNGER = 60
HOURS_S = 36_000
Case = Callable[["Shop"], str]


@dataclass(frozen=True)
class Shop:
    """A merchant behind the proxy, and the sandbox as it is."""

    merchant: Merchant
    sandbox: RunningSandbox
    proxy: RewritingProxy

    def orders(
        self, counts: Mapping[str, int], name: str = ""
    ) -> list[dict[str, object]]:
        rows = single_line_orders(self.sandbox, counts)
        return [{**row, "order_ref": f"{name}{row['order_ref']}"} for row in rows]

    def run(
        self, rows: Sequence[Mapping[str, object]], *options: str, **settings: str
    ) -> dict[str, Any]:
        """`sourcing run --yes` on these; without orders where the ledger may not
        buy.
        """
        file = write_csv(self.merchant.folder / "requests.csv", rows)
        run = self.merchant.start("run", file, "--yes", "--json", *options, **settings)
        message, text = run.communicate()
        assert message or "the ledger" in text, text
        return {
            "said": text,
            **(json.loads(message) if message else {"orders": [], "spent_fen": 0}),
        }

    def command(self, *words: str | Path) -> None:
        done = self.merchant.start(*words)
        message, text = done.communicate()
        assert done.returncode == 0, (words, message, text)

    def settle(self) -> None:
        time.sleep(LEASE_S + SETTLE_S + 1)

    def lists_show_all(self) -> None:
        """End the 30 minutes and more that a restored ledger waits, as if they had
        passed.
        """
        with (
            closing(
                sqlite3.connect(self.merchant.folder / "data" / "ledger.db")
            ) as ledger,
            ledger,
        ):
            ledger.execute("UPDATE marks SET ended_at = at WHERE name = 'restored'")

    def bought(self, refs: Sequence[object]) -> list[dict[str, Any]]:
        return [
            order
            for order in self.sandbox.books()["orders"]
            if order["reference"] in refs
        ]


def seven_rows_end_right() -> bool:
    """A line a case; whether each ends right or is held before its second order."""
    server = Path(tempfile.mkdtemp(prefix="endurance-proxy-server-"))
    with own_sandbox() as sandbox, prefect_server(server) as url:
        ends = [_told(name, case, sandbox, url) for name, case in CASES.items()]
    shutil.rmtree(server, ignore_errors=True)
    return all(ends)


def _told(name: str, case: Case, sandbox: RunningSandbox, prefect: str) -> bool:
    began = time.monotonic()
    with shop(sandbox, prefect) as built:
        wrong = case(built) or _twice(sandbox.books())
    print(
        f"proxy  {name:70} {time.monotonic() - began:4.0f} s  {wrong or 'as promised'}",
        flush=True,
    )
    return not wrong


@contextmanager
def shop(sandbox: RunningSandbox, prefect: str) -> Iterator[Shop]:
    """Empty books, an empty data folder, and a proxy that changes nothing yet."""
    sandbox.reset()
    folder = Path(tempfile.mkdtemp(prefix="endurance-proxy-"))
    with rewriting_proxy(sandbox.url) as proxy:
        settings = {
            **SETTINGS,
            "PREFECT_API_URL": prefect,
            "XPORTCN_BASE_URL": proxy.url,
        }
        yield Shop(Merchant(sandbox, folder, settings), sandbox, proxy)
    shutil.rmtree(folder)


def _twice(books: Mapping[str, Any]) -> str:
    live: dict[str, list[str]] = {}
    for order in books["orders"]:
        if order["paid_times"] > 1:
            return f"{order['reference']} was paid {order['paid_times']} times"
        live.setdefault(order["reference"], []).append(order["order_id"])
    return next(
        (
            f"{ref} was ordered {len(ids)} times"
            for ref, ids in live.items()
            if len(ids) > 1
        ),
        "",
    )


def _unannounced(
    shop: Shop, report: Mapping[str, Any], refs: Sequence[object], limit: int = 1
) -> str:
    """More orders than canaries that are not through, or money that the report does not
    tell.
    """
    ordered = shop.bought(refs)
    states = {order["order_ref"]: order["state"] for order in report["orders"]}
    stuck = [order for order in ordered if states.get(order["reference"]) != "booked"]
    if len(stuck) > limit:
        return f"{len(ordered)} ordered, {len(stuck)} of them not booked"
    paid = sum(order["paid_fen"] for order in ordered)
    return (
        ""
        if paid == report["spent_fen"]
        else f"paid {paid} fen, told {report['spent_fen']}"
    )


# the rows


def old_ledger(marketplace: str, deviation: str) -> Case:
    """An order of before the last page of the list, and a ledger that does not know it
    any more.
    """

    def case(made: Shop) -> str:
        first, expected = made.orders({marketplace: 2}, "old-")
        made.run([first])
        backup = made.merchant.folder / "backup.db"
        made.command("ledger", "backup", backup)
        made.run([expected])
        made.run(made.orders({marketplace: YOUNGER}, "young-"))
        made.command("ledger", "restore", backup, "--yes")
        made.command("confirm", "--yes")
        made.proxy.deviation = BY_NAME[deviation]
        before = made.run([expected])["orders"]
        made.lists_show_all()
        made.run([expected])
        made.settle()
        states = [order["state"] for order in made.run([expected])["orders"]]
        return (
            ""
            if (before, states) == ([], ["held"])
            else f"began with {before}, ends {states}"
        )

    return case


def in_another_unit(marketplace: str, deviation: str) -> Case:
    """A budget and line limits far below the real prices, as told amounts would let
    them pass.
    """

    def case(made: Shop) -> str:
        rows = [
            {**row, "max_unit_price": "0.05"} for row in made.orders({marketplace: 4})
        ]
        made.proxy.deviation = BY_NAME[deviation]
        report = made.run(rows, "--budget-cny", "2.00")
        paid = sum(
            order["paid_fen"]
            for order in made.bought([row["order_ref"] for row in rows])
        )
        return f"paid {paid} fen, told {report['spent_fen']}" if paid else ""

    return case


def told_in_another_unit(marketplace: str, deviation: str) -> Case:
    def case(made: Shop) -> str:
        rows = made.orders({marketplace: 4})
        made.proxy.deviation = BY_NAME[deviation]
        report = made.run(rows)
        return _unannounced(made, report, [row["order_ref"] for row in rows])

    return case


def submissions(made: Shop) -> str:
    """Payments that are taken in without an answer, and orders that stay unpaid for
    hours.
    """
    rows = made.orders(dict.fromkeys(("taobao", "1688", "big_major", "poizon"), 2))
    made.sandbox.faults(
        {
            "path": "*[pP]ay*",
            "kind": "late_effect",
            "probability": 1,
            "delay_s": HOURS_S,
        }
    )
    for _ in range(3):
        made.run(rows)
        made.settle()
    made.sandbox.faults()
    made.sandbox.advance(HOURS_S + 60)
    return ""


def paid_in_an_unknown_state(word: str) -> Case:
    def case(made: Shop) -> str:
        rows = made.orders({"1688": 3})
        made.proxy.deviation = BY_NAME[f"paid is {word}"]
        report = made.run(rows)
        wrong = _unannounced(
            made, report, [row["order_ref"] for row in rows], limit=len(rows)
        )
        held = [
            order["order_ref"] for order in report["orders"] if order["state"] == "held"
        ]
        return wrong or (f"held: {held}" if held else "")

    return case


def refused_as_paid(marketplace: str) -> Case:
    """A payment without an answer that is not shown yet; the second is refused as paid
    or closed already.
    """

    def case(made: Shop) -> str:
        rows = made.orders({marketplace: 1})
        made.sandbox.faults(
            {"path": "*[pP]ay*", "kind": "drop_after", "probability": 1, "times": 1}
        )
        made.proxy.deviation = UNPAID
        made.run(rows, XPORTCN_PAY_IS="debit")
        made.settle()
        report = made.run(rows, XPORTCN_PAY_IS="debit")
        (order,) = report["orders"]
        if order["state"] == "refused" or "not paid" in order["reason"]:
            return f"told as {order['state']}: {order['reason']}"
        made.proxy.deviation = None
        made.settle()
        return _unannounced(
            made, made.run(rows, XPORTCN_PAY_IS="debit"), [order["order_ref"]], limit=0
        )

    return case


UNPAID_WORDS: Mapping[str, Mapping[Any, Any]] = {
    "status": {2: 12, "waitsellersend": "waitbuyerpay"},
    "orderStatus": {"WAITING_FOR_SENT": "WAITING_FOR_PAYMENT", "PAID": "UNPAID"},
    "payStatus": {2: 1},
    "tradeStatus": {"undeliver": "unpay"},
    **{
        name: {}
        for name in ("payTime", "payAmount", "payDate", "paidAmount", "realPayAmount")
    },
}


def _as_unpaid(notices: Told) -> None:
    if notices.role in ORDERS | {Role.DETAIL}:
        notices.data = changed(notices.data, _unpaid)


def _unpaid(name: str, value: Any) -> Any:
    text = UNPAID_WORDS.get(name)
    if text is None or isinstance(value, list | dict):
        return value
    return text.get(value, value) if text else None


UNPAID = Deviation(
    name="payments not shown",
    group=Group.LAG,
    expected=frozenset(Outcome),
    tells=_as_unpaid,
)


CASES: Mapping[str, Case] = {
    **{
        f"old ledger, {marketplace}: {deviation}": old_ledger(marketplace, deviation)
        for marketplace in ("1688", "big_major")
        for deviation in (
            "total rows of the page",
            "total capped at 50",
            "pages always the first, no total",
        )
    },
    "big_major: whole yuan for fen, limits a hundredth": in_another_unit(
        "big_major", "whole yuan for fen"
    ),
    "taobao: whole yuan for fen in lists": told_in_another_unit(
        "taobao", "whole yuan for fen in lists and details"
    ),
    "payments are submissions": submissions,
    **{
        f"1688: paid is {text}": paid_in_an_unknown_state(text)
        for text in ("waitlogisticstakein", "waitbuyersign", "signinsuccess")
    },
    **{
        f"{marketplace}: a second payment is refused as paid": refused_as_paid(
            marketplace
        )
        for marketplace in ("taobao", "1688", "big_major", "international", "poizon")
    },
    **{
        f"{marketplace}: {form}": told_in_another_unit(marketplace, form)
        for form, marketplace in (
            ("null as empty text", "taobao"),
            ("times as ISO with Z", "1688"),
            ("references in lower case", "poizon"),
            ("times as slashes", "international"),
        )
    },
}
