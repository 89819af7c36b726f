"""Finds damage in stored snapshots: in every file's bytes, and in the manifests."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path

from connectors.snapshots.current import damaged_files
from connectors.snapshots.manifests import (
    REMEDY,
    Manifest,
    SnapshotDamaged,
    SnapshotError,
    SnapshotFile,
    history_path,
    manifest_path,
    manifest_paths,
    read_manifest,
    replaced_by,
    verify_file,
)

READS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Damage:
    """One damage of a snapshot. `tables` are those that can't be read; empty for
    all.
    """

    snapshot_id: str
    tables: tuple[str, ...]
    words: str


def damages(root: Path, snapshot_id: str | None = None) -> list[Damage]:
    """All damage, in the order of the snapshots. Raises `SnapshotError` for a missing
    snapshot.
    """
    if snapshot_id is None:
        return [
            one for path in sorted(_live_paths(root)) for one in _damages(root, path)
        ]
    if not (path := manifest_path(root, snapshot_id)).exists():
        raise SnapshotError(
            f"there is no snapshot {snapshot_id} in {root}: see them with sourcing snapshot ls"
        )
    return _damages(root, path)


def damaged_state(root: Path) -> list[Damage]:
    """The damage of the files of the current state."""
    return [
        Damage(
            snapshot_id="",
            tables=(path.parent.name,),
            words=f"{path} of the current state is not as it was written; make it anew: sourcing snapshot rebuild",
        )
        for path in damaged_files(root)
    ]


def broken_manifests(root: Path) -> list[Damage]:
    """The manifests that can't be read; no other file is opened."""
    names = {path.stem for path in _live_paths(root)} - {
        one.snapshot_id for one in whole_manifests(root)
    }
    return [
        one for name in sorted(names) for one in _seen(root, manifest_path(root, name))
    ]


def whole_manifests(root: Path) -> list[Manifest]:
    """The readable manifests, oldest first; `list_snapshots` raises for an unreadable
    one.
    """
    readable = _readable(root)
    live = [
        one
        for path in _live_paths(root)
        if (one := readable.get(path)) and one.snapshot_id == path.stem
    ]
    return sorted(live, key=lambda one: (one.written_at, one.snapshot_id))


def readable_manifests(root: Path) -> list[Manifest]:
    """All readable manifests, also those that a merged snapshot has replaced and that
    are not deleted yet.
    """
    return list(_readable(root).values())


def _live_paths(root: Path) -> set[Path]:
    return {*manifest_paths(root)} - {
        path for one in _readable(root).values() for path in replaced_by(root, one)
    }


def _readable(root: Path) -> dict[Path, Manifest]:
    readable = {}
    for path in manifest_paths(root):
        with suppress(SnapshotDamaged):
            readable[path] = read_manifest(path)
    return readable


def _damages(root: Path, path: Path) -> list[Damage]:
    """The damage of one snapshot, read while no writer replaced it."""
    found: list[Damage] = []
    for _ in range(READS):
        before = _content(path)
        found = list(_seen(root, path))
        if not found or _content(path) == before:
            break
    return found if path.exists() else []


def _content(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError:
        return b""


def _seen(root: Path, path: Path) -> Iterator[Damage]:
    try:
        manifest = read_manifest(path)
    except SnapshotDamaged as error:
        yield Damage(snapshot_id=path.stem, tables=(), words=str(error))
        return
    if manifest.snapshot_id != path.stem:
        words = f"{path} is the manifest of snapshot {manifest.snapshot_id}, under another name; {REMEDY}"
        yield Damage(snapshot_id=path.stem, tables=(), words=words)
        return  # its files belong to the other snapshot, and may be newer than this copy
    for file in manifest.files:
        try:
            _verify(root, manifest, file)
        except SnapshotDamaged as error:
            yield Damage(snapshot_id=path.stem, tables=(file.table,), words=str(error))


def _verify(root: Path, manifest: Manifest, file: SnapshotFile) -> None:
    if file.path != history_path(file.table, manifest.date, manifest.snapshot_id):
        raise SnapshotDamaged(
            f"the manifest of snapshot {manifest.snapshot_id} names a file {file.path}; {REMEDY}"
        )
    verify_file(root, manifest, file)
