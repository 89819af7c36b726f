"""1688 goods by other ways than words: categories, marks, pictures, shops; and the link
to a seller.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import pytest

from tests.sandbox.client import Caller

CATEGORY = "/alibaba/product/category/get"
KEYWORDS = "/alibaba/product/keywords/query"
IMAGE = "/alibaba/product/image/query"
SHOP = "/alibaba/product/query/selleroffer"
CHAT = "/alibaba/product/openuid/decrypt"
FIRST_PAGE = {"beginPage": 1, "pageSize": 50, "country": "en"}
SELLER = "BBBa94e9b1ed86be77c3df15f78"


async def offers(caller: Caller, path: str, **asked: Any) -> list[Any]:
    findings: list[Any] = (await caller.post(path, {**FIRST_PAGE, **asked})).data[
        "data"
    ]
    return findings


async def test_the_category_tree(caller: Caller) -> None:
    """Roots for 0, then children down to the leaves, which have none."""
    roots = (await caller.post(CATEGORY, {"categoryId": 0})).data
    assert [(root["categoryID"], root["name"], root["level"]) for root in roots] == [
        ("1", "服饰箱包", 1),
        ("2", "居家日用", 1),
        ("3", "数码玩具", 1),
    ]
    assert roots[1] == {
        "categoryID": "2",
        "name": "居家日用",
        "level": 1,
        "isLeaf": False,
        "parentIDs": [],
        "childIDs": ["21"],
    }
    leaves = (await caller.post(CATEGORY, {"categoryId": "21"})).data
    assert [
        (leaf["name"], leaf["level"], leaf["isLeaf"], leaf["parentIDs"])
        for leaf in leaves
    ] == [
        ("厨房用品", 3, True, ["21"]),
        ("收纳用品", 3, True, ["21"]),
    ]
    assert (await caller.post(CATEGORY, {"categoryId": "50016349"})).data == []
    assert (await caller.post(CATEGORY, {"categoryId": "99"})).refusal == (200, 40408)


async def test_every_offer_lies_in_a_leaf(caller: Caller) -> None:
    """Each offer of a root is an offer of one of its leaves."""
    counts = []
    for category_id in ("3", "50008090", "50014812"):
        body = {**FIRST_PAGE, "keyword": "", "categoryId": category_id}
        counts.append((await caller.post(KEYWORDS, body)).data["totalRecords"])
    assert counts[0] == counts[1] + counts[2] > 100


async def test_words_may_be_missing_only_with_a_category(caller: Caller) -> None:
    """Without words the offers come by id."""
    ids = [
        offer["offerId"]
        for offer in await offers(caller, KEYWORDS, keyword="", categoryId="3")
    ]
    assert ids == sorted(ids)
    assert (await caller.post(KEYWORDS, {**FIRST_PAGE, "keyword": ""})).refusal == (
        400,
        40001,
    )


async def test_marks_filter_offers(caller: Caller) -> None:
    """Several marks must all hold; an unknown one is a bad request."""
    marked = await offers(
        caller,
        KEYWORDS,
        keyword="公仔",
        filter="shipInToday,totalEpScoreLv1,ksCiphertext",
    )
    assert marked
    assert {offer["offerId"] % 6 for offer in marked} == {0}
    unknown = await caller.post(
        KEYWORDS, {**FIRST_PAGE, "keyword": "公仔", "filter": "cheap"}
    )
    assert (unknown.refusal, unknown.body["msg"][:8]) == ((400, 40001), "filter: ")


async def test_a_picture_finds_its_offer(caller: Caller) -> None:
    """By address or by content; the content wins; price bounds are yuan."""
    address = "https://cbu01.alicdn.com/img/ibank/810123033546.jpg"
    findings = await offers(caller, IMAGE, imageAddress=address)
    assert (len(findings), findings[0]["offerId"]) == (20, 810123033546)
    content = b64encode(b"SKU 5000209932389").decode()
    by_content = await offers(
        caller, IMAGE, imageBase64=content, imageAddress="https://example.com/none.jpg"
    )
    assert by_content[0]["offerId"] == 810123033546
    bounded = await offers(
        caller, IMAGE, imageAddress=address, priceEnd="1.28", sort='{"price":"desc"}'
    )
    assert max(float(offer["priceInfo"]["price"]) for offer in bounded) <= 1.28
    assert (await caller.post(IMAGE, FIRST_PAGE)).refusal == (400, 40001)


async def test_a_shop_by_its_seller(caller: Caller) -> None:
    """All offers of one seller, by id, or those with some words; nobody's shop is
    empty.
    """
    shop = await offers(caller, SHOP, sellerOpenId=SELLER)
    ids = [offer["offerId"] for offer in shop]
    assert ids == sorted(ids)
    assert {offer["sellerOpenId"] for offer in shop} == {SELLER}
    dolls = await offers(caller, SHOP, sellerOpenId=SELLER, keyword="公仔 A10001")
    assert [offer["offerId"] for offer in dolls] == [810123033546]
    assert await offers(caller, SHOP, sellerOpenId="BBBnobody") == []


@pytest.mark.parametrize(
    ("offer_id", "seller", "refusal"),
    [
        (810123033546, SELLER, None),
        (810123033546, "BBBnobody", (200, 400)),
        (1, SELLER, (200, 40401)),
    ],
)
async def test_the_link_to_a_seller(
    caller: Caller, offer_id: int, seller: str, refusal: tuple[int, int] | None
) -> None:
    """Only the seller of the offer can be reached through it."""
    answer = await caller.post(CHAT, {"offerId": offer_id, "openUid": seller})
    if refusal is None:
        assert answer.data.startswith("https://amos.alicdn.com/")
    else:
        assert answer.refusal == refusal
