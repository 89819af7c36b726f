"""Copies that the program sets aside end after some days, and nothing else does."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from connectors.inbox import delete_old, last_end
from connectors.settings import SourcingSettings

COPIES = (
    *(
        "inbox/done/a.csv",
        "inbox/done/a.csv.result.json",
        "inbox/failed/b.csv",
        f"fetched/{'0' * 64}.csv",
    ),
    *(
        "fetched/runs/1",
        "ledger.db.replaced-20260101T120000Z",
        "ledger.rescued-20260101T120000Z.db",
    ),
)
OTHERS = (
    "inbox/c.csv",
    "inbox/open/d.csv",
    "inbox/working/e.csv",
    "ledger.db",
    "ledger-20260101T120000Z.db",
    "notes",
)


def test_only_what_the_program_set_aside_ends(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    settings = SourcingSettings()
    now = datetime.now(UTC)
    assert last_end(settings) is None
    for name in (*COPIES, *OTHERS):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    end = last_end(settings)
    assert end is not None
    assert timedelta(days=89, hours=23) < end - now < timedelta(days=90, hours=1)
    assert delete_old(settings, now + timedelta(days=89)) == 0
    assert delete_old(settings, now + timedelta(days=91)) == len(COPIES)
    assert {
        str(path.relative_to(tmp_path))
        for path in tmp_path.rglob("*")
        if path.is_file()
    } == {*OTHERS}
