"""Taobao goods: search, one product, mapping to distribution ids."""

from __future__ import annotations

from typing import Any

from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request
from sandbox.world import World

operations = Operations()

MAX_MAPPED_ITEMS = 20
SORTS = {"price_asc": False, "price_desc": True}
PICTURES = "https://img.alicdn.com/imgextra"


@operations.post("/open/product/search")
def search(world: World, call: Call) -> dict[str, Any]:
    keyword = call.body.text("keyword")
    page = call.body.page("pageNo")
    lowest, highest = (
        call.body.optional_whole("priceStart"),
        call.body.optional_whole("priceEnd"),
    )
    items = world.catalogue.shelf("taobao").search(keyword, lowest, highest)
    sort_by_price(items, call.body)
    return page.answer(
        len(items), [found(item) for item in items[page.start : page.stop]]
    )


def found(item: Item) -> dict[str, Any]:
    return {
        "itemId": int(item.id),
        "title": item.title,
        "picUrl": picture_url(item.id),
        "price": item.lowest_fen,
        "shopId": item.seller.id,
        "shopName": item.seller.name,
        "quantity": item.stock,
    }


def sort_by_price(items: list[Item], asked: Fields) -> None:
    if sort := asked.optional_text("sort"):
        if sort not in SORTS:
            raise bad_request("sort", f"must be one of {', '.join(SORTS)}")
        items.sort(key=lambda item: item.lowest_fen, reverse=SORTS[sort])


@operations.get("/open/product/get")
def product(world: World, call: Call) -> dict[str, Any]:
    item_id = call.query.identifier("itemId")
    item = world.catalogue.shelf("taobao").product(item_id)
    return product_view(item)


def product_view(item: Item) -> dict[str, Any]:
    """The product object that several operations answer."""
    return {
        "itemId": int(item.id),
        "title": item.title,
        "mpId": item.mp_id,
        "categoryId": item.category_id,
        "categoryName": item.category,
        "categoryPath": item.category,
        "description": item.title,
        "picUrls": [picture_url(item.id)],
        "price": item.lowest_fen,
        "promotionPrice": item.lowest_fen,
        "beginAmount": item.min_quantity,
        "quantity": item.stock,
        "productUnit": "件",
        "status": status(item),
        "itemType": "HAVE_MATERIAL",
        "shopId": item.seller.id,
        "shopName": item.seller.name,
        "userNick": item.seller.nick,
        "skuList": [_sku(item, sku) for sku in item.skus],
    }


def _sku(item: Item, sku: Sku) -> dict[str, Any]:
    return {
        "skuId": sku.id,
        "mpSkuId": sku.mp_id,
        "picUrl": picture_url(sku.id),
        "price": sku.price_fen,
        "promotionPrice": sku.price_fen,
        "postFee": item.seller.post_fen,
        "quantity": sku.stock,
        "status": status(item),
        "properties": properties(sku),
    }


def properties(sku: Sku) -> list[dict[str, str]]:
    return [_property(name, value) for name, value in sku.properties]


def _property(name: str, value: str) -> dict[str, str]:
    return {
        "propId": _number(name),
        "propName": name,
        "valueId": _number(value),
        "valueName": value,
    }


def _number(word: str) -> str:
    return str(int.from_bytes(word.encode()[-4:], "big"))


def status(item: Item) -> str:
    return "offline" if item.offline else "active"


def picture_url(name: str) -> str:
    return f"{PICTURES}/{name}.jpg"


@operations.post("/open/product/batch/check")
def map_ids(world: World, call: Call) -> dict[str, Any]:
    wanted = call.body.objects_in_text("params")
    if len(wanted) > MAX_MAPPED_ITEMS:
        raise bad_request("params", f"at most {MAX_MAPPED_ITEMS} items a call")
    mapped: list[dict[str, Any]] = []
    reasons: list[dict[str, str]] = []
    for entry in wanted:
        item = world.catalogue.shelf("taobao").by_id.get(entry.identifier("itemId"))
        reason = _unmapped(item)
        if item is None or reason:
            reasons.append({"itemId": entry.identifier("itemId"), "reason": reason})
        else:
            mapped.append(_mapping(item, entry))
    missing = [reason["itemId"] for reason in reasons]
    return {
        "mpProducts": mapped,
        "noMpProductItemIds": missing,
        "noMpReasonList": reasons,
    }


def _unmapped(item: Item | None) -> str:
    if item is None:
        return "item does not exist"
    return "item is offline" if item.offline else ""


def _mapping(item: Item, entry: Fields) -> dict[str, Any]:
    """The asked SKUs that the item has; all of them when none is asked for."""
    asked = (
        entry.identifiers("skuIds")
        if entry.raw.get("skuIds")
        else [sku.id for sku in item.skus]
    )
    skus = [
        {"skuId": sku.id, "mpSkuId": sku.mp_id} for sku in item.skus if sku.id in asked
    ]
    return {"itemId": item.id, "mpId": item.mp_id, "skuList": skus}
