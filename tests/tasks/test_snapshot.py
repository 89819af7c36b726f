"""Snapshots of a batch that two runs work on at once."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pytest

from connectors.ledger.plans import put_rows
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import to_json
from connectors.ledger.store import Ledger
from connectors.snapshots.reader import sql
from connectors.snapshots.tables.offers import offer_rows
from connectors.snapshots.writer import write_snapshot
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Offer, Sku
from domain.service_orders import TraceStatus, TrackingEvent
from domain.states import OrderState
from tasks.engine.resources import Resources
from tasks.snapshot import (
    Slices,
    order_tables,
    rows_of,
    snapshot_moved,
    snapshot_orders,
    snapshot_plan,
)
from tests.clock import MovableClock
from tests.connectors.ledger.plans import Columns, plan
from tests.connectors.ledger.test_forgetting import request as a_request


async def test_an_older_snapshot_does_not_stay(
    resources: Resources, clock: MovableClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Another run orders while this one reads and writes, stopped for long: it writes
    again, what is so now.
    """
    written: list[tuple[float, list[str]]] = []
    begun = clock()

    async def write(
        _resources: Resources,
        snapshot_id: str,
        tables: Any,
        *,
        as_of: datetime,
        **_options: Any,
    ) -> str:
        states = [row["state"] for part in tables for row in part["orders"]]
        written.append(((as_of - begun).total_seconds(), states))
        if len(written) == 1:
            clock.advance(1000)
            resources.ledger.change(
                [OrderChange(order_ref="A-1", state=OrderState.ORDERED)]
            )
            put_rows(resources.ledger, [plan("A-3")])
        return snapshot_id

    monkeypatch.setattr("tasks.snapshot.write", write)
    monkeypatch.setattr("tasks.snapshot._batch_tables", orders_alone)
    assert await snapshot_orders(resources, "batch", begun, ["A-1", "A-2"]) == "batch"
    assert written == [
        (0, ["planned", "planned"]),
        (1000, ["ordered", "planned", "planned"]),
    ]


def orders_alone(ledger: Ledger, order_refs: Sequence[str]) -> Iterator[dict[str, Any]]:
    yield {
        "orders": [{"state": order.state} for order in ledger.each_order(order_refs)]
    }


