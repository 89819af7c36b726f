"""The goods: items with their SKUs, prices and stock, and the searches for them."""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

from sandbox.generator import MAKERS, generate
from sandbox.goods import Item, Sku
from sandbox.refusals import product_not_found
from sandbox.store import Store

MARKETPLACES = tuple(MAKERS)
REMEMBERED_SEARCHES = 500


@dataclass
class Shelf:
    """One marketplace's items in listing order, with their indexes."""

    items: list[Item]
    by_id: dict[str, Item] = field(init=False)
    by_mp_id: dict[str, Item] = field(init=False)
    rows: list[tuple[Item, Sku]] = field(init=False)
    by_number: list[Item] = field(init=False)
    _found: dict[str, list[Item]] = field(init=False, default_factory=dict)

    def __post_init__(self) -> None:
        self.by_id = {item.id: item for item in self.items}
        self.by_mp_id = {item.mp_id: item for item in self.items}
        self.rows = [(item, sku) for item in self.items for sku in item.skus]
        self.by_number = sorted(self.items, key=lambda item: int(item.id))

    def product(self, item_id: str) -> Item:
        """The item of this id. Raises `Refusal` where there is none."""
        if item_id not in self.by_id:
            raise product_not_found(item_id)
        return self.by_id[item_id]

    @cached_property
    def by_any_id(self) -> dict[str, Item]:
        """Items by their own id or the id of one of their SKUs."""
        return {sku.id: item for item, sku in self.rows} | self.by_id

    def search(
        self, keyword: str, lowest: int | None, highest: int | None
    ) -> list[Item]:
        """Items on sale whose title holds every word of the keyword; whole words before
        parts, then short titles first.

        Without words all items on sale, by id. `lowest` and `highest` bound the price
        of the cheapest SKU, in fen.
        """
        found = self._with_words(keyword.lower())
        if lowest is None and highest is None:
            return found.copy()
        floor, ceiling = lowest or 0, float("inf") if highest is None else highest
        return [item for item in found if floor <= item.lowest_fen <= ceiling]

    def _with_words(self, keyword: str) -> list[Item]:
        """Items whose title has these words. Titles never change, so a paged search
        scans them once.
        """
        if (known := self._found.get(keyword)) is not None:
            return known
        words = keyword.split()
        found = [
            item
            for item in (self.items if words else self.by_number)
            if not item.offline
        ]
        for word in sorted(
            words, key=len, reverse=True
        ):  # long words leave the fewest for the next
            found = [item for item in found if word in item.title_lower]
        if words:
            found.sort(key=lambda item: _distance(item, words))
        if len(self._found) >= REMEMBERED_SEARCHES:
            self._found.clear()
        self._found[keyword] = found
        return found


def _distance(item: Item, words: list[str]) -> tuple[int, int]:
    whole_words = item.title_lower.split()
    return sum(word not in whole_words for word in words), len(item.title)


@contextmanager
def _without_garbage_collection() -> Iterator[None]:
    """Garbage collection would scan tens of thousands of new objects, none of them
    garbage, again and again.
    """
    collecting = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if collecting:
            gc.enable()


class Catalogue:
    """Every marketplace's shelf; changes of price and stock are written to the
    store.
    """

    def __init__(self, seed: int, store: Store, now: Callable[[], int]) -> None:
        self._now = now
        self._seed = seed
        self._store = store
        self._shelves: dict[str, Shelf] = {}
        self._changed: dict[str, Item] = {}

    def restore(self) -> None:
        """Bring prices and stock back to what the store holds."""
        for change in self._store.read("item"):
            item = self.shelf(change["marketplace"]).by_id[change["item_id"]]
            for _ in range(change["raises"]):
                item.raise_prices()
            for sku in item.skus:
                sku.stock = change["stock"][sku.id]
            item.weighed = change.get("weighed")
            item.changed_at = change.get("changed_at")
            self._changed[item.id] = item

    def reset(self) -> None:
        for item in self._changed.values():
            item.relist()
        self._changed.clear()

    def shelf(self, marketplace: str) -> Shelf:
        """A marketplace's shelf, filled at first use, since filling all would delay a
        start.
        """
        shelf = self._shelves.get(marketplace)
        if shelf is None:
            with _without_garbage_collection():
                shelf = self._shelves[marketplace] = Shelf(
                    generate(self._seed, marketplace)
                )
        return shelf

    @property
    def filled(self) -> list[str]:
        """The marketplaces whose goods are made."""
        return list(self._shelves)

    def _every_shelf(self) -> Iterator[Shelf]:
        """All shelves, filled ones first, so that most look-ups fill no other."""
        filled = dict(self._shelves)
        yield from filled.values()
        yield from (self.shelf(name) for name in MARKETPLACES if name not in filled)

    def find(self, item_id: str) -> Item | None:
        """An item of any marketplace by its own id."""
        return next(
            (
                item
                for shelf in self._every_shelf()
                if (item := shelf.by_id.get(item_id))
            ),
            None,
        )

    def named(self, any_id: str) -> Item | None:
        """An item by its own id or its distribution id."""
        found = (
            shelf.by_id.get(any_id) or shelf.by_mp_id.get(any_id)
            for shelf in self._every_shelf()
        )
        return next((item for item in found if item), None)

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

    def weigh(self, items: Iterable[Item], times: int) -> None:
        """Weigh items at `times` the grams of their pages; freight is quoted by that
        from now on (assumed).
        """

        def weigh(item: Item) -> None:
            item.weighed = item.grams * times

        self._change(items, weigh)

    def _change(self, items: Iterable[Item], change: Callable[[Item], None]) -> None:
        for item in items:
            change(item)
            self._save(item)

    def _save(self, item: Item) -> None:
        self._changed[item.id] = item
        item.changed_at = self._now()
        body: dict[str, Any] = {
            "marketplace": item.marketplace,
            "item_id": item.id,
            "raises": item.raises,
            "weighed": item.weighed,
            "changed_at": item.changed_at,
            "stock": {sku.id: sku.stock for sku in item.skus},
        }
        self._store.put("item", f"{item.marketplace}:{item.id}", body)
