"""What 1688 and bigMajor share in searching: prices in yuan, sorting as JSON text, the category tree."""

from __future__ import annotations

import json

from connectors.xportcn.api import alibaba_product
from connectors.xportcn.channels import alibaba_1688_reading as reading
from connectors.xportcn.client import XportcnClient
from domain.browsing import Category, Filters, Hits, Sort
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import OfferSummary

BEST_SELLING = json.dumps({"monthSold": "desc"})
DIRECTIONS = {Sort.PRICE_UP: "asc", Sort.PRICE_DOWN: "desc"}


def keyword_request(words: str, filters: Filters, *, sort: str | None = None) -> alibaba_product.SearchRequest:
    """A query by words, by category, or both."""
    return alibaba_product.SearchRequest(
        keyword=words,
        begin_page=filters.page,
        page_size=filters.page_size,
        sort=sort or price_sort(filters),
        price_start=yuan(filters.min_price),
        price_end=yuan(filters.max_price),
        category_id=filters.category_id or None,
    )


def price_sort(filters: Filters) -> str | None:
    """The order by price as the service takes it; None for its own ranking."""
    direction = DIRECTIONS.get(filters.sort)
    return json.dumps({"price": direction}) if direction else None


def yuan(price: Money | None) -> str | None:
    """A bound of the price as the service takes it."""
    return None if price is None else f"{price.major:.2f}"


def hits(marketplace: Marketplace, page: alibaba_product.SearchPage) -> Hits:
    """A page of either marketplace."""
    return Hits(total=page.total_records, offers=tuple(_summary(marketplace, hit) for hit in page.data))


def _summary(marketplace: Marketplace, hit: alibaba_product.SearchHit) -> OfferSummary:
    found = reading.summary(hit)
    return OfferSummary(
        marketplace=marketplace,
        item_id=found.item_id,
        title=found.title,
        price=found.price,
        image_url=found.image_url,
        seller_id=found.seller_id,
    )


async def tree(client: XportcnClient, parent_id: str) -> list[Category]:
    """The categories right below one, the same for both marketplaces."""
    listed = await client.read(alibaba_product.CATEGORY, alibaba_product.CategoryRequest(category_id=parent_id))
    return [
        Category(category_id=one.category_id, name=one.name, level=one.level or 1, is_leaf=one.is_leaf)
        for one in listed
    ]
