"""A ledger without one order, beside the traces of orders that were bought: it was lost, or another one is meant."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from pyarrow import parquet

from connectors.ledger.engine import LedgerUnusable, shown
from connectors.snapshots.manifests import Manifest, list_snapshots, locate
from tasks.resources import Resources


def require_not_lost(resources: Resources) -> None:
    """Raise `LedgerUnusable` when a new ledger would forget budgets, day limits and refunds without a word.

    Not for one that was restored: that has its own lock until somebody confirms it.
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


def _traces(snapshots: Path, send_logs: Path) -> Iterator[str]:
    for log in sorted(send_logs.glob("*.log")):
        if len(log.read_text(errors="replace").splitlines()) > 1:  # the first line is not about an effect
            yield f"{log} tells of something that was sent"
    for manifest in reversed(list_snapshots(snapshots)):
        if _tells_of_orders(snapshots, manifest):
            yield f"the snapshot {manifest.snapshot_id} in {snapshots} tells of orders that were bought"


def _tells_of_orders(root: Path, manifest: Manifest) -> bool:
    """Not what a dry run or a look at the catalogue leaves."""
    rows = {file.table: file for file in manifest.files if file.rows}
    if "payments" in rows:
        return True
    if (file := rows.get("orders")) is None:
        return False
    order_ids = parquet.read_table(locate(root, manifest, file), columns=["order_id"]).column("order_id")
    return bool(order_ids.null_count < len(order_ids))
