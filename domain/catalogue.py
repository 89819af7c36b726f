"""What a catalogue crawl lists, and which items are worth fetching."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
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
        if not (
            self.keywords
            or self.categories
            or self.shops
            or self.items
            or self.everything
        ):
            raise ValueError(
                f"{self.marketplace}: name keywords, categories, shops or items, or ask for everything"
            )
        for text in (*self.keywords, *self.categories, *self.shops):
            if not text.strip():
                raise ValueError(
                    f"{self.marketplace}: an empty keyword, category or shop; ask for everything instead"
                )
        self.item_ids()

    def item_ids(self) -> tuple[str, ...]:
        """The ids of `items`; raises `ValueError` for what is neither id nor link of
        this marketplace.
        """
        read = [(text, read_item(self.marketplace, text)) for text in self.items]
        wrong = [text for text, item in read if not isinstance(item, ItemId)]
        if wrong:
            raise ValueError(
                f"{self.marketplace}: {', '.join(wrong)}: neither item id nor product link"
            )
        return tuple(
            dict.fromkeys(item.id for _, item in read if isinstance(item, ItemId))
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Listing:
    """One list to be read page by page; `key` is empty for everything."""

    marketplace: Marketplace
    way: Way
    key: str = ""

    @property
    def name(self) -> str:
        """A name for files: a source has one name in every crawl."""
        digest = hashlib.sha256(
            f"{self.marketplace}\n{self.way}\n{self.key}".encode()
        ).hexdigest()
        return f"{self.marketplace}-{self.way}-{digest[:12]}"

    def __str__(self) -> str:
        return f"{self.marketplace} {self.way} {self.key}".strip()


@dataclass(frozen=True, slots=True, kw_only=True)
class ListedPage:
    """One page of a source: the item ids on it, and how many items the source counted
    then.
    """

    total: int
    item_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class SeenItems:
    """The items that a finished crawl saw of a list, those of them that it could not
    fetch, and its begin (UTC).
    """

    begun_at: datetime
    item_ids: tuple[str, ...]
    missed: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadListing:
    """A list as this crawl read it, and what the `last` finished crawl saw of it.

    One `of_changes` shows only items that have changed since that crawl.
    """

    source: Listing
    item_ids: Sequence[str]
    pages: int
    of_changes: bool
    last: SeenItems | None

    def unlisted_items(self) -> list[Item]:
        """The known items that the list may lack because they are gone, or must be
        asked for again.
        """
        if self.last is None:
            return []
        item_ids = self.last.missed if self.of_changes else self.last.item_ids
        return [(self.source.marketplace, item_id) for item_id in item_ids]

    def listed_items(self) -> list[Item]:
        return [(self.source.marketplace, item_id) for item_id in self.item_ids]

    def seen_items(self, begun_at: datetime, missed: Collection[Item]) -> SeenItems:
        """What later crawls may expect in the list; `missed` could not be fetched."""
        missed_ids = {
            item_id
            for marketplace, item_id in missed
            if marketplace == self.source.marketplace
        }
        known_ids = self.last.item_ids if self.last else ()
        if not self.of_changes:
            known_ids = tuple(filter(missed_ids.__contains__, known_ids))
        item_ids = tuple(dict.fromkeys([*known_ids, *self.item_ids]))
        return SeenItems(
            begun_at=begun_at,
            item_ids=item_ids,
            missed=tuple(filter(missed_ids.__contains__, item_ids)),
        )


def sources_of(wanted: Iterable[Selection]) -> list[Listing]:
    """The lists to read, each once."""
    return list(dict.fromkeys(source for one in wanted for source in _sources(one)))


def _sources(wanted: Selection) -> Iterator[Listing]:
    for way, keys in (
        (Way.WORDS, wanted.keywords),
        (Way.CATEGORY, wanted.categories),
        (Way.SHOP, wanted.shops),
        (Way.EVERYTHING, ("",) if wanted.everything else ()),
    ):
        for key in keys:
            yield Listing(marketplace=wanted.marketplace, way=way, key=key.strip())


def pages_of(total: int, *, page_size: int, limit: int | None) -> int:
    """How many pages a source of `total` items has, of which at most `limit` items are
    wanted.
    """
    return -(-min(total, limit if limit is not None else total) // page_size)


def listed_steadily(pages: Iterable[ListedPage]) -> bool:
    """Whether the source counted alike on every page, or each page alone: else items
    may have slipped to another.
    """
    pages = list(pages)
    return len({page.total for page in pages}) <= 1 or all(
        page.total == len(page.item_ids) for page in pages
    )


def items_to_fetch(
    wanted: Iterable[Selection], listings: Sequence[ReadListing], *, with_unlisted: bool
) -> list[Item]:
    """Each item once: those named and those listed, then those that an earlier crawl
    saw and the lists no longer show. A part of a list tells of none.
    """
    items = [
        (selection.marketplace, item_id)
        for selection in wanted
        for item_id in selection.item_ids()
    ]
    for listing in listings:
        items += listing.listed_items()
    if with_unlisted:
        for listing in listings:
            items += listing.unlisted_items()
    return list(dict.fromkeys(items))
