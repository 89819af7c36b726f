"""Taobao goods by other ways than words: what sells, shops, categories, pictures,
product pages.
"""

from __future__ import annotations

from base64 import b64encode
from hashlib import sha256
from typing import Any

import pytest

from sandbox.app import Sandbox
from tests.sandbox.buyer import Buyer
from tests.sandbox.client import Caller

# pictures are large on purpose
pytestmark = pytest.mark.filterwarnings("ignore:Sending a large body")

HOT, SPUS, IMAGE, INQUIRY = (
    f"/open/product/{name}"
    for name in ("hot/list", "spu/page", "image/search", "inquiry")
)
FIRST_PAGE = {"pageNo": 1, "pageSize": 50}


@pytest.fixture
async def row(caller: Caller) -> dict[str, Any]:
    """复古 真丝 卫衣 送礼 T10003."""
    return (await caller.rows("taobao", limit=1, offset=2))[0]


async def spu(caller: Caller, row: dict[str, Any]) -> Any:
    product = (await caller.get("/open/product/get", itemId=row["item_id"])).data
    return (await caller.get("/open/product/spu/get", mpId=product["mpId"])).data


async def test_hot_products_are_the_best_sold(caller: Caller) -> None:
    """At most 200 items, best sold first, each with its opaque id."""
    answer = (await caller.post(HOT, FIRST_PAGE)).data
    assert (answer["totalRecords"], answer["totalPage"]) == (200, 4)
    sold = [product["monthSold"] for product in answer["data"]]
    assert sold == sorted(sold, reverse=True)
    assert set(answer["data"][0]) == {
        *(
            "itemId",
            "title",
            "picUrl",
            "price",
            "shopId",
            "shopName",
            "quantity",
            "itemMapId",
            "monthSold",
        ),
    }


async def test_hot_products_of_a_category(caller: Caller) -> None:
    """A category above the leaves means all that lie below it; an unknown one is
    empty.
    """
    page = (await caller.post(HOT, {**FIRST_PAGE, "categoryId": "50014812"})).data[
        "data"
    ]
    names = {
        (await caller.get("/open/product/get", itemId=str(row["itemId"]))).data[
            "categoryName"
        ]
        for row in page[:5]
    }
    assert names == {"玩具"}
    assert (await caller.post(HOT, {**FIRST_PAGE, "categoryId": 3})).data[
        "totalRecords"
    ] == 200
    assert (await caller.post(HOT, {**FIRST_PAGE, "categoryId": "9"})).data[
        "data"
    ] == []


async def test_a_shop_is_listed_by_spu(caller: Caller, row: dict[str, Any]) -> None:
    """The SPU list of a shop holds only its goods, offline ones too, by distribution
    id.
    """
    page = (await caller.post(SPUS, {**FIRST_PAGE, "shopId": "57303740"})).data
    assert {entry["shopId"] for entry in page["data"]} == {"57303740"}
    ids = [int(entry["mpId"]) for entry in page["data"]]
    assert ids == sorted(ids)
    everything = (await caller.post(SPUS, {"pageNo": 1, "pageSize": 1})).data
    assert everything["totalRecords"] > 1_000
    assert everything["data"][0]["modifyTime"] == "2026-01-01 00:00:00"


async def test_the_spu_list_follows_changes(
    caller: Caller, buyer: Buyer, row: dict[str, Any]
) -> None:
    """Only what changed since a moment is listed again: here what was ordered."""
    before = (
        await caller.post(SPUS, {**FIRST_PAGE, "modifyTimeStart": 1_767_225_600_001})
    ).data
    assert before["totalRecords"] == 0
    await buyer.create_taobao(row)
    after = (
        await caller.post(SPUS, {**FIRST_PAGE, "modifyTimeStart": 1_767_225_600_001})
    ).data
    assert [entry["itemId"] for entry in after["data"]] == [600285803490]


async def test_the_same_product_by_every_id(
    caller: Caller, row: dict[str, Any]
) -> None:
    """SPU details, detail V2 and inquiry show one product; V2 without its plain id."""
    details = await spu(caller, row)
    assert (details["itemId"], details["mpId"], details["modifyTime"]) == (
        600285803490,
        "3000003491890505",
        "2026-01-01 00:00:00",
    )
    assert 16 <= len(details["itemMapId"]) <= 64
    v2 = (
        await caller.get("/v2/taobao/product/get", itemMapId=details["itemMapId"])
    ).data
    assert "itemId" not in v2
    assert (v2["mpId"], v2["priceRanges"]) == (
        "3000003491890505",
        [{"startQuantity": 1, "price": 2406}],
    )
    calls = (
        await caller.post(
            INQUIRY, {"url": "https://item.taobao.com/item.htm?spm=a&id=600285803490"}
        )
    ).data
    assert (calls["itemId"], calls["itemMapId"]) == (600285803490, details["itemMapId"])


