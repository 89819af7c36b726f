"""Marketplaces held because two readings of an amount are a unit apart. Claims to create and to pay read them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection, insert, select, update

from connectors.ledger.schema import switches
from connectors.ledger.transactions import LedgerRows, repeating
from domain.marketplace import Marketplace

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

    @repeating
    def release(self, marketplace: Marketplace, *, by: str) -> bool:
        """Let a marketplace buy again, as a person confirmed; False where it is not held."""
        ended = update(switches).where(switches.c.name == marketplace, switches.c.ended_at.is_(None))
        with self._ledger.transaction(()) as connection:
            done = connection.execute(ended.values(ended_at=self._ledger.clock(), ended_by=by))
        return done.rowcount > 0


def hold(connection: Connection, marketplace: Marketplace, reasons: Sequence[str], *, by: str, at: datetime) -> None:
    """Hold a marketplace, in this transaction, unless it is held or was released by a person for this reason."""
    known = select(switches.c.why).where(switches.c.name == marketplace)
    told = {*connection.scalars(known)}
    rows = [{"name": marketplace, "at": at, "by": by, "why": why} for why in dict.fromkeys(reasons) if why not in told]
    if rows:
        connection.execute(insert(switches), rows)
