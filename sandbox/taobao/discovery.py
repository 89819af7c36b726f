"""Taobao goods by other ways than words: best sellers, shops, categories, pictures,
product pages.
"""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qs, urlsplit

from sandbox.categories import leaves_at_or_below
from sandbox.fields import Fields
from sandbox.goods import Item
from sandbox.image_search import picture, similar
from sandbox.map_ids import item_with_map_id, map_id
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request, product_not_found
from sandbox.taobao.products import (
    found,
    picture_url,
    product_view,
    sort_by_price,
    status,
)
from sandbox.times import china_text, read_china_text
from sandbox.world import World

operations = Operations()

MAX_HOT = 200
NEVER_CHANGED = read_china_text("2026-01-01 00:00:00")
SITES = ("taobao.com", "tmall.com", "tmall.hk")
WORLD_PAGE = re.compile(r"/item/([0-9]+)\.htm")


def _row(item: Item) -> dict[str, Any]:
    return {**found(item), "itemMapId": map_id(item), "monthSold": item.month_sold}


@operations.post("/open/product/hot/list")
def hot(world: World, call: Call) -> dict[str, Any]:
    page, category_id = (
        call.body.page("pageNo"),
        call.body.optional_identifier("categoryId"),
    )
    items = _in_category(
        world.catalogue.shelf("taobao").search("", None, None), category_id
    )
    items.sort(key=lambda item: (-item.month_sold, int(item.id)))
    best = items[:MAX_HOT]
    return page.answer(len(best), [_row(item) for item in best[page.start : page.stop]])


def _in_category(items: list[Item], category_id: str) -> list[Item]:
    if not category_id:
        return items
    leaves = leaves_at_or_below(category_id)
    return [item for item in items if item.category_id in leaves]


@operations.post("/open/product/spu/page")
def spu_list(world: World, call: Call) -> dict[str, Any]:
    """List distribution products, offline ones too, of a whole shop or category."""
    page, shop_id = call.body.page("pageNo"), call.body.optional_identifier("shopId")
    since = call.body.optional_whole("modifyTimeStart")
    items = _in_category(
        world.catalogue.shelf("taobao").items,
        call.body.optional_identifier("categoryId"),
    )
    chosen = [
        item
        for item in items
        if (not shop_id or item.seller.id == shop_id)
        and (since is None or _modified_at(item) >= since)
    ]
    chosen.sort(key=lambda item: int(item.mp_id))
    return page.answer(
        len(chosen), [_spu(item) for item in chosen[page.start : page.stop]]
    )


def _modified_at(item: Item) -> int:
    return NEVER_CHANGED if item.changed_at is None else item.changed_at


def _spu(item: Item) -> dict[str, Any]:
    return {
        "mpId": item.mp_id,
        "itemId": int(item.id),
        "itemMapId": map_id(item),
        "title": item.title,
        "picUrl": picture_url(item.id),
        "categoryId": item.category_id,
        "categoryName": item.category,
        "price": item.lowest_fen,
        "quantity": item.stock,
        "shopId": item.seller.id,
        "shopName": item.seller.name,
        "beginAmount": item.min_quantity,
        "status": status(item),
        "skuCount": len(item.skus),
        "modifyTime": china_text(_modified_at(item)),
    }


@operations.get("/open/product/spu/get")
def spu_details(world: World, call: Call) -> dict[str, Any]:
    mp_id = call.query.identifier("mpId")
    item = world.catalogue.shelf("taobao").by_mp_id.get(mp_id)
    if item is None:
        raise product_not_found(mp_id)
    more = {"monthSold": item.month_sold, "modifyTime": china_text(_modified_at(item))}
    return {**product_view(item), "itemMapId": map_id(item), **more}


@operations.get("/v2/taobao/product/get")
def details_v2(world: World, call: Call) -> dict[str, Any]:
    """A product without its plain id."""
    text = call.query.identifier("itemMapId")
    item = item_with_map_id(world.catalogue.shelf("taobao"), text)
    if item is None:
        raise product_not_found(text)
    view = {
        name: value for name, value in product_view(item).items() if name != "itemId"
    }
    ranges = [{"startQuantity": item.min_quantity, "price": item.lowest_fen}]
    return {**view, "itemMapId": text, "priceRanges": ranges}


@operations.post("/open/product/image/search")
def image_search(world: World, call: Call) -> dict[str, Any]:
    body = call.body
    page, lowest, highest = (
        body.page("pageNo"),
        body.optional_whole("priceStart"),
        body.optional_whole("priceEnd"),
    )
    items = similar(world.catalogue.shelf("taobao"), _needle(body), lowest, highest)
    sort_by_price(items, body)
    return page.answer(
        len(items), [_row(item) for item in items[page.start : page.stop]]
    )


def _needle(body: Fields) -> bytes:
    if body.has("imageBase64") == body.has("imageUrl"):
        raise bad_request(
            "imageBase64", "exactly one of imageBase64 and imageUrl is required"
        )
    return (
        body.text("imageUrl").encode()
        if body.has("imageUrl")
        else picture(body, "imageBase64")
    )


@operations.post("/open/product/inquiry")
def inquiry(world: World, call: Call) -> dict[str, Any]:
    """The product of a page's address."""
    item_id = _item_id(call.body.text("url"))
    if not item_id:
        raise bad_request("url", "names no Taobao or Tmall item")
    item = world.catalogue.shelf("taobao").product(item_id)
    return {**product_view(item), "itemMapId": map_id(item)}


def _item_id(url: str) -> str:
    """The id in a product page's address, empty when there is none."""
    try:
        parts = urlsplit(url if "//" in url else f"//{url}")
    except ValueError:
        return ""
    host = parts.hostname or ""
    if not any(host == site or host.endswith(f".{site}") for site in SITES):
        return ""
    found = WORLD_PAGE.search(parts.path) if host == "world.taobao.com" else None
    text = found.group(1) if found else parse_qs(parts.query).get("id", [""])[0]
    return text if text.isdecimal() else ""
