"""`sourcing snapshot` at a terminal."""

from __future__ import annotations

from pathlib import Path

import pytest

from tasks.rebuild import find_damage
from tests.connectors.snapshots.test_pruning import filled


@pytest.fixture
def root(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    filled(tmp_path / "snapshots")
    return tmp_path / "snapshots"


def test_damage_is_named_with_the_remedy_wherever_it_is(root: Path) -> None:
    assert list(find_damage(root)) == []
    file = root / "_history/orders/date=2026-01-02/s-0.parquet"
    content = file.read_bytes()
    file.write_bytes(content[:99] + bytes([content[99] ^ 1]) + content[100:])
    manifest = root / "_manifests/s-1.json"
    manifest.write_text(
        manifest.read_text().replace('"batch_id": "batch"', '"batch_id": "other"')
    )
    (root / "_manifests/s-2.json").rename(root / "_manifests/other.json")
    (root / "_history/orders/date=2026-01-05/s-3.parquet").unlink()
    damages = list(find_damage(root))
    assert {damage.snapshot_id: damage.words.split("; ")[0] for damage in damages} == {
        "other": f"{root}/_manifests/other.json is the manifest of snapshot s-2, under another name",
        "s-0": f"{file} of snapshot s-0 is not as it was written",
        "s-1": f"{manifest} is not a readable manifest (it is not as it was written)",
        "s-3": f"{root}/_history/orders/date=2026-01-05/s-3.parquet of snapshot s-3 is missing",
    }
    assert all("sourcing snapshot rebuild" in damage.words for damage in damages)
