"""1688 goods by other ways than words: categories, pictures, whole shops; and the way
to talk to a seller.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sandbox.alibaba_1688.products import narrowed, page_of_offers, price_bounds
from sandbox.categories import BY_ID, ROOTS, Category
from sandbox.fields import Fields
from sandbox.image_search import picture, similar
from sandbox.operations import Call, Operations
from sandbox.refusals import CATEGORY_NOT_FOUND, Refusal, bad_request, upstream_refused
from sandbox.world import World

operations = Operations()

CHAT = "https://amos.alicdn.com/getcid.aw?v=3&site=cnalichn&charset=utf-8&token="


@operations.post("/alibaba/product/category/get")
def category(world: World, call: Call) -> list[dict[str, Any]]:
    """The children of a category; the roots for 0."""
    category_id = call.body.identifier("categoryId")
    if category_id == "0":
        return [_category(root) for root in ROOTS]
    if category_id not in BY_ID:
        raise Refusal(CATEGORY_NOT_FOUND, f"category {category_id} does not exist")
    return [_category(BY_ID[child]) for child in BY_ID[category_id].children]


def _category(entry: Category) -> dict[str, Any]:
    return {
        "categoryID": entry.id,
        "name": entry.name,
        "level": entry.level,
        "isLeaf": not entry.children,
        "parentIDs": [entry.parent] if entry.parent else [],
        "childIDs": list(entry.children),
    }


@operations.post("/alibaba/product/image/query")
def image_query(world: World, call: Call) -> dict[str, Any]:
    body = call.body
    page, (lowest, highest) = body.page("beginPage"), price_bounds(body)
    body.text("country")
    found = similar(world.catalogue.shelf("1688"), _needle(body), lowest, highest)
    return page_of_offers(page, narrowed(found, body), body)


def _needle(body: Fields) -> bytes:
    if body.has("imageBase64"):
        return picture(body, "imageBase64")
    if body.has("imageAddress"):
        return body.text("imageAddress").encode()
    raise bad_request("imageBase64", "imageBase64 or imageAddress is required")


@operations.post("/alibaba/product/query/selleroffer")
def shop_search(world: World, call: Call) -> dict[str, Any]:
    """The offers of a seller; nothing for an unknown id."""
    body = call.body
    seller_id, page = body.text("sellerOpenId"), body.page("beginPage")
    body.text("country")
    found = world.catalogue.shelf("1688").search(
        body.optional_text("keyword"), *price_bounds(body)
    )
    return page_of_offers(
        page, [item for item in found if item.seller.id == seller_id], body
    )


@operations.post("/alibaba/product/openuid/decrypt")
def chat_link(world: World, call: Call) -> str:
    """The WangWang link to an offer's seller."""
    offer_id, seller_id = call.body.identifier("offerId"), call.body.text("openUid")
    item = world.catalogue.shelf("1688").product(offer_id)
    if item.seller.id != seller_id:
        raise upstream_refused(
            "OPEN_UID_INVALID", f"not the seller of offer {offer_id}"
        )
    return CHAT + sha256(f"chat {world.seed} {seller_id}".encode()).hexdigest()[:40]
