"""Poizon goods: keyword search and one product. Requests are in fen, answers in yuan as
text.
"""

from __future__ import annotations

from typing import Any

from sandbox.goods import Item, Sku, decimal_text
from sandbox.operations import Call, Operations
from sandbox.poizon.views import CURRENCY
from sandbox.refusals import bad_request
from sandbox.world import World

operations = Operations()

PICTURES = "https://cdn.poizon.com/pro-img"
SORTS = {"price_asc": False, "price_desc": True}
BRANDS = ("李宁", "安踏", "回力", "飞跃", "特步", "鸿星尔克", "匹克", "双星")


@operations.post("/poizon/product/keywordSearch")
def keyword_search(world: World, call: Call) -> dict[str, Any]:
    keyword, page = call.body.text_or_empty("keyword"), call.body.page("pageNo")
    lowest, highest = (
        call.body.optional_whole("priceStart"),
        call.body.optional_whole("priceEnd"),
    )
    found = world.catalogue.shelf("poizon").search(keyword, lowest, highest)
    if call.body.has("categoryId"):
        category_id = call.body.identifier("categoryId")
        found = [item for item in found if item.category_id == category_id]
    if sort := call.body.optional_text("sort"):
        if sort not in SORTS:
            raise bad_request("sort", f"must be one of {', '.join(SORTS)}")
        found.sort(key=lambda item: item.lowest_fen, reverse=SORTS[sort])
    return page.answer(
        len(found), [_found(item) for item in found[page.start : page.stop]]
    )


def _found(item: Item) -> dict[str, Any]:
    return {
        "dwSpuId": item.id,
        "distSpuId": item.mp_id,
        "title": item.title,
        "picUrl": _picture(item.id),
        "categoryId": item.category_id,
        "minPrice": decimal_text(item.lowest_fen),
        "currency": CURRENCY,
        "sellerId": item.seller.id,
        "minQuantity": item.min_quantity,
    }


@operations.post("/poizon/product/detail")
def product_detail(world: World, call: Call) -> dict[str, Any]:
    spu_id = call.body.identifier("dwSpuId")
    item = world.catalogue.shelf("poizon").product(spu_id)
    return {
        "dwSpuId": item.id,
        "distSpuId": item.mp_id,
        "title": item.title,
        "images": [_picture(item.id)],
        "brandName": BRANDS[int(item.id) % len(BRANDS)],
        "categoryId": item.category_id,
        "categoryName": item.category,
        "status": "OFF_SALE" if item.offline else "ON_SALE",
        "sellerId": item.seller.id,
        "sellerName": item.seller.name,
        "minQuantity": item.min_quantity,
        "currency": CURRENCY,
        "skus": [_sku(sku) for sku in item.skus],
    }


def _sku(sku: Sku) -> dict[str, Any]:
    return {
        "dwSkuId": sku.id,
        "distSkuId": sku.mp_id,
        "properties": [
            {"name": name, "value": value} for name, value in sku.properties
        ],
        "price": decimal_text(sku.price_fen),
        "stock": sku.stock,
        "picUrl": _picture(sku.id),
    }


def _picture(name: str) -> str:
    return f"{PICTURES}/{name}.jpg"
