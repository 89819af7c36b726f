"""1688 goods: keyword query and details, also for its big sellers. Prices are yuan as
text.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import orjson

from sandbox.categories import leaves_at_or_below
from sandbox.fields import Fields, Page
from sandbox.goods import Item, Sku, decimal_text
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request
from sandbox.world import World

operations = Operations()

PICTURES = "https://cbu01.alicdn.com/img/ibank"
SORTS = {
    "price": lambda item: item.lowest_fen,
    "monthSold": lambda item: item.month_sold,
}


# which offers carry a mark, by their id
MARKS: dict[str, Callable[[int], bool]] = {
    "shipInToday": lambda offer_id: offer_id % 2 == 0,
    "totalEpScoreLv1": lambda offer_id: offer_id % 3 == 0,
    "ksCiphertext": lambda offer_id: True,
}


@operations.post("/alibaba/product/keywords/query")
def keyword_query(world: World, call: Call) -> dict[str, Any]:
    return found_offers(world, call.body, "1688")


def found_offers(world: World, body: Fields, marketplace: str) -> dict[str, Any]:
    """The answer of a keyword query of 1688, or of its big sellers."""
    page = body.page("beginPage")
    lowest, highest = price_bounds(body)
    found = world.catalogue.shelf(marketplace).search(_keyword(body), lowest, highest)
    return page_of_offers(page, narrowed(found, body), body)


def _keyword(body: Fields) -> str:
    """The keyword, which may be empty with a category."""
    return (
        body.optional_text("keyword")
        if body.has("categoryId")
        else body.text("keyword")
    )


def price_bounds(body: Fields) -> tuple[int | None, int | None]:
    return body.optional_yuan("priceStart"), body.optional_yuan("priceEnd")


def narrowed(items: list[Item], body: Fields) -> list[Item]:
    """The items of the asked category with the asked marks."""
    marks = [mark for mark in body.optional_text("filter").split(",") if mark]
    if unknown := [mark for mark in marks if mark not in MARKS]:
        raise bad_request(
            "filter", f"{unknown[0]} is unknown; known are {', '.join(MARKS)}"
        )
    if category_id := body.optional_identifier("categoryId"):
        leaves = leaves_at_or_below(category_id)
        items = [item for item in items if item.category_id in leaves]
    return [item for item in items if all(MARKS[mark](int(item.id)) for mark in marks)]


def page_of_offers(page: Page, items: list[Item], body: Fields) -> dict[str, Any]:
    if sort := body.optional_text("sort"):
        _sort(items, sort)
    return page.answer(
        len(items), [_found(item) for item in items[page.start : page.stop]]
    )


def _sort(items: list[Item], sort: str) -> None:
    """Sort items by a JSON text such as {"price":"desc"}."""
    try:
        ((field, direction),) = orjson.loads(sort).items()
        items.sort(key=SORTS[field], reverse={"asc": False, "desc": True}[direction])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        problem = (
            f'must be the JSON text of one of {", ".join(SORTS)} with "asc" or "desc"'
        )
        raise bad_request("sort", problem) from error


def _found(item: Item) -> dict[str, Any]:
    return {
        "offerId": int(item.id),
        "subject": item.title,
        "subjectTrans": item.title_en,
        "imageUrl": picture_url(item.id),
        "priceInfo": {"price": decimal_text(item.lowest_fen)},
        "isJxhy": False,
        "monthSold": item.month_sold,
        "sellerOpenId": item.seller.id,
    }


@operations.post("/alibaba/product/detail/get")
def product_details(world: World, call: Call) -> dict[str, Any]:
    return offer_details(world, call.body, "1688")


def offer_details(world: World, body: Fields, marketplace: str) -> dict[str, Any]:
    """One offer of 1688 or of its big sellers."""
    offer_id = body.identifier("offerId")
    body.text("country")
    item = world.catalogue.shelf(marketplace).product(offer_id)
    return {
        "offerId": int(item.id),
        "subject": item.title,
        "subjectTrans": item.title_en,
        "categoryId": item.category_id,
        "categoryName": item.category,
        "status": "offline" if item.offline else "published",
        "minOrderQuantity": item.min_quantity,
        "batchNumber": None,
        "sellerOpenId": item.seller.id,
        "sellerDataInfo": {"shopName": item.seller.name},
        "productImage": {"images": [picture_url(item.id)]},
        "productSkuInfos": [_sku(sku) for sku in item.skus],
        "productSaleInfo": {
            "amountOnSale": item.stock,
            "unitInfo": {"unit": "件"},
            "priceRangeList": [
                {"startQuantity": start, "price": decimal_text(price)}
                for start, price in item.ranges
            ],
        },
    }


def _sku(sku: Sku) -> dict[str, Any]:
    return {
        "skuId": int(sku.id),
        "specId": sku.spec_id,
        "price": decimal_text(sku.price_fen),
        "amountOnSale": sku.stock,
        "skuAttributes": [
            {"attributeName": name, "value": value} for name, value in sku.properties
        ],
        "skuImageUrl": picture_url(sku.id),
    }


def picture_url(name: str) -> str:
    return f"{PICTURES}/{name}.jpg"
