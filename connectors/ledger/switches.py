"""The switch that stops all buying, and held marketplaces. Claims read both in their
own transaction.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import Connection, func, insert, select, text, update

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.outbox import put_messages
from connectors.ledger.schema import switches
from connectors.ledger.transactions import LedgerRows, Transactions, repeating
from domain.holds import Pause, by_whom, why_in_words
from domain.marketplace import Marketplace
from domain.messages import pause_message, resume_message

BUYING = "buying"
BUYING_LOCK = 7_307_424
LOCK_NOT_AVAILABLE = "55P03"
PATIENCE_S = 20
"""How long a pause waits for claims that are in their transaction; these take
milliseconds.
"""

IS_OFF = (switches.c.name == BUYING, switches.c.ended_at.is_(None))
_STANDING = (
    select(switches.c.by, switches.c.at, switches.c.why)
    .where(*IS_OFF)
    .order_by(switches.c.id)
)
_RESUMED = select(func.max(switches.c.ended_at)).where(switches.c.name == BUYING)
MAY_DIFFER = timedelta(minutes=1)
"""So far may the clocks be apart by which a pause and its end were said."""
_SHARED = select(func.pg_advisory_xact_lock_shared(BUYING_LOCK))
_ALONE = select(func.pg_advisory_xact_lock(BUYING_LOCK))


class Switches(Transactions):
    """A ledger with its switch. Every method is one or two durable transactions, or a
    read.
    """

    @repeating
    def buying_paused(self) -> Pause | None:
        """The present pause; None while buying is allowed."""
        with self.reading() as connection:
            return standing_pause(connection)

    @repeating
    def pause_buying(
        self, by: str, why: str = "", requested_at: datetime | None = None
    ) -> Pause:
        """Stop all buying. Once this returns, every earlier claim is in the ledger, and
        none follows.

        An earlier pause stays, and is returned; one without a reason gets this one. One
        requested long before buying was resumed changes nothing. Raises
        `LedgerUnusable`.
        """
        pause = Pause(
            by=by_whom(by), at=requested_at or self.clock(), why=why_in_words(why)
        )
        with self.transaction() as connection:
            _one_by_one(connection)
            standing = standing_pause(connection) or pause
            resumed_at = connection.scalar(_RESUMED) if requested_at else None
            # a clock that was ahead as buying was resumed makes nothing late that is
            # asked for now
            if (
                resumed_at is None
                or pause.at > min(resumed_at, self.clock()) - MAY_DIFFER
            ):
                # each is a row: what was said before the newest one does not end it
                row = {"name": BUYING, "by": pause.by, "at": pause.at, "why": pause.why}
                connection.execute(insert(switches).values(row))
            if why and not standing.why:
                standing = replace(standing, by=pause.by, why=pause.why)
                connection.execute(
                    update(switches).where(*IS_OFF).values(by=pause.by, why=pause.why)
                )
            if standing_pause(connection):
                put_messages(connection, [pause_message(standing)], self.clock())
        # Committed first: a claim that hangs in its transaction delays only the
        # confirmation, not the pause.
        if connection.dialect.name == "postgresql":
            self._wait_for_claims(standing)
        return standing

    @repeating
    def resume_buying(
        self, by: str, requested_at: datetime | None = None
    ) -> Pause | None:
        """Allow buying again; returns the pause that has ended, None without one or
        after a later one.
        """
        at = requested_at or self.clock()
        with self.transaction() as connection:
            _one_by_one(connection)
            ended = standing_pause(connection)
            before = [switches.c.at <= requested_at] if requested_at else []
            connection.execute(
                update(switches)
                .where(*IS_OFF, *before)
                .values(ended_at=at, ended_by=by_whom(by))
            )
            if ended is None or standing_pause(connection):
                return None
            put_messages(connection, [resume_message(ended, by)], self.clock())
        return ended

    def _wait_for_claims(self, pause: Pause) -> None:
        try:
            with self.transaction() as connection:
                connection.execute(text(f"SET LOCAL lock_timeout = '{PATIENCE_S}s'"))
                connection.execute(_ALONE)
        except LedgerUnusable as error:
            if not _is_timed_out(error):
                raise
            raise LedgerUnusable(
                f"{pause.words}. But a run hangs in the midst of a claim on the ledger {self.shown}, and may yet send "
                f"what it claims: end that run, then pause again. Every other claim is refused from now on"
            ) from error


def share_switch(connection: Connection) -> None:
    """Make a pause wait for this claim's transaction; called before the switch is read.
    SQLite needs no lock.
    """
    # A statement of its own: one that waited for a lock would read only what was
    # committed before it began.
    if connection.dialect.name == "postgresql":
        connection.execute(_SHARED)


def standing_pause(connection: Connection) -> Pause | None:
    """The present pause, in this transaction."""
    row = connection.execute(_STANDING).mappings().first()
    return Pause(**row) if row else None


def _is_timed_out(error: LedgerUnusable) -> bool:
    return (
        getattr(getattr(error.__cause__, "orig", None), "sqlstate", None)
        == LOCK_NOT_AVAILABLE
    )


def _one_by_one(connection: Connection) -> None:
    """Let one transaction turn the switch at a time; readers do not wait."""
    if connection.dialect.name == "postgresql":
        connection.execute(text("LOCK TABLE switches IN SHARE ROW EXCLUSIVE MODE"))


_HELD = (switches.c.name.in_(list(Marketplace)), switches.c.ended_at.is_(None))


class HoldRows(LedgerRows):
    """The held marketplaces of one ledger, in its table `switches`."""

    def standing(self) -> dict[Marketplace, list[tuple[str, datetime]]]:
        """Why marketplaces are held now, and since when (UTC), oldest first."""
        rows = self._ledger.rows(select(switches).where(*_HELD).order_by(switches.c.id))
        held = defaultdict[Marketplace, list[tuple[str, datetime]]](list)
        for row in rows:
            held[Marketplace(row["name"])].append((row["why"], row["at"]))
        return dict(held)

    def release(self, marketplace: Marketplace, *, by: str) -> bool:
        """Let a marketplace buy again, as a person confirmed; False where it is not
        held.
        """
        ended = update(switches).where(
            switches.c.name == marketplace, switches.c.ended_at.is_(None)
        )
        return self._do(ended.values(ended_at=self._ledger.clock(), ended_by=by)) > 0


def hold(
    connection: Connection,
    marketplace: Marketplace,
    reasons: Sequence[str],
    *,
    by: str,
    at: datetime,
) -> None:
    """Hold a marketplace, in this transaction, unless it is held or was released by a
    person for this reason.
    """
    reasons_query = select(switches.c.why).where(switches.c.name == marketplace)
    told = {*connection.scalars(reasons_query)}
    rows = [
        {"name": marketplace, "at": at, "by": by, "why": cause}
        for cause in dict.fromkeys(reasons)
        if cause not in told
    ]
    if rows:
        connection.execute(insert(switches), rows)
