"""Many orders a few at a time: what a ledger knows of a hundred thousand does not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500


def chunked(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """All of these in their order, `size` at a time."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
