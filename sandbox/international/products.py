"""Alibaba.com goods: the list and one product. Prices are decimal text with a
currency.
"""

from __future__ import annotations

from typing import Any

from sandbox.fields import MAX_PAGE_SIZE, Fields
from sandbox.goods import Item, Sku, decimal_text
from sandbox.international.views import CURRENCY
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request
from sandbox.world import World

operations = Operations()

PICTURES = "https://s.alicdn.com/@sc04/kf"
OPEN_END = -1


@operations.post("/alibaba/international/product/list")
def product_list(world: World, call: Call) -> dict[str, Any]:
    start, size = _slice(call.body)
    items = world.catalogue.shelf("international").search(
        call.body.optional_text("keyword"), None, None
    )
    if call.body.has("categoryId"):
        category_id = call.body.identifier("categoryId")
        items = [item for item in items if item.category_id == category_id]
    return {
        "resultTotal": len(items),
        "resultData": [_listed(item) for item in items[start : start + size]],
    }


def _slice(body: Fields) -> tuple[int, int]:
    """The asked page; pages count from 0 here."""
    index, size = body.whole("index"), body.whole("size", minimum=1)
    if size > MAX_PAGE_SIZE:
        raise bad_request("size", f"must be at most {MAX_PAGE_SIZE}")
    return index * size, size


def _listed(item: Item) -> dict[str, Any]:
    return {
        "productId": item.id,
        "title": item.title,
        "image": _picture(item.id),
        "price": decimal_text(item.lowest_fen),
        "currency": CURRENCY,
        "eCompanyId": item.seller.id,
        "minOrderQuantity": item.min_quantity,
    }


@operations.post("/alibaba/international/product/detail/get")
def product_detail(world: World, call: Call) -> dict[str, Any]:
    product_id, country = call.body.identifier("productId"), call.body.text("country")
    if len(country) != 2 or not country.isalpha():
        raise bad_request("country", "must be two letters")
    item = world.catalogue.shelf("international").product(product_id)
    return {
        "productId": item.id,
        "title": item.title,
        "images": [_picture(item.id)],
        "currency": CURRENCY,
        "eCompanyId": item.seller.id,
        "shopName": item.seller.name,
        "categoryId": item.category_id,
        "status": "offline" if item.offline else "online",
        "minOrderQuantity": item.min_quantity,
        "skus": [_sku(item, sku) for sku in item.skus],
    }


def _sku(item: Item, sku: Sku) -> dict[str, Any]:
    return {
        "skuId": sku.id,
        "image": _picture(sku.id),
        "stock": sku.stock,
        "ladderPrice": _ladder(item, sku),
        "skuAttrList": [
            {"attrName": name, "attrValue": value} for name, value in sku.properties
        ],
    }


def _ladder(item: Item, sku: Sku) -> list[dict[str, Any]]:
    starts = [start for start, _ in item.ranges]
    ends = [*(start - 1 for start in starts[1:]), OPEN_END]
    return [
        {
            "minQuantity": start,
            "maxQuantity": end,
            "price": decimal_text(item.unit_fen(sku, start)),
            "currency": CURRENCY,
        }
        for start, end in zip(starts, ends, strict=True)
    ]


def _picture(name: str) -> str:
    return f"{PICTURES}/{name}.jpg"
