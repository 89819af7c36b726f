"""Foreign keys between snapshot rows: which of them refer to a missing row."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import pyarrow as pa
from pyarrow import compute as pc
from pyarrow import parquet

from connectors.snapshots.checks import keys_of
from connectors.snapshots.manifests import list_snapshots, locate


def dangling(keys: pa.Array, known: Iterable[pa.Array]) -> list[int]:
    """The positions of the keys that no list of `known` has; a list is read only for keys that earlier lists lack."""
    places: pa.Array | None = None
    for some in known:
        missing = pc.indices_nonzero(pc.invert(pc.is_in(keys, some)))
        keys, places = keys.take(missing), missing if places is None else places.take(missing)
        if not len(keys):
            break
    return list(range(len(keys))) if places is None else places.to_pylist()


def keys_of_others(root: Path, snapshot_id: str, tables: Sequence[str], columns: Sequence[str]) -> Iterator[pa.Array]:
    """The keys of these tables in all other snapshots, newest first. Raises `SnapshotDamaged`."""
    for manifest in reversed(list_snapshots(root)):
        for file in manifest.files:
            if file.table in tables and manifest.snapshot_id != snapshot_id:
                with parquet.ParquetFile(locate(root, manifest, file)) as found:
                    yield keys_of(found.read(columns=list(columns)), columns)
