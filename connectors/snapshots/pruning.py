"""Merges old snapshots into one with the newest row of each key: current rows stay, older history goes."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from functools import partial
from hashlib import sha256
from pathlib import Path

import pyarrow as pa

from connectors.durable import exclusive, sync
from connectors.snapshots.current import refresh
from connectors.snapshots.duck import WORK_MB, connected
from connectors.snapshots.manifests import (
    MANIFESTS,
    WORK,
    Manifest,
    SnapshotFile,
    list_snapshots,
    locate,
    manifest_path,
    replaced_by,
    verify_file,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.sources import rows_in
from connectors.snapshots.sweeping import sweep
from connectors.snapshots.tables import TABLES
from connectors.snapshots.tables.table import Table
from connectors.snapshots.writer import finished, put_in_place, staged_path, write_manifest

PRUNED = "pruned-"
BATCH_ROWS = 50_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Old:
    """Which snapshots are old: written `before` a time, or all but the newest `keep`."""

    before: datetime | None = None
    keep: int | None = None

    def among(self, manifests: Sequence[Manifest]) -> list[Manifest]:
        """The old ones of all snapshots, oldest first; none if there is nothing to gain.

        A snapshot with a table or a table version unknown here is left alone: a newer program wrote it.
        """
        old = list(manifests[: max(0, len(manifests) - self.keep)]) if self.keep is not None else list(manifests)
        if self.before is not None:
            old = [one for one in old if one.written_at < self.before]
        old = [one for one in old if all(map(_is_known, one.files))]
        return [] if len(old) == 1 and old[0].snapshot_id.startswith(PRUNED) else old


@dataclass(frozen=True, slots=True, kw_only=True)
class Pruned:
    """The result: the snapshots that were deleted, and the rows of them that were kept, with their new snapshot.

    `unnamed` files were left by dead writers. `bytes` counts the freed bytes.
    """

    dropped: Sequence[str]
    into: str | None
    rows: int
    bytes: int
    unnamed: int


def prune(root: Path, old: Old, now: datetime) -> Pruned:
    """Replace old snapshots by a merged one. Readers see the old ones or the merged one, even after a crash.

    One manifest decides: with it the new snapshot counts and the old ones no longer do. Then they are deleted, by the
    next pruning if this one dies. Waits for a writer under way. Raises `SnapshotDamaged`; then nothing is deleted.
    """
    with exclusive(root / WORK):
        before = _size(root)
        _finish(root)
        unnamed = sweep(root, list_snapshots(root))
        dropped = old.among(list_snapshots(root))
        files = _compacted(root, dropped, now) if dropped else ()
        if dropped:
            _finish(root)
            sweep(root, list_snapshots(root))
        refresh(root)
        return Pruned(
            dropped=[manifest.snapshot_id for manifest in dropped],
            into=f"{PRUNED}{now:%Y%m%dT%H%M%S%f}" if files else None,
            rows=sum(file.rows for file in files),
            bytes=before - _size(root),
            unnamed=unnamed,
        )


def _compacted(root: Path, old: Sequence[Manifest], now: datetime) -> tuple[SnapshotFile, ...]:
    """Merge the old snapshots into a new one. As of any later time the tables are unchanged."""
    snapshot_id, newest = f"{PRUNED}{now.astimezone(UTC):%Y%m%dT%H%M%S%f}", old[-1]
    (root / WORK / snapshot_id).mkdir(parents=True, exist_ok=True)
    names = [name for name in TABLES if any(file.table == name and file.rows for one in old for file in one.files)]
    for one in old:
        for file in one.files:
            verify_file(root, one, file)
    rows = {name: _merge(root, old, name, snapshot_id) for name in names}
    place = partial(staged_path, root, snapshot_id)
    files = tuple(finished(place(name), snapshot_id, newest.date, name, count) for name, count in rows.items())
    manifest = Manifest(
        snapshot_id=snapshot_id,
        batch_id=None,
        date=newest.date,
        written_at=newest.written_at,
        first_written_at=old[0].first_written_at or old[0].written_at,
        files=files,
        replaces={one.snapshot_id: _digest(manifest_path(root, one.snapshot_id)) for one in old},
    )
    put_in_place(root, manifest, files)
    return files


def _merge(root: Path, old: Sequence[Manifest], name: str, snapshot_id: str) -> int:
    """Write the newest row of each key of these snapshots; returns their number."""
    table = TABLES[name]
    paths = [locate(root, one, file) for one in old for file in one.files if file.table == name]
    with Growing(staged_path(root, snapshot_id, name), table.schema) as merged:
        for rows in _newest(paths, table, root / WORK / snapshot_id):
            merged.take(rows)
    return merged.rows


def _newest(paths: Sequence[Path], table: Table, work: Path) -> Iterator[pa.Table]:
    """The newest row of each key, sorted by key, with its snapshot and time."""
    with connected(memory_mb=WORK_MB, work=work / "spill") as connection:
        connection.register("history", rows_in(paths, table))
        newest = connection.sql(f"{table.newest('history')} ORDER BY {', '.join(table.key)}")
        for batch in newest.to_arrow_reader(BATCH_ROWS):
            yield pa.Table.from_batches([batch]).select(table.schema.names).cast(table.schema)


def _finish(root: Path) -> None:
    """Delete replaced manifests; no manifest names their files then, and these are swept."""
    for manifest in list_snapshots(root):
        if manifest.replaces:
            for path in [*replaced_by(root, manifest)]:
                path.unlink()
            sync(root / MANIFESTS)
            write_manifest(root, replace(manifest, replaces={}))
        if not manifest.files and manifest.snapshot_id.startswith(PRUNED):  # the old ones had no rows
            manifest_path(root, manifest.snapshot_id).unlink()


def _is_known(file: SnapshotFile) -> bool:
    return file.table in TABLES and file.schema_version <= TABLES[file.table].version


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()


def _size(root: Path) -> int:
    return sum(path.stat().st_size for path in root.rglob("*") if path.is_file())
