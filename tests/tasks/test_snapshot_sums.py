"""Payments while a snapshot is written are in the snapshot that is written again."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event, Thread
from typing import Any

import pytest

import tasks.snapshot
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from connectors.snapshots.reader import sql
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.snapshot import order_tables, snapshot_orders
from tests.connectors.ledger.plans import Columns, plan

PAID = "select coalesce(sum(paid_minor), 0)::bigint, count(*) from orders"


def pay(
    resources: Resources, order_ref: str, minor: int, order_id: str | None = None
) -> None:
    for state in (OrderState.ORDERED, OrderState.PAID):
        writes = (
            Columns({"paid_minor": minor, "order_id": order_id or order_ref})
            if state is OrderState.PAID
            else Columns({})
        )
        resources.ledger.change(
            [OrderChange(order_ref=order_ref, state=state, writes=writes)]
        )


@pytest.fixture(autouse=True)
def told_of_orders_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    """These ledgers' plans have no requests."""
    monkeypatch.setattr("tasks.snapshot._batch_tables", orders_alone)


def orders_alone(ledger: Ledger, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield order_tables(list(ledger.each_order(refs)))


async def written(resources: Resources) -> str:
    return await snapshot_orders(resources, "batch", resources.clock())


async def test_a_payment_after_the_rows_were_read_is_written_at_once(
    resources: Resources, next_run: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    tell, paid = tasks.snapshot._batch_tables, Event()

    def overtaken(ledger: Ledger, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
        yield from tell(ledger, refs)
        if not paid.is_set():
            pay(next_run, "A-1", 700)
            paid.set()

    monkeypatch.setattr("tasks.snapshot._batch_tables", overtaken)
    await written(resources)
    assert sql(resources.settings.snapshot_root, PAID).rows == ((700, 2),)


async def test_payments_all_the_while_end_in_the_tables(
    resources: Resources, next_run: Resources
) -> None:
    """A real second run pays order after order while this one writes its snapshot again
    and again.
    """
    refs = [f"B-{number}" for number in range(60)]
    put_rows(resources.ledger, [plan(ref) for ref in refs])
    begun = Event()

    def paying() -> None:
        for ref in refs:
            pay(next_run, ref, 10)
            begun.set()

    other = Thread(target=paying)
    other.start()
    begun.wait()
    while other.is_alive():
        await written(resources)
    other.join()
    await written(resources)
    assert sql(resources.settings.snapshot_root, PAID).rows == ((600, 62),)
