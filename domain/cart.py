"""The rows of a marketplace's shopping cart, and which of them belong to an order."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from domain.money import Money
from domain.orders import OrderLine, OrderRequest


class CartFault(ValueError):
    """A request that the cart can't fulfil; the message says what can be done. Nothing was sent."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CartRow:
    """One row of a cart. `price` is today's for one piece, `stock` in pieces; a row that isn't buyable is sold out."""

    row_id: str
    item_id: str
    sku_id: str
    spec_id: str
    title: str
    price: Money | None
    quantity: int
    stock: int
    seller_id: str
    seller_name: str
    buyable: bool = True

    def holds(self, line: OrderLine) -> bool:
        """Whether this row is of the line's SKU."""
        same_sku = self.sku_id == line.sku_id if not line.spec_id else self.spec_id == line.spec_id
        return self.item_id == line.item_id and same_sku


def row_of(rows: Sequence[CartRow], line: OrderLine) -> CartRow | None:
    """The row that holds a line's SKU: a cart has one row a SKU."""
    return next((row for row in rows if row.holds(line)), None)


def lines_as_carted(
    lines: Sequence[OrderLine], rows: Sequence[CartRow], row_ids: Mapping[int, str]
) -> tuple[OrderLine, ...]:
    """An order's lines with the quantities that lie in the cart now. Raises `CartFault` for a line that is gone.

    `row_ids` has the row of each line number.
    """
    by_id = {row.row_id: row for row in rows}
    carted = []
    for line in lines:
        row = by_id.get(row_ids.get(line.line_no, ""))
        if row is None:
            raise CartFault(f"line {line.line_no} ({line.title}) does not lie in the cart any more")
        if not row.buyable:
            raise CartFault(f"row {row.row_id} ({row.title}) can't be bought any more: delete it from the cart")
        carted.append(replace(line, quantity=row.quantity))
    return tuple(carted)


def request_as_carted(request: OrderRequest, lines: Sequence[OrderLine]) -> OrderRequest:
    """The request with the quantities of these lines."""
    quantities = {line.line_no: line.quantity for line in lines}
    return replace(
        request,
        lines=tuple(
            replace(line, quantity=quantities.get(line_no, line.quantity))
            for line_no, line in enumerate(request.lines, start=1)
        ),
    )
