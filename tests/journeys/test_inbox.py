"""The inbox from dropped files to results beside them, checked against the sandbox's
books.
"""

from __future__ import annotations

import asyncio
import csv
import json
import os
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any
from unittest.mock import patch

import pytest

from flows.buy_from_inbox import InboxReport, buy_from_inbox
from tests.running import (
    PATIENCE_S,
    ROOT,
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)

NIGHT = (
    "import asyncio; from flows import buy_from_inbox as nightly; "
    "nightly.QUIET_S = 0; asyncio.run(nightly.buy_from_inbox())"
)


def night(merchant: Merchant, **parameters: Any) -> InboxReport:
    with (
        patch.dict(os.environ, merchant.environment, clear=True),
        patch("flows.buy_from_inbox.QUIET_S", 0),
    ):
        report: InboxReport = asyncio.run(buy_from_inbox(**parameters))
        return report


def start_night(merchant: Merchant, **settings: str) -> subprocess.Popen[bytes]:
    """A night in a process of its own, which may be killed."""
    return subprocess.Popen(
        [sys.executable, "-c", NIGHT],
        cwd=ROOT,
        env={**merchant.environment, **settings},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def drop(merchant: Merchant, name: str, rows: Sequence[dict[str, object]]) -> Path:
    (merchant.folder / "data" / "inbox").mkdir(parents=True, exist_ok=True)
    return write_csv(merchant.folder / "data" / "inbox" / name, rows)


def result(merchant: Merchant, path: str) -> Any:
    return json.loads(
        (merchant.folder / "data" / "inbox" / f"{path}.result.json").read_text()
    )


def files(merchant: Merchant) -> list[str]:
    root = merchant.folder / "data" / "inbox"
    return sorted(
        str(p.relative_to(root))
        for p in root.rglob("*")
        if p.is_file() and ".locks" not in p.parts
    )


def test_three_files_one_broken_and_a_night_with_nothing_new(
    merchant: Merchant,
) -> None:
    """Two are bought, the broken one is listed by row and column; the second night does
    nothing and says so.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 3})
    drop(merchant, "monday.csv", rows[:2])
    drop(merchant, "broken.csv", [{**rows[0], "order_ref": "B-1", "quantity": "-3"}])
    drop(merchant, "tuesday.csv", rows[2:])
    report = night(merchant)
    assert [(one.file, one.place) for one in report.files] == [
        ("monday.csv", "done"),
        ("broken.csv", "failed"),
        ("tuesday.csv", "done"),
    ]
    assert files(merchant) == [
        "done/monday.csv",
        "done/monday.csv.result.csv",
        "done/monday.csv.result.json",
        "done/tuesday.csv",
        "done/tuesday.csv.result.csv",
        "done/tuesday.csv.result.json",
        "failed/broken.csv",
        "failed/broken.csv.result.csv",
        "failed/broken.csv.result.json",
    ]
    assert result(merchant, "failed/broken.csv")["faults"] == [
        {
            "row": 2,
            "column": "quantity",
            "fault": "-3 is not a whole number of at least 1",
        }
    ]
    with (merchant.folder / "data/inbox/done/monday.csv.result.csv").open(
        encoding="utf-8-sig", newline=""
    ) as table:
        assert [(row["order_ref"], row["state"]) for row in csv.DictReader(table)] == [
            ("taobao-000", "booked"),
            ("taobao-001", "booked"),
        ]
    books = merchant.sandbox.books()
    assert len(books["orders"]) == len(books["payments"]) == 3
    again = night(merchant)
    assert again.files == []
    assert merchant.sandbox.books() == books

    shutil.copy(
        merchant.folder / "data/inbox/done/monday.csv",
        merchant.folder / "data/inbox/copy of monday.csv",
    )
    (copied,) = night(merchant).files
    assert (copied.place, copied.spent_this_run_fen) == ("done", 0)
    assert (
        copied.note
        == "2 booked; nothing was bought by this run: no order of this file was still to be paid"
    )
    assert merchant.sandbox.books() == books


@pytest.mark.endurance
def test_what_is_held_stays_open_and_is_bought_once_it_can_be(
    merchant: Merchant,
) -> None:
    """A line over its price limit is tried again every night; mended in place, it is
    bought and the file is done.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 2})
    dear = {**rows[1], "max_unit_price": "0.01"}
    drop(merchant, "orders.csv", [rows[0], dear])
    (first,) = night(merchant).files
    assert (first.place, first.counts) == ("open", {"booked": 1, "held": 1})
    (second,) = night(merchant).files
    assert (second.place, second.spent_this_run_fen) == ("open", 0)
    write_csv(merchant.folder / "data/inbox/open/orders.csv", rows)
    (third,) = night(merchant).files
    assert (third.place, third.counts) == ("done", {"booked": 2})
    assert files(merchant) == [
        "done/orders.csv",
        "done/orders.csv.result.csv",
        "done/orders.csv.result.json",
    ]
    assert len(merchant.sandbox.books()["payments"]) == 2


