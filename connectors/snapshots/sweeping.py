"""Repairs or removes what dead writers have left, while no writer is at work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from pathlib import Path
from shutil import rmtree

from connectors.durable import move
from connectors.snapshots.manifests import HISTORY, WORK, Manifest, aside_path, is_as_written
from connectors.snapshots.tables import TABLES


def settle(root: Path, manifest: Manifest) -> None:
    """Restore a manifest's files where a dead writer has put other files in their place."""
    for file in manifest.files:
        aside = aside_path(root, manifest.snapshot_id, file)
        if aside.exists() and not is_as_written(file.place(root), file):
            move(aside, file.place(root))


def sweep(root: Path, manifests: Sequence[Manifest]) -> int:
    """Delete what no manifest names: the content of `_work`, and files of our tables; returns their number.

    `manifests` are all that count. The caller holds the lock of `_work`, so no writer is under way.
    """
    for manifest in manifests:
        settle(root, manifest)
    for left in (root / WORK).glob("[!.]*"):
        rmtree(left, ignore_errors=True)
    unnamed = unnamed_files(root, manifests)
    for path in unnamed:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # the day's folder still has other files
            path.parent.rmdir()
    return len(unnamed)


def unnamed_files(root: Path, manifests: Sequence[Manifest]) -> list[Path]:
    """Files of our tables that no manifest names: only readers of plain folders see them."""
    named = {file.place(root) for manifest in manifests for file in manifest.files}
    places = (path for table in TABLES for path in (root / table, root / HISTORY / table))
    return [path for place in places for path in place.glob("date=*/*.parquet") if path not in named]
