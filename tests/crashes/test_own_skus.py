"""Own SKUs bought by real processes: split orders and spare offers, killed, shared, and
with a book that changes.
"""

from __future__ import annotations

import csv
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from random import Random
from typing import Any

import pytest

from connectors.book_file import book_text
from domain.sku_book import missing_entries
from tests.crashes.books import assert_books_are_exact, kept
from tests.crashes.light import Job, Speed, run, start, states
from tests.running import RECEIVER, RunningSandbox, single_line_orders

pytestmark = pytest.mark.endurance
ORDERS = 12
GONE = {"marketplace": "taobao", "item": "123456789012"}
Cells = dict[str, str]


def goods(sandbox: RunningSandbox, marketplace: str, count: int) -> list[Cells]:
    """Cells of the SKU book for so many variants."""
    return [
        {
            "marketplace": marketplace,
            "item": str(single_line_order["item"]),
            "sku": str(single_line_order["sku"]),
            "pieces": str(single_line_order["quantity"]),
        }
        for single_line_order in single_line_orders(sandbox, {marketplace: count})
    ]


def write(job: Job, orders: Mapping[str, Sequence[str]], book: Sequence[Cells]) -> None:
    """A request file of own SKUs, and their book."""
    rows = [
        RECEIVER | {"order_ref": ref, "own_sku": text, "quantity": "1"}
        for ref, skus in orders.items()
        for text in skus
    ]
    assert job.file
    with job.file.open("w", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, rows[0])
        writer.writeheader()
        writer.writerows(rows)
    Path(job.settings["SOURCING_BOOK"]).write_bytes(book_text(book))


def job_in(folder: Path, sandbox: RunningSandbox, **settings: str) -> Job:
    named = {"SOURCING_BOOK": str(folder / "book.csv"), **settings}
    return Job(url=sandbox.url, folder=folder, file=folder / "s.csv", settings=named)


class Shop:
    """Orders of two sellers each: a cup, of which every third is gone and has a spare,
    and a plate elsewhere.
    """

    def __init__(self, sandbox: RunningSandbox) -> None:
        self.cups, self.plates = (
            goods(sandbox, name, ORDERS) for name in ("taobao", "1688")
        )
        self.orders = {f"S-{n}": [f"CUP-{n}", f"PLATE-{n}"] for n in range(ORDERS)}

    @property
    def book(self) -> list[Cells]:
        spares = [{"own_sku": f"CUP-{n}", **GONE} for n in range(0, ORDERS, 3)]
        cups = [
            {"own_sku": f"CUP-{n}", "rank": "1" if n % 3 else "2", **cup}
            for n, cup in enumerate(self.cups)
        ]
        return [
            *spares,
            *cups,
            *(
                {"own_sku": f"PLATE-{n}", **plate}
                for n, plate in enumerate(self.plates)
            ),
        ]

    def changed(self, dice: Random) -> list[Cells]:
        """Another book: cups and plates are shuffled, some are gone, in another group,
        or have no entry.
        """
        cups = dice.sample(self.cups, ORDERS)
        plates = dice.sample(self.plates, ORDERS)
        rows = [
            {"own_sku": f"CUP-{n}", **(GONE if dice.random() < 0.2 else cup)}
            for n, cup in enumerate(cups)
        ]
        rows += [
            {"own_sku": f"PLATE-{n}", "group": dice.choice(["", "b"]), **plate}
            for n, plate in enumerate(plates)
        ]
        return dice.sample(rows, len(rows) - 3)

    @property
    def parts(self) -> set[str]:
        return {name for ref in self.orders for name in (ref, f"{ref}-1688")}


def bought_once(sandbox: RunningSandbox, refs: set[str]) -> None:
    books: dict[str, Any] = sandbox.books()
    assert Counter(book["reference"] for book in books["orders"]) == Counter(refs)
    assert {book["paid_times"] for book in books["orders"]} == {1}


@pytest.mark.parametrize("seed", range(3))
def test_each_part_is_bought_once_whatever_the_book_says_after_a_kill(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str], seed: int
) -> None:
    """The first run decides the parts; what was begun goes on as it was approved, the
    rest by the book of its run.
    """
    dice = Random(seed)
    shop = Shop(sandbox)
    job = replace(
        job_in(tmp_path, sandbox, SOURCING_SETTLE_S="0", **ledger_settings),
        chunk_size=4,
    )
    sandbox.faults({"path": "*", "kind": "latency", "probability": 1, "delay_s": 0.02})
    book = shop.book
    goal = 0
    for number in range(4):  # leases of the run before are over
        write(job, shop.orders, book)
        under_way = start(replace(job, clock=Speed(ahead_s=number * 200)))
        goal += dice.randint(1, ORDERS // 2)
        while len(sandbox.books()["orders"]) < goal and under_way.process.is_alive():
            time.sleep(0.01)
        time.sleep(dice.uniform(0, 0.3))
        if under_way.process.is_alive():
            os.kill(under_way.pid, signal.SIGKILL)
        under_way.ends()
        book = shop.changed(dice)
    write(job, shop.orders, shop.book)
    for number in range(3):
        report = run(replace(job, clock=Speed(ahead_s=3600 + number * 200)))
    assert set(states(report)) == shop.parts
    assert set(states(report).values()) <= {
        "booked",
        "unknown",
    }  # a booking that was under way may be a question
    bought_once(sandbox, shop.parts)
    assert_books_are_exact(sandbox, job)


def test_what_the_book_lacks_is_bought_once_it_is_filled_in(
    sandbox: RunningSandbox, tmp_path: Path
) -> None:
    """Of 200 orders 8 have an unknown own SKU: 192 are bought, then all, each once."""
    orders = 200
    missing = 8
    job = job_in(tmp_path, sandbox)
    cups = goods(sandbox, "taobao", orders)
    book = [{"own_sku": f"CUP-{n}", **cup} for n, cup in enumerate(cups)]
    calls = {f"S-{n}": [f"CUP-{n}"] for n in range(orders)}
    write(job, calls, book[missing:])
    report = run(job)
    assert Counter(states(report).values()) == {
        "booked": orders - missing,
        "held": missing,
    }
    held = {ref: order for ref, order in kept(job)[0].items() if order.state == "held"}
    rows = missing_entries(
        (ref, order.why.facts["own_skus"]) for ref, order in held.items() if order.why
    )
    assert {row["own_sku"] for row in rows} == {f"CUP-{n}" for n in range(missing)}
    for _ in range(2):
        write(
            job,
            calls,
            [
                *book[missing:],
                *({**row, **cups[int(row["own_sku"][4:])]} for row in rows),
            ],
        )
        report = run(job)
    assert Counter(states(report).values()) == {"booked": orders}
    assert report["bought_this_run"] == 0
    bought_once(sandbox, set(calls))
    assert_books_are_exact(sandbox, job)
