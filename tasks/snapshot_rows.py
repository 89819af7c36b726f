"""The rows of the snapshot tables, of plans and of the ledger's records, and whether they add up to its money."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import NamedTuple, Protocol

from connectors.ledger.overview import money_of, state_of_all
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.manifests import SnapshotSumsDiffer, Sums
from connectors.snapshots.tables.offers import FREIGHT_QUOTES, QUOTES, freight_on_offer, offer_rows
from connectors.snapshots.tables.orders import ORDER_LINES, ORDERS, OUTCOMES, PAYMENTS
from connectors.snapshots.tables.parcels import SHIPMENT_ITEMS, SHIPMENTS
from connectors.snapshots.tables.refunds import REFUND_EVENTS, REFUNDS
from connectors.snapshots.tables.requests import CANDIDATES, REQUESTS
from connectors.snapshots.tables.table import Row
from domain.money import Money
from domain.plan import PlannedOrder

OF_PLANS = (REQUESTS, CANDIDATES, QUOTES)
OF_ORDERS = (ORDERS, ORDER_LINES, PAYMENTS, FREIGHT_QUOTES, SHIPMENTS, SHIPMENT_ITEMS, OUTCOMES)
OF_NO_BATCH: Row = {"batch_id": None}


def plan_tables(plans: Sequence[PlannedOrder]) -> dict[str, list[Row]]:
    """The requests and the marketplaces' offers."""
    seen = [row for plan in plans for offer in plan.offers for row in offer_rows(offer)]
    offers = {(row["marketplace"], row["item_id"], row["sku_id"]): row for row in seen}
    return {
        **{table.name: [row for plan in plans for row in table.rows(plan)] for table in OF_PLANS},
        "offers": list(offers.values()),
        "freight_quotes": [FREIGHT_QUOTES.row(one) for plan in plans for one in _freight(plan)],
    }


def _freight(plan: PlannedOrder) -> Sequence[object]:
    chosen = plan.freight_service.service_id if plan.freight_service else None
    return freight_on_offer(plan.order_ref, plan.freight, chosen)


def order_tables(orders: Sequence[OrderRecord]) -> dict[str, list[Row]]:
    """The orders of the ledger; each row under the batch of its order, whatever run writes it."""
    return {
        table.name: [{**row, "batch_id": order.batch_id} for order in orders for row in table.rows(order)]
        for table in OF_ORDERS
    }


def refund_tables(ledger: Ledger, order_refs: Sequence[str]) -> dict[str, list[Row]]:
    """The refunds of these orders and their events, under no batch, whatever run writes them."""
    events = ledger.refunds.events(order_refs=order_refs)  # before the refunds: an event's own is never missing then
    return {
        "refunds": [REFUNDS.row(refund) | OF_NO_BATCH for refund in ledger.refunds.of_orders(order_refs)],
        "refund_events": [REFUND_EVENTS.row(event) | OF_NO_BATCH for event in events],
    }


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
