"""Repairs or removes what dead writers have left, while no writer is at work."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from shutil import rmtree

from connectors.durable import move
from connectors.snapshots.manifests import WORK, Manifest, SnapshotFile, aside_path
from connectors.snapshots.tables import TABLES


def settle(root: Path, manifest: Manifest) -> None:
    """Restore a manifest's files where a dead writer has put other files in their place."""
    for file in manifest.files:
        aside = aside_path(root, manifest.snapshot_id, file)
        if aside.exists() and not _is_in_place(root, file):
            move(aside, root / file.path)


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
    named = {root / file.path for manifest in manifests for file in manifest.files}
    return [path for table in TABLES for path in root.glob(f"{table}/date=*/*.parquet") if path not in named]


def _is_in_place(root: Path, file: SnapshotFile) -> bool:
    try:
        with (root / file.path).open("rb") as content:
            return file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:
        return False
