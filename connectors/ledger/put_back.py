"""Detects a ledger that was restored by hand or lost its newest commits: a send log has effects that it lacks."""

from __future__ import annotations

from pathlib import Path

from sqlalchemy import select

from connectors.ledger.chunked import chunked
from connectors.ledger.schema import effects
from connectors.ledger.send_log import noted
from connectors.ledger.store import Ledger
from domain.wording import shorten


def notice_put_back(ledger: Ledger, send_logs: Path) -> None:
    """Mark the ledger as restored if it lacks effects of a log that was written since its last restore."""
    since = ledger.marks.restored_at()
    newer = [one for one in noted(send_logs) if since is None or one.at > since]
    keys = dict.fromkeys(key for one in newer for key in one.keys)
    known = _known(ledger, keys)
    if missing := [key for key in keys if key not in known]:
        at = max(one.at for one in newer)
        ledger.marks.put_back(
            f"was put back by hand, or another one is meant: it does not have {shorten(missing)}, of {send_logs}, "
            f"where the last line is of {at:%Y-%m-%d %H:%M:%S} UTC",
            by=ledger.owner,
        )


def _known(ledger: Ledger, keys: dict[str, None]) -> set[str]:
    parts = (ledger.rows(select(effects.c.key).where(effects.c.key.in_(part))) for part in chunked(keys))
    return {str(row["key"]) for part in parts for row in part}
