"""Marks that keep the whole ledger from buying: it was restored from a backup, or moved
elsewhere.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import Connection, and_, func, insert, or_, select, update

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.schema import marks, orders
from connectors.ledger.transactions import LedgerRows, repeating
from domain.absence import EVER
from domain.marketplace import Marketplace
from domain.states import OrderState

MOST_OF_A_NAME = 16
AS_ASSUMED = "as the contract has them"


class Mark(StrEnum):
    """Why a ledger may not buy."""

    RESTORED = "restored"
    MOVED = "moved"
    ARRIVING = "arriving"


class Note(StrEnum):
    """What is noted of a marketplace, in marks that forbid nothing."""

    KNOWN = "known"  # by a person: the ledger knows every order of ours there
    NAMELESS = "nameless"  # by a person: orders of ours show no reference there
    UNITS = "units"  # by a person: its amounts are right, read as these units
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


REMEDY = {
    Mark.RESTORED: "It has forgotten what was bought after that backup. Run `sourcing reconcile`, deal with what it "
    "finds, then say so: sourcing confirm. Nothing was sent.",
    Mark.MOVED: "Set SOURCING_LEDGER_URL to the new one. Nothing was sent.",
    Mark.ARRIVING: "Set SOURCING_LEDGER_URL to the old one and give the same `sourcing ledger copy --to` again: it "
    "finishes the move, or says how to begin anew. Nothing was sent.",
}


class MarkRows(LedgerRows):
    """The table `marks` of one ledger."""

    @repeating
    def standing(self) -> dict[Mark, str]:
        """The marks that hold now, with their words."""
        with self._ledger.reading() as connection:
            return standing_marks(connection)

    def confirm(self, marketplace: Marketplace, *, by: str) -> None:
        """Record a person's confirmation that this ledger knows every order of ours at
        a marketplace.
        """
        self._note(Note.KNOWN.at(marketplace), "knows every order of ours there", by=by)

    def confirmed_at(self, marketplace: Marketplace) -> datetime | None:
        """When a person last confirmed this marketplace (UTC)."""
        said = select(func.max(marks.c.ended_at)).where(
            marks.c.name == Note.KNOWN.at(marketplace)
        )
        at: datetime | None = self._ledger.column(said)[0]
        return at

    def confirm_units(self, marketplace: Marketplace, units: str, *, by: str) -> None:
        """Record a person's confirmation that a marketplace's amounts are right, read
        as `units` (XPORTCN_UNITS).
        """
        self._note(Note.UNITS.at(marketplace), units or AS_ASSUMED, by=by)

    def units_confirmed(self, marketplace: Marketplace, units: str) -> bool:
        """Whether a person confirmed the amounts of this marketplace as they are read
        now.
        """
        return self.is_noted(Note.UNITS.at(marketplace), units or AS_ASSUMED)

    def confirm_nameless(
        self, marketplace: Marketplace, order_ref: str, *, by: str
    ) -> None:
        """Record a person's confirmation that orders of ours show no reference there,
        as this one does.
        """
        self._note(Note.NAMELESS.at(marketplace), order_ref, by=by)

    def nameless(self) -> set[Marketplace]:
        """The marketplaces where a person has confirmed that orders of ours show no
        reference.
        """
        names = {Note.NAMELESS.at(one): one for one in Marketplace}
        return {
            names[name]
            for name in self._ledger.column(
                select(marks.c.name).where(marks.c.name.in_(names))
            )
        }

    def units_agreed(self, marketplace: Marketplace, units: str) -> bool:
        """Whether the prices there agreed, read as `units`, or an order was paid at
        this marketplace before.
        """
        paid = (orders.c.marketplace == marketplace, orders.c.paid_minor.is_not(None))
        return self.is_noted(Note.PRICES.at(marketplace), units or AS_ASSUMED) or bool(
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

    def show(self, name: str, value: str) -> None:
        """Record a value under a name; earlier ones stay."""
        self._note(name, value, by=self._ledger.owner)

    @repeating
    def _note(self, name: str, words: str, *, by: str) -> None:
        with self._ledger.transaction() as connection:
            require_in_use(connection, self._ledger.shown)
            note(connection, name, words, by=by, at=self._ledger.clock())

    def is_noted(self, name: str, words: str, *, since: datetime = EVER) -> bool:
        """Whether a value was recorded under a name after `since`."""
        noted = select(marks.c.id).where(
            marks.c.name == name, marks.c.words == words, marks.c.at > since
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
            if (since := standing_since(connection, Mark.RESTORED)) is None:
                return None
            until = max(since, last_sent or since) + listed_within
            end_mark(
                connection, Mark.RESTORED, at=max(until, self._ledger.clock()), by=by
            )
        return until

    @repeating
    def put_back(self, words: str, *, by: str) -> None:
        """Mark a ledger that was restored by hand."""
        with self._ledger.transaction() as connection:
            set_mark(connection, Mark.RESTORED, words, by=by, at=self._ledger.clock())

    def restored_at(self) -> datetime | None:
        """When the ledger was last restored; None for never."""
        at: datetime | None = self._ledger.column(
            select(func.max(marks.c.at)).where(marks.c.name == Mark.RESTORED)
        )[0]
        return at

    def require_in_use(self) -> None:
        """Raise `LedgerUnusable` for a ledger that was moved: what is written here, the
        one in use would never see.
        """
        with self._ledger.reading() as connection:
            require_in_use(connection, self._ledger.shown)

    def require_settled(self) -> None:
        """Raise as a claim does while a mark is set, or while what was sent before a
        restore may still arrive.
        """
        with self._ledger.reading() as connection:
            require_unmarked(connection, self._ledger.shown)
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
    found: str | None = connection.execute(last).scalar()
    return found


def set_mark(
    connection: Connection, mark: Mark, words: str, *, by: str, at: datetime
) -> None:
    connection.execute(insert(marks).values(name=mark, at=at, by=by, words=words))


def end_mark(connection: Connection, mark: Mark, *, at: datetime, by: str) -> bool:
    """Lift a mark; False when it is not set."""
    standing = update(marks).where(marks.c.name == mark, marks.c.ended_at.is_(None))
    return connection.execute(standing.values(ended_at=at, ended_by=by)).rowcount > 0


def standing_marks(connection: Connection) -> dict[Mark, str]:
    """The marks that hold now, with their words."""
    rows = connection.execute(
        select(marks.c.name, marks.c.words).where(marks.c.ended_at.is_(None))
    )
    return {Mark(row.name): row.words for row in rows}


def standing_since(connection: Connection, mark: Mark) -> datetime | None:
    """When a mark was set that holds now; None when it is not set."""
    since: datetime | None = connection.execute(
        select(func.max(marks.c.at)).where(
            marks.c.name == mark, marks.c.ended_at.is_(None)
        )
    ).scalar()
    return since


def require_unmarked(connection: Connection, url: str, *only: Mark) -> None:
    """Raise `LedgerUnusable` while a mark, or one of `only`, forbids to buy."""
    for mark, words in standing_marks(connection).items():
        if not only or mark in only:
            raise refused_for(mark, words, url)


def require_in_use(connection: Connection, url: str) -> None:
    """Raise `LedgerUnusable` in a ledger that was moved: first in a transaction, which
    waits for one that moves it.
    """
    require_unmarked(connection, url, Mark.MOVED, Mark.ARRIVING)


def require_settled(connection: Connection, url: str, now: datetime) -> None:
    """Raise `StillArriving` while what was sent before the ledger was restored may
    still arrive.
    """
    waits = select(marks.c.words, marks.c.ended_at).where(
        marks.c.name == Mark.RESTORED, marks.c.ended_at > now
    )
    if row := connection.execute(
        waits.order_by(marks.c.ended_at.desc()).limit(1)
    ).first():
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


class LedgerMarked(LedgerUnusable):
    """A mark forbids to use the ledger."""


def refused_for(mark: Mark, words: str, url: str) -> LedgerMarked:
    """The error of a ledger with this mark: why it buys nothing, and the remedy."""
    return LedgerMarked(f"the ledger {url} {words}. {REMEDY[mark]}")
