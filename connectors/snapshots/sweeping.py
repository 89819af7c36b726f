"""What writers that died have left: put right or removed, while nobody writes."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from hashlib import file_digest
from pathlib import Path
from shutil import rmtree

from connectors.durable import move
from connectors.snapshots.manifests import WORK, Manifest, SnapshotFile, aside_path
from connectors.snapshots.schemas import TABLES


def settle(root: Path, manifest: Manifest) -> None:
    """Bring back what the manifest means, where a writer that died has put another file in its place."""
    for file in manifest.files:
        aside = aside_path(root, manifest.snapshot_id, file)
        if aside.exists() and not _is_in_place(root, file):
            move(aside, root / file.path)


def sweep(root: Path, manifests: Sequence[Manifest]) -> int:
    """Delete what no manifest names: what waits in `_work`, and files of our tables; answers how many.

    `manifests` are all that count. For whoever holds the lock of `_work`: no writer is under way then.
    """
    for manifest in manifests:
        settle(root, manifest)
    for left in (root / WORK).glob("[!.]*"):
        rmtree(left, ignore_errors=True)
    unnamed = unnamed_files(root, manifests)
    for path in unnamed:
        path.unlink(missing_ok=True)
        with suppress(OSError):  # others are still in the day's folder
            path.parent.rmdir()
    return len(unnamed)


def unnamed_files(root: Path, manifests: Sequence[Manifest]) -> list[Path]:
    """Files of our tables that no manifest names: readers of plain folders see them, and nobody else."""
    named = {root / file.path for manifest in manifests for file in manifest.files}
    return [path for table in TABLES for path in root.glob(f"{table}/date=*/*.parquet") if path not in named]


def _is_in_place(root: Path, file: SnapshotFile) -> bool:
    try:
        with (root / file.path).open("rb") as content:
            return file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:
        return False
