"""How the prices of offers moved: from the history of the snapshots, in pandas."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
from prefect import task
from pyarrow.compute import field

from connectors.snapshots import Snapshots
from domain.money import Money
from tasks.engine.retrying import READING, shut_in

if TYPE_CHECKING:
    import pandas as pd

KEY = ["marketplace", "item_id", "sku_id"]
NEEDED = [*KEY, "title", "currency", "price_minor", "snapshot_id", "snapshot_at"]


def price_moves(history: pd.DataFrame) -> pd.DataFrame:
    """Every move of a SKU's price, the oldest first, from `Snapshots().history("offers")`, of which `NEEDED` is enough.

    `was_minor`, `price_minor` and their difference `moved_minor` are `int64` minor units of `currency`; `moved_percent`
    is rounded to a tenth, and missing where the price was 0. `was_at` and `snapshot_at` are when the two were shown. A
    price in another currency is no move of the one before.
    """
    import pandas as pd

    rows = history[NEEDED].sort_values(["snapshot_at", "snapshot_id"], kind="stable")
    before = rows.groupby([*KEY, "currency"], sort=False)[["price_minor", "snapshot_at"]].shift()
    rows = rows.assign(was_minor=before["price_minor"], was_at=before["snapshot_at"])
    moves = rows[rows["was_minor"].notna() & (rows["was_minor"] != rows["price_minor"])]
    moved = moves["price_minor"] - moves["was_minor"]
    was = moves["was_minor"].where(moves["was_minor"] != 0).to_numpy("float64", na_value=float("nan"))
    percent = (100 * moved.to_numpy("float64") / was).round(1)
    moves = moves.assign(moved_minor=moved, moved_percent=pd.Series(percent, moves.index, "double[pyarrow]"))
    columns = [*KEY, "title", "currency", "was_minor", "price_minor", "moved_minor", "moved_percent"]
    return moves[[*columns, "was_at", "snapshot_at", "snapshot_id"]].reset_index(drop=True)


def price_history(root: Path, item_ids: Iterable[str]) -> dict[tuple[str, ...], list[Money]]:
    """The prices of each SKU of these items by its key, the oldest first; one that stays stands once."""
    of_items = field("item_id").isin(pa.array(sorted(set(item_ids)), pa.string()))
    history = Snapshots(root).history("offers", NEEDED, of_items)
    rows = history.sort_values(["snapshot_at", "snapshot_id"], kind="stable")
    prices: dict[tuple[str, ...], list[Money]] = {}
    for *key, currency, minor in rows[[*KEY, "currency", "price_minor"]].itertuples(index=False, name=None):
        told, price = prices.setdefault(tuple(key), []), Money(int(minor), currency)
        if price not in told[-1:]:
            told.append(price)
    return prices


@task(task_run_name="price moves of {snapshot_id}", **READING)
@shut_in
async def moves_in(root: Path, snapshot_id: str) -> pd.DataFrame:
    """The price moves in one snapshot, the dearest first; only the history of its own items is read."""
    return await asyncio.to_thread(_moves_in, Snapshots(root), snapshot_id)


def _moves_in(snapshots: Snapshots, snapshot_id: str) -> pd.DataFrame:
    told = snapshots.history("offers", ["item_id"], [("snapshot_id", "==", snapshot_id)])
    of_items = field("item_id").isin(pa.array(told["item_id"].unique(), pa.string()))
    moves = price_moves(snapshots.history("offers", NEEDED, of_items))
    moves = moves[moves["snapshot_id"] == snapshot_id]
    return moves.sort_values("moved_percent", ascending=False, kind="stable").reset_index(drop=True)
