"""The ledger's tracking events, each scan once, numbered in order of arrival; and the
numbers exported for shops.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    Connection,
    and_,
    bindparam,
    delete,
    exists,
    func,
    or_,
    select,
)

from connectors.ledger.engine import one_of
from connectors.ledger.forgetting import forgotten_in
from connectors.ledger.order_mover import write_all
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import (
    exported_numbers,
    orders,
    tracked,
    tracking_events,
)
from connectors.ledger.transactions import LedgerRows, repeating
from connectors.ledger.unwritten import mark
from domain.follow_ups import LONGEST, next_poll
from domain.service_orders import TraceStatus, TrackingEvent
from domain.states import TRAVELLING, OrderState

Polled = Mapping[str, datetime]
"""Parcels that were read: when the order of each was booked."""
NONE_POLLED: Polled = {}
_IDENTITY = ("order_ref", "tracking_number", "occurred_at", "status", "description")
_IDENTITIES = select(*(tracking_events.c[name] for name in _IDENTITY)).where(
    one_of(tracking_events.c.order_ref, "refs")
)
_KNOWN = select(tracking_events).where(one_of(tracking_events.c.order_ref, "refs"))
_LAST = (
    select(
        tracking_events.c.order_ref, func.max(tracking_events.c.recorded_at).label("at")
    )
    .where(one_of(tracking_events.c.order_ref, "refs"))
    .group_by(tracking_events.c.order_ref)
)
_OF_THESE = delete(tracked).where(one_of(tracked.c.order_ref, "refs"))
LAST_DAYS = timedelta(days=7)


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
        """Record the new events of some orders, and changes of them, in one commit;
        returns the rows of new events.

        Of parcels that were `polled` it is recorded when they are due again
        (`not_due`).

        A scan has no id: number, time, status and words identify it (contract 2.3).
        After the receiver was erased, words and place are recorded empty: they may name
        the signer.
        """
        if not (events or changes or polled):
            return []
        with self._ledger.transaction() as connection:
            rows = self._new_rows(connection, events)
            if rows:
                connection.execute(
                    self._ledger.insert(tracking_events).on_conflict_do_nothing(), rows
                )
                mark(connection, {row["order_ref"] for row in rows})
            write_all(self._ledger, connection, (), changes)
            if polls := self._polls(connection, polled):
                connection.execute(
                    self._ledger.upsert(tracked, ("next_poll_at",)),
                    polls,
                )
            if numbered := [
                change.order_ref
                for change in changes
                if "shipment" in change.writes.columns
            ]:
                connection.execute(_NOT_ALL_EXPORTED, {"refs": numbered})
            if ended := [
                change.order_ref
                for change in changes
                if change.state not in (None, *TRAVELLING)
            ]:
                connection.execute(_OF_THESE, {"refs": ended})
        return rows

    def _polls(self, connection: Connection, polled: Polled) -> list[dict[str, Any]]:
        now = self._ledger.clock()
        last = {
            row.order_ref: row.at for row in connection.execute(_LAST, {"refs": polled})
        }
        return [
            {
                "order_ref": ref,
                "next_poll_at": next_poll(now, booked_at, last.get(ref)),
            }
            for ref, booked_at in sorted(polled.items())
        ]

    @repeating
    def make_due(self, order_refs: Sequence[str]) -> None:
        """Let the parcels of these orders be read by the next run that reads any."""
        with self._ledger.transaction() as connection:
            connection.execute(_OF_THESE, {"refs": order_refs})

    def not_due(self) -> set[str]:
        """The orders whose parcels need not be read yet. A time of a clock that was
        ahead is none.
        """
        now = self._ledger.clock()
        at = tracked.c.next_poll_at
        return {
            *self._ledger.column(
                select(tracked.c.order_ref).where(at > now, at <= now + LONGEST)
            )
        }

    def of_last_days(self, statuses: Iterable[str], words: str) -> list[dict[str, Any]]:
        """Events that were recorded in the last days: of these statuses, or that match
        `words`.
        """
        c = tracking_events.c
        is_recent = c.recorded_at >= self._ledger.clock() - LAST_DAYS
        is_meant = or_(c.status.in_(statuses), c.description.regexp_match(words))
        return self._ledger.rows(select(tracking_events).where(is_recent, is_meant))

    def _new_rows(
        self, connection: Connection, events: Mapping[str, Sequence[TrackingEvent]]
    ) -> list[dict[str, Any]]:
        forgotten = forgotten_in(connection, events)
        known = connection.execute(_IDENTITIES, {"refs": list(events)})
        seen = {tuple(row) for row in known}
        last = Counter(identity[:2] for identity in seen)
        rows = []
        for ref, listed in events.items():
            for event in listed:
                scan = asdict(event) | {"order_ref": ref}
                del scan["unknown_word"]
                if ref in forgotten:
                    scan |= {"description": "", "place": ""}
                identity = tuple(scan[name] for name in _IDENTITY)
                if identity not in seen:
                    seen.add(identity)
                    last[identity[:2]] += 1
                    scan["sequence"] = last[identity[:2]]
                    rows.append(scan | {"recorded_at": self._ledger.clock()})
        return rows

    def last_recorded(self, order_refs: Iterable[str]) -> dict[str, datetime]:
        """When the newest event of each of these orders was recorded."""
        return self._ledger.pairs(_LAST, refs=[*order_refs])

    def listed(self, *, order_refs: Iterable[str]) -> list[dict[str, Any]]:
        """The events of these orders."""
        c = tracking_events.c
        found = _KNOWN.order_by(
            c.order_ref, c.occurred_at, c.tracking_number, c.sequence
        )
        return self._ledger.rows(found, refs=[*order_refs])


Number = tuple[str, str]
"""An order and one of its tracking numbers."""
ALL = ""
"""In place of a number: all numbers of an order."""
LATEST = timedelta(days=30)
"""Numbers of orders delivered earlier are exported no more."""
_ALL_EXPORTED = exists().where(
    exported_numbers.c.order_ref == orders.c.order_ref,
    exported_numbers.c.tracking_number == ALL,
)
_UNSENT = (
    select(orders.c.order_ref)
    .where(
        orders.c.shop.is_not(None),
        or_(
            orders.c.state.in_(TRAVELLING),
            and_(
                orders.c.state == OrderState.DELIVERED,
                orders.c.updated_at >= bindparam("since"),
            ),
        ),
        ~_ALL_EXPORTED,
    )
    .order_by(orders.c.order_ref)
)
_NOT_ALL_EXPORTED = delete(exported_numbers).where(
    one_of(exported_numbers.c.order_ref, "refs"),
    exported_numbers.c.tracking_number == ALL,
)
_STAND = (
    select(orders.c.order_ref, orders.c.updated_at)
    .where(one_of(orders.c.order_ref, "refs"))
    .order_by(orders.c.order_ref)  # as all that lock orders
    .with_for_update()
)
_EXPORTED = select(
    exported_numbers.c.order_ref, exported_numbers.c.tracking_number
).where(one_of(exported_numbers.c.order_ref, "refs"))
_SCANNED = (
    select(
        tracking_events.c.order_ref,
        tracking_events.c.tracking_number,
        func.min(tracking_events.c.occurred_at).label("at"),
    )
    .where(
        one_of(tracking_events.c.order_ref, "refs"),
        tracking_events.c.status != TraceStatus.WAITING,
    )
    .group_by(tracking_events.c.order_ref, tracking_events.c.tracking_number)
)


class ExportedRows(LedgerRows):
    """The table `exported_numbers` of one ledger."""

    def unsent(self) -> list[str]:
        """The orders of shops on their way or lately delivered, but for those of which
        all numbers are exported.
        """
        return self._ledger.column(_UNSENT, since=self._ledger.clock() - LATEST)

    def of(self, order_refs: Iterable[str]) -> set[Number]:
        """The exported numbers of these orders."""
        rows = self._ledger.rows(_EXPORTED, refs=[*order_refs])
        return {(row["order_ref"], row["tracking_number"]) for row in rows}

    def first_scans(self, order_refs: Iterable[str]) -> dict[Number, datetime]:
        """When each parcel of these orders was first scanned; what only waits to be
        picked up was not.
        """
        rows = self._ledger.rows(_SCANNED, refs=[*order_refs])
        return {(row["order_ref"], row["tracking_number"]): row["at"] for row in rows}

    def has_file(self, name: str) -> bool:
        """Whether numbers were exported into a file of this name."""
        return bool(
            self._ledger.rows(
                select(exported_numbers.c.file)
                .where(exported_numbers.c.file == name)
                .limit(1)
            )
        )

    @contextmanager
    def exporting(
        self, numbers: Iterable[Number], file: str, whole: Mapping[str, datetime]
    ) -> Iterator[set[Number]]:
        """Record numbers as exported, in one commit after the block has written the
        file; yields the new ones.

        And the orders that have no others, unless they were updated since the given
        time. A process that exports one of them meanwhile waits for this commit.
        """
        now = self._ledger.clock()
        c = exported_numbers.c
        recording = self._ledger.insert(exported_numbers).on_conflict_do_nothing()
        with self._ledger.transaction() as connection:
            stand = connection.execute(_STAND, {"refs": list(whole)})
            done = [
                (row.order_ref, ALL)
                for row in stand
                if row.updated_at == whole[row.order_ref]
            ]
            rows = [
                {"order_ref": ref, "tracking_number": number, "file": file, "at": now}
                for ref, number in sorted([*numbers, *done])
            ]
            new = (
                connection.execute(
                    recording.returning(c.order_ref, c.tracking_number), rows
                )
                if rows
                else ()
            )
            yield {(row.order_ref, row.tracking_number) for row in new}
