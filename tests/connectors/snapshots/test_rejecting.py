"""Rows that can't be right: told in `rejected_rows`, left out of their table, and no
reason to lose the others.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from connectors.snapshots.manifests import MANIFESTS, Manifest, verify_snapshot
from connectors.snapshots.reader import sql
from connectors.snapshots.rejecting import rejected_in
from connectors.snapshots.rows import to_arrow
from connectors.snapshots.tables import OFFERS
from connectors.snapshots.writer import write_snapshot
from domain.report import NONE_REJECTED
from tests.connectors.snapshots.sample import AT, DAY, order, payment, write

Rows = Sequence[Mapping[str, object]]


def line(
    order_ref: str = "A-1", line_no: int = 1, **changes: object
) -> dict[str, object]:
    return {
        "order_ref": order_ref,
        "line_no": line_no,
        "marketplace": "taobao",
        "item_id": "item",
        "quantity": 1,
        "unit_price_minor": 1990,
        "amount_minor": 1990,
        "currency": "CNY",
    } | changes


def request(line_no: int = 1, **changes: object) -> dict[str, object]:
    return {
        "order_ref": "A-1",
        "line_no": line_no,
        "file_row": 2,
        "marketplace": "taobao",
        "item": "item",
        "quantity": 1,
        "max_unit_price_minor": 0,
        "city": "Xenopolis",
        "note": "ring twice",
    } | changes


def event(order_ref: str = "A-1", **changes: object) -> dict[str, object]:
    scan = {
        "tracking_number": "FAR1",
        "sequence": 1,
        "occurred_at": AT,
        "status": "SIGN",
    }
    return {"order_ref": order_ref, **scan} | changes


def offer(sku_id: str = "1", **changes: object) -> dict[str, object]:
    ids = {"marketplace": "taobao", "item_id": "item", "sku_id": sku_id}
    return {
        **ids,
        "price_minor": 5,
        "currency": "CNY",
        "stock": 0,
        "min_quantity": 1,
        "active": True,
    } | changes


def rejected(root: Path) -> list[tuple[Any, ...]]:
    columns = "table_name, row_key, number, rule, message"
    return list(sql(root, f"select {columns} from rejected_rows order by all").rows)


STATES = (
    "planned, ordered, payment_pending, paid, booked, shipped, in_warehouse, in_transit, delivered, held, refused, "
    "unknown, cancelled, refunding, refunded"
)
STEPS = [
    {"start_quantity": 1, "price_minor": 5},
    {"start_quantity": 2, "price_minor": -4},
]


@pytest.mark.parametrize(
    ("table", "bad", "key", "rule", "message"),
    [
        ("orders", order("A-9", paid_minor=-1), "A-9", "amount", "paid_minor is -1, and no amount is below zero"),
        ("offers", offer("9", volume_prices=STEPS), "taobao,item,9", "amount", "volume_prices has a price below zero"),
        ("orders", order("A-9", freight_currency=None), "A-9", "currency",
         "freight_minor is 32292, and freight_currency is empty"),
        ("payments", payment("A-1", order_id="9", currency=""), "A-1,9", "currency",
         "amount_minor is 1990, and currency is empty"),
        ("order_lines", line(line_no=9, quantity=0), "A-1,9", "quantity", "quantity is 0, and must be 1 or more"),
        ("offers", offer("9", stock=-2), "taobao,item,9", "quantity", "stock is -2, and must be 0 or more"),
        ("orders", order("A-9", state="lost"), "A-9", "state", f"state is 'lost', which is none of {STATES}"),
        ("orders", order("A-9", marketplace="ebay"), "A-9", "state",
         "marketplace is 'ebay', which is none of taobao, 1688, big_major, international, poizon"),
        ("order_lines", line("A-9"), "A-9,1", "reference", "no row of orders has its order_ref"),
        ("tracking_events", event("A-9"), "A-9,FAR1,1", "reference", "no row of orders has its order_ref"),
        ("orders", order("A-1", paid_minor=7), "A-1", "key", "another row of this snapshot has the same order_ref"),
        ("payments", payment("A-1", order_id=None), "A-1,", "value", "order_id: there must be a value"),
        ("orders", order("A-9", paid_minor=19.5), "A-9", "value",
         "paid_minor: 19.5 is not a whole number (amounts are whole minor units)"),
        ("order_lines", line(line_no=9, quantity=0, amount_minor=-1), "A-1,9", "quantity",
         "quantity is 0, and must be 1 or more; amount_minor is -1, and no amount is below zero"),
    ],
)  # fmt: skip
def test_a_bad_row_is_told_with_its_rule_and_left_out_of_its_table(
    tmp_path: Path,
    table: str,
    bad: dict[str, object],
    key: str,
    rule: str,
    message: str,
) -> None:
    tables: dict[str, Rows] = {
        "orders": [order()],
        "order_lines": [line()],
        "payments": [payment()],
        "offers": [offer()],
        "tracking_events": [event()],
    }
    tables[table] = [*tables[table], bad]
    manifest = write_snapshot(
        tmp_path, "batch-1", DAY, tables, batch_id="batch", written_at=AT
    )
    assert rejected(tmp_path) == [(table, key, 1, rule, message)]
    assert {file.table: file.rows for file in manifest.files} == {
        **dict.fromkeys(tables, 1),
        "rejected_rows": 1,
    }
    assert sql(tmp_path, f"select count(*) from {table}_history").rows == ((1,),)
    assert verify_snapshot(tmp_path, "batch-1") == manifest
    told = rejected_in(tmp_path, "batch-1")
    assert told.lines == [f"{table} {key} ({rule}): {message}"]
    assert told.words.startswith(
        "1 row of this snapshot can't be right and went into the table rejected_rows instead"
    )


def test_a_snapshot_without_bad_rows_has_no_such_file(tmp_path: Path) -> None:
    manifest = write(tmp_path, orders=[order()], payments=[payment()])
    assert [file.table for file in manifest.files] == ["orders", "payments"]
    assert rejected_in(tmp_path, "batch-1") == NONE_REJECTED
    assert not NONE_REJECTED
    assert NONE_REJECTED.words == ""


def test_after_the_mend_the_snapshot_rejects_nothing_any_more(tmp_path: Path) -> None:
    write(tmp_path, orders=[order("A-1"), order("A-2", state="lost")])
    assert sql(tmp_path, "select order_ref from orders").rows == (("A-1",),)
    write(
        tmp_path,
        orders=[order("A-1"), order("A-2", state="held")],
        at=AT + timedelta(hours=1),
    )
    assert sql(tmp_path, "select order_ref from orders order by 1").rows == (
        ("A-1",),
        ("A-2",),
    )
    assert rejected(tmp_path) == []


def test_what_belongs_to_a_rejected_row_stays(tmp_path: Path) -> None:
    """One fault is told once: the payment of an order in a state that nobody knows is a
    payment all the same.
    """
    unfit = order("A-3", paid_minor=None)
    write(
        tmp_path,
        orders=[order("A-2", state="lost"), unfit],
        payments=[payment("A-2"), payment("A-3")],
    )
    assert [row[:4] for row in rejected(tmp_path)] == [
        ("orders", "A-2", 1, "state"),
        ("orders", "A-3", 1, "value"),
    ]
    assert sql(tmp_path, "select count(*) from payments").rows == ((2,),)


def test_of_several_rows_of_a_key_the_first_stays_and_each_other_is_told(
    tmp_path: Path,
) -> None:
    write(
        tmp_path, orders=[order(paid_minor=1), order(paid_minor=2), order(paid_minor=3)]
    )
    assert [row[:4] for row in rejected(tmp_path)] == [
        ("orders", "A-1", 1, "key"),
        ("orders", "A-1", 2, "key"),
    ]
    assert sql(tmp_path, "select paid_minor from orders").rows == ((1,),)


def test_a_rejected_row_keeps_its_content_but_nothing_of_the_receiver(
    tmp_path: Path,
) -> None:
    write(tmp_path, requests=[request(1, quantity=0), request(2, city="half \ud83d")])
    by_quantity, by_city = sql(
        tmp_path, "select message, row from rejected_rows order by row_key"
    ).rows
    shown = json.loads(str(by_quantity[1]))
    assert (shown["item"], shown["quantity"]) == ("item", 0)
    assert by_city[0] == "city: the column can not hold its value"
    every_byte = b"".join(
        path.read_bytes() for path in (tmp_path / "rejected_rows").rglob("*.parquet")
    )
    assert {"city", "zip", "note"}.isdisjoint(shown)
    assert b"Xenopolis" not in every_byte


def test_words_that_can_not_be_written_are_told_in_words_that_can(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders=[order("A-1", reason="half \ud83d")])
    ((row,),) = sql(tmp_path, "select row from rejected_rows").rows
    assert json.loads(str(row))["reason"] == "half \ud83d"


def test_a_double_that_comes_in_another_slice_is_found(tmp_path: Path) -> None:
    parts = [
        {"orders": [order("A-2"), order("A-1")]},
        {"orders": [order("A-3"), order("A-2")]},
    ]
    write_snapshot(tmp_path, "batch-1", DAY, parts, batch_id="batch", written_at=AT)
    assert [row[:4] for row in rejected(tmp_path)] == [("orders", "A-2", 1, "key")]
    assert sql(tmp_path, "select count(*) from orders").rows == ((3,),)


def test_rows_of_a_reader_are_checked_as_well(tmp_path: Path) -> None:
    own = {"snapshot_id": "crawl", "snapshot_at": AT, "batch_id": None}
    rows = to_arrow(
        OFFERS, [offer("1") | own, offer("2", price_minor=-1) | own, offer("2") | own]
    )
    reader = pa.RecordBatchReader.from_batches(
        OFFERS.schema, rows.to_batches(max_chunksize=1)
    )
    write_snapshot(
        tmp_path, "crawl", DAY, {"offers": reader}, batch_id=None, written_at=AT
    )
    assert [row[:4] for row in rejected(tmp_path)] == [
        ("offers", "taobao,item,2", 1, "amount"),
        ("offers", "taobao,item,2", 2, "key"),
    ]


def alone(root: Path, snapshot_id: str, **tables: Rows) -> Manifest:
    return write_snapshot(
        root,
        snapshot_id,
        DAY,
        tables,
        batch_id=None,
        written_at=AT + timedelta(hours=1),
    )


def test_what_tracking_tells_may_belong_to_an_order_that_an_earlier_snapshot_told(
    tmp_path: Path,
) -> None:
    write(tmp_path, orders=[order("A-1")])
    alone(
        tmp_path,
        "tracking",
        orders=[order("A-2")],
        tracking_events=[event("A-1"), event("A-2"), event("A-3")],
    )
    assert [row[:4] for row in rejected(tmp_path)] == [
        ("tracking_events", "A-3,FAR1,1", 1, "reference")
    ]


def test_a_batch_tells_its_orders_whole(tmp_path: Path) -> None:
    """A payment of an order that only another batch's snapshot has is told at the wrong
    place.
    """
    write(tmp_path, "batch-0", orders=[order("A-1")])
    write(tmp_path, "batch-1", orders=[order("A-2")], payments=[payment("A-1")])
    assert [row[:4] for row in rejected(tmp_path)] == [
        ("payments", "A-1,2542285634920880794", 1, "reference")
    ]


def test_what_a_row_belongs_to_is_not_found_missing_where_snapshots_can_not_be_read(
    tmp_path: Path,
) -> None:
    alone(tmp_path, "damaged", orders=[order("A-1")])
    (tmp_path / MANIFESTS / "damaged.json").write_text("{")
    alone(tmp_path, "tracking", tracking_events=[event("A-1")])
    assert rejected_in(tmp_path, "tracking") == NONE_REJECTED


def test_nor_where_an_old_file_is_damaged_or_of_other_columns(tmp_path: Path) -> None:
    """Else each night's tracking would end with it, after all was told to the
    ledger.
    """
    (file,) = alone(tmp_path, "old", orders=[order("A-1")]).files
    path = tmp_path / file.path
    content = path.read_bytes()
    path.write_bytes(content[:-8] + b"damaged!")
    alone(tmp_path, "tracking", tracking_events=[event("A-1")])
    parquet.write_table(pa.table({"order_id": ["x"]}), path)
    manifest = tmp_path / MANIFESTS / "old.json"
    fields = json.loads(manifest.read_text())
    fields["files"][0]["bytes"] = path.stat().st_size
    del fields["checksum"]
    manifest.write_text(json.dumps(fields))
    alone(tmp_path, "more", tracking_events=[event("A-1")])
    assert {
        one: rejected_in(tmp_path, one) for one in ("tracking", "more")
    } == dict.fromkeys(("tracking", "more"), NONE_REJECTED)
