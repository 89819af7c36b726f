"""`sourcing snapshot` at a terminal."""

from __future__ import annotations

import json
from datetime import timedelta
from pathlib import Path

import pytest
from typer.testing import CliRunner

from cli.main import app
from connectors.snapshots.files import snapshot_name
from tests.connectors.snapshots.sample import AT, offer, order, write


def said(*words: str) -> tuple[int, str]:
    """The exit code, and what was printed in one line."""
    result = CliRunner().invoke(app, ["snapshot", *words])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def test_all_are_listed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    root = tmp_path / "snapshots"
    later = AT + timedelta(hours=1)
    assert said("ls") == (0, f"No snapshots in {root}")
    night = snapshot_name("night", AT)
    crawl = snapshot_name("crawl", later)
    write(root, night, orders=[order("A-1"), order("A-2")], offers=[offer()])
    write(root, crawl, at=later, offers=[offer()])
    code, message = said("ls")
    assert (code, f"2 snapshots in {root}" in message) == (0, True)
    listing = json.loads(CliRunner().invoke(app, ["snapshot", "ls", "--json"]).stdout)
    notices = [
        {name: value for name, value in item.items() if name != "bytes"}
        for item in listing["snapshots"]
    ]
    assert notices == [
        {
            "snapshot_id": night,
            "written_at": "2026-01-02T03:04:05.678901+00:00",
            "tables": ["offers", "orders"],
            "rows": 3,
        },
        {
            "snapshot_id": crawl,
            "written_at": "2026-01-02T04:04:05.678901+00:00",
            "tables": ["offers"],
            "rows": 1,
        },
    ]
