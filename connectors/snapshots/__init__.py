"""Parquet snapshots of what the product knows: written whole or not at all, read with SQL."""

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
from connectors.snapshots.schemas import TABLES, Table
from connectors.snapshots.sources import QueryError
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
