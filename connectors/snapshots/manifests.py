"""Manifests: which files make up a snapshot. A snapshot exists once its manifest
does.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import asdict, dataclass, field
from datetime import date, datetime
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Any, Self

from connectors.durable import move, require_writable, sync
from connectors.foreign import words_of

PRUNED = "pruned-"
"""The beginning of the ids of snapshots that have the newest rows of old ones alone."""
MANIFESTS = "_manifests"
WORK = "_work"
HISTORY = "_history"
STATE = "_current.json"
REMEDY = (
    "write the snapshot again (sourcing snapshot rebuild), restore the file from a backup, or go without it (sourcing "
    "snapshot rebuild --give-up)"
)


class SnapshotError(Exception):
    """The base of all errors of snapshots."""


class SnapshotDamaged(SnapshotError):
    """A manifest, or a file that it names, is missing or not as written; the message
    names it and the remedy.
    """


def require_place(root: Path) -> None:
    """Raise `SnapshotError` unless a snapshot can be written to `root`: a run learns it
    before it buys.
    """
    try:
        require_writable(root)
    except OSError as error:
        raise SnapshotError(
            f"no snapshot can be written to {root} ({words_of(error)}): make it writable for this user, free "
            "some disk space, or set SOURCING_SNAPSHOTS to another folder. Nothing was sent"
        ) from error


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotFile:
    """A table's file in a snapshot, or in the current state. `path` is relative to the
    root, with forward slashes.
    """

    table: str
    path: str
    rows: int
    bytes: int
    sha256: str


def history_path(table: str, date: date, snapshot_id: str) -> str:
    return f"{HISTORY}/{table}/date={date:%Y-%m-%d}/{snapshot_id}.parquet"


def described(staged: Path, table: str, path: str, rows: int) -> SnapshotFile:
    """The entry of a new file that will be put at `path`."""
    sync(staged)
    with staged.open("rb") as content:
        digest = file_digest(content, "sha256").hexdigest()
    size = staged.stat().st_size
    return SnapshotFile(
        table=table,
        path=path,
        rows=rows,
        bytes=size,
        sha256=digest,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class Manifest:
    """The files of one snapshot. `written_at` is UTC; `first_written_at` is set if it
    replaced an earlier one.

    `replaces` has the sha256 of the manifests that this one replaces, by snapshot id,
    until they are deleted. They don't count once this one is written.
    """

    snapshot_id: str
    batch_id: str | None
    date: date
    written_at: datetime
    files: tuple[SnapshotFile, ...]
    first_written_at: datetime | None = None
    replaces: Mapping[str, str] = field(default_factory=dict)

    @property
    def digest(self) -> str:
        """A hash of the content of all files."""
        return sha256(
            "".join(f"{file.table} {file.sha256}\n" for file in self.files).encode()
        ).hexdigest()

    def to_json(self) -> bytes:
        fields = asdict(self) | {
            "date": f"{self.date:%Y-%m-%d}",
            "written_at": self.written_at.isoformat(),
        }
        first, replaces = fields.pop("first_written_at"), fields.pop("replaces")
        fields |= {"first_written_at": first.isoformat()} if first else {}
        fields |= {"replaces": replaces} if replaces else {}
        return json.dumps({**fields, "checksum": _checksum(fields)}, indent=2).encode()

    @classmethod
    def from_json(cls, content: bytes) -> Self:
        """Raises `ValueError`, `KeyError` or `TypeError` for another shape,
        `SnapshotDamaged` for another checksum.
        """
        fields = json.loads(content)
        if fields.pop("checksum") != _checksum(fields):
            raise SnapshotDamaged("it is not as it was written")
        return cls(
            snapshot_id=fields["snapshot_id"],
            batch_id=fields["batch_id"],
            date=date.fromisoformat(fields["date"]),
            written_at=datetime.fromisoformat(fields["written_at"]),
            files=tuple(SnapshotFile(**file) for file in fields["files"]),
            first_written_at=datetime.fromisoformat(first)
            if (first := fields.get("first_written_at"))
            else None,
            replaces=fields.get("replaces", {}),
        )


def _checksum(fields: Mapping[str, Any]) -> str:
    return sha256(json.dumps(fields, sort_keys=True).encode()).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Current:
    """The files of the current state, and the digests of the snapshots that they are
    of.
    """

    snapshots: Mapping[str, str]
    files: tuple[SnapshotFile, ...]

    def write(self, root: Path, staged: Path) -> None:
        staged.write_bytes(json.dumps(asdict(self), indent=1).encode())
        sync(staged)
        move(staged, root / STATE)


def read_current(root: Path) -> Current | None:
    """The current state; None where there is none, or one of its files is not of the
    size that it names.
    """
    try:
        fields = json.loads((root / STATE).read_bytes())
        files = tuple(SnapshotFile(**file) for file in fields["files"])
        if all((root / file.path).stat().st_size == file.bytes for file in files):
            return Current(snapshots=fields["snapshots"], files=files)
    except (OSError, ValueError, KeyError, TypeError):
        pass
    return None


def is_as_written(path: Path, file: SnapshotFile) -> bool:
    """Whether a file has the content that its entry names."""
    try:
        with path.open("rb") as content:
            return file_digest(content, "sha256").hexdigest() == file.sha256
    except OSError:
        return False


def manifest_path(root: Path, snapshot_id: str) -> Path:
    return root / MANIFESTS / f"{snapshot_id}.json"


def aside_path(root: Path, snapshot_id: str, file: SnapshotFile) -> Path:
    """The place of a manifest's file during a rewrite, while its own has that of the
    earlier manifest.
    """
    return root / WORK / snapshot_id / f"{file.sha256}.parquet"


def read_manifest(path: Path) -> Manifest:
    """Raises `SnapshotDamaged` when the file can't be read as a manifest."""
    try:
        return Manifest.from_json(path.read_bytes())
    except (OSError, ValueError, KeyError, TypeError, SnapshotDamaged) as error:
        raise SnapshotDamaged(
            f"{path} is not a readable manifest ({words_of(error)}); {REMEDY}"
        ) from error


