"""How the prices of offers moved, by the history of the snapshots."""

from __future__ import annotations

import asyncio
from pathlib import Path
from typing import Any

from prefect import task

from connectors.snapshots.reader import IN_LITTLE, arrow_answer
from tasks.engine.retrying import READING, shut_in

MOVES = """
WITH told AS (
    SELECT *, lag(price_minor) OVER before AS was_minor, lag(snapshot_at) OVER before AS was_at FROM offers_history
    WHERE item_id IN (SELECT item_id FROM offers_history WHERE snapshot_id = $snapshot_id)
    WINDOW before AS (PARTITION BY marketplace, item_id, sku_id, currency ORDER BY snapshot_at, snapshot_id)
)
SELECT marketplace, item_id, sku_id, title, currency, was_minor, price_minor, price_minor - was_minor AS moved_minor,
    round(100 * moved_minor / nullif(was_minor, 0), 1) AS moved_percent, was_at, snapshot_at, snapshot_id
FROM told WHERE snapshot_id = $snapshot_id AND was_minor <> price_minor
ORDER BY moved_percent DESC NULLS LAST, marketplace, item_id, sku_id
"""


@task(task_run_name="price moves of {snapshot_id}", **READING)
@shut_in
async def moves_in(root: Path, snapshot_id: str) -> list[dict[str, Any]]:
    """The moves of SKUs' prices in one snapshot, the steepest rise first.

    `was_minor`, `price_minor` and their difference `moved_minor` are minor units of
    `currency`; `moved_percent` is rounded to a tenth, and missing where the price was
    0. `was_at` and `snapshot_at` are when the two were shown. A price in another
    currency is no move of the one before.
    """
    moves = await asyncio.to_thread(
        arrow_answer, root, MOVES, {"snapshot_id": snapshot_id}, IN_LITTLE
    )
    rows: list[dict[str, Any]] = moves.to_pylist()
    return rows
