"""What can be bought: items with their SKUs, prices and stock, and how they are found."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

from sandbox.generator import generate
from sandbox.goods import Item, Sku
from sandbox.store import Store

MARKETPLACES = ("taobao", "1688")


@dataclass
class Shelf:
    """One marketplace's items in listing order, with the ways to look one up."""

    items: list[Item]
    by_id: dict[str, Item] = field(init=False)
    by_mp_id: dict[str, Item] = field(init=False)
    rows: list[tuple[Item, Sku]] = field(init=False)

    def __post_init__(self) -> None:
        self.by_id = {item.id: item for item in self.items}
        self.by_mp_id = {item.mp_id: item for item in self.items}
        self.rows = [(item, sku) for item in self.items for sku in item.skus]

    def search(self, keyword: str, lowest: int | None, highest: int | None) -> list[Item]:
        """Items whose title holds every word of the keyword; whole words before parts, then short titles first.

        `lowest` and `highest` bound the price of the cheapest SKU, in fen.
        """
        words = keyword.lower().split()
        found = [
            item
            for item in self.items
            if all(word in item.title_lower for word in words)
            and not item.offline
            and (lowest is None or item.lowest_fen >= lowest)
            and (highest is None or item.lowest_fen <= highest)
        ]
        found.sort(key=lambda item: _distance(item, words))
        return found


def _distance(item: Item, words: list[str]) -> tuple[int, int]:
    whole_words = item.title_lower.split()
    return sum(word not in whole_words for word in words), len(item.title)


class Catalogue:
    """Every marketplace's shelf; changes of price and stock are written to the store."""

    def __init__(self, seed: int, store: Store) -> None:
        self._store = store
        self._shelves = {name: Shelf(generate(seed, name)) for name in MARKETPLACES}
        self._changed: dict[str, Item] = {}

    def restore(self) -> None:
        """Bring prices and stock back to what the store holds."""
        for change in self._store.read("item"):
            item = self.shelf(change["marketplace"]).by_id[change["item_id"]]
            for _ in range(change["raises"]):
                item.raise_prices()
            for sku in item.skus:
                sku.stock = change["stock"][sku.id]
            self._changed[item.id] = item

    def reset(self) -> None:
        for item in self._changed.values():
            item.relist()
        self._changed.clear()

    def shelf(self, marketplace: str) -> Shelf:
        return self._shelves[marketplace]

    def find(self, item_id: str) -> Item | None:
        """An item by its marketplace's own id, whichever marketplace that is."""
        for shelf in self._shelves.values():
            if (item := shelf.by_id.get(item_id)) is not None:
                return item
        return None

    def named(self, any_id: str) -> Item | None:
        """An item by its own id or its distribution id."""
        found = (shelf.by_mp_id.get(any_id) for shelf in self._shelves.values())
        return self.find(any_id) or next((item for item in found if item), None)

    def take(self, item: Item, sku: Sku, quantity: int) -> None:
        sku.stock -= quantity
        self._save(item)

    def put_back(self, item: Item, sku: Sku, quantity: int) -> None:
        sku.stock += quantity
        self._save(item)

    def raise_prices(self, items: Iterable[Item]) -> None:
        self._change(items, Item.raise_prices)

    def sell_out(self, items: Iterable[Item]) -> None:
        self._change(items, Item.sell_out)

    def _change(self, items: Iterable[Item], change: Callable[[Item], None]) -> None:
        for item in items:
            change(item)
            self._save(item)

    def _save(self, item: Item) -> None:
        self._changed[item.id] = item
        body: dict[str, Any] = {
            "marketplace": item.marketplace,
            "item_id": item.id,
            "raises": item.raises,
            "stock": {sku.id: sku.stock for sku in item.skus},
        }
        self._store.put("item", f"{item.marketplace}:{item.id}", body)