def manifest_paths(root: Path) -> Iterator[Path]:
    """The files of all manifests, in no order; some may not count any more."""
    return (root / MANIFESTS).glob("[!.]*.json")


def list_snapshots(root: Path) -> tuple[Manifest, ...]:
    """All snapshots, oldest first; empty for a root that doesn't exist yet. Raises
    `SnapshotDamaged`.
    """
    manifests = {}
    for path in manifest_paths(root):
        try:
            manifests[path] = read_manifest(path)
        except SnapshotDamaged as error:
            if not isinstance(
                error.__cause__, FileNotFoundError
            ):  # else it has just been deleted
                raise
    replaced = {
        path for manifest in manifests.values() for path in replaced_by(root, manifest)
    }
    live = [manifest for path, manifest in manifests.items() if path not in replaced]
    return tuple(
        sorted(live, key=lambda manifest: (manifest.written_at, manifest.snapshot_id))
    )


def replaced_by(root: Path, manifest: Manifest) -> Iterator[Path]:
    """The manifests that this one replaces and that still exist, unless they were
    written anew since.
    """
    for snapshot_id, digest in manifest.replaces.items():
        path = manifest_path(root, snapshot_id)
        with suppress(FileNotFoundError):
            if sha256(path.read_bytes()).hexdigest() == digest:
                yield path


def locate(root: Path, manifest: Manifest, file: SnapshotFile) -> Path:
    """The path of a manifest's file. Raises `SnapshotDamaged` if it is missing or has
    another size.
    """
    aside = aside_path(root, manifest.snapshot_id, file)
    path = aside if aside.exists() else root / file.path
    try:
        size = path.stat().st_size
    except OSError as error:
        raise SnapshotDamaged(
            f"{path} of snapshot {manifest.snapshot_id} is missing; {REMEDY}"
        ) from error
    if size != file.bytes:
        problem = f"has {size} bytes where the manifest of snapshot {manifest.snapshot_id} says {file.bytes}"
        raise SnapshotDamaged(f"{path} {problem}; {REMEDY}")
    return path


def verify_snapshot(root: Path, snapshot_id: str) -> Manifest:
    """Compare the hashes of all files of a snapshot. Raises `SnapshotDamaged`."""
    manifest = read_manifest(manifest_path(root, snapshot_id))
    for file in manifest.files:
        verify_file(root, manifest, file)
    return manifest


def verify_file(root: Path, manifest: Manifest, file: SnapshotFile) -> None:
    """Raise `SnapshotDamaged` for a file whose hash differs from its manifest's."""
    path = locate(root, manifest, file)
    try:
        with path.open("rb") as content:
            digest = file_digest(content, "sha256").hexdigest()
    except OSError as error:
        raise SnapshotDamaged(
            f"{path} of snapshot {manifest.snapshot_id} can't be read ({words_of(error)}); {REMEDY}"
        ) from error
    if digest != file.sha256:
        raise SnapshotDamaged(
            f"{path} of snapshot {manifest.snapshot_id} is not as it was written; {REMEDY}"
        )
