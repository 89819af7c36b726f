"""The durable table of posted messages. Every method is one durable transaction, or a
read.
"""

from __future__ import annotations

import asyncio
import hashlib
import hmac
import secrets
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    and_,
    bindparam,
    case,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.exc import DatabaseError

from connectors.callbacks.schema import (
    Arrival,
    Callback,
    callbacks,
    metadata,
    tickets,
    tokens,
)
from connectors.ledger.engine import (
    blaming,
    durable_engine,
    require_lasting,
    sqlite_file,
    unusable,
)
from connectors.ledger.group_commit import PendingCall
from connectors.ledger.transactions import Database, repeating
from domain.reasons import Reason, as_text
from domain.received import CallbackKind, CallbackState

FILE = "callbacks.db"
KEPT = timedelta(days=90)
AGAIN_AFTER = timedelta(minutes=10)
"""A message that is posted again after it was processed is processed again, at most so
often: a replay attack causes no more reads than that.
"""
MAKING_LOCK = 7_307_431
ANEW: Mapping[str, Any] = {
    "state": CallbackState.WAITING,
    "attempts": 0,
    "ticket": "",
    "outcome": "",
    "settled_at": None,
}
Reader = Callable[[bytes, str, datetime], Arrival]
UNDERSTOOD = ("kind", "message_type", "marketplace", "order_id", "order_ids", "sent_at")
SETTLED = (CallbackState.DONE, CallbackState.SET_ASIDE)


def callbacks_url(ledger_url: str) -> str:
    """The database of messages: a file beside a SQLite ledger, else the ledger's own
    database.
    """
    file = sqlite_file(ledger_url)
    return f"sqlite:///{file.absolute().parent / FILE}" if file else ledger_url


class CallbackStore(Database):
    """The table of messages. Safe for several processes at once. Raises
    `LedgerUnusable`.
    """

    def __init__(self, ledger_url: str, *, clock: Callable[[], datetime]) -> None:
        require_lasting(ledger_url)
        url = callbacks_url(ledger_url)
        super().__init__(url, durable_engine(url), clock=clock)
        self._keep = _keeping(self.insert(callbacks))
        try:
            with self.engine.begin() as connection:
                if self.is_postgres:
                    connection.execute(select(func.pg_advisory_xact_lock(MAKING_LOCK)))
                metadata.create_all(connection)
        except (DatabaseError, OSError) as error:
            self.close()
            raise unusable(self.url, error) from error

    @contextmanager
    def transaction(self) -> Iterator[Connection]:
        with blaming(self.url), self.engine.begin() as connection:
            yield connection

    # intake

    @repeating
    def add(self, arrivals: Sequence[Arrival]) -> None:
        """Store messages, all in one commit. A known message is counted, and waits
        again if it was done: a price that rose, fell and rose again may be posted in
        identical bytes.
        """
        now = self.clock()
        moments = {
            "now_": now,
            "fresh_": now - AGAIN_AFTER,
            "again_": now + AGAIN_AFTER,
        }
        with self.transaction() as connection:
            connection.execute(
                self._keep, [row | moments for row in _once_each(arrivals)]
            )

    # reading

    def listed(
        self,
        *,
        state: CallbackState | None = None,
        kind: CallbackKind | None = None,
        order_id: str = "",
        most: int = 100,
    ) -> list[Callback]:
        """Messages, newest first."""
        wanted = {"state": state, "kind": kind, "order_id": order_id}
        conditions = [
            callbacks.c[name] == value for name, value in wanted.items() if value
        ]
        statement = (
            select(callbacks)
            .where(*conditions)
            .order_by(callbacks.c.id.desc())
            .limit(most)
        )
        return [Callback.of(row) for row in self.rows(statement)]

    def found(self, ids: Iterable[int]) -> list[Callback]:
        """Those of these messages that exist, oldest first."""
        statement = (
            select(callbacks)
            .where(callbacks.c.id.in_(list(ids)))
            .order_by(callbacks.c.id)
        )
        return [Callback.of(row) for row in self.rows(statement)]

    def counts(self) -> dict[CallbackState, int]:
        """How many messages are in each state."""
        found = self.pairs(
            select(callbacks.c.state, func.count()).group_by(callbacks.c.state)
        )
        return {state: found.get(state, 0) for state in CallbackState}

    def kinds_at_hand(self) -> list[str]:
        """The kinds of messages that wait or are taken by a run; also kinds that only a
        newer version knows.
        """
        waiting = callbacks.c.state.in_([CallbackState.WAITING, CallbackState.TAKEN])
        return self.column(select(callbacks.c.kind).where(waiting).distinct())

    def oldest_waiting(self) -> datetime | None:
        """When the oldest waiting message was received."""
        waiting = callbacks.c.state.in_([CallbackState.WAITING, CallbackState.TAKEN])
        statement = (
            select(callbacks.c.received_at)
            .where(waiting)
            .order_by(callbacks.c.id)
            .limit(1)
        )
        return next(iter(self.column(statement)), None)

    # processing

    @repeating
    def replay(self, ids: Iterable[int], read: Reader) -> list[int]:
        """Let settled messages wait again; returns their ids.

        One without orders is read anew, as by a newer version; while it stays
        unreadable it stays set aside.
        """
        waits, settled = (
            {**ANEW, "not_before": self.clock()},
            callbacks.c.state.in_(SETTLED),
        )
        known = {
            one.id: row
            for one in self.found(ids)
            if (row := _understood(one, read)) is not None
        }
        statement = update(callbacks).where(settled).returning(callbacks.c.id)
        with self.transaction() as connection:
            changed = [
                connection.execute(
                    statement.where(callbacks.c.id == number).values({**row, **waits})
                )
                for number, row in known.items()
            ]
            return [number for one in changed for number in one.scalars()]

    @repeating
    def settle(
        self, outcomes: Mapping[int, Reason], state: CallbackState = CallbackState.DONE
    ) -> None:
        """Record outcomes of messages: done, or set aside for a person.

        A message that was posted again after its run began waits again: it may be about
        something newer than what that run read.
        """
        if not outcomes:
            return
        c, now = callbacks.c, self.clock()
        is_it = (c.id == bindparam("number"), c.settled_at.is_(None))
        begun = (
            select(tickets.c.begun_at).where(tickets.c.id == c.ticket).scalar_subquery()
        )
        done: Mapping[str, Any] = {
            "state": state,
            "settled_at": now,
            "outcome": bindparam("words"),
        }
        anew = {**ANEW, "not_before": now + AGAIN_AFTER}
        values = {
            name: case(
                (c.last_at > begun, _as(name, value)),
                else_=_as(name, done.get(name, c[name])),
            )
            for name, value in anew.items()
        }
        statement = update(callbacks).where(*is_it).values(values)
        with self.transaction() as connection:
            connection.execute(
                statement,
                [
                    {"number": one, "words": as_text(why)}
                    for one, why in outcomes.items()
                ],
            )

    @repeating
    def forget_old(self) -> int:
        """Delete messages settled long ago; returns their number. A repetition after
        that counts as new.
        """
        before = self.clock() - KEPT
        with self.transaction() as connection:
            connection.execute(delete(tickets).where(tickets.c.ended_at < before))
            old = (callbacks.c.state.in_(SETTLED), callbacks.c.last_at < before)
            return connection.execute(delete(callbacks).where(*old)).rowcount


