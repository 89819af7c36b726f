"""Sums of money in a snapshot, which must be the ledger's own."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from connectors.snapshots.manifests import SnapshotError

Sums = Mapping[str, int]
"""Minor units by currency; nothing where the sum is nothing."""
Agreement = Callable[[Mapping[str, Sums]], None]
"""Hears the sums of a snapshot's tables, rejected rows included, before it counts; raises `SnapshotSumsDiffer`."""


class SnapshotSumsDiffer(SnapshotError):
    """A snapshot would not tell the money that the ledger has, so it was not written; the message has both sums."""


def sums_of(parts: Iterable[tuple[str, int]]) -> Sums:
    """Amounts by currency, added up."""
    total: Counter[str] = Counter()
    for currency, minor in parts:
        total[currency] += minor
    return {currency: minor for currency, minor in total.items() if minor}
