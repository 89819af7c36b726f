"""Parquet snapshots of the ledger and of offers: written whole or not at all, read with SQL."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.snapshots.frames import Snapshots
    from connectors.snapshots.manifests import (
        Manifest,
        SnapshotDamaged,
        SnapshotError,
        SnapshotFile,
        list_snapshots,
        verify_snapshot,
    )
    from connectors.snapshots.reader import QueryResult, sql
    from connectors.snapshots.rows import SnapshotValueError
    from connectors.snapshots.sources import QueryError
    from connectors.snapshots.tables import TABLES, Table
    from connectors.snapshots.writer import write_snapshot

__all__ = [
    "TABLES",
    "Manifest",
    "QueryError",
    "QueryResult",
    "SnapshotDamaged",
    "SnapshotError",
    "SnapshotFile",
    "SnapshotValueError",
    "Snapshots",
    "Table",
    "list_snapshots",
    "sql",
    "verify_snapshot",
    "write_snapshot",
]

_FROM = {
    "frames": ("Snapshots",),
    "manifests": ("Manifest", "SnapshotDamaged", "SnapshotError", "SnapshotFile", "list_snapshots", "verify_snapshot"),
    "reader": ("QueryResult", "sql"),
    "rows": ("SnapshotValueError",),
    "tables": ("TABLES", "Table"),
    "sources": ("QueryError",),
    "writer": ("write_snapshot",),
}
_HOMES = {name: module for module, names in _FROM.items() for name in names}


def __getattr__(name: str) -> object:
    """Load Arrow only when it is needed: an importer of the errors alone does without its 50 MB."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
