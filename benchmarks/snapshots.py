"""Writing a snapshot of 10,000 orders and reading a sum from it, against pandas with
CSV and with a file a chunk.

Ours also checks every value against the schema, syncs every file, hashes it and writes
a manifest.
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import pandas as pd

from benchmarks.measuring import Comparison, compare
from connectors.snapshots.reader import sql
from connectors.snapshots.writer import write_orders, writing

ORDERS = 10_000
CHUNK = 50
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> list[Comparison]:
    rows = [order_row(number) for number in range(ORDERS)]
    total = sum(row["paid_minor"] for row in rows)
    with TemporaryDirectory() as name:
        numbers = count()
        folder = Path(name)

        def in_new_folder(
            work: Callable[[Path, list[dict[str, Any]]], int],
        ) -> Callable[[], None]:
            def once() -> None:
                new = folder / str(next(numbers))
                new.mkdir()
                assert work(new, rows) == total

            return once

        return [
            compare(
                in_new_folder(our_snapshot),
                in_new_folder(rival),
                work="a table of orders written durably as a snapshot, and its payments summed",
                rival=name,
                amount=ORDERS,
                things="orders",
                repetitions=5,
            )
            for name, rival in (
                ("pandas and CSV", csv),
                ("pandas, a Parquet file for 50 orders", parquet_per_chunk),
            )
        ]


def our_snapshot(folder: Path, rows: list[dict[str, Any]]) -> int:
    refs = [row["order_ref"] for row in rows]
    with writing(folder):
        write_orders(
            folder, "benchmark", {NOW.date(): refs}, lambda _: [{"orders": rows}], NOW
        )
    answer = sql(folder, "select sum(paid_minor)::bigint from orders").rows[0][0]
    assert isinstance(answer, int)
    return answer


def csv(folder: Path, rows: list[dict[str, Any]]) -> int:
    pd.DataFrame(rows).to_csv(folder / "orders.csv", index=False)
    return int(pd.read_csv(folder / "orders.csv")["paid_minor"].sum())


def parquet_per_chunk(folder: Path, rows: list[dict[str, Any]]) -> int:
    for start in range(0, len(rows), CHUNK):
        pd.DataFrame(rows[start : start + CHUNK]).to_parquet(
            folder / f"{start}.parquet"
        )
    return int(pd.read_parquet(folder)["paid_minor"].sum())


def order_row(number: int) -> dict[str, Any]:
    return {
        "order_ref": f"B-{number}",
        "marketplace": "taobao",
        "state": "booked",
        "reason": None,
        "order_id": str(2_600_000_000_000_000_000 + number),
        "seller_id": f"seller-{number % 400}",
        "quoted_minor": 1_000 + number,
        "approved_minor": 1_000 + number,
        "paid_minor": 1_000 + number,
        "currency": "CNY",
        "freight_minor": 930,
        "freight_currency": "USD",
        "freight_service": "UCS_STD",
        "shipment_order_id": f"S-{number}",
        "tracking_numbers": [f"FARJP{number:012d}YQ"],
        "created_at": NOW,
        "paid_at": NOW,
        "booked_at": NOW,
        "updated_at": NOW,
    }
