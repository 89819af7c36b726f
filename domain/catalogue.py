"""What a catalogue crawl lists."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from enum import StrEnum

from domain.marketplace import ItemId, Marketplace, read_item

Item = tuple[Marketplace, str]
"""A marketplace and the id of an item there."""


class Way(StrEnum):
    WORDS = "words"
    CATEGORY = "category"
    SHOP = "shop"
    EVERYTHING = "everything"


@dataclass(frozen=True, slots=True, kw_only=True)
class Selection:
    """What to take from one marketplace. `items` are ids or product links."""

    marketplace: Marketplace
    keywords: tuple[str, ...] = ()
    categories: tuple[str, ...] = ()
    shops: tuple[str, ...] = ()
    items: tuple[str, ...] = ()
    everything: bool = False

    def __post_init__(self) -> None:
        keys = (*self.keywords, *self.categories, *self.shops)
        if not (keys or self.items or self.everything):
            raise ValueError(
                f"{self.marketplace}: name keywords, categories, shops or items, or ask for everything"
            )
        if not all(map(str.strip, keys)):
            raise ValueError(
                f"{self.marketplace}: an empty keyword, category or shop; ask for everything instead"
            )
        self.item_ids()

    def item_ids(self) -> tuple[str, ...]:
        """The ids of `items`; raises `ValueError` for what is neither id nor link of
        this marketplace.
        """
        ids: list[str] = []
        for text in self.items:
            item = read_item(self.marketplace, text)
            if not isinstance(item, ItemId):
                raise ValueError(
                    f"{self.marketplace}: {text}: neither item id nor product link"
                )
            ids.append(item.id)
        return tuple(ids)


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list to be read page by page; `key` is empty for everything."""

    marketplace: Marketplace
    way: Way
    key: str = ""

    def __str__(self) -> str:
        return f"{self.marketplace} {self.way} {self.key}".strip()

    def would_show(
        self, marketplace: Marketplace, *, seller_id: str, category_id: str
    ) -> bool:
        """Whether this list, read whole, shows an offer that is on sale; a search for
        words may rank it away.
        """
        keys = {
            Way.CATEGORY: category_id,
            Way.SHOP: seller_id,
            Way.EVERYTHING: "",
        }
        return self.marketplace == marketplace and self.key == keys.get(self.way)


def sources_of(selections: Iterable[Selection]) -> list[Listing]:
    """The lists to read, each once."""
    sources: list[Listing] = []
    for selection in selections:
        sources += _sources(selection)
    return list(dict.fromkeys(sources))


def _sources(selection: Selection) -> Iterator[Listing]:
    for way, keys in (
        (Way.WORDS, selection.keywords),
        (Way.CATEGORY, selection.categories),
        (Way.SHOP, selection.shops),
        (Way.EVERYTHING, ("",) if selection.everything else ()),
    ):
        for key in keys:
            yield Listing(marketplace=selection.marketplace, way=way, key=key.strip())
