"""Which tracking numbers were exported for the shops of orders: each once."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta

from sqlalchemy import and_, bindparam, exists, func, or_, select

from connectors.ledger.engine import chunked, one_of
from connectors.ledger.schema import exported_numbers, orders, tracking_events
from connectors.ledger.transactions import LedgerRows
from domain.service_orders import TraceStatus
from domain.states import TRAVELLING, OrderState

Number = tuple[str, str]
"""An order and one of its tracking numbers."""
ALL = ""
"""In place of a number: all numbers of an order."""
ROWS_AT_ONCE = 200
LATEST = timedelta(days=30)
"""Numbers of orders delivered earlier are exported no more."""
_ALL_EXPORTED = exists().where(
    exported_numbers.c.order_ref == orders.c.order_ref, exported_numbers.c.tracking_number == ALL
)
_UNSENT = (
    select(orders.c.order_ref)
    .where(
        orders.c.shop.is_not(None),
        or_(
            orders.c.state.in_(TRAVELLING),
            and_(orders.c.state == OrderState.DELIVERED, orders.c.updated_at >= bindparam("since")),
        ),
        ~_ALL_EXPORTED,
    )
    .order_by(orders.c.order_ref)
)
_EXPORTED = select(exported_numbers.c.order_ref, exported_numbers.c.tracking_number).where(
    one_of(exported_numbers.c.order_ref, "refs")
)
_SCANNED = (
    select(
        tracking_events.c.order_ref,
        tracking_events.c.tracking_number,
        func.min(tracking_events.c.occurred_at).label("at"),
    )
    .where(one_of(tracking_events.c.order_ref, "refs"), tracking_events.c.status != TraceStatus.WAITING)
    .group_by(tracking_events.c.order_ref, tracking_events.c.tracking_number)
)


class ExportedRows(LedgerRows):
    """The table `exported_numbers` of one ledger."""

    def unsent(self) -> list[str]:
        """The orders of shops on their way or lately delivered, but for those of which all numbers are exported."""
        return [row["order_ref"] for row in self._ledger.rows(_UNSENT, {"since": self._ledger.clock() - LATEST})]

    def of(self, order_refs: Iterable[str]) -> set[Number]:
        """The exported numbers of these orders."""
        return {
            (row["order_ref"], row["tracking_number"]) for row in self._ledger.rows(_EXPORTED, {"refs": order_refs})
        }

    def first_scans(self, order_refs: Iterable[str]) -> dict[Number, datetime]:
        """When each parcel of these orders was first scanned; what only waits to be picked up was not."""
        rows = self._ledger.rows(_SCANNED, {"refs": order_refs})
        return {(row["order_ref"], row["tracking_number"]): row["at"] for row in rows}

    def has_file(self, name: str) -> bool:
        """Whether numbers were exported into a file of this name."""
        return bool(self._ledger.rows(select(exported_numbers.c.file).where(exported_numbers.c.file == name).limit(1)))

    @contextmanager
    def exporting(self, numbers: Iterable[Number], file: str) -> Iterator[set[Number]]:
        """Record numbers as exported, in one commit after the block has written the file; yields the new ones.

        A process that exports one of them meanwhile waits for this commit.
        """
        now, new = self._ledger.clock(), set[Number]()
        with self._ledger.transaction(()) as connection:
            for some in chunked(sorted(numbers), ROWS_AT_ONCE):
                rows = [{"order_ref": ref, "tracking_number": number, "file": file, "at": now} for ref, number in some]
                statement = self._ledger.insert(exported_numbers).values(rows).on_conflict_do_nothing()
                found = connection.execute(
                    statement.returning(exported_numbers.c.order_ref, exported_numbers.c.tracking_number)
                )
                new |= {(row.order_ref, row.tracking_number) for row in found}
            yield new
