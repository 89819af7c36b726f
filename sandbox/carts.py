"""The shopping carts: one a marketplace, with rows in the order of adding."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from sandbox.books import Books
from sandbox.goods import Item, Sku
from sandbox.store import Store

MAX_ROWS = 100


class CartFull(Exception):
    """The cart has no room for another SKU."""


@dataclass(slots=True)
class CartRow:
    id: int
    marketplace: str
    item_id: str
    sku_id: str
    quantity: int


class Carts:
    """All carts. Every change goes through a method here, which also writes it to the
    store.
    """

    def __init__(self, store: Store, books: Books) -> None:
        self._store = store
        self._books = books
        self.reset()

    def reset(self) -> None:
        self._rows: dict[int, CartRow] = {}

    def restore(self) -> None:
        for body in self._store.read("cart"):
            self._rows[body["id"]] = CartRow(**body)

    def rows(self, marketplace: str) -> list[CartRow]:
        return [row for row in self._rows.values() if row.marketplace == marketplace]

    def row(self, marketplace: str, row_id: int) -> CartRow | None:
        row = self._rows.get(row_id)
        return row if row is not None and row.marketplace == marketplace else None

    def named(self, row_id: int) -> CartRow | None:
        """A row of any marketplace."""
        return self._rows.get(row_id)

    def add(self, item: Item, sku: Sku, quantity: int) -> CartRow:
        """Add a SKU, or more pieces of it; raises CartFull."""
        rows = self.rows(item.marketplace)
        row = next(
            (row for row in rows if (row.item_id, row.sku_id) == (item.id, sku.id)),
            None,
        )
        if row is None:
            if len(rows) >= MAX_ROWS:
                raise CartFull
            row = CartRow(
                self._books.next("cart"), item.marketplace, item.id, sku.id, 0
            )
            self._rows[row.id] = row
        self.set_quantity(row, row.quantity + quantity)
        return row

    def set_quantity(self, row: CartRow, quantity: int) -> None:
        row.quantity = quantity
        self._store.put("cart", _key(row), row)

    def remove(self, rows: Iterable[CartRow]) -> None:
        for row in rows:
            del self._rows[row.id]
            self._store.drop("cart", _key(row))


def _key(row: CartRow) -> str:
    return f"{row.id:012d}"
