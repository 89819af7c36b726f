"""Sums of amounts in a snapshot, which must equal the ledger's."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Mapping

from connectors.snapshots.manifests import SnapshotError

Sums = Mapping[str, int]
"""Minor units by currency, without sums of zero."""
Agreement = Callable[[Mapping[str, Sums]], None]
"""Checks the sums of a snapshot's tables, with rejected rows, before it counts; raises `SnapshotSumsDiffer`."""


class SnapshotSumsDiffer(SnapshotError):
    """A snapshot's amounts differ from the ledger's, so it was not written; the message has both sums."""


def sums_of(parts: Iterable[tuple[str, int]]) -> Sums:
    total: Counter[str] = Counter()
    for currency, minor in parts:
        total[currency] += minor
    return {currency: minor for currency, minor in total.items() if minor}