def _understood(one: Callback, read: Reader) -> dict[str, Any] | None:
    """The columns to write before a message's orders can be read: none where they are
    known; None if unreadable.
    """
    if one.order_ids:
        return {}
    row = _row(read(one.body, one.source, one.received_at))
    return {name: row[name] for name in UNDERSTOOD} if row["order_id"] else None


def _keeping(statement: Any) -> Any:
    """The statement that inserts a message, or counts it and lets it wait again if it
    was done. Costly to build.
    """
    c, moment = callbacks.c, callbacks.c.not_before.type
    is_done = and_(c.state == CallbackState.DONE, c.order_id != "")
    is_fresh = and_(is_done, c.settled_at > bindparam("fresh_", type_=moment))
    again: dict[str, Any] = {
        "times": c.times + statement.excluded["times"],
        "last_at": statement.excluded["last_at"],
        **{
            name: case((is_done, _as(name, value)), else_=c[name])
            for name, value in ANEW.items()
        },
        "not_before": case(
            (is_fresh, bindparam("again_", type_=moment)),
            (is_done, bindparam("now_", type_=moment)),
            else_=c.not_before,
        ),
    }
    return statement.on_conflict_do_update(index_elements=["digest"], set_=again)


def _as(column: str, value: Any) -> Any:
    """A value as a literal of the column's type; an expression stays as it is."""
    return (
        value
        if isinstance(value, ColumnElement)
        else literal(value, callbacks.c[column].type)
    )


def _once_each(arrivals: Sequence[Arrival]) -> list[dict[str, Any]]:
    """The rows of a commit, repeated messages counted: PostgreSQL changes no row twice
    in one statement.
    """
    rows: dict[str, dict[str, Any]] = {}
    for one in arrivals:
        if known := rows.get(one.digest):
            known["times"] += 1
        else:
            rows[one.digest] = _row(one)
    return list(rows.values())


