"""Brings snapshots of earlier versions into the layout and the columns of this one."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from shutil import rmtree

import pyarrow as pa
from pyarrow import parquet

from connectors.durable import exclusive, keep_aside, move
from connectors.snapshots.current import damaged_files, refresh
from connectors.snapshots.manifests import HISTORY, STATE, WORK, SnapshotFile, list_snapshots, old_files
from connectors.snapshots.rewriting import Change, is_gone, rewrite
from connectors.snapshots.sweeping import sweep


@dataclass(frozen=True, slots=True)
class Arranged:
    """The number of files that were moved, and of snapshots that were rewritten without gone columns."""

    moved: int
    rewritten: int


def arrange(root: Path) -> Arranged:
    """Drop gone columns, move the files of earlier versions into the history, and make the current state.

    A crash at any moment leaves each file at one place at least, and a table's folder with all of them or none; the
    next call goes on.
    """
    rewritten = rewrite(root, Change(_has_gone, _without_gone))
    moved = root / WORK / "_moved"
    with exclusive(root / WORK):
        files = sorted(old_files(root))
        for path in files:
            if not (place := root / HISTORY / path.relative_to(root)).exists():
                keep_aside(path, place)
        for table in sorted({path.parents[1] for path in files}):
            rmtree(moved / table.name, ignore_errors=True)
            move(table, moved / table.name)
            for other in (moved / table.name).glob("[!d]*"):
                move(other, table / other.name)
        sweep(root, list_snapshots(root))
        if damaged_files(root):
            (root / STATE).unlink()
        refresh(root)
    return Arranged(len(files), len(rewritten))


def _has_gone(file: SnapshotFile, path: Path) -> bool:
    return any(is_gone(file, name) for name in parquet.read_schema(path).names)


def _without_gone(file: SnapshotFile, rows: pa.Table) -> pa.Table:
    return rows.drop_columns([name for name in rows.column_names if is_gone(file, name)])
