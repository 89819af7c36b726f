"""A million rows as a frame: `Snapshots.table`, the newest row of each key, against a
plain read of all rows.

The rows lie in eleven snapshots: a full one, and ten that each changed and added some.
`python -m benchmarks.frames [FOLDER]` measures memory too, in a process for each look.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from pathlib import Path
from statistics import median
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
from pyarrow.dataset import dataset

from benchmarks.measuring import Comparison, compare
from connectors.snapshots import Snapshots
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import write_history

ROWS = 1_000_000
REPETITIONS = 5
FIRST = 900_000
NIGHTS = 10
CHANGED = 7_500
NEW = 2_500
PART = 50_000
SMALL = "_small"
NOW = datetime(2026, 1, 1, tzinfo=UTC)


def run() -> list[Comparison]:
    with TemporaryDirectory() as name:
        root = Path(name)
        write_nights(root)
        return [comparison(root, table) for table in ROWS_OF]


def main() -> None:
    """Time and memory of both sides, each in processes of its own; `FOLDER` keeps what
    is written for the next time.
    """
    root = Path(sys.argv[1]) if sys.argv[1:] else Path("data/benchmark")
    if not root.exists():
        write_nights(root)
        write_nights(root / SMALL, 10_000)
    print(
        "| table | side | seconds | processor | frame, MiB | peak above start, MiB | peak / frame |"
    )
    print("|---|---|---|---|---|---|---|")
    for table in ROWS_OF:
        for side in ("plain", "ours"):
            observed = [_measured(root, table, side) for _ in range(REPETITIONS)]
            seconds, processor, frame, peak = (
                median(values) for values in zip(*observed, strict=True)
            )
            cells = f"{seconds:.2f} | {processor:.2f} | {frame / 2**20:.0f} | {peak / 2**20:.0f} | {peak / frame:.2f}"
            print(f"| {table} | {side} | {cells} |", flush=True)


def _measured(root: Path, table: str, side: str) -> tuple[float, float, int, int]:
    command = [
        sys.executable,
        "-m",
        "benchmarks.frames",
        "--one",
        str(root),
        table,
        side,
    ]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    seconds, processor, frame, peak = json.loads(done.stdout)
    return seconds, processor, frame, peak


def measure_once(root: Path, table: str, side: str) -> None:
    """Prints seconds, seconds of the processor, bytes of the frame, and how far memory
    went above the start.
    """
    read = SIDES[side]
    read(root / SMALL, table)  # what is loaded with the first look
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins anew
    before = _status("VmRSS")
    began = time.perf_counter()
    used = time.process_time()
    frame = read(root, table)
    seconds = time.perf_counter() - began
    processor = time.process_time() - used
    size = int(frame.memory_usage(index=False).sum())
    print(json.dumps([seconds, processor, size, _status("VmHWM") - before]))


def _status(name: str) -> int:
    (line,) = [
        line
        for line in Path("/proc/self/status").read_text().splitlines()
        if line.startswith(f"{name}:")
    ]
    return int(line.split()[1]) * 1024


def comparison(root: Path, table: str) -> Comparison:
    return compare(
        partial(ours, root, table),
        partial(plain, root, table),
        work=f"{ROWS:,} rows of {table} as a frame of the newest row of each key",
        rival="pyarrow to pandas, all rows",
        amount=ROWS,
        things="rows",
        repetitions=REPETITIONS,
    )


def ours(root: Path, table: str) -> pd.DataFrame:
    return Snapshots(root).table(table)


def plain(root: Path, table: str) -> pd.DataFrame:
    frame: pd.DataFrame = (
        dataset(root / table, schema=TABLES[table].schema)
        .to_table()
        .to_pandas(types_mapper=pd.ArrowDtype)
    )
    return frame


SIDES = {"ours": ours, "plain": plain}


def write_nights(root: Path, first: int = FIRST) -> None:
    """A first snapshot, then one a night that changes rows spread over all keys and
    adds some.
    """
    random = np.random.default_rng(7)
    keys = np.arange(first)
    expected = first
    for night in range(NIGHTS + 1):
        at = NOW + timedelta(days=night)
        tables: dict[str, Any] = {
            name: pa.RecordBatchReader.from_batches(
                TABLES[name].schema, _batches(name, keys, f"night-{night:02}", at)
            )
            for name in ROWS_OF
        }
        write_history(root, f"night-{night:02}", [tables], at, None)
        keys = np.concatenate(
            [
                random.choice(first, CHANGED, replace=False),
                np.arange(expected, expected + NEW),
            ]
        )
        expected += NEW


def _batches(
    name: str, keys: np.ndarray[Any, Any], snapshot_id: str, at: datetime
) -> Iterator[pa.RecordBatch]:
    for start in range(0, len(keys), PART):
        piece = keys[start : start + PART]
        columns = {
            **ROWS_OF[name](piece, at),
            "snapshot_id": snapshot_id,
            "snapshot_at": at,
        }
        yield _record_batch(TABLES[name].schema, columns, len(piece))


def _record_batch(
    schema: pa.Schema, columns: dict[str, Any], rows: int
) -> pa.RecordBatch:
    arrays = []
    for field in schema:
        value = columns.get(field.name)
        array = (
            value
            if isinstance(value, pa.Array)
            else pa.repeat(pa.scalar(value, field.type), rows)
        )
        arrays.append(array.cast(field.type))
    return pa.RecordBatch.from_arrays(arrays, schema=schema)


def _text(before: str, numbers: np.ndarray[Any, Any], after: str = "") -> pa.Array:
    return pc.binary_join_element_wise(
        before, pa.array(numbers).cast(pa.string()), after, ""
    )


def _lists(texts: pa.Array) -> pa.Array:
    """Each text alone in a list."""
    return pa.ListArray.from_arrays(
        pa.array(np.arange(len(texts) + 1), pa.int32()), texts
    )


def _scattered(numbers: np.ndarray[Any, Any]) -> np.ndarray[Any, Any]:
    """One number of 18 digits for each, none twice."""
    return 10**17 + (numbers * 0x1E3779B97F4A7C15 & (2**56 - 1))


def _offers(keys: np.ndarray[Any, Any], at: datetime) -> dict[str, Any]:
    """Three SKUs an item; a price and stock of each night."""
    items = keys // 3
    changing = (keys * 7919 + at.day * 104_729) % 9_973
    pictures = _text(
        "https://img.example.com/ibank/O1CN", _scattered(items), "_!!2200000-0-cib.jpg"
    )
    return {
        "marketplace": pa.array(np.array(["taobao", "1688", "poizon"])[items % 3]),
        "item_id": _text("6", _scattered(items)),
        "sku_id": _text("5", _scattered(keys)),
        "title": _text("可折叠 帆布 置物架 送礼 加厚 大容量 T", items * 31 % 10**6),
        "sku_name": _text("颜色:藏青 尺寸:", keys % 97),
        "seller_id": _text("22", 10**9 + items % 5_000),
        "seller_name": _text("义乌市日用品商行", items % 5_000),
        "price_minor": pa.array(changing + 100),
        "currency": "CNY",
        "stock": pa.array(changing * 3),
        "min_quantity": 1,
        "active": True,
        "spec_id": _text("b1c2d3e4f5", _scattered(keys + 1)),
        "image_url": pictures,
        "image_urls": _lists(pictures),
        "category_id": _text("1031", items % 200),
        "category_name": _text("收纳", items % 200),
        "seen_at": at,
    }


def _orders(keys: np.ndarray[Any, Any], at: datetime) -> dict[str, Any]:
    return {
        "order_ref": _text("US-", keys),
        "marketplace": pa.array(np.array(["taobao", "1688", "poizon"])[keys % 3]),
        "state": pa.array(
            np.array(["paid", "booked", "shipped", "delivered"])[(keys + at.day) % 4]
        ),
        "order_id": _text("26", _scattered(keys)),
        "seller_id": _text("22", 10**9 + keys % 5_000),
        "quoted_minor": pa.array(1_000 + keys),
        "approved_minor": pa.array(1_000 + keys),
        "paid_minor": pa.array(1_000 + keys),
        "currency": "CNY",
        "freight_minor": pa.array(900 + keys % 1_000),
        "freight_currency": "USD",
        "freight_service": "UCS_STD",
        "shipment_order_id": _text("S-", keys),
        "tracking_numbers": pa.ListArray.from_arrays(
            pa.array(np.arange(len(keys) + 1), pa.int32()), _text("F", keys, "YQ")
        ),
        "created_at": at,
        "paid_at": at,
        "booked_at": at,
        "updated_at": at,
    }


ROWS_OF: dict[str, Callable[[np.ndarray[Any, Any], datetime], dict[str, Any]]] = {
    "offers": _offers,
    "orders": _orders,
}


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        measure_once(Path(sys.argv[2]), *sys.argv[3:])
    else:
        main()
