"""A snapshot that would not tell the ledger's money is not written; the ledger that
moves meanwhile is no alarm.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from threading import Event, Thread
from typing import Any

import pytest

import tasks.snapshot
from connectors.ledger.overview import money_of
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.store import Ledger
from connectors.snapshots.manifests import SnapshotSumsDiffer, list_snapshots
from connectors.snapshots.reader import sql
from connectors.snapshots.rejecting import rejected_in
from domain.report import RejectedRow
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.snapshot import LedgerSums, order_tables, snapshot_moved, snapshot_orders
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


async def test_a_wrong_sum_stops_the_commit_and_after_the_mend_the_same_run_goes_through(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = resources.settings.snapshot_root
    await written(resources)
    pay(resources, "A-1", 12300)
    pay(resources, "A-2", 200)

    def forgetful(ledger: Ledger, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
        for tables in orders_alone(ledger, refs):
            yield {**tables, "payments": tables["payments"][1:]}

    with monkeypatch.context() as planted:
        planted.setattr("tasks.snapshot._batch_tables", forgetful)
        with pytest.raises(SnapshotSumsDiffer) as stopped:
            await written(resources)
    assert (
        f"a snapshot for {root} adds up to other sums than the ledger sqlite:"
        in str(stopped.value)
    )
    assert (
        "was not written (payments: 2.00 CNY, not 125.00 CNY). Nothing is lost"
        in str(stopped.value)
    )
    assert sql(root, PAID).rows == ((0, 2),)
    assert len(list_snapshots(root)) == 1
    assert await written(resources) == "batch"
    assert sql(root, PAID).rows == ((12500, 2),)


async def test_an_order_that_gets_lost_is_missed(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(resources, "A-2", 200)

    def losing(ledger: Ledger, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
        yield order_tables(list(ledger.each_order(refs[:1])))

    monkeypatch.setattr("tasks.snapshot._batch_tables", losing)
    with pytest.raises(
        SnapshotSumsDiffer,
        match=r"orders: nothing, not 2\.00 CNY; payments: nothing, not 2\.00 CNY",
    ):
        await written(resources)


async def test_the_money_of_rejected_rows_counts(resources: Resources) -> None:
    """One bad row is told; it does not end the snapshots of every night."""
    put_rows(resources.ledger, [plan("A-3", marketplace="taobao")])
    pay(resources, "A-1", 500)
    resources.ledger.change(
        [OrderChange(order_ref="A-1", writes=Columns({"order_id": None}))]
    )
    pay(resources, "A-2", 300)
    resources.ledger.change(
        [
            OrderChange(
                order_ref="A-2",
                writes=Columns({"freight_minor": -1, "freight_currency": "USD"}),
            )
        ]
    )
    await written(resources)
    told = rejected_in(resources.settings.snapshot_root, "batch")
    assert told.rows == [
        RejectedRow(
            table="payments",
            key="A-1,",
            rule="value",
            message="order_id: there must be a value",
        ),
        RejectedRow(
            table="orders",
            key="A-2",
            rule="amount",
            message="freight_minor is -1, and no amount is below zero",
        ),
    ]


async def test_a_payment_between_the_rows_and_the_sum_is_no_alarm(
    resources: Resources, next_run: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The rows are read, then another run pays, then the sum is read: it is written,
    and at once written anew.
    """
    tell, paid = tasks.snapshot._batch_tables, Event()

    def overtaken(ledger: Ledger, refs: Sequence[str]) -> Iterator[dict[str, Any]]:
        yield from tell(ledger, refs)
        if not paid.is_set():
            pay(next_run, "A-1", 700)
            paid.set()

    monkeypatch.setattr("tasks.snapshot._batch_tables", overtaken)
    await written(resources)
    assert sql(resources.settings.snapshot_root, PAID).rows == ((700, 2),)


async def test_payments_all_the_while_are_no_alarm(
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


async def test_sums_of_several_currencies_are_told_apart(resources: Resources) -> None:
    put_rows(resources.ledger, [plan("A-3", currency="USD")])
    pay(resources, "A-1", 100)
    pay(resources, "A-3", 50)
    assert money_of(resources.ledger, ["A-1", "A-2", "A-3"])["orders"] == {
        "CNY": 100,
        "USD": 50,
    }
    sums = LedgerSums(resources, ["A-1", "A-3"], ("orders",))
    sums({"orders": {"CNY": 100, "USD": 50}})
    with pytest.raises(
        SnapshotSumsDiffer, match=r"orders: 1\.50 CNY, not 1\.00 CNY and 0\.50 USD"
    ):
        sums({"orders": {"CNY": 150}})


async def test_partial_snapshots_tell_the_ledgers_money_too(
    resources: Resources, monkeypatch: pytest.MonkeyPatch
) -> None:
    pay(resources, "A-1", 100)
    monkeypatch.setattr("tasks.snapshot.order_tables", lambda *_: {"orders": []})
    with pytest.raises(SnapshotSumsDiffer, match=r"orders: nothing, not 1\.00 CNY\)"):
        await snapshot_moved(resources)
    assert list_snapshots(resources.settings.snapshot_root) == ()
