"""Resources of a run with a fake service behind an effect."""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.ledger.group_commit import GroupCommit
from connectors.ledger.plans import put_rows
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.xportcn.breaker import CircuitBreaker
from connectors.xportcn.settings import XportcnSettings
from tasks.effects import protocol
from tasks.engine.resources import Resources, as_current
from tests.clock import MovableClock
from tests.connectors.ledger.plans import plan


@pytest.fixture(autouse=True)
def no_long_pause(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pauses between two questions to the service: time here is the movable clock's."""
    sleep = asyncio.sleep
    monkeypatch.setattr(asyncio, "sleep", lambda seconds: sleep(min(seconds, 0.01)))
    monkeypatch.setattr(protocol, "FIRST_PAUSE_S", 0.01)


@pytest.fixture
def resources(tmp_path: Path, clock: MovableClock) -> Iterator[Resources]:
    """A run on a new ledger with the planned orders A-1 and A-2, whose tasks are
    called.
    """
    with SendLog(tmp_path / "sends") as log:
        for resources in _resources(tmp_path, clock, log):
            with as_current(resources):
                yield resources


@pytest.fixture
def next_run(
    tmp_path: Path, clock: MovableClock, resources: Resources
) -> Iterator[Resources]:
    """Another run on the same ledger."""
    with SendLog(tmp_path / "sends") as log:
        yield from _resources(tmp_path, clock, log)


def _resources(
    tmp_path: Path, clock: MovableClock, log: SendLog
) -> Iterator[Resources]:
    with Ledger(
        f"sqlite:///{tmp_path / 'ledger.db'}", clock=clock, owner=log.owner
    ) as ledger:
        ledger.start_batch("batch", "file.csv")
        put_rows(ledger, [plan("A-1"), plan("A-2")])
        ledger.unwritten.end(ledger.unwritten.read().ids)
        yield resources_on(ledger, tmp_path, clock)


def resources_on(ledger: Ledger, folder: Path, clock: MovableClock) -> Resources:
    """A run on a ledger, with no marketplace yet."""
    return Resources(
        settings=SourcingSettings(data_dir=folder, lease_s=60, settle_s=900),
        client=cast(
            Any,
            SimpleNamespace(
                breaker=CircuitBreaker(at_once=4),
                settings=XportcnSettings(pay_is="debit"),
            ),
        ),
        ledger=ledger,
        group_commit=GroupCommit(ledger),
        send_logs=folder / "sends",
        clock=clock,
        offerings={},
        concurrency=4,
    )
