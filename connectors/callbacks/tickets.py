"""Tickets: messages taken by a run under a lease, one run of a kind at a time, released
when the run is gone.

After a run that dies, its messages are taken again, ever fewer together. So a message
that kills runs is alone in the end, and is set aside then.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, func, or_, select, update
from sqlalchemy.exc import IntegrityError

from connectors.callbacks.schema import Callback, Ticket, callbacks, tickets
from connectors.callbacks.store import CallbackStore
from connectors.ledger.engine import one_of
from connectors.ledger.transactions import repeating
from domain.reasons import ReasonCode, as_text, because
from domain.received import CallbackKind, CallbackState

MOST_ORDERS = 1_000
LEASE = timedelta(minutes=5)
BEGINS_WITHIN = timedelta(hours=1)
"""How long a ticket waits for its run. Without a worker runs queue up, and each that is
late costs a start later.
"""
MOST_TRIES = 5
PAUSE = timedelta(minutes=2)
"""How long messages wait after a run without results, and longer after each run that
died.
"""
LONGEST_PAUSE = timedelta(minutes=15)
"""The longest pause, and the longest excess of a lease: a later end was written by a
clock that is ahead.
"""
GAVE_UP = because(ReasonCode.CALLBACK_ENDS_RUNS, times=MOST_TRIES)


class Tickets:
    """The tickets of one store."""

    def __init__(self, store: CallbackStore) -> None:
        self._store = store

    @repeating
    def next(self, kind: CallbackKind) -> Ticket | None:
        """The ticket for which to start a run of this kind; None while a run is at
        work, or nothing waits.

        A ticket is returned again until `asked` records that Prefect has its run.
        """
        now = self._store.clock()
        try:
            with self._store.transaction() as connection:
                live = self._live(connection, kind)
                if live and _is_over(live, now):
                    self._give_back(connection, live["id"], now)
                elif live:
                    return None if live["asked_at"] else _ticket(live)
                return self._take(connection, kind, now)
        except IntegrityError:
            return None  # another dispatcher was first

    def _live(
        self, connection: Connection, kind: CallbackKind
    ) -> Mapping[str, Any] | None:
        statement = select(tickets).where(
            tickets.c.kind == kind, tickets.c.ended_at.is_(None)
        )
        row = connection.execute(statement).mappings().first()
        return dict(row) if row else None

    def _take(
        self, connection: Connection, kind: CallbackKind, now: datetime
    ) -> Ticket | None:
        c = callbacks.c
        is_due = or_(c.not_before <= now, c.not_before > now + LONGEST_PAUSE)
        ready: tuple[ColumnElement[bool], ...] = (
            c.state == CallbackState.WAITING,
            c.kind == kind,
            is_due,
        )
        tries = connection.execute(
            select(c.attempts).where(*ready).order_by(c.id).limit(1)
        ).scalar()
        if tries is None:
            return None
        ready = (*ready, c.attempts == tries)
        together = (
            MOST_ORDERS if tries < 2 else MOST_ORDERS // 10 ** (tries - 1)
        )  # a single death may have any cause
        oldest = (
            select(c.order_id)
            .where(*ready)
            .group_by(c.order_id)
            .order_by(func.min(c.id))
            .limit(together)
        )
        order_ids = list(connection.execute(oldest).scalars())
        ticket = Ticket(
            id=f"callbacks-{kind}-{uuid.uuid4().hex}", kind=kind, orders=len(order_ids)
        )
        row = {"id": ticket.id, "kind": kind, "orders": ticket.orders, "made_at": now}
        connection.execute(self._store.insert(tickets).values(row))
        taken = update(callbacks).where(*ready, one_of(c.order_id, "ids"))
        connection.execute(
            taken.values(state=CallbackState.TAKEN, ticket=ticket.id),
            {"ids": order_ids},
        )
        return ticket

    def _give_back(
        self,
        connection: Connection,
        ticket: str,
        now: datetime,
        *,
        after: timedelta = timedelta(0),
    ) -> None:
        """End a ticket; messages it did not settle wait again, longer each time, and
        are set aside in the end.
        """
        c = callbacks.c
        connection.execute(
            update(tickets).where(tickets.c.id == ticket).values(ended_at=now)
        )
        left = (c.ticket == ticket, c.state == CallbackState.TAKEN)
        given_up = {
            "state": CallbackState.SET_ASIDE,
            "settled_at": now,
            "outcome": as_text(GAVE_UP),
        }
        connection.execute(
            update(callbacks).where(*left, c.attempts >= MOST_TRIES).values(given_up)
        )
        for tries in range(MOST_TRIES):
            again = {
                "state": CallbackState.WAITING,
                "ticket": "",
                "not_before": now + after + tries * PAUSE,
            }
            connection.execute(
                update(callbacks).where(*left, c.attempts == tries).values(again)
            )

    @repeating
    def asked(self, ticket: str) -> None:
        """Record that Prefect has the ticket's run."""
        with self._store.transaction() as connection:
            connection.execute(
                update(tickets)
                .where(tickets.c.id == ticket)
                .values(asked_at=self._store.clock())
            )

    @repeating
    def begin(self, ticket: str) -> list[Callback]:
        """The messages of a run that begins or goes on; empty when its ticket has
        ended.
        """
        now, c = self._store.clock(), callbacks.c
        valid = (tickets.c.id == ticket, tickets.c.ended_at.is_(None))
        mine = (c.ticket == ticket, c.state == CallbackState.TAKEN)
        begun = {
            "begun_at": now,
            "asked_at": func.coalesce(tickets.c.asked_at, now),
            "lease_until": now + LEASE,
        }
        with self._store.transaction() as connection:
            if not connection.execute(
                update(tickets).where(*valid).values(begun)
            ).rowcount:
                return []
            connection.execute(
                update(callbacks).where(*mine).values(attempts=c.attempts + 1)
            )
            found = connection.execute(
                select(callbacks).where(*mine).order_by(c.id)
            ).mappings()
            return [Callback.of(dict(row)) for row in found]

    @repeating
    def renew(self, ticket: str) -> None:
        """Record that the ticket's run is alive."""
        valid = (tickets.c.id == ticket, tickets.c.ended_at.is_(None))
        with self._store.transaction() as connection:
            connection.execute(
                update(tickets)
                .where(*valid)
                .values(lease_until=self._store.clock() + LEASE)
            )

    @repeating
    def end(self, ticket: str, *, blameless: bool = False) -> None:
        """End a run's ticket; unsettled messages wait again. `blameless`: no message
        caused the end.
        """
        now, c = self._store.clock(), callbacks.c
        with self._store.transaction() as connection:
            if blameless:
                mine = (
                    c.ticket == ticket,
                    c.state == CallbackState.TAKEN,
                    c.attempts > 0,
                )
                connection.execute(
                    update(callbacks).where(*mine).values(attempts=c.attempts - 1)
                )
            self._give_back(
                connection, ticket, now, after=PAUSE if blameless else timedelta(0)
            )


def _is_over(ticket: Mapping[str, Any], now: datetime) -> bool:
    """Whether a ticket is abandoned: its lease ended, or no run came for it."""
    lasts = LEASE if ticket["begun_at"] else BEGINS_WITHIN
    ends: datetime = (
        ticket["lease_until"]
        if ticket["begun_at"]
        else ticket["made_at"] + BEGINS_WITHIN
    )
    return ends <= now or ends > now + lasts + LONGEST_PAUSE


def _ticket(row: Mapping[str, Any]) -> Ticket:
    return Ticket(id=row["id"], kind=CallbackKind(row["kind"]), orders=row["orders"])
