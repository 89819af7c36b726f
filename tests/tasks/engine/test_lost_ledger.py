"""A new ledger beside the traces of an older one: no run begins with it, unless
somebody says that it is meant.
"""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connectors.ledger.backup import backup, restore
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import put_rows
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from tasks.engine.lost_ledger import require_not_lost
from tasks.engine.resources import open_resources
from tests.connectors.ledger.plans import plan
from tests.connectors.ledger.test_send_log import claim
from tests.connectors.snapshots.sample import AT, order, payment, write

NOW = datetime(2026, 1, 1, 12, tzinfo=UTC)
URL = "http://127.0.0.1:9"


def begin(data: Path) -> None:
    """Begin a run as far as it looks whether its ledger was lost."""

    async def run() -> None:
        async with open_resources(
            SourcingSettings(data_dir=data), XportcnSettings(base_url=URL)
        ) as resources:
            require_not_lost(resources)

    asyncio.run(run())


def opened(data: Path) -> Ledger:
    return Ledger(f"sqlite:///{data / 'ledger.db'}", clock=lambda: NOW, owner="test")


@pytest.mark.parametrize("how", ["missing", "empty"])
@pytest.mark.parametrize(
    "table",
    [
        {"orders": [order(order_id=None)], "payments": [payment()]},
        {"orders": [order("A-0", order_id=None), order()]},
    ],
    ids=["payments", "orders"],
)
def test_a_ledger_that_was_lost_stops_a_run(
    tmp_path: Path, how: str, table: dict[str, Any]
) -> None:
    """The snapshots know of orders, the ledger of none: budgets and day limits would
    count nothing.
    """
    if how == "empty":
        (tmp_path / "ledger.db").touch()
    write(tmp_path / "snapshots", **table)
    with pytest.raises(
        LedgerUnusable,
        match=r"the ledger \S*/ledger\.db knows no order, but the tables in \S*/snapshots tell of orders "
        r"that were bought: .* sourcing ledger restore FILE.* SOURCING_DATA_DIR, or move \S*/snapshots .* Nothing was",
    ):
        begin(tmp_path)


def test_traces_of_what_was_sent_stop_a_run(tmp_path: Path) -> None:
    """A run was killed before its first snapshot; other commands meanwhile don't sweep
    its log away.
    """
    with SendLog(tmp_path / "sends") as log:
        log.note(claim("A-1:pay"))
    for _ in range(2):
        with pytest.raises(
            LedgerUnusable,
            match=r"/sends tells of something that was sent: it was lost",
        ):
            begin(tmp_path)


def test_what_buys_nothing_leaves_no_trace(tmp_path: Path) -> None:
    """A dry run writes what it planned, `sourcing catalog` what it saw, a batch that
    was refused orders without ids.
    """
    write(tmp_path / "snapshots", "plan", requests=[], quotes=[], offers=[])
    write(
        tmp_path / "snapshots",
        "refused",
        orders=[order(order_id=None)],
        payments=[],
        at=AT + timedelta(hours=1),
    )
    begin(tmp_path)
    begin(tmp_path)


def test_a_ledger_with_orders_is_the_one(tmp_path: Path) -> None:
    """The ordinary case, in which no snapshot is read."""
    write(tmp_path / "snapshots", orders=[order()], payments=[payment()])
    with opened(tmp_path) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1")])
    begin(tmp_path)


def test_a_restored_ledger_is_meant(tmp_path: Path) -> None:
    """Also when its backup was made before the first order: its lock is that of every
    restored one.
    """
    opened(tmp_path).close()
    url = f"sqlite:///{tmp_path / 'ledger.db'}"
    restore(url, backup(url, tmp_path / "b.db", NOW), now=NOW, by="ann")
    write(tmp_path / "snapshots", orders=[order()], payments=[payment()])
    begin(tmp_path)


def test_moving_the_traces_away_begins_anew(tmp_path: Path) -> None:
    """The remedy of the message."""
    write(tmp_path / "snapshots", orders=[order()], payments=[payment()])
    (tmp_path / "snapshots").rename(tmp_path / "old-snapshots")
    begin(tmp_path)
