"""Whether a snapshot has the money that the ledger has."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from connectors.ledger.overview import money_of, state_of_all
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.sums import SnapshotSumsDiffer, Sums
from domain.money import Money


class Source(Protocol):
    """A ledger, and the settings that say where its snapshots are."""

    @property
    def ledger(self) -> Ledger: ...

    @property
    def settings(self) -> SourcingSettings: ...


class LedgerAlone(NamedTuple):
    """The source of a command that does not call the service."""

    ledger: Ledger
    settings: SourcingSettings


class LedgerSums:
    """The cost of a snapshot's orders by the ledger, to be made before their rows are read.

    The sums are compared while the ledger is as it was then: a later move is written by its own run, and a batch that
    moved is written again. A plain class: Prefect must not walk it.
    """

    def __init__(
        self, source: Source, order_refs: Iterable[str], tables: Sequence[str], state: str | None = None
    ) -> None:
        self._source = source
        self._refs = list(order_refs)
        self._tables = tables
        self._state = state or self._now()

    def __call__(self, written: Mapping[str, Sums]) -> None:
        """Raises `SnapshotSumsDiffer`."""
        known = money_of(self._source.ledger, self._refs)
        wrong = [table for table in self._tables if written.get(table, {}) != known[table]]
        if wrong and self._now() == self._state:
            sums = "; ".join(
                f"{table}: {_words(written.get(table, {}))}, not {_words(known[table])}" for table in wrong
            )
            raise SnapshotSumsDiffer(
                f"a snapshot for {self._source.settings.snapshot_root} adds up to other sums than the ledger "
                f"{self._source.ledger.shown}, and was not written ({sums}). Nothing is lost: the ledger has "
                "everything, and the snapshots before still count. Check it with `sourcing ledger verify` and "
                "`sourcing reconcile`, mend what they find or report it, then run again or `sourcing snapshot rebuild`"
            )

    def _now(self) -> str:
        return state_of_all(self._source.ledger, self._refs)[0]


def _words(sums: Sums) -> str:
    return " and ".join(str(Money(minor, currency)) for currency, minor in sorted(sums.items())) or "nothing"
