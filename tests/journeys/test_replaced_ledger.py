"""The ledger goes away in the middle of a run that spends money, or what the run needs
is not there to begin with.
"""

from __future__ import annotations

import re
import shutil
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.running import PATIENCE_S, Merchant, single_line_orders, write_csv

ORDERS = 12


def deleted(data: Path) -> None:
    (data / "ledger.db").unlink()


def folder_deleted(data: Path) -> None:
    shutil.rmtree(data)


@pytest.mark.endurance
@pytest.mark.parametrize("happens", [deleted, folder_deleted])
def test_a_run_stops_and_says_what_it_did(
    merchant: Merchant, happens: Callable[[Path], None]
) -> None:
    """By the books: each order that it names as ordered and paid is so, and there is no
    other.
    """
    file = write_csv(
        merchant.folder / "requests.csv",
        single_line_orders(merchant.sandbox, {"taobao": ORDERS}),
    )
    merchant.sandbox.faults(
        {"path": "*", "kind": "latency", "probability": 1, "delay_s": 0.2}
    )
    data = merchant.folder / "data"
    run = merchant.start(
        "run", file, "--yes", "--json", "--chunk-size", "3", "--concurrency", "2"
    )
    while not merchant.sandbox.books()["payments"] and run.poll() is None:
        time.sleep(0.02)
    happens(data)
    _, err = run.communicate(timeout=PATIENCE_S)
    assert run.returncode == 1, err
    assert (
        "was deleted or moved away while this run was using it. Nothing more is sent. This run had sent:"
        in err
    )
    assert "sourcing ledger restore" in err
    assert "Traceback" not in err
    books = merchant.sandbox.books()
    assert 0 < len(books["orders"]) < ORDERS
    record = dict(re.findall(r"  (\S+): (ordered as \d+.*)", err))
    assert {order["reference"] for order in books["orders"]} == set(record)
    for order in books["orders"]:
        text = record[order["reference"]]
        assert f"ordered as {order['order_id']}" in text
        assert ("paid " in text) == (order["paid_times"] == 1)
    assert not (data / "ledger.db").exists()
    for rescued in re.findall(r"kept in (\S+?\.db)\.", err):
        assert Path(rescued).exists()
        Path(rescued).unlink()


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        (
            {"PREFECT_API_URL": "http://127.0.0.1:9/api"},
            "no Prefect server can be reached at PREFECT_API_URL=",
        ),
        (
            {"SOURCING_LEDGER_URL": "postgresql://me:s3cr@et@127.0.0.1/x"},
            r"an @ in the password is %40",
        ),
        (
            {"SOURCING_LEDGER_URL": "sqlite://"},
            "would be kept in memory and forget everything",
        ),
        (
            {"SOURCING_LEDGER_URL": "sqlite:////"},
            "is a folder: give the name of a file in it",
        ),
        (
            {"SOURCING_SNAPSHOTS": "/dev/null/snapshots"},
            "no snapshot can be written to /dev/null/snapshots",
        ),
        (
            {"SOURCING_DATA_DIR": "/dev/null"},
            r"/dev/null/requests can't be used \(Not a directory\): ",
        ),
    ],
)
def test_what_can_not_be_used_is_named_before_anything_is_bought(
    merchant: Merchant, settings: dict[str, str], words: str
) -> None:
    """One sentence with the cause and the remedy, exit 1; a password is not shown, also
    not a part of it.
    """
    file = write_csv(
        merchant.folder / "requests.csv",
        single_line_orders(merchant.sandbox, {"taobao": 1}),
    )
    done = merchant.sourcing("run", file, "--yes", **settings)
    assert done.exit_code == 1
    assert re.search(words, done.stderr)
    assert len(done.stderr.strip().splitlines()) == 1
    assert "s3cr" not in done.stderr
    assert "et@" not in done.stderr
    assert merchant.sandbox.books()["orders"] == []
