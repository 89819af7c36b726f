"""Values of answers by field name, so that the next request has ids."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

VARIANTS = ("skuList", "productSkuInfos", "skus")
STOCKS = ("quantity", "stock", "amountOnSale", "skuQuantity")
MOST_ENTRIES = 50

Known = dict[str, Any]


class LearnedIds:
    """Values by marketplace and name; a name is the field's own, or with the field around it, `baseInfo.idOfStr`.

    The first learned value stays, so that ids go together. Only the first page of a buyable product replaces values of
    lists, since its variants belong to it.
    """

    def __init__(self) -> None:
        self._known: dict[str, Known] = {}
        self._with_product: set[str] = set()

    def of(self, marketplace: str) -> Known:
        return self._known.setdefault(marketplace, {})

    def learn(self, marketplace: str, answer: Any) -> None:
        """Keep the values of an answer, in the contract's names."""
        told: Known = {}
        for name, value in _values(answer):
            told.setdefault(name, value)
        known = self.of(marketplace)
        if marketplace not in self._with_product and _can_be_bought(answer):
            self._with_product.add(marketplace)
            known.update(told)
        else:
            known.update({name: value for name, value in told.items() if name not in known})


def _values(answer: Any, around: str = "") -> Iterator[tuple[str, Any]]:
    """All plain values, those of an object before those below it, the most useful entry of a list first."""
    if isinstance(answer, list):
        for entry in sorted(answer[:MOST_ENTRIES], key=_worth, reverse=True):
            yield from _values(entry, around)
    elif isinstance(answer, Mapping):
        for name, value in answer.items():
            if isinstance(value, Mapping | list) or value in (None, ""):
                continue
            yield name, value
            yield f"{around}.{name}", value
        for name, value in answer.items():
            yield from _values(value, name)


def _worth(entry: Any) -> tuple[bool, int]:
    """The usefulness of an entry: in stock before sold out; then an order with parcels before one without."""
    return (_in_stock(entry), sum(1 for _ in _values(entry)))


def _in_stock(entry: Any) -> bool:
    if not isinstance(entry, Mapping):
        return True
    return all(entry.get(name) not in (0, "0") for name in STOCKS)


def _can_be_bought(answer: Any) -> bool:
    if not isinstance(answer, Mapping):
        return False
    return any(_in_stock(entry) for name in VARIANTS for entry in answer.get(name) or ())
