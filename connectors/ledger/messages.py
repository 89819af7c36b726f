"""The outbox: messages to send, and their deliveries to each recipient. A sender holds messages under a lease."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import ColumnElement, Connection, and_, case, exists, func, or_, select, update

from connectors.foreign import clean
from connectors.ledger.many import chunked
from connectors.ledger.schema import deliveries, messages
from connectors.ledger.transactions import LedgerRows, repeating
from domain.messages import KEPT_FOR, TRIED_FOR, Message, MessageKind, pause_after
from domain.reasons import Reason, ReasonCode, as_text, because, from_text

MOST_TOGETHER = 500
ROWS_AT_ONCE = 200
PACE = timedelta(seconds=20)
"""The pause between two messages of a kind: three hundred faulty files become a few messages."""
LONGEST_HOLD = timedelta(hours=1)
"""No lease and no pause is longer: a later end was written by a clock that is ahead."""
MOST_CAUSE, DIGITS = 160, 16
SENT, WITHDRAWN, PAST, GIVEN_UP, PART = "sent", "withdrawn", "past", "given up", "part"


@dataclass(frozen=True, slots=True, kw_only=True)
class Claimed:
    """Messages of one kind that this process sends to one recipient now, as one, oldest first."""

    addressee: str
    messages: Sequence[Message]
    owner: str

    @property
    def causes(self) -> list[str]:
        return [message.cause for message in self.messages]


@dataclass(frozen=True, slots=True, kw_only=True)
class Unsent:
    """A due message that a recipient has not got."""

    subject: str
    addressee: str
    due_at: datetime
    is_over: bool
    why: Reason


class MessageRows(LedgerRows):
    """The tables `messages` and `deliveries` of one ledger."""

    @repeating
    def tell(self, *told: Message) -> bool:
        """Enqueue messages, in one commit; False when each of their causes was enqueued before."""
        now = self._ledger.clock()
        with self._ledger.transaction([]) as connection:
            wanted = [one for one in told if not one.about or self._keep(connection, _parts(one, now))]
            return self._keep(connection, (_row(message, now) for message in wanted))

    def _keep(self, connection: Connection, rows: Iterable[dict[str, Any]]) -> bool:
        """Write the rows of new causes; whether there was one."""
        kept = False
        for some in chunked(rows, ROWS_AT_ONCE):
            statement = self._ledger.insert(messages).values(some).on_conflict_do_nothing()
            kept |= bool(connection.execute(statement.returning(messages.c.cause)).all())
        return kept

    @repeating
    def untell(self, cause: str) -> bool:
        """Withdraw an unsent message; False when a recipient has it already, or there was nothing to withdraw."""
        this = messages.c.cause == _key(cause)
        with self._ledger.transaction([]) as connection:
            ending = update(messages).where(this, messages.c.ended_at.is_(None))
            ended = connection.execute(ending.values(ended_at=self._ledger.clock(), ended=WITHDRAWN)).rowcount
            got = select(deliveries.c.cause).where(deliveries.c.cause == _key(cause), deliveries.c.sent_at.is_not(None))
            return ended > 0 and connection.execute(got).first() is None

    def is_due(self, addressees: Collection[str]) -> bool:
        """Whether there is anything to send to these recipients, or to end, now. A read: cheap enough to poll."""
        now = self._ledger.clock()
        found = self._ledger.rows(select(messages.c.cause, messages.c.until).where(*_open(now)).limit(MOST_TOGETHER))
        if any(row["until"] <= now for row in found):
            return True
        return bool(found) and any(self._free(one, now, most=1) for one in addressees)

    @repeating
    def claim(self, addressee: str, *, lease: timedelta) -> Claimed | None:
        """Take the oldest due message for a recipient, with all others of its kind; None when nothing is due.

        No other process sends them to that recipient before the lease ends. A sender that dies meanwhile may have sent
        them; they are sent again, since twice is better than never.
        """
        ledger, now = self._ledger, self._ledger.clock()
        with ledger.transaction([]) as connection:
            due = connection.execute(_due(addressee, now)).mappings().all()
            first = [row for row in due if row["kind"] == due[0]["kind"]]
            if not first:
                return None
            row = {"addressee": addressee, "tries": 1, "owner": ledger.owner, "reason": "", "first_try_at": now}
            rows = [row | {"cause": one["cause"], "free_at": now + lease} for one in first]
            again = {"tries": deliveries.c.tries + 1, "owner": ledger.owner, "free_at": now + lease}
            taken = (
                ledger.insert(deliveries)
                .values(rows)
                .on_conflict_do_update(index_elements=["cause", "addressee"], set_=again, where=_is_free(now))
            )
            won = set(connection.execute(taken.returning(deliveries.c.cause)).scalars())
            mine = [_message(one) for one in first if one["cause"] in won]
        return Claimed(addressee=addressee, messages=mine, owner=ledger.owner) if mine else None

    @repeating
    def sent(self, claimed: Claimed) -> None:
        """Record that the messages have left, also when another process has taken them over meanwhile."""
        with self._ledger.transaction([]) as connection:
            connection.execute(_these(claimed).values(sent_at=self._ledger.clock(), reason=""))

    @repeating
    def failed(self, claimed: Claimed, why: Reason) -> None:
        """Record that sending failed: it is tried again after a growing pause, for a day from the first try."""
        now = self._ledger.clock()
        with self._ledger.transaction([]) as connection:
            ours = _these(claimed).where(deliveries.c.owner == claimed.owner, deliveries.c.sent_at.is_(None))
            for tries, causes in _by_tries(connection, claimed).items():
                some = ours.where(deliveries.c.cause.in_(causes))
                connection.execute(some.values(free_at=now + pause_after(tries), reason=as_text(why)))
            connection.execute(ours.where(deliveries.c.first_try_at <= now - TRIED_FOR).values(given_up_at=now))

    @repeating
    def finish(self, addressees: Collection[str]) -> None:
        """End the messages that all recipients have, that were given up, and that are out of date."""
        now = self._ledger.clock()
        is_done = or_(deliveries.c.sent_at.is_not(None), deliveries.c.given_up_at.is_not(None))
        of_this = and_(deliveries.c.cause == messages.c.cause, deliveries.c.addressee.in_(list(addressees)))
        done = select(func.count()).select_from(deliveries).where(of_this, is_done).scalar_subquery()
        lost = exists().where(of_this, deliveries.c.given_up_at.is_not(None))
        with self._ledger.transaction([]) as connection:
            ending = update(messages).where(*_open(now))
            over = ending.where(done >= len(addressees)).values(ended_at=now, ended=case((lost, GIVEN_UP), else_=SENT))
            connection.execute(over)
            connection.execute(ending.where(messages.c.until <= now).values(ended_at=now, ended=PAST))

    def unsent(self, since: datetime) -> list[Unsent]:
        """The messages due `since` then that did not reach every recipient, oldest first."""
        tried = messages.outerjoin(deliveries, deliveries.c.cause == messages.c.cause)
        is_failing = and_(deliveries.c.sent_at.is_(None), func.length(deliveries.c.reason) > 0)
        is_wanted = messages.c.ended.is_distinct_from(WITHDRAWN)
        is_missing = or_(and_(deliveries.c.cause.is_(None), messages.c.ended == PAST), and_(is_failing, is_wanted))
        statement = (
            select(messages, deliveries.c.addressee, deliveries.c.reason, deliveries.c.given_up_at)
            .select_from(tried)
            .where(messages.c.due_at >= since, is_missing)
            .order_by(messages.c.due_at, messages.c.cause)
        )
        return [_unsent(row) for row in self._ledger.rows(statement)]

    def unreached(self, since: datetime) -> list[Unsent]:
        """The newest message due since then that was given up, of each recipient that got nothing after it."""
        last: dict[str, datetime] = {  # what was sent before `since` is older than any message due since
            row["addressee"]: row["at"]
            for row in self._ledger.rows(
                select(deliveries.c.addressee, func.max(deliveries.c.sent_at).label("at"))
                .where(deliveries.c.sent_at >= since)
                .group_by(deliveries.c.addressee)
            )
        }
        never = datetime.min.replace(tzinfo=UTC)
        newest = max(last.values(), default=never)
        return list(
            {
                one.addressee: one
                for one in self.unsent(since)
                if one.is_over and one.due_at > (last.get(one.addressee, never) if one.addressee else newest)
            }.values()
        )

    def last_told(self, kind: MessageKind) -> datetime | None:
        """When a message of this kind was last enqueued, withdrawn or not; None for never."""
        is_whole = messages.c.ended.is_distinct_from(PART)
        newest = select(messages.c.told_at).where(messages.c.kind == kind, is_whole)
        rows = self._ledger.rows(newest.order_by(messages.c.told_at.desc()).limit(1))
        return rows[0]["told_at"] if rows else None

    def newest(self, kind: MessageKind) -> tuple[str, datetime] | None:
        """The cause of the newest message of this kind that was not withdrawn, and when it was enqueued."""
        is_told = or_(messages.c.ended.is_(None), messages.c.ended.not_in((PART, WITHDRAWN)))
        statement = select(messages.c.cause, messages.c.told_at).where(messages.c.kind == kind, is_told)
        found = self._ledger.rows(statement.order_by(messages.c.told_at.desc()).limit(1))
        return (found[0]["cause"], found[0]["told_at"]) if found else None

    def causes_after(self, prefix: str) -> list[str]:
        """What stands after a prefix in the causes that have it, the oldest first."""
        statement = select(messages.c.cause).where(messages.c.cause.startswith(prefix, autoescape=True))
        found = self._ledger.rows(statement.order_by(messages.c.told_at, messages.c.cause))
        return [row["cause"].removeprefix(prefix) for row in found]

    def told(self, causes: Iterable[str]) -> set[str]:
        """Those of these causes that were enqueued before."""
        found: set[str] = set()
        for some in chunked(causes):
            keys = {_key(cause): cause for cause in some}
            rows = self._ledger.rows(select(messages.c.cause).where(messages.c.cause.in_(list(keys))))
            found |= {keys[row["cause"]] for row in rows}
        return found

    def _free(self, addressee: str, now: datetime, *, most: int) -> list[dict[str, Any]]:
        return self._ledger.rows(_due(addressee, now).limit(most))


def withdraw_all(connection: Connection, now: datetime) -> None:
    """Withdraw every unsent message."""
    connection.execute(update(messages).where(messages.c.ended_at.is_(None)).values(ended_at=now, ended=WITHDRAWN))


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
    """What a message is about, as causes of their own that count as enqueued with it."""
    empty = {"subject": "", "body": "", "link": "", "ended_at": now, "ended": PART}
    return ({**_row(message, now), **empty, "cause": _key(cause)} for cause in message.about)


def _unsent(row: Any) -> Unsent:
    is_over, addressee = row["ended_at"] is not None or row["given_up_at"] is not None, row["addressee"] or ""
    why = because(ReasonCode.MESSAGE_UNSENT)
    if tried := from_text(row["reason"] or ""):
        why = because(ReasonCode.MESSAGE_UNDELIVERED, addressee=addressee, why=tried, over=is_over, goes_on=not is_over)
    return Unsent(subject=row["subject"], addressee=addressee, due_at=row["due_at"], is_over=is_over, why=why)


def _message(row: Any) -> Message:
    return Message(
        cause=row["cause"],
        kind=MessageKind(row["kind"]),
        subject=row["subject"],
        body=row["body"],
        link=row["link"],
        due_at=row["due_at"],
        until=row["until"],
    )


def _open(now: datetime) -> tuple[ColumnElement[bool], ...]:
    return messages.c.ended_at.is_(None), messages.c.due_at <= now


def _is_free(now: datetime) -> ColumnElement[bool]:
    over = or_(deliveries.c.free_at <= now, deliveries.c.free_at > now + LONGEST_HOLD)
    return and_(deliveries.c.sent_at.is_(None), deliveries.c.given_up_at.is_(None), over)


def _due(addressee: str, now: datetime) -> Any:
    of_this = and_(deliveries.c.cause == messages.c.cause, deliveries.c.addressee == addressee)
    return (
        select(messages)
        .select_from(messages.outerjoin(deliveries, of_this))
        .where(*_open(now), messages.c.until > now, or_(deliveries.c.cause.is_(None), _is_free(now)))
        .where(messages.c.kind.not_in(_just_sent(addressee, now)))
        .order_by(messages.c.due_at, messages.c.told_at, messages.c.cause)
        .limit(MOST_TOGETHER)
    )


def _just_sent(addressee: str, now: datetime) -> Any:
    """The kinds of which a recipient got a message within `PACE`: further ones wait, to be sent together."""
    told, got, since = messages.alias(), deliveries.alias(), now - PACE
    return (
        select(told.c.kind)
        .join(got, got.c.cause == told.c.cause)
        .where(or_(told.c.ended_at.is_(None), told.c.ended_at > since))  # by the index
        .where(got.c.addressee == addressee, got.c.sent_at > since, got.c.sent_at <= now)
    )


def _these(claimed: Claimed) -> Any:
    return update(deliveries).where(deliveries.c.addressee == claimed.addressee, deliveries.c.cause.in_(claimed.causes))


def _by_tries(connection: Connection, claimed: Claimed) -> dict[int, list[str]]:
    statement = select(deliveries.c.cause, deliveries.c.tries).where(
        deliveries.c.addressee == claimed.addressee, deliveries.c.cause.in_(claimed.causes)
    )
    found: dict[int, list[str]] = {}
    for row in connection.execute(statement):
        found.setdefault(row.tries, []).append(row.cause)
    return found
