"""Merges snapshots into one: those of a day or a month with all rows, old ones with the
newest row of each key.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from hashlib import sha256
from itertools import groupby
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.durable import exclusive, sync
from connectors.foreign import words_of
from connectors.snapshots.current import follow_merge, refresh, sweep
from connectors.snapshots.manifests import (
    MANIFESTS,
    PRUNED,
    WORK,
    Manifest,
    SnapshotError,
    SnapshotFile,
    list_snapshots,
    locate,
    manifest_path,
    manifest_paths,
    read_manifest,
    replaced_by,
    verify_file,
)
from connectors.snapshots.rows import Growing
from connectors.snapshots.sources import AHEAD, WORK_MB, connected, rows_in
from connectors.snapshots.tables import TABLES
from connectors.snapshots.writer import (
    finished,
    put_in_place,
    staged_path,
    write_manifest,
)

BATCH_ROWS = 10_000
SLICE = 100_000
"""Rows that are sorted at once."""
READ = timedelta(days=1)
SETTLED = timedelta(days=7)
"""A batch's snapshot is merged so long after it was last written: until then its runs
replace it.
"""
if TYPE_CHECKING:
    from pyarrow.compute import Expression
    from pyarrow.dataset import Dataset


def compact(root: Path, now: datetime, *, keep_days: int) -> list[str]:
    """Merge the snapshots of each day and of each month that is over; drop the history
    before the last `keep_days`.

    Merged days and months have all rows. Readers under way end: what is replaced is
    deleted by the next call that merges. Each merge waits for a writer under way.
    Readers see the old snapshots or the merged one, even after a crash. Returns the ids
    of the merged ones. Raises `SnapshotError` once all that can be merged is.
    """
    now, kept = now.astimezone(UTC), timedelta(days=keep_days)
    if not root.is_dir():
        return []
    with exclusive(root / WORK):
        if not any(_due(list_snapshots(root), now, kept)):
            return []
        _end_merges(root)
        plan = list(_due(list_snapshots(root), now, kept))
    written, faults = list[str](), list[SnapshotError]()
    for snapshot_id, old in plan:
        with exclusive(root / WORK):
            try:
                if all(_stands(root, one) for one in old):
                    _merge(root, old, snapshot_id)
                    written.append(snapshot_id)
            except SnapshotError as error:
                faults.append(error)
    with exclusive(root / WORK):
        refresh(root)
    if faults:
        raise faults[0]
    return written


def _due(
    manifests: Sequence[Manifest], now: datetime, kept: timedelta
) -> Iterator[tuple[str, Sequence[Manifest]]]:
    """The merges, each with the old snapshots that become one: months, days, then what
    is old and in neither. One with a table unknown here is left alone: a newer program
    wrote it.

    So many old snapshots become months first, and the months' newest rows one, by a
    later call: each reads few at once.
    """
    left = [one for one in manifests if all(map(_is_known, one.files))]
    left = [
        one for one in left if one.batch_id is None or one.written_at < now - SETTLED
    ]
    taken = set[str]()
    for period, over in (("%Y-%m", now - SETTLED), ("%Y-%m-%d", now - READ)):
        single: list[Manifest] = []
        for name, of_it in groupby(left, lambda one: f"{one.written_at:{period}}"):  # noqa: B023 - used at once
            written = list(of_it)
            if name < f"{over:{period}}" and len(written) > 1:
                taken |= {one.snapshot_id for one in written}
                yield f"of-{name}-{_stamp(now)}", written
            else:
                single += written
        left = single
    old = [
        manifest
        for manifest in manifests
        if manifest.snapshot_id not in taken
        and manifest.written_at < now - kept
        and all(map(_is_known, manifest.files))
    ]
    if old and not (len(old) == 1 and old[0].snapshot_id.startswith(PRUNED)):
        yield f"{PRUNED}{_stamp(now)}", old


def _stands(root: Path, manifest: Manifest) -> bool:
    """Whether no writer has replaced or dropped a snapshot meanwhile."""
    path = manifest_path(root, manifest.snapshot_id)
    return path.exists() and read_manifest(path) == manifest


def _merge(root: Path, old: Sequence[Manifest], snapshot_id: str) -> None:
    """Merge the old snapshots into a new one. As of any later time the tables are
    unchanged.

    One manifest decides: with it the new snapshot counts and the old ones no longer do.
    """
    import duckdb

    newest, work = old[-1], root / WORK / snapshot_id
    needed = 2 * sum(file.bytes for one in old for file in one.files)
    if needed > shutil.disk_usage(root).free and not snapshot_id.startswith(
        PRUNED
    ):  # which makes room
        space = f"{needed / 1e6:,.0f} MB of free disk space"
        raise SnapshotError(
            f"to be merged, snapshots below {root} need {space}: they stay as they were"
        )
    work.mkdir(parents=True, exist_ok=True)
    names = [
        name
        for name in TABLES
        if any(file.table == name and file.rows for one in old for file in one.files)
    ]
    for one in old:
        for file in one.files:
            verify_file(root, one, file)
    try:
        counts = {name: _write(root, old, name, snapshot_id) for name in names}
    except Exception as error:
        shutil.rmtree(work, ignore_errors=True)  # else a full disk stays full
        if not isinstance(error, (duckdb.Error, pa.ArrowException, OSError)):
            raise
        fault = words_of(error)
        raise SnapshotError(
            f"snapshots below {root} can't be merged ({fault}), and stay as they were"
        ) from error
    place = partial(staged_path, root, snapshot_id)
    files = tuple(
        finished(place(name), snapshot_id, newest.date, name, count)
        for name, count in counts.items()
    )
    manifest = Manifest(
        snapshot_id=snapshot_id,
        batch_id=None,
        date=newest.date,
        written_at=newest.written_at,
        first_written_at=old[0].first_written_at or old[0].written_at,
        files=files,
        replaces={
            one.snapshot_id: _digest(manifest_path(root, one.snapshot_id))
            for one in old
        },
    )
    put_in_place(root, manifest, files)
    follow_merge(root, old, manifest)


def _write(root: Path, old: Sequence[Manifest], name: str, snapshot_id: str) -> int:
    """Write all rows of the snapshots, of pruned ones the newest, sorted by key, with
    their own snapshot and time.

    Returns their number.
    """
    table = TABLES[name]
    paths = [
        locate(root, one, file)
        for one in old
        for file in one.files
        if file.table == name
    ]
    work, history = root / WORK / snapshot_id / "spill", rows_in(paths, table)
    rows = table.newest("history") if snapshot_id.startswith(PRUNED) else "FROM history"
    query = f"{rows} ORDER BY {', '.join((*table.key, 'snapshot_at', 'snapshot_id'))}"
    with (
        Growing(staged_path(root, snapshot_id, name), table.schema) as merged,
        connected(memory_mb=WORK_MB, work=work) as connection,
    ):
        for part in _slices(history, table.key[0]):
            connection.register(
                "history", history.scanner(filter=part, **AHEAD).to_reader()
            )
            for batch in connection.sql(query).to_arrow_reader(BATCH_ROWS):
                merged.take(
                    pa.Table.from_batches([batch])
                    .select(table.schema.names)
                    .cast(table.schema)
                )
    return merged.rows


def _slices(history: Dataset, column: str) -> Iterator[Expression | None]:
    """Conditions that divide the rows by a column of their key, in its order: few of
    them are in memory at once.
    """
    total = history.count_rows()
    if total <= SLICE:
        yield None
        return
    step = max(1, SLICE // 100)
    batches = history.scanner([column], **AHEAD).to_batches()
    sample = sorted(
        value
        for batch in batches
        for value in batch[column][::step].to_pylist()
        if value is not None
    )
    edges = [*dict.fromkeys(sample[:: max(1, len(sample) * SLICE // total)][1:])]
    key = pc.field(column)
    for low, high in zip([None, *edges], [*edges, None], strict=True):
        below = pc.scalar(True) if high is None else key < high  # noqa: FBT003
        yield (key.is_null() | below) if low is None else (key >= low) & below


def _end_merges(root: Path) -> None:
    """Delete what merges have replaced, and what dead writers left."""
    sweep(root, [read_manifest(path) for path in manifest_paths(root)])
    for manifest in list_snapshots(root):
        if manifest.replaces:
            for path in [*replaced_by(root, manifest)]:
                path.unlink()
            sync(root / MANIFESTS)
            if manifest.files:
                write_manifest(root, replace(manifest, replaces={}))
            else:  # the old ones had no rows
                manifest_path(root, manifest.snapshot_id).unlink()
    sweep(root, list_snapshots(root))


def _stamp(now: datetime) -> str:
    return f"{now.astimezone(UTC):%Y%m%dT%H%M%S%f}"


def _is_known(file: SnapshotFile) -> bool:
    return file.table in TABLES


def _digest(path: Path) -> str:
    return sha256(path.read_bytes()).hexdigest()