def _row(arrival: Arrival) -> dict[str, Any]:
    is_settled = arrival.state in SETTLED
    return {
        "digest": arrival.digest,
        "received_at": arrival.received_at,
        "last_at": arrival.received_at,
        "times": 1,
        "source": arrival.source,
        "kind": arrival.kind,
        "message_type": arrival.message_type,
        "marketplace": arrival.marketplace,
        "order_id": arrival.order_ids[0] if arrival.order_ids else "",
        "order_ids": list(arrival.order_ids),
        "sent_at": arrival.sent_at,
        "state": arrival.state,
        "attempts": 0,
        "not_before": arrival.received_at,
        "ticket": "",
        "settled_at": arrival.received_at if is_settled else None,
        "outcome": as_text(arrival.outcome) if arrival.outcome else "",
        "body": arrival.body,
    }


CONSOLE, SANDBOX = "console", "sandbox"
VALID = {CONSOLE: 2, SANDBOX: 1}
"""How many tokens of each name are valid at once, the newest ones. The sandbox has a
name of its own.
"""


def _digest(token: str) -> str:
    return hashlib.sha256(token.encode("utf-8", "surrogatepass")).hexdigest()


def new_token(store: CallbackStore, name: str = CONSOLE) -> str:
    """Make a token; the one before stays valid, older ones end. It is returned only
    here, and stored as a hash.
    """
    token = secrets.token_urlsafe(32)
    made_at = store.clock()
    with store.transaction() as connection:
        connection.execute(
            insert(tokens).values(name=name, digest=_digest(token), made_at=made_at)
        )
        valid = (
            select(tokens.c.id)
            .where(tokens.c.name == name)
            .order_by(tokens.c.id.desc())
            .limit(VALID[name])
        )
        too_old = (
            tokens.c.name == name,
            tokens.c.ended_at.is_(None),
            tokens.c.id.not_in(valid.scalar_subquery()),
        )
        connection.execute(update(tokens).where(*too_old).values(ended_at=made_at))
    return token


@repeating
def end_tokens(store: CallbackStore, *, but_newest: bool) -> int:
    """End the console's tokens, or all but the newest of them; returns how many
    ended.
    """
    kept = (
        select(tokens.c.id)
        .where(tokens.c.name == CONSOLE)
        .order_by(tokens.c.id.desc())
        .limit(1 if but_newest else 0)
    )
    ending = (
        tokens.c.name == CONSOLE,
        tokens.c.ended_at.is_(None),
        tokens.c.id.not_in(kept.scalar_subquery()),
    )
    with store.transaction() as connection:
        return connection.execute(
            update(tokens).where(*ending).values(ended_at=store.clock())
        ).rowcount


def valid_digests(store: CallbackStore) -> list[str]:
    """The hashes of the tokens that are valid now."""
    return store.column(select(tokens.c.digest).where(tokens.c.ended_at.is_(None)))


def fits(token: str, digests: Iterable[str]) -> bool:
    """Whether a token is one of these; takes equally long for right and wrong ones."""
    given = _digest(token)
    return any([hmac.compare_digest(given, digest) for digest in digests])


MOST_TOGETHER = 500
MOST_WAITING = 5_000


class TooMany(Exception):
    """Too many messages wait for the disk; the sender tries again."""


class Intake:
    """The only writer of a receiver."""

    def __init__(self, store: CallbackStore) -> None:
        self._store = store
        self._waiting: list[PendingCall[Arrival, None]] = []
        self._writing: asyncio.Task[None] | None = None

    async def keep(self, arrival: Arrival) -> None:
        """Return once the message is on disk. Raises `LedgerUnusable` when it is not,
        and `TooMany`.
        """
        if len(self._waiting) >= MOST_WAITING:
            raise TooMany
        kept: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        self._waiting.append(PendingCall(arrival, kept))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write())
        await kept

    async def _write(self) -> None:
        while self._waiting:
            some, self._waiting = (
                self._waiting[:MOST_TOGETHER],
                self._waiting[MOST_TOGETHER:],
            )
            try:
                await asyncio.to_thread(self._store.add, [one.what for one in some])
            except BaseException as error:  # noqa: BLE001 - raised where it is waited for
                for one in some:
                    one.fail(error)
            else:
                for one in some:
                    one.answer(None)
            for one in some:
                one.resolve()

    async def close(self) -> None:
        """Wait for the write under way."""
        if self._writing is not None:
            await self._writing
