"""Many orders in chunks: the rows of a hundred thousand orders do not fit into memory."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

CHUNK = 500


def chunked(items: Iterable[T], size: int = CHUNK) -> Iterator[list[T]]:
    """Lists of at most `size` items, in order."""
    left = iter(items)
    while some := list(islice(left, size)):
        yield some
