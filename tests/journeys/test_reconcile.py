"""Reconciling a batch with the sandbox's books, after somebody changed one side."""

from __future__ import annotations

import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.running import Merchant, single_line_orders, write_csv

ORDERED_BY_HAND = "/open/purchase/create/v2"


@pytest.fixture
def bought(merchant: Merchant) -> Merchant:
    """A merchant with two booked orders of each marketplace."""
    counts = {"taobao": 2, "1688": 2, "big_major": 1, "international": 1, "poizon": 1}
    file = write_csv(merchant.folder / "requests.csv", single_line_orders(merchant.sandbox, counts))
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 7}
    return merchant


def change_ledger(merchant: Merchant, statement: str, values: Sequence[object]) -> None:
    with sqlite3.connect(merchant.folder / "data" / "ledger.db") as ledger:
        assert ledger.execute(statement, values).rowcount == 1


def test_a_clean_batch_agrees(bought: Merchant) -> None:
    done = bought.sourcing("reconcile")
    print(done.stdout)
    assert done.exit_code == 0, (done.stdout, done.exception)
