"""Work in slices: one task run a slice."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TypeVar

T = TypeVar("T")


def chunks(items: Sequence[T], size: int) -> list[tuple[str, Sequence[T]]]:
    """Slices of `size`, each with a label such as `101–200 of 1,000`."""
    total = len(items)
    return [
        (f"{start + 1:,}–{min(start + size, total):,} of {total:,}", items[start : start + size])
        for start in range(0, total, size)
    ]
