"""Manifests: which files make a snapshot. A snapshot exists once its manifest does."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from datetime import date, datetime
from hashlib import file_digest
from pathlib import Path
from typing import Self

MANIFESTS = "_manifests"
WORK = "_work"
REMEDY = "write the snapshot again, restore the file from a backup, or delete the manifest to go without the snapshot"


class SnapshotError(Exception):
    """The root of what reading snapshots raises."""


class SnapshotDamaged(SnapshotError):
    """A manifest, or a file that it names, is missing or not as written; the message names it and the remedy."""


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """One table's file in a snapshot. `path` is relative to the root, with forward slashes."""

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str
    schema_version: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """What one snapshot consists of. `written_at` is UTC; `first_written_at` is there if it replaced an earlier one."""

    snapshot_id: str
    batch_id: str | None
    date: date
    written_at: datetime
    files: tuple[SnapshotFile, ...]
    first_written_at: datetime | None = None

    def to_json(self) -> bytes:
        fields = asdict(self) | {"date": f"{self.date:%Y-%m-%d}", "written_at": self.written_at.isoformat()}
        first = fields.pop("first_written_at")
        fields |= {"first_written_at": first.isoformat()} if first else {}
        return json.dumps(fields, indent=2).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Raises `ValueError`, `KeyError` or `TypeError` for content of another shape."""
        fields = json.loads(content)
        return cls(
            snapshot_id=fields["snapshot_id"],
            batch_id=fields["batch_id"],
            date=date.fromisoformat(fields["date"]),
            written_at=datetime.fromisoformat(fields["written_at"]),
            files=tuple(SnapshotFile(**file) for file in fields["files"]),
            first_written_at=datetime.fromisoformat(first) if (first := fields.get("first_written_at")) else None,
        )


def manifest_path(root: Path, snapshot_id: str) -> Path:
    return root / MANIFESTS / f"{snapshot_id}.json"


def aside_path(root: Path, snapshot_id: str, file: SnapshotFile) -> Path:
    """Where a rewrite keeps a file of the earlier manifest while that manifest still counts."""
    return root / WORK / snapshot_id / f"{file.sha256}.parquet"


def read_manifest(path: Path) -> Manifest:
    """Raises `SnapshotDamaged` when the file can't be read as a manifest."""
    try:
        return Manifest.from_json(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise SnapshotDamaged(f"{path} is not a readable manifest ({error}); {REMEDY}") from error


def list_snapshots(root: Path) -> tuple[Manifest, ...]:
    """All snapshots, the oldest first. None for a root that doesn't exist yet."""
    manifests = [read_manifest(path) for path in (root / MANIFESTS).glob("[!.]*.json")]
    return tuple(sorted(manifests, key=lambda manifest: (manifest.written_at, manifest.snapshot_id)))


def locate(root: Path, manifest: Manifest, file: SnapshotFile) -> Path:
    """Where the content is that the manifest means. Raises `SnapshotDamaged` if it's missing or of another size."""
    aside = aside_path(root, manifest.snapshot_id, file)
    path = aside if aside.exists() else root / file.path
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SnapshotDamaged(f"{path} of snapshot {manifest.snapshot_id} is missing; {REMEDY}") from error
    if size != file.bytes:
        problem = f"has {size} bytes where the manifest of snapshot {manifest.snapshot_id} says {file.bytes}"
        raise SnapshotDamaged(f"{path} {problem}; {REMEDY}")
    return path


def verify_snapshot(root: Path, snapshot_id: str) -> Manifest:
    """Read every file of a snapshot and compare its hash. Raises `SnapshotDamaged`."""
    manifest = read_manifest(manifest_path(root, snapshot_id))
    for file in manifest.files:
        path = locate(root, manifest, file)
        with path.open("rb") as content:
            if file_digest(content, "sha256").hexdigest() != file.sha256:
                raise SnapshotDamaged(f"{path} of snapshot {snapshot_id} is not as it was written; {REMEDY}")
    return manifest
