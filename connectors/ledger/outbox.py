"""The outbox: messages to people, one row a message, with its tries at each recipient.

A try is written before anything is sent, and holds the message until `HOLD` is over: so
two senders send it once. A sender that dies meanwhile may have sent it; then it is sent
again, since twice is better than never.
"""

from __future__ import annotations

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from typing import Any

from sqlalchemy import Connection, and_, bindparam, or_, select, update

from connectors.foreign import clean
from connectors.ledger.engine import one_of
from connectors.ledger.schema import from_json, messages, to_json
from connectors.ledger.transactions import LedgerRows, repeating
from domain.absence import EVER
from domain.messages import KEPT_FOR, TRIED_FOR, Message, MessageKind, pause_after
from domain.reasons import Reason, ReasonCode, as_text, because, from_text

MOST_TOGETHER = 500
HOLD = timedelta(seconds=90)
"""Twice the longest that sending takes."""
PACE = timedelta(seconds=20)
"""The pause between two messages of a kind: three hundred faulty files become a few
messages.
"""
LONGEST_PAUSE = timedelta(hours=1)
"""No pause is longer: a later end was written by a clock that is ahead."""
SKEW = timedelta(minutes=1)
"""What was enqueued so much later than now has the time of a clock that was ahead."""
MOST_CAUSE, DIGITS = 160, 16
SENT, WITHDRAWN, PAST, PART = "sent", "withdrawn", "past", "part"

