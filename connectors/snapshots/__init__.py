"""Parquet snapshots of the ledger and of offers: written whole or not at all, read with
SQL.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.snapshots.frames import Snapshots

__all__ = ["Snapshots"]


def __getattr__(name: str) -> object:
    """Load Arrow only when it is needed: an importer of the errors alone does without
    its 50 MB.
    """
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from connectors.snapshots.frames import Snapshots

    return Snapshots
