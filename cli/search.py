"""`sourcing search`: browse a marketplace at a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any

import typer

from cli.failures import NEEDS_A_PERSON, BadUsage, Json, as_usage, awaited
from cli.lazily import lazily
from domain.marketplace import ItemId, Marketplace, read_item
from domain.money import Money
from domain.offers import LARGEST_PAGE, Category, Filters, Hits, Offer, Sort

with lazily():
    from cli import terminal
    from connectors import marketplaces
    from connectors.marketplaces import browsing
    from connectors.xportcn import client
    from connectors.xportcn import settings as xportcn

Answer = Hits | Offer | Sequence[Category] | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """One way to search; of words, image, shop, best sellers and tree exactly one is
    asked for.
    """

    marketplace: Marketplace
    filters: Filters
    words: str = ""
    image: str = ""
    shop: str = ""
    hot: bool = False
    tree: bool = False

    def ways(self) -> list[str]:
        """The ways that are asked for, besides the category, which may stand alone or
        narrow another.
        """
        asked = {
            "WORDS": self.words,
            "--image": self.image,
            "--shop": self.shop,
            "--hot": self.hot,
            "--tree": self.tree,
        }
        return [name for name, value in asked.items() if value]


def search(  # noqa: PLR0913 - one option a filter
    marketplace: Annotated[Marketplace, typer.Argument(help="Where to look.")],
    words: Annotated[
        str, typer.Argument(help="Words, a product link, or an item id.")
    ] = "",
    *,
    image: Annotated[
        str, typer.Option(metavar="FILE|URL", help="What looks like this image.")
    ] = "",
    shop: Annotated[
        str, typer.Option(metavar="ID", help="What this seller offers.")
    ] = "",
    category: Annotated[
        str, typer.Option(metavar="ID", help="Only in this category, or all of it.")
    ] = "",
    hot: Annotated[bool, typer.Option("--hot", help="What sells best.")] = False,
    tree: Annotated[
        bool, typer.Option("--tree", help="The categories (below --category).")
    ] = False,
    min_price: Annotated[str | None, typer.Option(help="Lowest price in yuan.")] = None,
    max_price: Annotated[
        str | None, typer.Option(help="Highest price in yuan.")
    ] = None,
    sort: Annotated[Sort, typer.Option(help="The order of the hits.")] = Sort.RELEVANCE,
    page: Annotated[int, typer.Option(min=1, help="Which page of the hits.")] = 1,
    page_size: Annotated[
        int, typer.Option(min=1, max=LARGEST_PAGE, help="Hits on a page.")
    ] = 20,
    json: Json = False,
) -> int:
    """Look for offers by words, image, shop, category or link; buys nothing."""
    with as_usage():
        filters = Filters(
            sort=sort,
            min_price=Money.parse(min_price) if min_price else None,
            max_price=Money.parse(max_price) if max_price else None,
            category_id=category,
            page=page,
            page_size=page_size,
        )
    question = Question(
        marketplace=marketplace,
        filters=filters,
        words=words.strip(),
        image=image,
        shop=shop,
        hot=hot,
        tree=tree,
    )
    if len(question.ways()) > 1:
        raise BadUsage(
            f"{' and '.join(question.ways())} can't be asked for together: give one"
        )
    if not question.ways() and not question.filters.category_id:
        raise BadUsage(
            "nothing to search for: give WORDS (or a link or id), --image, --shop, --category, --hot or --tree"
        )
    try:
        with as_usage():
            answer = awaited(_asked(question))
    except browsing.NotOffered as error:
        raise BadUsage(str(error)) from error
    terminal.print_json(_as_json(question, answer)) if json else _show(question, answer)
    return NEEDS_A_PERSON if answer is None else 0


async def _asked(question: Question) -> Answer:
    async with client.XportcnClient(xportcn.XportcnSettings()) as service:
        return await _way(question)(
            marketplaces.offering_of(question.marketplace, service).browser
        )


def _way(question: Question) -> Callable[[browsing.Browser], Awaitable[Answer]]:
    filters = question.filters
    image = browsing.Image.of(question.image) if question.image else browsing.Image()
    ways: list[tuple[object, Callable[[browsing.Browser], Awaitable[Answer]]]] = [
        (
            question.tree,
            lambda browser: browser.categories(filters.category_id or browsing.ROOT),
        ),
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
        from connectors.snapshots.tables.offers import (
            offer_rows,
        )  # its package loads Arrow

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
        "categories": [
            {"category_id": c.category_id, "name": c.name, "is_leaf": c.is_leaf}
            for c in answer
        ],
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
        terminal.console.print(f"nothing on {question.marketplace} matches")
    elif isinstance(answer, Offer):
        _show_offer(answer)
    elif isinstance(answer, Hits):
        _show_hits(question, answer)
    else:
        rows = (
            (one.category_id, one.name, "" if one.is_leaf else "more") for one in answer
        )
        terminal.console.print(
            terminal.table_of(("category", "name", "below it"), rows)
        )


def _show_hits(question: Question, hits: Hits) -> None:
    rows = (
        (one.item_id, one.title, str(one.price), one.seller_name or one.seller_id)
        for one in hits.offers
    )
    terminal.console.print(terminal.table_of(("item", "title", "from", "seller"), rows))
    first = (question.filters.page - 1) * question.filters.page_size + 1
    terminal.console.print(
        f"{first:,}–{first + len(hits.offers) - 1:,} of {hits.total:,}"
        if hits.offers
        else f"0 of {hits.total:,}"
    )


def _show_offer(offer: Offer) -> None:
    state = "" if offer.active else f" ({offer.unknown_state or 'not on sale'})"
    terminal.console.print(
        f"{offer.item_id} {offer.title}{state}, sold by {offer.seller_name}, from {offer.min_quantity} pieces"
    )
    rows = (
        (sku.sku_id, sku.name, str(sku.price), f"{sku.stock:,}") for sku in offer.skus
    )
    terminal.console.print(
        terminal.table_of(("sku", "variant", "price", "stock"), rows)
    )