_OF_A_CLOCK_AHEAD = and_(
    messages.c.due_at == messages.c.told_at, messages.c.told_at > bindparam("now")
)
_HAS_COME = or_(messages.c.due_at <= bindparam("now"), _OF_A_CLOCK_AHEAD)
_IS_DUE = and_(messages.c.ended_at.is_(None), _HAS_COME)
_LATELY = and_(
    messages.c.ended_at.between(bindparam("since"), bindparam("now")),
    messages.c.ended == SENT,
)
_STORED = select(messages).order_by(
    messages.c.due_at, messages.c.told_at, messages.c.cause
)
_WAITING = _STORED.where(or_(_IS_DUE, _LATELY))
"""What is due, and what ended so lately that others of its kind wait for `PACE`."""
_TOO_LATE = update(messages).where(_IS_DUE, messages.c.until <= bindparam("now"))
_THESE = _STORED.where(one_of(messages.c.cause, "causes"))
_KNOWN = select(messages.c.cause).where(one_of(messages.c.cause, "causes"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Tries:
    """The tries of a message at one recipient. The next is not before `next_at`;
    without it there is none any more.
    """

    count: int = 0
    first_at: datetime
    next_at: datetime | None
    sent_at: datetime | None = None
    why: str = ""

    def is_due(self, now: datetime) -> bool:
        return (
            self.next_at is not None and not now < self.next_at <= now + LONGEST_PAUSE
        )

    def ended(self, now: datetime, why: Reason | None) -> Tries:
        """The tries after one has succeeded, or failed for a reason: the pauses grow,
        for a day in all.
        """
        if why is None:
            return replace(self, next_at=None, sent_at=now, why="")
        if self.sent_at:
            return self
        again = (
            now + pause_after(self.count) if self.first_at > now - TRIED_FOR else None
        )
        return replace(self, next_at=again, why=as_text(why))


@dataclass(frozen=True, slots=True, kw_only=True)
class Stored(Message):
    """A message in its row."""

    due_at: datetime
    until: datetime
    ended_at: datetime | None
    ended: str | None
    tries: Mapping[str, Tries]

    def at(self, recipient: str, now: datetime) -> Tries:
        return self.tries.get(recipient) or Tries(first_at=now, next_at=now)


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A due message that a recipient has not got."""

    subject: str
    recipient: str
    due_at: datetime
    is_over: bool
    why: Reason


class Outbox(LedgerRows):
    """The table `messages` of one ledger."""

    @repeating
    def put(self, *given: Message) -> bool:
        """Enqueue messages, in one commit; False when each of their causes was enqueued
        before.
        """
        now = self._ledger.clock()
        with self._ledger.transaction([]) as connection:
            wanted = [
                one
                for one in given
                if not one.about or self._insert(connection, _parts(one, now))
            ]
            return self._insert(connection, (_row(message, now) for message in wanted))

    def _insert(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> bool:
        """Write the rows of new causes; whether there was one."""
        given, statement = (
            [*rows],
            self._ledger.insert(messages).on_conflict_do_nothing(),
        )
        return bool(
            given
            and connection.execute(statement.returning(messages.c.cause), given).all()
        )

    @repeating
    def withdraw(self, cause: str) -> bool:
        """Withdraw an unsent message; False when a recipient may have it by now, or
        there was nothing to withdraw.
        """
        now = self._ledger.clock()
        ending = update(messages).where(
            messages.c.cause == _key(cause), messages.c.ended_at.is_(None)
        )
        ending = ending.values(ended_at=now, ended=WITHDRAWN)
        with self._ledger.transaction([]) as connection:
            ended = _stored(connection, ending.returning(messages))
        return any(
            all(tries.is_due(now) for tries in one.tries.values()) for one in ended
        )

    def is_due(self, recipients: Iterable[str]) -> bool:
        """Whether there is anything to send to these recipients, or to end, now. A
        read: cheap enough to poll.
        """
        now = self._ledger.clock()
        with self._ledger.reading() as connection:
            waiting = _stored(connection, _WAITING, now=now, since=now - PACE)
        is_late = any(one.ended_at is None and one.until <= now for one in waiting)
        return is_late or any(_next(waiting, one, now) for one in recipients)

    @repeating
    def begin(self, recipient: str) -> Sequence[Message]:
        """Begin a try: the oldest due message for a recipient, with all others of its
        kind; empty when none is due.

        What comes too late by now is over.
        """
        now = self._ledger.clock()
        with self._ledger.transaction([]) as connection:
            connection.execute(_TOO_LATE.values(ended_at=now, ended=PAST), {"now": now})
            waiting = _stored(
                connection, _WAITING.with_for_update(), now=now, since=now - PACE
            )
            found = _next(waiting, recipient, now)
            for one in found:
                tries = one.at(recipient, now)
                begun = replace(tries, count=tries.count + 1, next_at=now + HOLD)
                _write(connection, one, {**one.tries, recipient: begun})
        return found

    @repeating
    def end(
        self,
        tried: Iterable[Message],
        recipient: str,
        why: Reason | None,
        recipients: Iterable[str],
    ) -> None:
        """Record that messages have left, also when another try has begun meanwhile; or
        why not.

        One that was sent to all `recipients`, or was given up, is over.
        """
        now, causes = self._ledger.clock(), [one.cause for one in tried]
        with self._ledger.transaction([]) as connection:
            for one in _stored(connection, _THESE.with_for_update(), causes=causes):
                tries = {**one.tries, recipient: one.at(recipient, now).ended(now, why)}
                is_over = all(
                    name in tries and tries[name].next_at is None for name in recipients
                )
                ending = (
                    {"ended_at": now, "ended": SENT}
                    if is_over and one.ended_at is None
                    else {}
                )
                _write(connection, one, tries, **ending)

    def unsent(self, since: datetime) -> list[Unsent]:
        """The messages due `since` then that did not reach every recipient, oldest
        first.
        """
        return [unsent for one in self._due_since(since) for unsent in _unsent(one)]

    def unreached(self, since: datetime) -> list[Unsent]:
        """The newest message due since then that was given up, of each recipient that
        got nothing after it.
        """
        found, last = (
            self._due_since(since - KEPT_FOR),
            defaultdict[str, datetime](lambda: EVER),
        )
        for name, tries in (one for message in found for one in message.tries.items()):
            last[name] = max(last[name], tries.sent_at or EVER)
        last[""] = max(last.values(), default=EVER)
        lost = [
            one
            for one in self.unsent(since)
            if one.is_over and one.due_at > last[one.recipient]
        ]
        return list({one.recipient: one for one in lost}.values())

    def _due_since(self, since: datetime) -> list[Stored]:
        statement = _STORED.where(
            messages.c.due_at >= since, messages.c.ended.is_distinct_from(PART)
        )
        with self._ledger.reading() as connection:
            return _stored(connection, statement)

    def newest(
        self, kind: MessageKind, *, withdrawn: bool = True, of: str = ""
    ) -> tuple[str, datetime] | None:
        """The cause of the newest message of this kind, `withdrawn` ones too or not,
        and when it was enqueued.

        Of those whose cause has the words `of`. One of a clock that was ahead is none.
        """
        other = (PART,) if withdrawn else (PART, WITHDRAWN)
        is_meant = or_(messages.c.ended.is_(None), messages.c.ended.not_in(other))
        is_meant = and_(is_meant, messages.c.told_at <= self._ledger.clock() + SKEW)
        is_meant = and_(is_meant, messages.c.cause.contains(of, autoescape=True))
        statement = select(messages.c.cause, messages.c.told_at).where(
            messages.c.kind == kind, is_meant
        )
        found = self._ledger.rows(
            statement.order_by(messages.c.told_at.desc()).limit(1)
        )
        return (found[0]["cause"], found[0]["told_at"]) if found else None

    def reached(self, kind: MessageKind, since: datetime) -> datetime | None:
        """When the newest message of this kind that a recipient has got was due, of
        those since then.
        """
        until = self._ledger.clock() + SKEW
        statement = _STORED.where(
            messages.c.kind == kind, messages.c.told_at.between(since, until)
        )
        with self._ledger.reading() as connection:
            found = _stored(connection, statement)
        return max(
            (
                one.due_at
                for one in found
                if any(it.sent_at for it in one.tries.values())
            ),
            default=None,
        )

    def causes_after(self, prefix: str) -> list[str]:
        """What stands after a prefix in the causes that have it, the oldest first."""
        statement = select(messages.c.cause).where(
            messages.c.cause.startswith(prefix, autoescape=True)
        )
        found = self._ledger.column(
            statement.order_by(messages.c.told_at, messages.c.cause)
        )
        return [cause.removeprefix(prefix) for cause in found]

    def known(self, causes: Iterable[str]) -> set[str]:
        """Those of these causes that were enqueued before."""
        keys = {_key(cause): cause for cause in causes}
        return {keys[key] for key in self._ledger.column(_KNOWN, causes=[*keys])}


def withdraw_all(connection: Connection, now: datetime) -> None:
    """Withdraw every unsent message."""
    connection.execute(
        update(messages)
        .where(messages.c.ended_at.is_(None))
        .values(ended_at=now, ended=WITHDRAWN)
    )


def _key(cause: str) -> str:
    """A cause that fits its column: a longer one ends in a digest."""
    if len(cause) <= MOST_CAUSE:
        return cause
    return f"{cause[: MOST_CAUSE - DIGITS - 1]}#{hashlib.sha256(cause.encode()).hexdigest()[:DIGITS]}"


def _row(message: Message, now: datetime) -> dict[str, Any]:
    due = message.due_at or now
    return {
        "cause": _key(message.cause),
        "kind": message.kind,
        "subject": clean(message.subject),
        "body": "\n".join(clean(line) for line in message.body.splitlines()),
        "link": clean(message.link),
        "told_at": now,
        "due_at": due,
        "until": message.until or due + KEPT_FOR,
    }


def _parts(message: Message, now: datetime) -> Iterable[dict[str, Any]]:
    """What a message is about, as causes of their own that count as enqueued with
    it.
    """
    empty = {"subject": "", "body": "", "link": "", "ended_at": now, "ended": PART}
    return (
        {**_row(message, now), **empty, "cause": _key(cause)} for cause in message.about
    )


def _stored(connection: Connection, statement: Any, **given: object) -> list[Stored]:
    return [
        from_json(Stored, dict(row))
        for row in connection.execute(statement, given).mappings()
    ]


def _next(waiting: Iterable[Stored], recipient: str, now: datetime) -> list[Stored]:
    """What is to be sent to a recipient as one now: further ones of a kind that came
    lately wait, to go together.
    """
    at = [(one, one.at(recipient, now)) for one in waiting]
    lately = {
        one.kind
        for one, tries in at
        if tries.sent_at and now - PACE < tries.sent_at <= now
    }
    free = [
        one
        for one, tries in at
        if one.ended_at is None and one.until > now and tries.is_due(now)
    ]
    due = [one for one in free if one.kind not in lately]
    return [one for one in due if one.kind is due[0].kind][:MOST_TOGETHER]


def _write(
    connection: Connection,
    message: Stored,
    tries: Mapping[str, Tries],
    **ending: object,
) -> None:
    this = update(messages).where(messages.c.cause == message.cause)
    connection.execute(this.values(tries=to_json(tries), **ending))


def _unsent(message: Stored) -> Iterator[Unsent]:
    unsent = partial(Unsent, subject=message.subject, due_at=message.due_at)
    if message.ended == PAST and not message.tries:
        yield unsent(recipient="", is_over=True, why=because(ReasonCode.MESSAGE_UNSENT))
    for name, tries in message.tries.items():
        if not tries.sent_at and tries.why and message.ended != WITHDRAWN:
            over = message.ended_at is not None or tries.next_at is None
            failure = from_text(tries.why)
            facts = {"over": over, "goes_on": not over}
            why = because(
                ReasonCode.MESSAGE_UNDELIVERED, addressee=name, why=failure, **facts
            )
            yield unsent(recipient=name, is_over=over, why=why)
