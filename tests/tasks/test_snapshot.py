"""The tables follow the ledger, whatever stops their writer."""

from __future__ import annotations

# ruff: noqa: ASYNC240
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from threading import Event, Thread
from typing import Any

import pytest

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.marks import RESTORED
from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import marks, to_json
from connectors.snapshots.files import SnapshotError
from connectors.snapshots.reader import sql
from connectors.snapshots.tables.offers import offer_rows
from connectors.snapshots.writer import write_history, write_orders
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku
from domain.service_orders import TraceStatus, TrackingEvent
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.snapshot import rebuild, snapshot_plan, write_tables
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan
from tests.connectors.ledger.test_forgetting import request as a_request

AT = datetime(2026, 1, 2, tzinfo=UTC)
STATES = "select order_ref, state from orders where order_ref > 'B' order by 1"
PAID = "select sum(paid_minor)::bigint, count(*) from orders where order_ref > 'B'"


@pytest.fixture
def root(resources: Resources) -> Path:
    return resources.settings.snapshot_root


def planned(resources: Resources, *order_refs: str, **given: Any) -> None:
    rows = [plan(ref, request=a_request(ref), **given) for ref in order_refs]
    put_rows(resources.ledger, rows)


def becomes(resources: Resources, order_ref: str, state: OrderState) -> None:
    resources.ledger.change([OrderChange(order_ref=order_ref, state=state)])


def pay(resources: Resources, order_ref: str, minor: int) -> None:
    becomes(resources, order_ref, OrderState.ORDERED)
    writes = Columns({"paid_minor": minor, "order_id": order_ref})
    resources.ledger.change(
        [OrderChange(order_ref=order_ref, state=OrderState.PAID, writes=writes)]
    )


async def test_what_changed_is_written_and_nothing_else(
    resources: Resources, root: Path, clock: MovableClock
) -> None:
    """Without news no file is touched."""
    planned(resources, "B-1", "B-2")
    first = await write_tables(resources, "night")
    assert first == f"night-{clock():%Y%m%dT%H%M%S%f}"
    files = {path: path.stat() for path in root.rglob("*.parquet")}
    clock.advance(60)
    assert await write_tables(resources, "night") is None
    assert {path: path.stat() for path in root.rglob("*.parquet")} == files
    becomes(resources, "B-1", OrderState.ORDERED)
    scan = TrackingEvent(
        tracking_number="FAR1",
        occurred_at=AT,
        status=TraceStatus.SIGN,
        description="here",
    )
    resources.ledger.tracking.add({"B-2": [scan]})
    await write_tables(resources, "tracking")
    assert sql(root, STATES).rows == (("B-1", "ordered"), ("B-2", "planned"))
    assert sql(root, "select order_ref, status from tracking_events").rows == (
        ("B-2", "SIGN"),
    )
    history = STATES.replace("orders", "orders_history").replace(
        "by", "by snapshot_at,"
    )
    assert sql(root, history).rows == (
        ("B-1", "planned"),
        ("B-2", "planned"),
        ("B-1", "ordered"),
        ("B-2", "planned"),
    )
    assert sql(root, "select distinct batch_id from orders").rows == (("batch",),)


