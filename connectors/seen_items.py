"""What the last finished crawl saw of each list, a file a list: later crawls notice
what a list no longer shows, and ask for changes alone.
"""

from __future__ import annotations

import json
from datetime import datetime
from pathlib import Path

from connectors.durable import put
from domain.catalogue import Listing, SeenItems


def read_seen_items(folder: Path, source: Listing) -> SeenItems | None:
    """Return None for a list that no crawl has finished."""
    try:
        fields = json.loads(_file_of(folder, source).read_bytes())
    except FileNotFoundError:
        return None
    return SeenItems(
        begun_at=datetime.fromisoformat(fields["begun_at"]),
        item_ids=tuple(fields["items"]),
        missed=tuple(fields["missed"]),
    )


def store_seen_items(folder: Path, source: Listing, seen: SeenItems) -> None:
    """Replace what an earlier crawl saw."""
    fields = {
        "source": str(source),
        "begun_at": seen.begun_at.isoformat(),
        "items": seen.item_ids,
        "missed": seen.missed,
    }
    put(_file_of(folder, source), json.dumps(fields, ensure_ascii=False).encode())


def _file_of(folder: Path, source: Listing) -> Path:
    return folder / f"{source.name}.json"
