"""`sourcing search`: browse a marketplace at a terminal."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Any

from cli.failures import NEEDS_A_PERSON, BadUsage, as_usage
from cli.terminal import console, print_json, table_of
from connectors.marketplaces import offering_of
from connectors.marketplaces.browsing import ROOT, Browser, Image, NotOffered
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.settings import XportcnSettings
from domain.marketplace import ItemId, Marketplace, read_item
from domain.offers import Category, Filters, Hits, Offer

Answer = Hits | Offer | Sequence[Category] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One way to search; of words, image, shop, best sellers and tree exactly one is asked for."""

    marketplace: Marketplace
    filters: Filters
    words: str = ""
    image: str = ""
    shop: str = ""
    hot: bool = False
    tree: bool = False

    def ways(self) -> list[str]:
        """The ways that are asked for, besides the category, which may stand alone or narrow another."""
        asked = {
            "WORDS": self.words,
            "--image": self.image,
            "--shop": self.shop,
            "--hot": self.hot,
            "--tree": self.tree,
        }
        return [name for name, value in asked.items() if value]


def run_search(question: Question, *, as_json: bool) -> int:
    """Ask and print what was found; answers the exit code."""
    if len(question.ways()) > 1:
        raise BadUsage(f"{' and '.join(question.ways())} can't be asked for together: give one")
    if not question.ways() and not question.filters.category_id:
        raise BadUsage(
            "nothing to search for: give WORDS (or a link or id), --image, --shop, --category, --hot or --tree"
        )
    try:
        with as_usage():
            answer = asyncio.run(_asked(question))
    except NotOffered as error:
        raise BadUsage(str(error)) from error
    print_json(_as_json(question, answer)) if as_json else _show(question, answer)
    return NEEDS_A_PERSON if answer is None else 0


async def _asked(question: Question) -> Answer:
    async with XportcnClient(XportcnSettings()) as client:
        return await _way(question)(offering_of(question.marketplace, client).browser)


def _way(question: Question) -> Callable[[Browser], Awaitable[Answer]]:
    filters = question.filters
    image = Image.of(question.image) if question.image else Image()
    ways: list[tuple[object, Callable[[Browser], Awaitable[Answer]]]] = [
        (question.tree, lambda browser: browser.categories(filters.category_id or ROOT)),
        (question.hot, lambda browser: browser.hot(filters)),
        (question.shop, lambda browser: browser.by_shop(question.shop, filters)),
        (question.image, lambda browser: browser.by_image(image, filters)),
        (not question.words, lambda browser: browser.listing(filters)),
        (_is_link_or_id(question), lambda browser: browser.by_url(question.words)),
        (question.words, lambda browser: browser.by_words(question.words, filters)),
    ]
    return next(way for asked, way in ways if asked)


def _is_link_or_id(question: Question) -> bool:
    """Links that name no item are for the marketplace to follow."""
    if not question.words:
        return False
    try:
        return isinstance(read_item(question.marketplace, question.words), ItemId)
    except ValueError:
        return "://" in question.words


def _as_json(question: Question, answer: Answer) -> dict[str, Any]:
    head: dict[str, Any] = {"marketplace": question.marketplace}
    if answer is None:
        return {**head, "offer": None}
    if isinstance(answer, Offer):
        from connectors.snapshots.tables.offers import offer_rows

        return {**head, "offer": [_plain(row) for row in offer_rows(answer)]}
    if isinstance(answer, Hits):
        return {
            **head,
            "page": question.filters.page,
            "total": answer.total,
            "offers": [_hit(o) for o in answer.offers],
        }
    return {
        **head,
        "categories": [{"category_id": c.category_id, "name": c.name, "is_leaf": c.is_leaf} for c in answer],
    }


def _plain(row: dict[str, Any]) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != "seen_at"}


def _hit(offer: Any) -> dict[str, Any]:
    return {
        "item_id": offer.item_id,
        "title": offer.title,
        "price_minor": offer.price.minor,
        "currency": offer.price.currency,
        "seller_id": offer.seller_id,
        "seller_name": offer.seller_name,
        "image_url": offer.image_url,
    }


def _show(question: Question, answer: Answer) -> None:
    if not answer:
        console.print(f"nothing on {question.marketplace} matches")
    elif isinstance(answer, Offer):
        _show_offer(answer)
    elif isinstance(answer, Hits):
        _show_hits(question, answer)
    else:
        rows = ((one.category_id, one.name, "" if one.is_leaf else "more") for one in answer)
        console.print(table_of(("category", "name", "below it"), rows))


def _show_hits(question: Question, hits: Hits) -> None:
    rows = ((one.item_id, one.title, str(one.price), one.seller_name or one.seller_id) for one in hits.offers)
    console.print(table_of(("item", "title", "from", "seller"), rows))
    first = (question.filters.page - 1) * question.filters.page_size + 1
    console.print(
        f"{first:,}–{first + len(hits.offers) - 1:,} of {hits.total:,}" if hits.offers else f"0 of {hits.total:,}"
    )


def _show_offer(offer: Offer) -> None:
    state = "" if offer.active else f" ({offer.unknown_state or 'not on sale'})"
    console.print(
        f"{offer.item_id} {offer.title}{state}, sold by {offer.seller_name}, from {offer.min_quantity} pieces"
    )
    rows = ((sku.sku_id, sku.name, str(sku.price), f"{sku.stock:,}") for sku in offer.skus)
    console.print(table_of(("sku", "variant", "price", "stock"), rows))
