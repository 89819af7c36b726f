"""From checked rows to orders: which rows belong together, and what they must share."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, Receiver, RequestLine
from domain.request_remarks import Fault

RECEIVER = ("receiver_name", "receiver_phone", "receiver_email", "country", "state", "city", "zip", "address")
PERSONAL = {*RECEIVER} - {"country"}
"""Columns that faults don't quote: logs and reports are shown to others, and the file itself has the text."""
SHARED = ("marketplace", *RECEIVER, "freight")


@dataclass(frozen=True, slots=True)
class RequestRow:
    """The faultless cells of one row, in normal form, by column name.

    `item` sets one item apart from another, however the cell writes it; it is empty while the cells don't name one.
    """

    row: int
    cells: dict[str, str]
    item: str


def disagreements(rows: Sequence[RequestRow]) -> Iterator[Fault]:
    """Rows of one order that differ in a column that an order has once."""
    first: dict[tuple[str, str], RequestRow] = {}
    for line in rows:
        if not (order_ref := line.cells.get("order_ref")):
            continue
        for column in SHARED:
            if column not in line.cells:
                continue
            leader = first.setdefault((order_ref, column), line)
            if line.cells[column] != leader.cells[column]:
                there = "" if column in PERSONAL else f" ({leader.cells[column]!r} there)"
                yield Fault(line.row, column, f"differs from row {leader.row} of order {order_ref}{there}")


def repetitions(rows: Sequence[RequestRow]) -> Iterator[Fault]:
    """Rows of one order with one and the same item."""
    first: dict[tuple[str, str, str], int] = {}
    for line in rows:
        order_ref = line.cells.get("order_ref")
        if not order_ref or not line.item or "sku" not in line.cells:
            continue
        row = first.setdefault((order_ref, line.item, line.cells["sku"]), line.row)
        if row != line.row:
            message = f"the same item and sku as row {row} of order {order_ref}; put the sum of both in one row"
            yield Fault(line.row, "item", message)


def orders_of(rows: list[RequestRow]) -> tuple[OrderRequest, ...]:
    """The orders, sorted by their first rows. Empties `rows`, which take as much memory again."""
    grouped: dict[str, list[RequestRow]] = {}
    for line in rows:
        grouped.setdefault(line.cells["order_ref"], []).append(line)
    rows.clear()
    return tuple(_order(order_ref, grouped.pop(order_ref)) for order_ref in list(grouped))


def _order(order_ref: str, rows: Sequence[RequestRow]) -> OrderRequest:
    cells = rows[0].cells
    receiver = {column.removeprefix("receiver_"): cells[column] for column in RECEIVER}
    return OrderRequest(
        order_ref=order_ref,
        marketplace=Marketplace(cells["marketplace"]),
        receiver=Receiver(**receiver),
        freight=cells["freight"],
        lines=tuple(_request_line(row) for row in rows),
    )


def _request_line(row: RequestRow) -> RequestLine:
    cells = row.cells
    return RequestLine(
        row=row.row,
        item=cells["item"],
        sku=cells["sku"],
        quantity=int(cells["quantity"]),
        max_unit_price=Money.parse(cells["max_unit_price"]) if cells["max_unit_price"] else None,
        note=cells["note"],
    )