async def test_a_run_that_was_stopped_while_writing_hides_nothing_newer(
    resources: Resources,
    next_run: Resources,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """It read the order as planned; by the time it writes that, another run has ordered
    and written it.
    """
    root = resources.settings.snapshot_root

    def stopped_before(
        root: Path, snapshot_id: str, day: date, tables: Any, **options: Any
    ) -> None:
        parts = [*tables]
        clock.advance(30)
        next_run.ledger.change([OrderChange(order_ref="A-1", state=OrderState.ORDERED)])
        rows = [order_row(next_run, "A-1")]
        write_snapshot(
            root,
            "newer",
            clock().date(),
            {"orders": rows},
            batch_id=None,
            written_at=clock(),
        )
        clock.advance(30)
        write_snapshot(
            root,
            snapshot_id,
            day,
            Slices(lambda: iter(parts)),
            **options,
        )

    monkeypatch.setattr("tasks.snapshot.write_snapshot", stopped_before)
    await snapshot_moved(resources, refs=["A-1"])
    assert sql(root, "select state from orders").rows == (("ordered",),)
    assert sql(root, "select state from orders_history order by snapshot_at").rows == (
        ("planned",),
        ("ordered",),
    )


def order_row(run: Resources, order_ref: str) -> dict[str, Any]:
    return order_tables([run.ledger.orders([order_ref])[order_ref]])["orders"][0]


async def test_a_payment_is_written_once_by_the_run_that_found_it(
    resources: Resources, clock: MovableClock
) -> None:
    """Orders are told whenever something moved; a later run that finds nothing new
    writes the payment no more.
    """
    resources.ledger.change([OrderChange(order_ref="A-1", state=OrderState.ORDERED)])
    before = resources.ledger.orders(["A-1"])
    paid = Columns({"paid_minor": 100, "order_id": "71"})
    resources.ledger.change(
        [OrderChange(order_ref="A-1", state=OrderState.PAID, writes=paid)]
    )
    await snapshot_moved(resources, before=before)
    clock.advance(1)
    assert await snapshot_moved(resources) is None
    await snapshot_moved(resources, refs=["A-1"])
    root = resources.settings.snapshot_root
    assert sql(root, "select amount_minor, batch_id from payments_history").rows == (
        (100, "batch"),
    )
    assert sql(root, "select order_ref, state from orders_history").rows[-2:] == (
        ("A-1", "paid"),
        ("A-1", "paid"),
    )


async def test_what_is_new_of_orders_is_written_without_what_they_had_before(
    resources: Resources, next_run: Resources, clock: MovableClock
) -> None:
    """A-1 had a scan alone, A-2 was paid by this run, and A-3 by another, which writes
    that itself.
    """
    put_rows(resources.ledger, [plan("A-3")])
    ledger, root, refs = (
        resources.ledger,
        resources.settings.snapshot_root,
        ["A-1", "A-2", "A-3"],
    )
    ledger.change(
        [OrderChange(order_ref=ref, state=OrderState.ORDERED) for ref in refs]
    )
    await snapshot_moved(resources)
    before = {ref: rows_of(order) for ref, order in ledger.orders(refs).items()}
    clock.advance(1)
    for run, ref in ((resources, "A-2"), (next_run, "A-3")):
        paid = Columns({"paid_minor": 100, "order_id": ref})
        run.ledger.change(
            [OrderChange(order_ref=ref, state=OrderState.PAID, writes=paid)]
        )
    scan = TrackingEvent(
        tracking_number="T1",
        occurred_at=clock(),
        status=TraceStatus.ACCEPT,
        description="sent",
    )
    ledger.tracking.add({"A-1": [scan]})
    await snapshot_moved(resources, before=before)
    told = "select order_ref, state from orders"
    assert sql(root, told).rows == (
        ("A-1", "ordered"),
        ("A-2", "paid"),
        ("A-3", "ordered"),
    )
    assert sql(root, "select order_ref, description from tracking_events").rows == (
        ("A-1", "sent"),
    )
    assert sql(root, "select order_ref, amount_minor from payments").rows == (
        ("A-2", 100),
    )
    clock.advance(1)
    await snapshot_moved(next_run)
    assert sql(root, told).rows[-1] == ("A-3", "paid")
    assert sql(root, "select order_ref, amount_minor from payments").rows == (
        ("A-2", 100),
        ("A-3", 100),
    )
    clock.advance(1)
    paid_before = ledger.orders(refs)
    ledger.change([OrderChange(order_ref="A-2", state=OrderState.BOOKED)])
    await snapshot_moved(resources, before=paid_before)
    assert len(sql(root, "select * from payments_history").rows) == 2


async def test_a_snapshot_of_nothing_has_its_tables(resources: Resources) -> None:
    """A plan without an order to buy, a batch whose orders are another's by now: their
    folders can be read.
    """
    root = resources.settings.snapshot_root
    await snapshot_plan(resources, "night", [])
    await snapshot_orders(resources, "empty", resources.clock())
    assert [
        len([*(root / name).rglob("*.parquet")]) for name in ("quotes", "orders")
    ] == [1, 1]


async def test_lines_taken_out_of_an_order_leave_with_the_batch_that_had_them(
    resources: Resources,
) -> None:
    """It was refused in one file, and is planned with one line less by another."""
    one = {
        "item_id": "7",
        "sku_id": "1",
        "title": "cup",
        "image_url": "",
        "quantity": 1,
    }
    lines = [
        {**one, "line_no": no, "unit_price": {"minor": 100, "currency": "CNY"}}
        for no in (1, 2)
    ]
    request = a_request("A-9")
    for batch in ("first", "second"):
        resources.ledger.start_batch(batch, "file.csv")
    found = "select order_ref, line_no, batch_id from order_lines order by 1, 2"
    put_rows(
        resources.ledger, [plan("A-9", batch_id="first", request=request, lines=lines)]
    )
    put_rows(
        resources.ledger,
        [plan("A-8", batch_id="first", request=a_request("A-8"), lines=lines[:1])],
    )
    await snapshot_orders(resources, "first", resources.clock())
    assert sql(resources.settings.snapshot_root, found).rows == (
        ("A-8", 1, "first"),
        ("A-9", 1, "first"),
        ("A-9", 2, "first"),
    )
    put_rows(
        resources.ledger,
        [plan("A-9", batch_id="second", request=request, lines=lines[:1])],
    )
    await snapshot_orders(resources, "second", resources.clock())
    assert sql(resources.settings.snapshot_root, found).rows == (
        ("A-8", 1, "first"),
        ("A-9", 1, "second"),
    )


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


async def test_an_offer_of_a_plan_that_is_written_again_hides_no_newer_one(
    resources: Resources, clock: MovableClock
) -> None:
    """A batch may wait for its approval for hours, and is written again long after; a
    crawl read the item since.
    """
    seen = to_json(replace(CUP, seen_at=clock()))
    resources.ledger.start_batch("first", "file.csv")
    put_rows(
        resources.ledger,
        [plan("A-9", batch_id="first", request=a_request("A-9"), offers=[seen])],
    )
    root = resources.settings.snapshot_root
    for minor in (400, 500, 500):
        await snapshot_orders(resources, "first", clock())
        assert sql(
            root, "select price_minor, seen_at = snapshot_at from offers"
        ).rows == ((minor, True),)
        if minor == 400:
            clock.advance(3600)
            crawled = offer_rows(replace(DEARER_CUP, seen_at=clock()))
            write_snapshot(
                root,
                "catalog",
                clock().date(),
                {"offers": crawled},
                batch_id=None,
                written_at=clock(),
            )
            clock.advance(3600)
