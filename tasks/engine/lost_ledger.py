"""A ledger that has lost orders: an empty one beside traces of purchases, or one that was restored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Iterator, Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from pyarrow import parquet

from connectors.ledger.engine import LedgerUnusable, shown
from connectors.ledger.marks import StillArriving
from connectors.ledger.records import OrderRecord
from connectors.ledger.send_log import noted
from connectors.snapshots.manifests import Manifest, list_snapshots, locate
from domain.effects import Action, ResolutionKind
from tasks.engine.progress import progress
from tasks.engine.resources import Resources

STEP_S = 5.0
log = logging.getLogger("sourcing")


def require_not_lost(resources: Resources) -> None:
    """Raise `LedgerUnusable` when a new ledger would lose budgets, day limits and refunds silently.

    Not for one that was restored: that has its own lock until a person confirms it.
    """
    ledger, settings = resources.ledger, resources.settings
    if not ledger.is_new():
        return
    trace = next(_traces(settings.snapshot_root, resources.send_logs), None)
    if trace and ledger.is_new():  # else another run has just begun with it
        raise LedgerUnusable(
            f"the ledger {shown(ledger.url)} knows no order, but {trace}: it was lost, or another one is meant. "
            "Correct SOURCING_LEDGER_URL, or put a backup back: sourcing ledger restore FILE. If a new one is meant, "
            f"set another SOURCING_DATA_DIR, or move {settings.snapshot_root} and {resources.send_logs} away. "
            "Nothing was sent."
        )


async def wait_until_settled(resources: Resources, done_by: datetime | None) -> None:
    """Wait until what was sent before the ledger was restored can arrive no more, as long as a run has patience.

    Raises `StillArriving` where that takes longer, and `LedgerUnusable` for a ledger that no person has confirmed.
    """
    try:
        await asyncio.to_thread(resources.ledger.marks.require_settled)
    except StillArriving as waits:
        left_s = (waits.until - resources.clock()).total_seconds()
        if left_s > resources.settings.patience_s or (done_by and waits.until >= done_by):
            raise
        log.warning("%s: this run waits for it", waits)
        stage, listener = f"until {waits.until:%H:%M:%S} UTC", progress.get()
        listener.start(stage, round(left_s))
        while (left_s := (waits.until - resources.clock()).total_seconds()) > 0:
            await asyncio.sleep(min(STEP_S, left_s))
            listener.advance(stage, round(min(STEP_S, left_s)))


async def maybe_booked(resources: Resources, orders: Mapping[str, OrderRecord]) -> dict[str, str]:
    """Why not to book some of these: the ledger was restored, and may lack a booking.

    Not those that it has paid since, for only a paid order is booked; nor those that a person has since answered for as
    not booked.
    """
    marks, answers = resources.ledger.marks, resources.ledger.resolutions
    if (since := await asyncio.to_thread(marks.restored_at)) is None:
        return {}
    effects = await resources.group_commit.effects_of(orders)
    known = {one.order_ref for one in effects if one.action is Action.PAY and one.intent_at > since}
    at = f"{since:%Y-%m-%d %H:%M:%S} UTC"
    words = f"nothing was sent, since the ledger was put back at {at}, and it may have been booked before"
    doubtful = [ref for ref in orders if ref not in known]
    said = {ref: await asyncio.to_thread(answers.of_order, ref) for ref in doubtful}
    return {ref: words for ref in doubtful if not any(_denies_booking(one, since) for one in said[ref])}


def _denies_booking(answer: Mapping[str, Any], since: datetime) -> bool:
    return bool(answer["at"] > since) and answer["answer"] == f"--{ResolutionKind.NOT_BOOKED}"


def _traces(snapshots: Path, send_logs: Path) -> Iterator[str]:
    for manifest in reversed(list_snapshots(snapshots)):
        if _has_orders(snapshots, manifest):
            yield f"the snapshot {manifest.snapshot_id} in {snapshots} tells of orders that were bought"
    if any(noted(send_logs)):
        yield f"{send_logs} tells of something that was sent"


def _has_orders(root: Path, manifest: Manifest) -> bool:
    """Whether a snapshot has orders: one of a dry run or of a catalogue crawl has none."""
    rows = {file.table: file for file in manifest.files if file.rows}
    if "payments" in rows:
        return True
    if (file := rows.get("orders")) is None:
        return False
    order_ids = parquet.read_table(locate(root, manifest, file), columns=["order_id"]).column("order_id")
    return bool(order_ids.null_count < len(order_ids))
