"""What a catalogue crawl lists, and which items are worth fetching."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass
from enum import StrEnum

from domain.marketplace import ItemId, Marketplace, read_item


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


@dataclass(frozen=True, slots=True, kw_only=True, order=True)
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


def crawl_name(wanted: Sequence[Selection], *, full: bool, limit: int | None) -> str:
    """A name made from the selection, so that a later run finds a broken crawl
    again.
    """
    question = json.dumps(
        [[asdict(one) for one in wanted], full, limit], sort_keys=True
    )
    return hashlib.sha256(question.encode()).hexdigest()[:12]


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


def to_fetch(
    listed: Mapping[Marketplace, Iterable[str]],
    known: Mapping[Marketplace, Iterable[str]],
) -> list[tuple[Marketplace, str]]:
    """Each item once: those listed, then those that an earlier crawl saw and the lists
    no longer show.
    """
    items = [
        (marketplace, item_id) for marketplace, ids in listed.items() for item_id in ids
    ]
    gone = [
        (marketplace, item_id) for marketplace, ids in known.items() for item_id in ids
    ]
    return list(dict.fromkeys([*items, *gone]))