@pytest.mark.endurance
def test_a_night_that_is_killed_while_it_pays_is_gone_on_with(
    merchant: Merchant,
) -> None:
    """The file stays in `working`, and the next night takes it up first: each order
    bought once, both files done.
    """
    rows = single_line_orders(merchant.sandbox, {"taobao": 2, "1688": 2})
    drop(merchant, "first.csv", rows)
    killed = start_night(merchant, SOURCING_CRASH_AT="kill@after-answer:pay")
    assert killed.wait(PATIENCE_S) == -signal.SIGKILL
    assert files(merchant) == ["working/first.csv"]
    paid = len(merchant.sandbox.books()["payments"])
    assert paid > 0
    drop(merchant, "second.csv", single_line_orders(merchant.sandbox, {"poizon": 1}))
    first, second = night(merchant).files
    assert (first.file, first.place, first.counts) == (
        "first.csv",
        "done",
        {"booked": 4},
    )
    assert (second.file, second.place, second.counts) == (
        "second.csv",
        "done",
        {"booked": 1},
    )
    books = merchant.sandbox.books()
    assert_books_are_exact(books, result(merchant, "done/first.csv"))
    assert [len(books[kind]) for kind in ("orders", "payments", "shipments")] == [
        5,
        5,
        5,
    ]


@pytest.mark.endurance
def test_a_corrected_file_stops_what_is_not_begun_until_a_person_decides(
    merchant: Merchant,
) -> None:
    """What is begun goes on as its file has it; what was dropped is asked about."""
    begun, dear = single_line_orders(merchant.sandbox, {"taobao": 2})
    drop(merchant, "first.csv", [begun, {**dear, "max_unit_price": "0.01"}])
    (first,) = night(merchant).files
    assert (first.place, first.counts) == ("open", {"booked": 1, "held": 1})
    drop(merchant, "corrected.csv", [{**begun, "quantity": 7}, {**dear, "quantity": 2}])
    for _ in range(2):
        first, corrected = night(merchant).files
        assert (first.place, first.counts) == ("open", {"booked": 1, "held": 1})
        assert corrected.place == "open"
        assert corrected.counts == {"refused": 1, "held": 1}
        (held,) = (
            order["reason_code"]
            for order in result(merchant, "open/first.csv")["orders"]
            if order["state"] == "held"
        )
        assert held == "contested"
    assert len(merchant.sandbox.books()["payments"]) == 1
    merchant.sourcing("drop", str(dear["order_ref"]))
    first, corrected = night(merchant).files
    assert (first.place, first.counts) == ("done", {"booked": 1, "cancelled": 1})
    assert (corrected.place, corrected.counts) == ("open", {"refused": 1, "held": 1})
    assert "run it without --yes" in str(result(merchant, "open/corrected.csv"))
    assert len(merchant.sandbox.books()["payments"]) == 1


@pytest.mark.endurance
def test_two_nights_at_once_share_the_files(merchant: Merchant) -> None:
    """A file belongs to one of them: none is bought twice, and both end well."""
    rows = single_line_orders(merchant.sandbox, {"taobao": 6})
    for number in range(3):
        drop(merchant, f"{number}.csv", rows[2 * number : 2 * number + 2])
    nights = [start_night(merchant) for _ in range(2)]
    assert [one.wait(PATIENCE_S) for one in nights] == [0, 0]
    assert [
        name
        for name in files(merchant)
        if name.endswith(".csv") and "result" not in name
    ] == [
        "done/0.csv",
        "done/1.csv",
        "done/2.csv",
    ]
    books = merchant.sandbox.books()
    assert [len(books[kind]) for kind in ("orders", "payments", "shipments")] == [
        6,
        6,
        6,
    ]
    for number in range(3):
        assert_books_are_exact(books, result(merchant, f"done/{number}.csv"))