async def test_a_writer_that_fails_anywhere_leaves_its_orders_to_the_next(
    resources: Resources, root: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    planned(resources, "B-1")

    def after_the_files(*given: Any) -> None:
        write_orders(*given)
        raise SnapshotError("the disk is full")

    def before_them(*_: Any) -> None:
        raise SnapshotError("the disk is full")

    for fails in (before_them, after_the_files):
        with monkeypatch.context() as patch:
            patch.setattr("tasks.snapshot.write_orders", fails)
            with pytest.raises(SnapshotError):
                await write_tables(resources, "night")
        becomes(resources, "B-1", OrderState.ORDERED)
    assert await write_tables(resources, "sweep")
    assert sql(root, STATES).rows == (("B-1", "ordered"),)
    assert await write_tables(resources, "sweep") is None


async def test_payments_all_the_while_end_in_the_tables(
    resources: Resources, next_run: Resources, root: Path
) -> None:
    """A real second run pays order after order while this one writes again and
    again.
    """
    refs = [f"B-{number}" for number in range(60)]
    planned(resources, *refs)
    event = Event()

    def paying() -> None:
        for ref in refs:
            pay(next_run, ref, 10)
            event.set()

    thread = Thread(target=paying)
    thread.start()
    event.wait()
    while thread.is_alive():
        await write_tables(resources, "night")
    thread.join()
    await write_tables(resources, "night")
    assert sql(root, PAID).rows == ((600, 60),)


@pytest.mark.parametrize("how", ["lost", "damaged"])
async def test_a_file_that_is_lost_or_damaged_is_made_anew_from_the_ledger(
    resources: Resources, root: Path, how: str
) -> None:
    """All orders of its day are."""
    planned(resources, "B-1", "B-2")
    pay(resources, "B-1", 10)
    await write_tables(resources, "night")
    (file,) = root.glob("orders/*/part.parquet")
    file.unlink() if how == "lost" else file.write_bytes(file.read_bytes()[:-9])
    becomes(resources, "B-2", OrderState.ORDERED)
    await write_tables(resources, "next")
    assert sql(root, STATES).rows == (("B-1", "paid"), ("B-2", "ordered"))
    assert sql(root, "select order_ref from payments").rows == (("B-1",),)


async def test_the_tables_are_rebuilt_from_the_ledger_alone(
    resources: Resources, root: Path
) -> None:
    planned(resources, "B-1")
    pay(resources, "B-1", 10)
    await write_tables(resources, "night")
    (file,) = root.glob("orders/*/part.parquet")
    file.write_bytes(b"nothing")
    assert rebuild(resources.ledger, resources.settings)
    assert sql(root, STATES).rows == (("B-1", "paid"),)


async def test_a_restored_ledger_writes_nothing_over_what_knows_more(
    resources: Resources, root: Path
) -> None:
    planned(resources, "B-1")
    pay(resources, "B-1", 700)
    await write_tables(resources, "night")
    with resources.ledger.transaction() as connection:
        row = {"name": RESTORED, "at": AT, "by": "ann", "words": "was put back"}
        connection.execute(marks.insert().values(**row))
    with pytest.raises(
        LedgerUnusable,
        match=r"was put back\. It has forgotten what was bought after that backup",
    ):
        rebuild(resources.ledger, resources.settings)
    assert sql(root, PAID).rows == ((700, 1),)


async def test_a_dry_run_is_in_the_history_alone(
    resources: Resources, root: Path
) -> None:
    planned(resources, "B-1")
    (order,) = resources.ledger.each_order(["B-1"])
    assert await snapshot_plan(resources, "night", [order.plan])
    message = "select order_ref, batch_id from requests_history"
    assert sql(root, message).rows == (("B-1", "night"),)
    assert sql(root, "select count(*) from requests").rows == ((0,),)
    assert sql(root, "select count(*) from orders_history").rows == ((0,),)


async def test_lines_that_are_taken_out_of_an_order_leave_the_tables(
    resources: Resources, root: Path
) -> None:
    """It was refused in one file, and is planned with one line less by another."""
    row = {
        "item_id": "7",
        "sku_id": "1",
        "title": "cup",
        "image_url": "",
        "quantity": 1,
    }
    lines = [
        {**row, "line_no": no, "unit_price": {"minor": 100, "currency": "CNY"}}
        for no in (1, 2)
    ]
    for batch in ("first", "second"):
        resources.ledger.start_batch(batch, "file.csv")
    finding = "select order_ref, line_no, batch_id from order_lines order by 1, 2"
    planned(resources, "A-9", batch_id="first", lines=lines)
    planned(resources, "A-8", batch_id="first", lines=lines[:1])
    await write_tables(resources, "first")
    assert sql(root, finding).rows == (
        ("A-8", 1, "first"),
        ("A-9", 1, "first"),
        ("A-9", 2, "first"),
    )
    planned(resources, "A-9", batch_id="second", lines=lines[:1])
    await write_tables(resources, "second")
    assert sql(root, finding).rows == (("A-8", 1, "first"), ("A-9", 1, "second"))


CUP = Offer(
    marketplace=Marketplace.ALIBABA_1688,
    item_id="610000000001",
    title="cup",
    image_url="",
    seller_id="s",
    seller_name="Shop",
    min_quantity=2,
    active=True,
    skus=(Sku(sku_id="1", name="", price=Money(400), stock=9),),
)
DEARER_CUP = replace(CUP, skus=(replace(CUP.skus[0], price=Money(500)),))


async def test_an_offer_of_a_plan_that_is_written_late_hides_no_newer_one(
    resources: Resources, root: Path, clock: MovableClock
) -> None:
    """A run was killed before it wrote; a crawl read the item since."""
    planned(resources, "A-9", offers=[to_json(replace(CUP, seen_at=clock()))])
    clock.advance(3600)
    crawled = offer_rows(replace(DEARER_CUP, seen_at=clock()))
    write_history(root, "catalog", [{"offers": crawled}], clock(), None)
    clock.advance(3600)
    await write_tables(resources, "sweep")
    message = "select price_minor, seen_at = snapshot_at from offers"
    assert sql(root, message).rows == ((500, True),)
    becomes(resources, "A-9", OrderState.ORDERED)
    await write_tables(resources, "tracking")
    assert sql(root, "select count(*) from offers_history").rows == ((2,),)
