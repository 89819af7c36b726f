"""The data folders of earlier versions, as they were left, in a sandbox for which no
time has passed since.
"""

from __future__ import annotations

import json
import sqlite3
import tarfile
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path

EARLIER = sorted(Path(__file__).parent.glob("data-*.tar.xz"))


def unpacked(archive_file: Path, folder: Path) -> Path:
    """Unpack one into `folder`, as of its own time: since then unpaid orders would have
    closed, and pauses ended.
    """
    with tarfile.open(archive_file) as archive:
        archive.extraction_filter = getattr(
            tarfile, "data_filter", None
        )  # Debian 12 has Python 3.11.2, which lacks it
        archive.extractall(folder)
    with closing(sqlite3.connect(folder / "data" / "ledger.db")) as ledger:
        (left_at,) = ledger.execute("SELECT max(updated_at) FROM orders").fetchone()
    passed = datetime.now(UTC) - datetime.fromisoformat(left_at).replace(tzinfo=UTC)
    offset = json.dumps({"offset": -round(passed.total_seconds() * 1000)})
    with closing(sqlite3.connect(folder / "data" / "sandbox.db")) as books, books:
        books.execute(
            "INSERT OR REPLACE INTO entity VALUES ('clock', 'clock', ?)",
            (offset.encode(),),
        )
    with (
        closing(sqlite3.connect(folder / "data" / "prefect" / "prefect.db")) as prefect,
        prefect,
    ):
        paused = "SELECT id, state_details FROM flow_run_state WHERE type = 'PAUSED'"
        for state_id, details in prefect.execute(paused).fetchall():
            until = (
                datetime.fromisoformat((state := json.loads(details))["pause_timeout"])
                + passed
            )
            state["pause_timeout"] = until.isoformat()
            prefect.execute(
                "UPDATE flow_run_state SET state_details = ? WHERE id = ?",
                (json.dumps(state), state_id),
            )
    return folder
