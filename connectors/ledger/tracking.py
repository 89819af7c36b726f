"""The ledger's tracking events: each scan once, numbered in order of arrival."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, func, select

from connectors.ledger.forgetting import forgotten_in
from connectors.ledger.many import chunked, one_of
from connectors.ledger.outcomes import write_all
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import tracked, tracking_events
from connectors.ledger.transactions import LedgerRows, repeating
from domain.polling import LONGEST, next_poll
from domain.service_orders import TrackingEvent
from domain.states import TRAVELLING

Polled = Mapping[str, tuple[datetime, int]]
"""Parcels that were read: when the order of each was booked, and the least hours until it is due again."""
NONE_POLLED: Polled = {}
_KNOWN = select(tracking_events).where(one_of(tracking_events.c.order_ref, "refs"))
_LAST = (
    select(tracking_events.c.order_ref, func.max(tracking_events.c.recorded_at).label("at"))
    .where(one_of(tracking_events.c.order_ref, "refs"))
    .group_by(tracking_events.c.order_ref)
)


class TrackingRows(LedgerRows):
    """The table `tracking_events` of one ledger."""

    @repeating
    def add(
        self,
        events: Mapping[str, Sequence[TrackingEvent]],
        changes: Sequence[OrderChange] = (),
        *,
        polled: Polled = NONE_POLLED,
    ) -> list[dict[str, Any]]:
        """Record the new events of some orders, and changes of them, in one commit; returns the rows of new events.

        Parcels that were `polled` are due again the later, the longer nothing has happened to them.

        A scan has no id: number, time, status and words identify it (contract 2.3). After the receiver was erased,
        words and place are recorded empty: they may name the signer. Without news no transaction is begun that others
        would wait for.
        """
        if not changes and not polled:
            with self._ledger.reading() as connection:
                if not self._new_rows(connection, events):
                    return []
        with self._ledger.transaction([change.order_ref for change in changes]) as connection:
            rows = self._new_rows(connection, events)
            if rows:
                connection.execute(self._ledger.insert(tracking_events).on_conflict_do_nothing(), rows)
            write_all(self._ledger, connection, (), changes)
            self._write_polls(connection, polled, [one.order_ref for one in changes if one.state not in TRAVELLING])
        return rows

    def _write_polls(self, connection: Connection, polled: Polled, ended: Sequence[str]) -> None:
        now, last = self._ledger.clock(), {row.order_ref: row.at for row in connection.execute(_LAST, {"refs": polled})}
        rows = [
            {
                "order_ref": ref,
                "next_poll_at": next_poll(now, booked_at, last.get(ref), least_h=least_h),
                "last_scan_at": last.get(ref),
            }
            for ref, (booked_at, least_h) in sorted(polled.items())
        ]
        if rows:
            statement = self._ledger.insert(tracked)
            new = {name: statement.excluded[name] for name in ("next_poll_at", "last_scan_at")}
            connection.execute(statement.on_conflict_do_update(index_elements=["order_ref"], set_=new), rows)
        if ended:
            connection.execute(delete(tracked).where(one_of(tracked.c.order_ref, "refs")), {"refs": ended})

    def not_due(self) -> set[str]:
        """The orders whose parcels need not be read yet. A time that no pause leads to is of a clock that was ahead."""
        now = self._ledger.clock()
        statement = select(tracked.c.order_ref).where(
            tracked.c.next_poll_at > now, tracked.c.next_poll_at <= now + LONGEST
        )
        return {row["order_ref"] for row in self._ledger.rows(statement)}

    def _new_rows(self, connection: Connection, events: Mapping[str, Sequence[TrackingEvent]]) -> list[dict[str, Any]]:
        forgotten = forgotten_in(connection, events)
        known = connection.execute(_KNOWN, {"refs": list(events)}).all()
        seen = {(row.order_ref, row.tracking_number, row.occurred_at, row.status, row.description) for row in known}
        last = Counter((row.order_ref, row.tracking_number) for row in known)
        rows = []
        for order_ref, event in ((ref, event) for ref, listed in events.items() for event in listed):
            one = replace(event, description="", place="") if order_ref in forgotten else event
            identity = (order_ref, one.tracking_number, one.occurred_at, one.status, one.description)
            if identity not in seen:
                seen.add(identity)
                last[order_ref, one.tracking_number] += 1
                rows.append(self._event_row(order_ref, one, last[order_ref, one.tracking_number]))
        return rows

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

    def last_recorded(self, order_refs: Iterable[str]) -> dict[str, datetime]:
        """When the newest event of each of these orders was recorded."""
        parts = (self._ledger.rows(_LAST, {"refs": refs}) for refs in chunked(order_refs))
        return {row["order_ref"]: row["at"] for rows in parts for row in rows}

    def listed(self, *, order_refs: Iterable[str] | None = None, since: datetime | None = None) -> list[dict[str, Any]]:
        """Recorded events in order, optionally of some orders, or recorded since a time."""
        c = tracking_events.c
        order = (c.order_ref, c.occurred_at, c.tracking_number, c.sequence)
        return self._events(tracking_events, *order, order_refs=order_refs, since=since)
