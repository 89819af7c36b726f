"""1688 goods: keyword query and details. Prices are yuan as text."""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.goods import Item, Sku
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request, product_not_found
from sandbox.world import World

operations = Operations()

PICTURES = "https://cbu01.alicdn.com/img/ibank"
SORTS = {"price": lambda item: item.lowest_fen, "monthSold": lambda item: item.month_sold}


@operations.post("/alibaba/product/keywords/query")
def keyword_query(world: World, call: Call) -> dict[str, Any]:
    keyword = call.body.text("keyword")
    page = call.body.page("beginPage")
    lowest, highest = call.body.optional_yuan("priceStart"), call.body.optional_yuan("priceEnd")
    found = world.catalogue.shelf("1688").search(keyword, lowest, highest)
    if sort := call.body.optional_text("sort"):
        _sort(found, sort)
    return page.answer(len(found), [_found(item) for item in found[page.start : page.stop]])


def _sort(items: list[Item], sort: str) -> None:
    """By a JSON text such as {"price":"desc"}."""
    try:
        ((field, direction),) = orjson.loads(sort).items()
        items.sort(key=SORTS[field], reverse={"asc": False, "desc": True}[direction])
    except (ValueError, AttributeError, KeyError, TypeError) as error:
        problem = f'must be the JSON text of one of {", ".join(SORTS)} with "asc" or "desc"'
        raise bad_request("sort", problem) from error


def _found(item: Item) -> dict[str, Any]:
    return {
        "offerId": int(item.id),
        "subject": item.title,
        "subjectTrans": item.title_en,
        "imageUrl": _picture(item.id),
        "priceInfo": {"price": yuan_text(item.lowest_fen)},
        "isJxhy": False,
        "monthSold": item.month_sold,
        "sellerOpenId": item.seller.id,
    }


@operations.post("/alibaba/product/detail/get")
def product_details(world: World, call: Call) -> dict[str, Any]:
    offer_id = call.body.identifier("offerId")
    call.body.text("country")
    item = world.catalogue.shelf("1688").by_id.get(offer_id)
    if item is None:
        raise product_not_found(offer_id)
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
        "productImage": {"images": [_picture(item.id)]},
        "productSkuInfos": [_sku(sku) for sku in item.skus],
        "productSaleInfo": {
            "amountOnSale": item.stock,
            "unitInfo": {"unit": "件"},
            "priceRangeList": [{"startQuantity": start, "price": yuan_text(price)} for start, price in item.ranges],
        },
    }


def _sku(sku: Sku) -> dict[str, Any]:
    return {
        "skuId": int(sku.id),
        "specId": sku.spec_id,
        "price": yuan_text(sku.price_fen),
        "amountOnSale": sku.stock,
        "skuAttributes": [{"attributeName": name, "value": value} for name, value in sku.properties],
        "skuImageUrl": _picture(sku.id),
    }


def yuan_text(fen: int) -> str:
    return f"{fen // 100}.{fen % 100:02d}"


def _picture(name: str) -> str:
    return f"{PICTURES}/{name}.jpg"
