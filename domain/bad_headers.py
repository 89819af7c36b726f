"""Which column an unknown name is probably meant for."""

from __future__ import annotations

from difflib import get_close_matches
from functools import lru_cache

from domain.request_cells import COLUMNS

LIKE = 0.8
LONGEST = 40  # no column's name is half as long, and comparing takes time


@lru_cache(maxsize=1024)
def likely_column(name: str) -> str:
    """The column that is spelled much like `name`: passing over `freigth` would ship by the wrong service."""
    if len(name) > LONGEST:
        return ""
    near = get_close_matches(name, [column.name for column in COLUMNS], n=1, cutoff=LIKE)
    return near[0] if near else ""
