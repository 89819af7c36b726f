"""Which orders changed since the tables were written. Each change marks its order, in
its own commit.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta

from sqlalchemy import Connection, bindparam, false, insert, select

from connectors.ledger.schema import orders, unwritten
from connectors.ledger.transactions import LedgerRows, repeating

_MARK = insert(unwritten)
_MARKED = select(
    unwritten.c.id, unwritten.c.order_ref, unwritten.c.planned, orders.c.recorded_at
).join(orders, orders.c.order_ref == unwritten.c.order_ref)
_END = unwritten.delete().where(unwritten.c.id == bindparam("at"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Unwritten:
    """Marked orders by the day on which each was recorded (UTC), and which of them were
    planned.

    `ids` are those of the marks.
    """

    ids: Collection[int]
    days: Mapping[date, Collection[str]]
    planned: Collection[str]


class UnwrittenRows(LedgerRows):
    """The table `unwritten` of one ledger."""

    def read(self) -> Unwritten:
        """All marks."""
        rows = self._ledger.rows(_MARKED)
        days = defaultdict[date, set[str]](set)
        for row in rows:
            days[row["recorded_at"].date()].add(row["order_ref"])
        return Unwritten(
            ids=[row["id"] for row in rows],
            days=dict(sorted(days.items())),
            planned={row["order_ref"] for row in rows if row["planned"]},
        )

    def of_day(self, day: date) -> list[str]:
        """All orders that were recorded on a day (UTC)."""
        begin = datetime.combine(day, time(), UTC)
        recorded = orders.c.recorded_at
        of_day = (recorded >= begin) & (recorded < begin + timedelta(days=1))
        return self._ledger.column(select(orders.c.order_ref).where(of_day))

    @repeating
    def mark_all(self) -> None:
        """Mark every order."""
        every = select(orders.c.order_ref, false())
        self._do(_MARK.from_select(["order_ref", "planned"], every))

    @repeating
    def end(self, ids: Collection[int]) -> None:
        """Delete these marks: the tables have what they tell of."""
        if ids:
            with self._ledger.transaction() as connection:
                connection.execute(_END, [{"at": mark_id} for mark_id in ids])


def mark(
    connection: Connection, order_refs: Iterable[str], *, planned: bool = False
) -> None:
    """Mark orders that this transaction changes."""
    rows = [{"order_ref": ref, "planned": planned} for ref in order_refs]
    if rows:
        connection.execute(_MARK, rows)
