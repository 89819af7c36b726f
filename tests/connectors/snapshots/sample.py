"""Rows as a batch leaves them, to be changed by tests."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from connectors.durable import exclusive
from connectors.snapshots.current import refresh
from connectors.snapshots.manifests import (
    STATE,
    WORK,
    Manifest,
    list_snapshots,
    manifest_path,
    read_manifest,
)
from connectors.snapshots.pruning import _end_merges, _merge, _stamp
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import write_snapshot

DAY = date(2026, 1, 2)
AT = datetime(2026, 1, 2, 3, 4, 5, 678901, tzinfo=UTC)

EACH_TABLE = [
    pytest.param(
        name,
        marks=()
        if name in {"orders", "refunds", "landed_costs"}
        else pytest.mark.endurance,
    )
    for name in TABLES
]
"""What holds for the kinds of columns of three tables holds for the others, which have
their turn in endurance.
"""

Row = Mapping[str, object]


def order(order_ref: str = "A-1", **changes: object) -> dict[str, object]:
    return {
        "order_ref": order_ref,
        "marketplace": "taobao",
        "state": "booked",
        "order_id": "2542285634920880794",
        "quoted_minor": 1990,
        "approved_minor": 1990,
        "paid_minor": 1990,
        "currency": "CNY",
        "freight_minor": 32292,
        "freight_currency": "USD",
        "tracking_numbers": ["FARJP2408000013YQ"],
        "paid_at": AT,
    } | changes


def payment(order_ref: str = "A-1", **changes: object) -> dict[str, object]:
    return {
        "order_ref": order_ref,
        "marketplace": "taobao",
        "order_id": "2542285634920880794",
        "amount_minor": 1990,
        "currency": "CNY",
        "paid_at": AT,
    } | changes


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


def note_size(root: Path, snapshot_id: str, path: Path) -> None:
    """Have the manifest name the size that a file of it was given by hand."""
    manifest_file = manifest_path(root, snapshot_id)
    manifest = read_manifest(manifest_file)
    files = tuple(
        replace(file, bytes=path.stat().st_size) if root / file.path == path else file
        for file in manifest.files
    )
    manifest_file.write_bytes(replace(manifest, files=files).to_json())


def write(
    root: Path,
    snapshot_id: str = "batch-1",
    *,
    day: date = DAY,
    at: datetime = AT,
    **tables: Sequence[Row],
) -> Manifest:
    return write_snapshot(
        root, snapshot_id, day, tables, batch_id="batch", written_at=at
    )


def prune(root: Path, now: datetime, *, keep: int = 0) -> None:
    """Merge all but the newest `keep` snapshots as `compact` does with a history that
    is old, and delete what that replaced.
    """
    with exclusive(root / WORK):
        _end_merges(root)
        snapshots = list_snapshots(root)
        if old := snapshots[: max(0, len(snapshots) - keep)]:
            _merge(root, old, f"pruned-{_stamp(now)}")
            _end_merges(root)
        refresh(root)


def files_below(root: Path) -> list[str]:
    """The manifests, then the files of the history; without those of the current
    state.
    """
    paths = [
        path
        for path in root.rglob("*")
        if path.is_file() and path.name not in (".lock", STATE)
    ]
    told = [
        str(path.relative_to(root))
        for path in paths
        if path.parent.parent != root or path.suffix != ".parquet"
    ]
    return sorted(told, key=lambda path: (path.startswith("_history"), path))


def write_old(root: Path) -> None:
    write(
        root,
        orders=[order("A-1", paid_minor=0), order("A-2", paid_minor=0)],
        payments=[payment("A-1", amount_minor=1)],
    )


def write_new(root: Path, day: date = DAY) -> None:
    orders = [order("A-1", paid_minor=1990), order("A-2", paid_minor=1991)]
    payments = [payment("A-1"), payment("A-2", amount_minor=1991)]
    write(root, orders=orders, payments=payments, day=day, at=AT + timedelta(hours=1))
