"""The base of browsers, and the one error for what a marketplace does not offer."""

from __future__ import annotations

import base64
from abc import ABC, abstractmethod
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import count
from pathlib import Path
from typing import Self

from connectors.marketplaces.protocol import Channel
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import XportcnError
from domain.marketplace import ItemId, Marketplace, read_item
from domain.offers import Category, Filters, Hits, Offer, OfferSummary, Sort

LARGEST_IMAGE = 3 * 1024 * 1024

ROOT = "0"
SORTS = {
    Sort.RELEVANCE: None,
    Sort.PRICE_UP: "price_asc",
    Sort.PRICE_DOWN: "price_desc",
}

SEARCH_PAGE_SIZE = 20
"""Products on a page of searches and lists: larger pages may be refused (upstream)."""


class UnreadableImage(ValueError):
    """The image can't be used; the message names it and the remedy."""


@dataclass(frozen=True, slots=True)
class Image:
    """Either the bytes of the image or its address; the other is None."""

    content: bytes | None = None
    url: str | None = None

    @classmethod
    def of(cls, text: str) -> Self:
        """The image of an address, or else of a file's path. Raises
        `UnreadableImage`.
        """
        if text.startswith(("http://", "https://")):
            return cls(url=text)
        path = Path(text)
        try:
            content = path.read_bytes()
        except OSError as error:
            raise UnreadableImage(
                f"{path} can't be read ({error.strerror}); give an image file or a link"
            ) from error
        if not content:
            raise UnreadableImage(f"{path} is empty; give an image file or a link")
        if len(content) > LARGEST_IMAGE:
            raise UnreadableImage(
                f"{path} has {len(content):,} bytes; the service takes {LARGEST_IMAGE:,} at most"
            )
        return cls(content=content)

    @property
    def base64(self) -> str | None:
        """The image in the service's form."""
        return (
            base64.b64encode(self.content).decode()
            if self.content is not None
            else None
        )


class NotOffered(XportcnError):
    """A marketplace has no such way to search; nothing was sent. The message names it
    and the alternatives.
    """


class Browser(ABC):
    """One marketplace of the service, read only; each way to search raises `NotOffered`
    unless a marketplace has it.

    `lists_everything` says whether `listing` needs no category.
    """

    marketplace: Marketplace
    lists_everything = True

    def __init__(self, client: XportcnClient, channel: Channel) -> None:
        self._client = client
        self._channel = channel

    @abstractmethod
    async def by_words(self, words: str, filters: Filters) -> Hits:
        """A page of offers whose title matches `words`, best first unless sorted."""

    @abstractmethod
    async def listing(self, filters: Filters) -> Hits:
        """The offers of a category, or of all where none is given, in a stable
        order.
        """

    async def search(self, words: str, *, limit: int = 10) -> list[OfferSummary]:
        """The first `limit` hits, each once; a full page is never the last for its
        total, one with nothing new is.
        """
        offer_summaries: dict[str, OfferSummary] = {}
        size = min(limit, SEARCH_PAGE_SIZE)
        for page_no in count(1):
            page = await self.by_words(words, Filters(page=page_no, page_size=size))
            before = len(offer_summaries)
            offer_summaries |= {
                hit.item_id: hit
                for hit in page.offers
                if hit.item_id not in offer_summaries
            }
            is_over = len(page.offers) < size and len(offer_summaries) >= (
                page.total or limit
            )
            if (
                is_over
                or len(offer_summaries) == before
                or len(offer_summaries) >= limit
            ):
                break
        return list(offer_summaries.values())[:limit]

    async def by_image(self, image: Image, filters: Filters) -> Hits:
        """Offers similar to an image, most alike first unless sorted."""
        raise not_offered(
            self.marketplace, "search by image", "search by words or category"
        )

    async def by_url(self, url: str) -> Offer | None:
        """The product of a link or an id; None when there is none. `ValueError` for
        anything else.
        """
        item = read_item(self.marketplace, url)
        if not isinstance(item, ItemId):
            raise ValueError(f"{url!r} is no {self.marketplace} link and no item id")
        return await self._channel.offer(item.id)

    async def by_shop(self, shop_id: str, filters: Filters) -> Hits:
        """The offers of one seller."""
        raise not_offered(
            self.marketplace, "search by shop", "search by words or category"
        )

    async def categories(self, parent_id: str = ROOT) -> Sequence[Category]:
        """The categories right below a category; the roots below `ROOT`."""
        raise not_offered(
            self.marketplace,
            "category tree",
            "its offers name their category: search by words first",
        )


def refuse_filters(
    marketplace: Marketplace, way: str, filters: Filters, *, offers: str = ""
) -> None:
    """Raise `NotOffered` for a filter that this way of searching does not take.

    `offers` names the filters it takes: any of `sort`, `price`, `category`.
    """
    asked_filters = {
        "sort": filters.sort is not Sort.RELEVANCE,
        "price": filters.min_price is not None or filters.max_price is not None,
        "category": bool(filters.category_id),
    }
    known_offers = offers.split()
    unknown = [
        name
        for name, is_set in asked_filters.items()
        if is_set and name not in known_offers
    ]
    if unknown:
        has = (
            f"it knows {' and '.join(known_offers)}"
            if known_offers
            else "it knows no filter"
        )
        raise NotOffered(
            f"{marketplace} can't filter {way} by {' and '.join(unknown)}; {has}"
        )


def not_offered(marketplace: Marketplace, way: str, instead: str) -> NotOffered:
    """The error for a whole way of searching."""
    return NotOffered(f"{marketplace} offers no {way}; {instead}")
