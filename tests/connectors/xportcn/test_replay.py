"""A recording is read as a run would read it, without network."""

from __future__ import annotations

import json
import shutil
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.live_check.examination import (
    Checked,
    Conformance,
    Examination,
    NoRecording,
    replayed,
    save_sample,
)
from tests.connectors.xportcn.orders import client_of

VECTORS = Path(__file__).parents[3] / "docs/contract/vectors"
NOWHERE = "http://127.0.0.1:9"
DECIMALS = {
    "itemId": 600285803490,
    "mpId": "3000003491890505",
    "title": "保温杯",
    "price": 59.9,
    "promotionPrice": 59.0,
    "postFee": 0.0,
    "skuList": [
        {
            "skuId": 1,
            "mpSkuId": "2",
            "price": 59.9,
            "promotionPrice": "59.00",
            "quantity": 3,
        }
    ],
}
HOT = {
    "pageNo": 1,
    "pageSize": 10,
    "data": [
        {
            "itemId": 600285803490,
            "title": "保温杯",
            "mainImageUrl": "https://example.com/1.jpg",
            "price": "59.00",
            "couponPrice": "49.00",
            "quantity": 3,
            "shopName": "a",
            "tags": [],
            "multiLanguageInfo": None,
            "promotionDisplays": [],
        }
    ],
}
HOT_AS_IT_IS = '[1]\npath = "/open/product/recommend"\n[1.response]\n"data.picUrl" = "mainImageUrl"\n'


def recorded(folder: Path, method: str, path: str, answer: Any) -> None:
    """A file of a recording."""
    (folder / "1.json").write_text(
        json.dumps({"method": method, "path": path, "answer": answer})
    )


async def outcome(
    folder: Path, **settings: Any
) -> tuple[Conformance, Mapping[str, str], list[str]]:
    """What becomes of the one recorded answer: its verdict, what differs, and what is
    not read.
    """
    async with client_of(NOWHERE, **settings) as client:
        [checked] = replayed(folder, client)
    differences = {one.path: one.got for one in checked.comparison.differences}
    return checked.verdict, differences, checked.comparison.unread


async def test_what_was_recorded_replays_as_it_was_found(
    live: XportcnClient, tmp_path: Path
) -> None:
    """Redaction takes nothing that a reader needs: the same operations, and each
    matches.
    """
    found = [
        one
        for one in await Examination(live).all()
        if one.verdict is Conformance.MATCHES
    ]
    for checked in found:
        save_sample(tmp_path, checked, secrets=())
    async with client_of(NOWHERE) as client:
        again = replayed(tmp_path, client)
    assert [
        (one.operation.name, one.comparison.differences)
        for one in again
        if one.verdict is not Conformance.MATCHES
    ] == []
    assert {one.operation.name for one in again} == {
        one.operation.name for one in found
    }
    assert len(again) > 40


async def test_the_services_own_sample_of_a_booking_is_read(tmp_path: Path) -> None:
    """It is a whole envelope; beside it in the folder is a file that is no answer."""
    shutil.copytree(VECTORS, tmp_path / "vectors")
    async with client_of(NOWHERE) as client:
        [checked] = replayed(tmp_path / "vectors", client)
    assert isinstance(checked, Checked)
    assert (checked.operation.nav, checked.verdict, checked.comparison.differences) == (
        79,
        Conformance.MATCHES,
        [],
    )


async def test_decimals_in_a_product_are_read_once_their_unit_is_set(
    tmp_path: Path,
) -> None:
    """Before, no price of it is read, and each is named."""
    recorded(tmp_path, "GET", "/open/product/get", DECIMALS)
    verdict, _, unread = await outcome(tmp_path)
    assert verdict is Conformance.DIFFERS
    assert unread == [
        "price",
        "promotionPrice",
        "skuList[].price",
        "skuList[].promotionPrice",
    ]
    verdict, differences, unread = await outcome(tmp_path, units="taobao.detail=yuan")
    assert (verdict, unread) == (Conformance.READ, [])
    assert not any("rice" in path or "Fee" in path for path in differences)


async def test_best_sellers_at_another_path_are_read_with_path_and_unit_set(
    tmp_path: Path,
) -> None:
    """Prices as text, a picture by another name, and no total."""
    overrides = tmp_path / "overrides.toml"
    overrides.write_text(HOT_AS_IT_IS)
    recorded(tmp_path, "POST", "/open/product/recommend", HOT)
    verdict, differences, unread = await outcome(
        tmp_path, units="taobao.search=yuan", overrides=str(overrides)
    )
    assert (verdict, unread) == (Conformance.READ, [])
    assert not {"data[].picUrl", "data[].price"} & differences.keys()


async def test_a_row_that_is_left_out_is_named(tmp_path: Path) -> None:
    """The reader keeps the other rows: a recording shows which field it was."""
    rows = [
        {"itemId": 1, "title": "a", "price": 100},
        {"itemId": 2, "title": "b", "price": "12.90"},
    ]
    recorded(tmp_path, "POST", "/open/product/search", {"data": rows})
    verdict, _, unread = await outcome(tmp_path)
    assert (verdict, unread) == (Conformance.DIFFERS, ["data[].price"])


async def test_a_refusal_in_an_envelope_stays_one(tmp_path: Path) -> None:
    """Its code and words are shown; there is nothing to read."""
    refused = {
        "code": "40301",
        "msg": "no right to this",
        "success": False,
        "data": None,
    }
    file = {"method": "GET", "path": "/open/product/get", "response": refused}
    (tmp_path / "1.json").write_text(json.dumps(file))
    async with client_of(NOWHERE) as client:
        [checked] = replayed(tmp_path, client)
    assert (checked.verdict, checked.code, checked.words) == (
        Conformance.REFUSED,
        "40301",
        "no right to this",
    )


@pytest.mark.parametrize(
    "text", ["{}", '{"method": "GET", "path": "/nowhere", "answer": {}}', "no JSON"]
)
async def test_a_folder_without_answers_is_told(tmp_path: Path, text: str) -> None:
    """Nothing read would look like nothing wrong."""
    (tmp_path / "1.json").write_text(text)
    async with client_of(NOWHERE) as client:
        with pytest.raises(NoRecording):
            replayed(tmp_path, client)
