"""Orders of the account that a person declared foreign: made at the console, or by another program."""

from __future__ import annotations

from collections.abc import Iterable

from sqlalchemy import Connection, select, update

from connectors.ledger.schema import not_ours
from connectors.ledger.transactions import LedgerRows, repeating
from domain.differences import ForeignOrder, OrderId
from domain.marketplace import Marketplace
from domain.money import Money


class ForeignOrderRows(LedgerRows):
    """The table `not_ours` of one ledger."""

    def standing(self) -> dict[OrderId, ForeignOrder]:
        """The orders that are declared foreign now: of each the last declaration, unless it was withdrawn."""
        statement = select(not_ours).where(not_ours.c.ended_at.is_(None)).order_by(not_ours.c.id)
        said = [
            ForeignOrder(
                marketplace=Marketplace(row["marketplace"]),
                order_id=row["order_id"],
                amount=Money(row["amount_minor"], row["currency"]),
                by=row["by"],
                at=row["at"],
            )
            for row in self._ledger.rows(statement)
        ]
        return {one.identity: one for one in said}

    @repeating
    def record(self, orders: Iterable[ForeignOrder]) -> None:
        """Record a person's declaration about each order, in place of an earlier one."""
        with self._ledger.transaction(()) as connection:
            for one in orders:
                self._end(connection, one.identity, by=one.by)
                row = {
                    "marketplace": one.marketplace,
                    "order_id": one.order_id,
                    "amount_minor": one.amount.minor,
                    "currency": one.amount.currency,
                    "at": one.at,
                    "by": one.by,
                }
                connection.execute(not_ours.insert().values(row))

    @repeating
    def take_back(self, order: OrderId, *, by: str) -> bool:
        """Withdraw a declaration: reconciliation reports the order again. False when it was not declared foreign."""
        with self._ledger.transaction(()) as connection:
            return self._end(connection, order, by=by)

    def _end(self, connection: Connection, order: OrderId, *, by: str) -> bool:
        marketplace, order_id = order
        statement = (
            update(not_ours)
            .where(
                not_ours.c.marketplace == marketplace, not_ours.c.order_id == order_id, not_ours.c.ended_at.is_(None)
            )
            .values(ended_at=self._ledger.clock(), ended_by=by)
        )
        return connection.execute(statement).rowcount > 0
