"""The ledger's own dangers, from the command line: an old backup, a damaged file, a
full disk.
"""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.connectors.ledger.test_trouble import fill, small_disk
from tests.running import (
    Merchant,
    assert_books_are_exact,
    single_line_orders,
    write_csv,
)


def requests(merchant: Merchant, each: int) -> Path:
    return write_csv(
        merchant.folder / "requests.csv",
        single_line_orders(merchant.sandbox, {"taobao": each, "1688": each}),
    )


@pytest.mark.endurance
def test_a_restored_backup_buys_nothing_twice(merchant: Merchant) -> None:
    """A backup of before the purchase: first nothing is bought, then what the service
    has is taken on.
    """
    file = requests(merchant, 2)
    assert merchant.report("run", file, "--dry-run")["counts"] == {"planned": 4}
    saved = merchant.folder / "backup.db"
    assert merchant.sourcing("ledger", "backup", saved).exit_code == 0
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 4}
    books = merchant.sandbox.books()

    restored = merchant.sourcing("ledger", "restore", saved, "--yes")
    assert (restored.exit_code, "it buys nothing now" in restored.stderr) == (0, True)
    refused = merchant.sourcing("run", file, "--yes", "--json")
    assert refused.exit_code == 1
    assert "It has forgotten what was bought after that backup" in refused.stderr
    assert merchant.sandbox.books() == books

    confirmed = merchant.sourcing("confirm", "--yes")
    assert (
        confirmed.exit_code,
        "what was sent before may be missing from a list until then"
        in confirmed.stderr,
    ) == (
        0,
        True,
    )
    early = merchant.sourcing("run", file, "--yes", "--json")
    assert (
        early.exit_code,
        "so it buys nothing before then. Nothing was sent; run again after"
        in early.stderr,
    ) == (
        1,
        True,
    )
    for reads in (["run", file, "--dry-run"], ["track"], ["reconcile"], ["status"]):
        assert merchant.sourcing(*reads).exit_code in (0, 3)
    assert merchant.sandbox.books() == books
    with (
        closing(sqlite3.connect(merchant.folder / "data" / "ledger.db")) as database,
        database,
    ):
        database.execute(
            "UPDATE marks SET ended_at = at WHERE name = 'restored'"
        )  # as if that time had passed
    repeated = merchant.report("run", file, "--yes")
    assert repeated["counts"] == {
        "booked": 2,
        "held": 2,
    }  # Taobao knows its orders by their reference
    assert merchant.sandbox.books() == books
    by_reference = {order["reference"]: order for order in books["orders"]}
    for order in repeated["orders"]:
        if order["state"] == "held":
            theirs = by_reference[order["order_ref"]]
            answer = [
                "ordered",
                theirs["order_id"],
                "--up-to",
                str(theirs["amount_fen"] / 100),
            ]
            resolved = merchant.sourcing("resolve", order["order_ref"], *answer)
            assert resolved.exit_code == 0, resolved.stderr
    report = merchant.report("run", file, "--yes")
    assert report["counts"] == {"booked": 4}
    assert merchant.sandbox.books() == books
    assert_books_are_exact(books, report)
    verdict = merchant.sourcing("ledger", "verify", "--json")
    assert (verdict.exit_code, json.loads(verdict.stdout)["faults"]) == (0, [])
    assert "ordered" in merchant.sourcing("status", "1688-000").stdout


@pytest.mark.endurance
def test_a_lost_ledger_buys_nothing(merchant: Merchant) -> None:
    """A new one would have forgotten the budget: no run begins, until a backup is back
    or the traces are moved away.
    """
    file = requests(merchant, 1)
    data = merchant.folder / "data"
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 2}
    saved = merchant.folder / "backup.db"
    assert merchant.sourcing("ledger", "backup", saved).exit_code == 0
    books = merchant.sandbox.books()
    for lost in data.glob("ledger.db*"):
        lost.unlink()
    for text in ("run --yes", "run --dry-run"):
        done = merchant.sourcing(*text.split(), file)
        assert done.exit_code == 1
        assert "ledger.db knows no order, but the tables in " in done.stderr
    assert merchant.sandbox.books() == books
    assert merchant.sourcing("ledger", "restore", saved, "--yes").exit_code == 0
    assert merchant.sourcing("confirm", "--yes").exit_code == 0
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 2}
    assert merchant.sandbox.books() == books


def test_a_damaged_ledger_buys_nothing(merchant: Merchant) -> None:
    """Exit 1, place and remedy, and not one order at the service."""
    file = requests(merchant, 1)
    ledger = merchant.folder / "data" / "ledger.db"
    ledger.parent.mkdir()
    ledger.write_bytes(b"this is no database, by far" * 1000)
    done = merchant.sourcing("run", file, "--yes", "--json")
    assert done.exit_code == 1
    assert f"{ledger} can't be used (file is not a database)" in done.stderr
    assert "sourcing ledger restore FILE" in done.stderr
    assert merchant.sandbox.books()["orders"] == []
    assert merchant.sourcing("ledger", "verify").exit_code == 1
    assert (
        merchant.sourcing("ledger", "backup", merchant.folder / "backup.db").exit_code
        == 1
    )


@pytest.mark.endurance
def test_a_disk_that_fills_up_in_the_middle_doubles_nothing(merchant: Merchant) -> None:
    """The run stops with the remedy; with room again the next one reads what became of
    what was, and goes on.
    """
    file = requests(merchant, 6)
    with small_disk(merchant.folder / "disk", 4096) as disk:
        settings = {
            "SOURCING_DATA_DIR": str(disk / "data"),
            "SOURCING_SNAPSHOTS": str(merchant.folder / "snapshots"),
        }
        assert merchant.report("run", file, "--dry-run", **settings)["counts"] == {
            "planned": 12
        }
        spare = disk / "spare"
        stopped = 0
        for kilobytes in (100, 300):
            spare.write_bytes(b"x" * 1024 * kilobytes)
            fill(disk)
            spare.unlink()
            done = merchant.sourcing(
                "run", file, "--yes", "--json", "--chunk-size", "3", **settings
            )
            stopped += done.exit_code == 1
            (disk / "filler").unlink()
        assert stopped
        report = merchant.report(
            "run", file, "--yes", "--chunk-size", "3", SOURCING_SETTLE_S="0", **settings
        )
        unknown = [order for order in report["orders"] if order["state"] != "booked"]
        assert all(order["state"] == "unknown" for order in unknown), unknown
        assert_books_are_exact(merchant.sandbox.books(), report)
        assert merchant.sourcing("ledger", "verify", **settings).exit_code == 0
