"""`sourcing search`: browse a marketplace at a terminal."""

from __future__ import annotations

from collections.abc import Awaitable, Sequence
from dataclasses import asdict
from typing import Annotated, Any

import typer

from cli.failures import NEEDS_A_PERSON, BadUsage, Json, as_usage, awaited
from cli.lazily import lazily
from domain.marketplace import ItemId, Marketplace, read_item
from domain.money import Money
from domain.offers import Category, Filters, Hits, Offer, Sort

with lazily():
    from cli import terminal
    from connectors import marketplaces
    from connectors.marketplaces import browsing
    from connectors.xportcn import client
    from connectors.xportcn import settings as xportcn

Answer = Hits | Offer | Sequence[Category] | None


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
    tree: Annotated[
        bool, typer.Option("--tree", help="The categories (below --category).")
    ] = False,
    min_price: Annotated[str | None, typer.Option(help="Lowest price in yuan.")] = None,
    max_price: Annotated[
        str | None, typer.Option(help="Highest price in yuan.")
    ] = None,
    sort: Annotated[Sort, typer.Option(help="The order of the hits.")] = Sort.RELEVANCE,
    page: Annotated[int, typer.Option(min=1, help="Which page of the hits.")] = 1,
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
        )
    query_options = {
        "WORDS": words.strip(),
        "--image": image,
        "--shop": shop,
        "--tree": "yes" if tree else "",
    }
    given_options = {option: key for option, key in query_options.items() if key}
    if len(given_options) > 1:
        raise BadUsage(
            f"{' and '.join(given_options)} can't be asked for together: give one"
        )
    if not given_options and not category:
        raise BadUsage(
            "nothing to search for: give WORDS (or a link or id), --image, --shop, --category or --tree"
        )

    # A category may stand alone, or narrow another way.
    option, key = next(iter(given_options.items()), ("--category", category))
    try:
        with as_usage():
            answer = awaited(_ask(marketplace, option, key, filters))
    except browsing.NotOffered as error:
        raise BadUsage(str(error)) from error
    if json:
        terminal.print_json({"marketplace": marketplace, **_as_json(answer, filters)})
    elif answer:
        _show(answer, filters)
    else:
        terminal.console.print(f"nothing on {marketplace} matches")
    return NEEDS_A_PERSON if answer is None else 0


async def _ask(
    marketplace: Marketplace, option: str, key: str, filters: Filters
) -> Answer:
    async with client.XportcnClient(xportcn.XportcnSettings()) as service:
        browser = marketplaces.offering_of(marketplace, service).browser
        answer: Awaitable[Answer]
        match option:
            case "--tree":
                answer = browser.categories(filters.category_id or browsing.ROOT)
            case "--shop":
                answer = browser.by_shop(key, filters)
            case "--image":
                answer = browser.by_image(browsing.Image.of(key), filters)
            case "--category":
                answer = browser.listing(filters)
            case _ if _is_link_or_id(marketplace, key):
                answer = browser.by_url(key)
            case _:
                answer = browser.by_words(key, filters)
        return await answer


def _is_link_or_id(marketplace: Marketplace, text: str) -> bool:
    """Links that name no item are for the marketplace to follow."""
    try:
        return isinstance(read_item(marketplace, text), ItemId)
    except ValueError:
        return "://" in text


def _as_json(answer: Answer, filters: Filters) -> dict[str, Any]:
    match answer:
        case None:
            return {"offer": None}
        case Offer():
            # Its package loads Arrow.
            from connectors.snapshots.tables.offers import offer_rows

            rows = offer_rows(answer)
            return {"offer": [_without(row, "seen_at") for row in rows]}
        case Hits():
            hits = [
                {
                    "item_id": hit.item_id,
                    "title": hit.title,
                    "price_minor": hit.price.minor,
                    "currency": hit.price.currency,
                    "seller_id": hit.seller_id,
                    "seller_name": hit.seller_name,
                    "image_url": hit.image_url,
                }
                for hit in answer.offers
            ]
            return {"page": filters.page, "total": answer.total, "offers": hits}
        case categories:
            return {
                "categories": [_without(asdict(node), "level") for node in categories]
            }


def _without(row: dict[str, Any], column: str) -> dict[str, Any]:
    return {name: value for name, value in row.items() if name != column}


def _show(answer: Hits | Offer | Sequence[Category], filters: Filters) -> None:
    columns: Sequence[str]
    rows: list[Sequence[str]]
    match answer:
        case Offer():
            state = (
                "" if answer.active else f" ({answer.unknown_state or 'not on sale'})"
            )
            terminal.console.print(
                f"{answer.item_id} {answer.title}{state}, sold by {answer.seller_name}, "
                f"from {answer.min_quantity} pieces"
            )
            columns = ("sku", "variant", "price", "stock")
            rows = [
                (sku.sku_id, sku.name, str(sku.price), f"{sku.stock:,}")
                for sku in answer.skus
            ]
        case Hits():
            columns = ("item", "title", "from", "seller")
            rows = [
                (
                    hit.item_id,
                    hit.title,
                    str(hit.price),
                    hit.seller_name or hit.seller_id,
                )
                for hit in answer.offers
            ]
        case categories:
            columns = ("category", "name", "below it")
            rows = [
                (node.category_id, node.name, "" if node.is_leaf else "more")
                for node in categories
            ]
    terminal.console.print(terminal.table_of(columns, rows))
    if isinstance(answer, Hits):
        first = (filters.page - 1) * filters.page_size + 1
        shown_range = f"{first:,}–{first + len(rows) - 1:,}" if rows else "0"
        terminal.console.print(f"{shown_range} of {answer.total:,}")
