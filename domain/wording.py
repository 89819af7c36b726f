"""Words that messages, run names, log lines and artifacts share."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence

MOST_NAMED = 3


def shorten(names: Sequence[str], most: int = MOST_NAMED) -> str:
    """`A-1, A-2, A-3 and 4 more`."""
    more = len(names) - most
    return ", ".join(names[:most]) + (f" and {more:,} more" if more > 0 else "")


def counted(kinds: Iterable[str]) -> str:
    """`3 cancelled, 1 held`, the most frequent first; empty for none."""
    return ", ".join(f"{count:,} {kind.replace('_', ' ')}" for kind, count in Counter(kinds).most_common())


def pluralize(count: int, thing: str) -> str:
    """`1 order`, `2 orders`."""
    return f"{count:,} {thing}{'' if count == 1 else 's'}"
