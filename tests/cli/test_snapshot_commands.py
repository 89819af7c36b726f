"""`sourcing snapshot` at a terminal."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from typer.testing import CliRunner

from cli.main import app
from connectors.snapshots.manifests import list_snapshots
from tests.connectors.snapshots.test_pruning import CURRENT, current, filled


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    filled(tmp_path / "snapshots")
    return tmp_path / "snapshots"


def said(*words: str) -> tuple[int, str]:
    """The exit code, and what was printed in one line."""
    result = CliRunner().invoke(app, ["snapshot", *words])
    return result.exit_code, " ".join((result.stdout + result.stderr).split())


def answered(*words: str) -> tuple[int, dict[str, Any]]:
    result = CliRunner().invoke(app, ["snapshot", *words, "--json"])
    return result.exit_code, json.loads(result.stdout)


def test_all_are_listed_and_one_is_shown(root: Path) -> None:
    code, words = said("ls")
    assert (code, "4 snapshots, " in words) == (0, True)
    shown = answered("ls")[1]["snapshots"]
    assert (shown[0]["snapshot_id"], shown[0]["tables"]) == ("s-0", {"orders": 3})
    assert said("show", "s-0")[0] == 0
    assert answered("show", "s-0")[1]["snapshot_id"] == "s-0"
    code, words = said("show", "no-such")
    assert (code, words) == (
        1,
        f"sourcing: there is no snapshot no-such in {root}: see them with sourcing snapshot ls",
    )


def test_damage_is_named_with_the_remedy_wherever_it_is(root: Path) -> None:
    assert answered("verify") == (
        0,
        {"whole": ["s-0", "s-1", "s-2", "s-3"], "damaged": [], "unnamed": []},
    )
    file = root / "_history/orders/date=2026-01-02/s-0.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
    manifest = root / "_manifests/s-1.json"
    manifest.write_text(
        manifest.read_text().replace('"batch_id": "batch"', '"batch_id": "other"')
    )
    (root / "_manifests/s-2.json").rename(root / "_manifests/other.json")
    (root / "_history/orders/date=2026-01-05/s-3.parquet").unlink()
    code, shown = answered("verify")
    assert (code, shown["whole"]) == (3, [])
    told = {one["snapshot_id"]: one["words"].split("; ")[0] for one in shown["damaged"]}
    assert told == {
        "other": f"{root}/_manifests/other.json is the manifest of snapshot s-2, under another name",
        "s-0": f"{file} of snapshot s-0 is not as it was written",
        "s-1": f"{manifest} is not a readable manifest (it is not as it was written)",
        "s-3": f"{root}/_history/orders/date=2026-01-05/s-3.parquet of snapshot s-3 is missing",
    }
    assert all("sourcing snapshot rebuild" in one["words"] for one in shown["damaged"])
    code, words = said("ls")
    assert (code, "s-1.json is not a readable manifest" in words) == (3, True)
    assert said("verify", "s-0")[0] == 3


def test_pruning_asks_and_then_keeps_all_current_rows(root: Path) -> None:
    code, words = said("prune", "--keep", "1")
    assert (
        code,
        "Make one snapshot of the 3 up to 2026-01-02 05:04 UTC" in words,
        len(list_snapshots(root)),
    ) == (
        1,
        True,
        4,
    )
    code, done = answered("prune", "--keep", "1", "--yes")
    assert (code, done["dropped"], done["rows"], current(root)) == (
        0,
        ["s-0", "s-1", "s-2"],
        3,
        CURRENT,
    )
    assert said("prune", "--keep", "1") == (0, "Nothing to prune")
    assert said("prune", "--keep", "1", "--keep-days", "3") == (
        2,
        "sourcing: give --keep-days or --keep, not both",
    )


def test_without_a_snapshot_there_is_nothing_to_list_or_prune(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    assert said("ls") == (
        0,
        f"No snapshots in {tmp_path}/snapshots yet: a run writes the first",
    )
    assert said("verify")[0] == 0
    assert said("prune")[1] == "Nothing to prune: nothing is older than 365 days"