async def test_unknown_ids(caller: Caller) -> None:
    """Each way to name a product refuses an unknown one with 40401."""
    assert (await caller.get("/open/product/spu/get", mpId="1")).refusal == (200, 40401)
    assert (
        await caller.get("/v2/taobao/product/get", itemMapId="bm90LWFuLWl0ZW0tYXQtYWxs")
    ).refusal == (200, 40401)
    assert (
        await caller.post(INQUIRY, {"url": "https://detail.tmall.com/item.htm?id=1"})
    ).refusal == (200, 40401)


@pytest.mark.parametrize(
    ("url", "refusal"),
    [
        ("https://world.taobao.com/item/600285803490.htm", None),
        ("//detail.tmall.hk/hk/item.htm?id=600285803490", None),
        ("https://nottaobao.com/item.htm?id=600285803490", (400, 40001)),
        ("https://item.taobao.com/item.htm", (400, 40001)),
    ],
)
async def test_inquiry_reads_product_pages(
    caller: Caller, url: str, refusal: tuple[int, int] | None
) -> None:
    """Taobao, Tmall and its world pages are understood; what names no item is a bad
    url.
    """
    answer = await caller.post(INQUIRY, {"url": url})
    if refusal is None:
        assert answer.data["itemId"] == 600285803490
    else:
        assert answer.refusal == refusal
        assert answer.body["msg"].startswith("url: ")


async def test_a_picture_url_finds_its_item(
    caller: Caller, row: dict[str, Any]
) -> None:
    """The digits of a picture's address name the item; others of its category follow,
    20 at most.
    """
    url = "https://img.alicdn.com/imgextra/600285803490.jpg"
    result = (await caller.post(IMAGE, {**FIRST_PAGE, "imageUrl": url})).data
    assert (result["totalRecords"], result["data"][0]["itemId"]) == (20, 600285803490)
    neighbours = [product["itemId"] for product in result["data"][1:]]
    assert neighbours == sorted(neighbours)
    dear = (
        await caller.post(
            IMAGE,
            {**FIRST_PAGE, "imageUrl": url, "priceEnd": 400, "sort": "price_desc"},
        )
    ).data
    prices = [product["price"] for product in dear["data"]]
    assert prices == sorted(prices, reverse=True)
    assert prices[0] <= 400


async def test_a_picture_without_digits_is_hashed(
    caller: Caller, shared_sandbox: Sandbox
) -> None:
    """Any other picture means the item that its hash points at, the same in every
    call.
    """
    picture = b"\xff\xd8\xff no digits here"
    result = (
        await caller.post(
            IMAGE, {**FIRST_PAGE, "imageBase64": b64encode(picture).decode()}
        )
    ).data["data"]
    items = shared_sandbox.world.catalogue.shelf("taobao").items
    active = sorted(int(item.id) for item in items if not item.offline)
    from_bytes = int.from_bytes(sha256(picture).digest()[:8], "big") % len(active)
    assert result[0]["itemId"] == active[from_bytes]


@pytest.mark.parametrize(
    "images",
    [
        {},
        {"imageBase64": "YQ==", "imageUrl": "https://example.com/a.jpg"},
        {"imageBase64": "not base64!"},
        {"imageBase64": b64encode(b"x" * 3_145_729).decode()},
    ],
    ids=["none", "both", "not base64", "too large"],
)
async def test_bad_pictures(caller: Caller, images: dict[str, str]) -> None:
    """Exactly one picture, in base64, of at most 3 MB."""
    answer = await caller.post(IMAGE, {**FIRST_PAGE, **images})
    assert answer.refusal == (400, 40001)
    assert answer.body["msg"].startswith("imageBase64: ")


async def test_the_largest_picture_is_taken(caller: Caller) -> None:
    """3 MB, not a byte more."""
    picture = b64encode(b"x" * 3_145_728).decode()
    assert (await caller.post(IMAGE, {**FIRST_PAGE, "imageBase64": picture})).data[
        "totalRecords"
    ] == 20
