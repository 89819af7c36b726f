"""The ledger's tracking events: each scan once, numbered in order of arrival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import select

from connectors.ledger.forgetting import forgotten_in
from connectors.ledger.schema import tracking_events
from connectors.ledger.transactions import LedgerRows, repeating
from domain.service_orders import TrackingEvent


class TrackingRows(LedgerRows):
    """The table `tracking_events` of one ledger."""

    @repeating
    def add(self, order_ref: str, events: Sequence[TrackingEvent]) -> int:
        """Record an order's new events, numbered in order of arrival; returns how many.

        A scan has no id: number, time, status and words identify it (contract 2.3). After the receiver was erased,
        words and place are recorded empty: they may name the signer.
        """
        if not events:
            return 0
        with self._ledger.transaction(()) as connection:
            if forgotten_in(connection, [order_ref]):
                events = [replace(event, description="", place="") for event in events]
            known = connection.execute(select(tracking_events).where(tracking_events.c.order_ref == order_ref)).all()
            seen = {(row.tracking_number, row.occurred_at, row.status, row.description) for row in known}
            last = Counter(row.tracking_number for row in known)
            rows = []
            for event in events:
                identity = (event.tracking_number, event.occurred_at, event.status, event.description)
                if identity in seen:
                    continue
                seen.add(identity)
                last[event.tracking_number] += 1
                rows.append(self._event_row(order_ref, event, last[event.tracking_number]))
            if rows:
                connection.execute(self._ledger.insert(tracking_events).values(rows).on_conflict_do_nothing())
            return len(rows)

    def _event_row(self, order_ref: str, event: TrackingEvent, sequence: int) -> dict[str, Any]:
        return {
            "order_ref": order_ref,
            "tracking_number": event.tracking_number,
            "sequence": sequence,
            "occurred_at": event.occurred_at,
            "status": event.status,
            "description": event.description,
            "place": event.place,
            "recorded_at": self._ledger.clock(),
        }

    def listed(self, *, order_refs: Iterable[str] | None = None, since: datetime | None = None) -> list[dict[str, Any]]:
        """Recorded events in order, optionally of some orders, or recorded since a time."""
        c = tracking_events.c
        order = (c.order_ref, c.occurred_at, c.tracking_number, c.sequence)
        return self._events(tracking_events, *order, order_refs=order_refs, since=since)
