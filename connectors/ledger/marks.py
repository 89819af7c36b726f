"""The mark that keeps a restored ledger from buying, and what is noted of
marketplaces.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, bindparam, func, insert, or_, select, update

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.schema import marks, orders
from connectors.ledger.transactions import LedgerRows, repeating
from domain.absence import EVER
from domain.marketplace import Marketplace
from domain.states import OrderState

MOST_OF_A_NAME = 16

RESTORED = "restored"
"""The mark of a ledger that may not buy until a person confirms it."""


class Note(StrEnum):
    """What is noted of a marketplace, in marks that forbid nothing."""

    KNOWN = "known"  # by a person: the ledger knows every order of ours there
    NAMELESS = "nameless"  # by a person: orders of ours show no reference there
    UNITS = "units"  # by a person: its amounts are right, read as XPORTCN_UNITS has it
    PRICES = "prices"  # search, offer and preview agree, read as these units, or a search shows no price
    FIRST = "first"  # this order is created before others are
    CANARY = (
        "canary"  # an order of this program version was read back as it was created
    )
    ASKED = "asked"  # the order whose payment a person is asked about
    PAID = "paid"  # the answer to that

    def at(self, marketplace: Marketplace) -> str:
        """The name of the mark."""
        return f"{self}:{marketplace}"[:MOST_OF_A_NAME]


REMEDY = (
    "It has forgotten what was bought after that backup. Run `sourcing reconcile`, deal with what it "
    "finds, then say so: sourcing confirm. Nothing was sent."
)
_STANDING = (
    select(marks.c.words).where(marks.c.ended_at.is_(None)).order_by(marks.c.id.desc())
)
_WAITS = (
    select(marks.c.words, marks.c.ended_at)
    .where(
        or_(
            marks.c.ended_at.is_(None),
            and_(marks.c.name == RESTORED, marks.c.ended_at > bindparam("now")),
        )
    )
    .order_by(marks.c.ended_at.is_not(None), marks.c.ended_at.desc(), marks.c.id.desc())
    .limit(1)
)


class MarkRows(LedgerRows):
    """The table `marks` of one ledger."""

    def restored(self) -> str:
        """How a ledger that is not confirmed yet was restored; empty for others."""
        return "".join(self._ledger.column(_STANDING)[:1])

    def last_at(self, name: str) -> datetime | None:
        """When a mark of this name was last set (UTC)."""
        newest_at = select(func.max(marks.c.at)).where(marks.c.name == name)
        at: datetime | None = self._ledger.column(newest_at)[0]
        return at

    def nameless(self) -> set[Marketplace]:
        """The marketplaces where a person has confirmed that orders of ours show no
        reference.
        """
        return {
            marketplace
            for marketplace in Marketplace
            if self.last_at(Note.NAMELESS.at(marketplace))
        }

    def units_agreed(self, marketplace: Marketplace, units: str) -> bool:
        """Whether the prices there agreed, read as `units`, or an order was paid at
        this marketplace before.
        """
        paid = (orders.c.marketplace == marketplace, orders.c.paid_minor.is_not(None))
        return self.is_noted(Note.PRICES.at(marketplace), units) or bool(
            self._ledger.rows(select(orders.c.order_ref).where(*paid).limit(1))
        )

    def unsettled_first(
        self, batch_id: str, marketplace: Marketplace, *, most: int
    ) -> list[str]:
        """The last orders of a batch that went first at a marketplace and are unknown,
        or created and not paid.
        """
        statement = (
            select(orders.c.order_ref)
            .join(marks, marks.c.words == orders.c.order_ref)
            .where(
                marks.c.name == Note.FIRST.at(marketplace),
                orders.c.batch_id == batch_id,
                orders.c.paid_minor.is_(None),
                or_(
                    and_(
                        orders.c.order_id.is_(None),
                        orders.c.state == OrderState.UNKNOWN,
                    ),
                    and_(
                        orders.c.order_id.is_not(None),
                        orders.c.state.in_([OrderState.ORDERED, OrderState.HELD]),
                    ),
                ),
            )
            .group_by(orders.c.order_ref)
            .order_by(func.max(marks.c.id).desc())
            .limit(most)
        )
        return self._ledger.column(statement)

    @repeating
    def shown(self, name: str) -> str:
        """The last value under a name; empty for none."""
        with self._ledger.reading() as connection:
            return newest(connection, name) or ""

    @repeating
    def note(self, name: str, words: str, *, by: str = "") -> None:
        """Record words under a name, by this run or by a person; earlier ones stay."""
        ledger = self._ledger
        with ledger.transaction() as connection:
            note(connection, name, words, by=by or ledger.owner, at=ledger.clock())

    def is_noted(self, name: str, message: str, *, since: datetime = EVER) -> bool:
        """Whether a value was recorded under a name after `since`."""
        noted = select(marks.c.id).where(
            marks.c.name == name, marks.c.words == message, marks.c.at > since
        )
        return bool(self._ledger.rows(noted.limit(1)))

    @repeating
    def confirm_restored(
        self, *, by: str, listed_within: timedelta, last_sent: datetime | None
    ) -> datetime | None:
        """Let a restored ledger buy again, as a person confirmed; returns from when on,
        None when it waits for nothing.

        Until then a list may lack what was sent before the restore, or by a log's last
        line.
        """
        with self._ledger.transaction() as connection:
            since = connection.scalar(
                select(func.max(marks.c.at)).where(marks.c.ended_at.is_(None))
            )
            if since is None:
                return None
            until: datetime = max(since, last_sent or since) + listed_within
            ended = {"ended_at": max(until, self._ledger.clock()), "ended_by": by}
            connection.execute(
                update(marks).where(marks.c.ended_at.is_(None)).values(ended)
            )
        return until

    @repeating
    def put_back(self, words: str, *, by: str) -> None:
        """Mark a ledger that was restored by hand."""
        with self._ledger.transaction() as connection:
            mark_restored(connection, words, by=by, at=self._ledger.clock())

    def restored_at(self) -> datetime | None:
        """When the ledger was last restored; None for never."""
        return self.last_at(RESTORED)

    def require_settled(self) -> None:
        """Raise as a claim does while a mark is set, or while what was sent before a
        restore may still arrive.
        """
        with self._ledger.reading() as connection:
            require_settled(connection, self._ledger.shown, self._ledger.clock())


def note(
    connection: Connection, name: str, words: str, *, by: str, at: datetime
) -> None:
    """Set a mark that forbids nothing: it ends as it is written."""
    row = {
        "name": name,
        "at": at,
        "by": by,
        "words": words,
        "ended_at": at,
        "ended_by": by,
    }
    connection.execute(insert(marks).values(row))


def newest(connection: Connection, name: str) -> str | None:
    """The words noted last under a name."""
    last = (
        select(marks.c.words)
        .where(marks.c.name == name)
        .order_by(marks.c.id.desc())
        .limit(1)
    )
    mark: str | None = connection.execute(last).scalar()
    return mark


def mark_restored(
    connection: Connection, message: str, *, by: str, at: datetime
) -> None:
    connection.execute(insert(marks).values(name=RESTORED, at=at, by=by, words=message))


def require_settled(connection: Connection, url: str, now: datetime) -> None:
    """Raise `LedgerUnusable` until a restored ledger is confirmed, `StillArriving`
    while what was sent before it was restored may still arrive.
    """
    if row := connection.execute(_WAITS, {"now": now}).first():
        if row.ended_at is None:
            raise refused_for(row.words, url)
        raise StillArriving(url, row.words, row.ended_at)


class StillArriving(LedgerUnusable):
    """A restored ledger buys nothing before `until` (UTC)."""

    def __init__(self, url: str, words: str, until: datetime) -> None:
        at = f"{until + timedelta(minutes=1, microseconds=-1):%Y-%m-%d %H:%M} UTC"
        super().__init__(
            f"the ledger {url} {words}. What was sent before may still arrive until {at}, so it buys nothing before "
            f"then. Nothing was sent; run again after {at}"
        )
        self.until = until


def refused_for(message: str, url: str) -> LedgerUnusable:
    """The error of a restored ledger: why it buys nothing, and the remedy."""
    return LedgerUnusable(f"the ledger {url} {message}. {REMEDY}")
