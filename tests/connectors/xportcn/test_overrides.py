"""A file corrects method, path and fields of operations; what it can't correct is
refused at start.
"""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import ContractMismatch, Misconfigured
from connectors.xportcn.models import Nothing
from connectors.xportcn.operations import (
    alibaba_order,
    alibaba_product,
    catalogue,
    taobao_product,
    warehouse,
)
from connectors.xportcn.operations.operation import Callback, Operation
from connectors.xportcn.operations.warehouse import ADDRESSES
from connectors.xportcn.overrides import Renames, load_overrides, renamed
from domain.effects import Action
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.orders import claim, client_of
from tests.in_turn import in_turn

SEARCH = taobao_product.SearchRequest(keyword="杯", page_no=1, page_size=10)
HIT: dict[str, Any] = {"itemId": "1", "price": 100, "title": "杯", "shopName": "a"}


def corrected(service: FakeService, folder: Path, text: str) -> XportcnClient:
    """A client whose overrides are this text."""
    file = folder / "overrides.toml"
    file.write_text(text, encoding="utf-8")
    return client_of(service.url, overrides=str(file))


def faults_of(folder: Path, text: str) -> list[str]:
    """What is said of a file, line by line, without the line that names it."""
    file = folder / "overrides.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        load_overrides(file)
    first, *rest = refused.value.message.split("\n  ")
    assert first == f"{file} (XPORTCN_OVERRIDES) can't be used:"
    return rest


async def test_path_and_fields_change_both_ways(
    service: FakeService, tmp_path: Path
) -> None:
    """The request goes to the new path under new names, and the answer's new names are
    read as the contract's.
    """
    service.answers(
        "/open/v3/search", lambda: ok({"rows": [{"itemId": "1", "salePrice": 100}]})
    )
    text = """
        [5]
        path = "/open/v3/search"
        [5.request]
        keyword = "words"
        [5.response]
        "data" = "rows"
        "data.price" = "salePrice"
    """
    async with corrected(service, tmp_path, text) as client:
        page = await client.read(taobao_product.SEARCH, SEARCH)
    assert page.data[0].price.minor == 100
    assert service.asked[0].body == {"words": "杯", "pageNo": 1, "pageSize": 10}


@pytest.mark.parametrize(
    "key",
    [
        "[5]",
        '["POST /open/product/search"]',
        '["Taobao / Product / Taobao product search API"]',
    ],
)
async def test_an_operation_has_three_names(
    service: FakeService, tmp_path: Path, key: str
) -> None:
    """Its number, its place in the contract, or its group and title."""
    service.answers("/open/v3/search", lambda: ok({"data": [HIT]}))
    async with corrected(
        service, tmp_path, f'{key}\npath = "/open/v3/search"'
    ) as client:
        assert (await client.read(taobao_product.SEARCH, SEARCH)).data[0].title == "杯"


async def test_fields_inside_a_json_text_are_renamed(
    service: FakeService, tmp_path: Path
) -> None:
    """Taobao's calls carry JSON as text; a dotted path leads into it, and ids keep all
    their digits.
    """
    service.answers("/open/product/batch/check", lambda: ok({}))
    item = taobao_product.MappingItem(item_id="6729911411901234567", sku_ids=("2",))
    async with corrected(
        service, tmp_path, '[7.request]\n"params.itemId" = "id"'
    ) as client:
        await client.read(
            taobao_product.ID_MAPPING, taobao_product.MappingRequest(params=(item,))
        )
    assert json.loads(service.asked[0].body["params"]) == [
        {"id": "6729911411901234567", "skuIds": ["2"]}
    ]


async def test_a_post_becomes_a_get(service: FakeService, tmp_path: Path) -> None:
    """The fields go into the query then, what is no text as JSON."""
    service.answers("/alibaba/product/detail/get", lambda: ok({"offerId": 7}))
    request = alibaba_product.DetailRequest(offer_id="2612179450807013512")
    async with corrected(service, tmp_path, '[45]\nmethod = "GET"') as client:
        await client.read(alibaba_product.DETAIL, request)
    assert service.asked[0].method == "GET"
    assert service.asked[0].query == {"offerId": "2612179450807013512", "country": "en"}


async def test_a_get_becomes_a_post(service: FakeService, tmp_path: Path) -> None:
    """The fields go into the body then."""
    service.answers("/open/product/get", lambda: ok({"itemId": "1"}))
    async with corrected(
        service, tmp_path, '[8]\nmethod = "POST"\n[8.request]\nitemId = "id"'
    ) as client:
        await client.read(
            taobao_product.PRODUCT, taobao_product.ProductRequest(item_id="1")
        )
    assert (service.asked[0].method, service.asked[0].body) == ("POST", {"id": "1"})


async def test_an_effect_at_another_path_is_sent_once_under_its_claim(
    service: FakeService, tmp_path: Path
) -> None:
    """Moving a payment changes nothing of how carefully it is made."""
    asked_leave: list[str] = []
    service.answers("/v2/pay", lambda: ok({"protocolPaySuccess": True}))
    (tmp_path / "overrides.toml").write_text(
        '[55]\npath = "/v2/pay"\n[55.request]\norderId = "id"'
    )
    async with client_of(
        service.url,
        overrides=str(tmp_path / "overrides.toml"),
        on_send=lambda given: asked_leave.append(given.key),
    ) as client:
        request = alibaba_order.OrderRequest(order_id="9")
        await client.effect(alibaba_order.PAY, request, claim=claim(Action.PAY))
        with pytest.raises(TypeError):
            await client.read(alibaba_order.PAY, request)  # type: ignore[arg-type]
    assert [(asked.path, asked.query) for asked in service.asked] == [
        ("/v2/pay", {"id": "9"})
    ]
    assert asked_leave == ["R-1:pay"]


async def test_a_moved_logistics_call_keeps_its_second_signature(
    service: FakeService, tmp_path: Path
) -> None:
    """`timestamp` and `sign` belong to the operation, not to where it lies."""
    service.answers("/freight/estimate", lambda: ok({"currency": "USD"}))
    async with corrected(
        service, tmp_path, '[77]\npath = "/freight/estimate"'
    ) as client:
        await client.read(
            warehouse.ESTIMATE, warehouse.EstimateRequest(country="US", render_items=())
        )
    assert service.asked[0].query["sign"] == service.asked[0].headers["signature"]


async def test_a_call_that_is_moved_among_the_logistics_calls_is_signed_as_they_are(
    service: FakeService, tmp_path: Path
) -> None:
    service.answers("/open/pp/logistics/address", lambda: ok([]))
    async with corrected(
        service, tmp_path, '[75]\npath = "/open/pp/logistics/address"'
    ) as client:
        await client.read(ADDRESSES, Nothing())
    assert service.asked[0].query["sign"] == service.asked[0].headers["signature"]


async def test_errors_name_the_path_that_was_called(
    service: FakeService, tmp_path: Path
) -> None:
    """Not the one of the contract, which nobody asked."""
    async with corrected(
        service, tmp_path, '[75]\npath = "/open/v9/address"'
    ) as client:
        with pytest.raises(Misconfigured, match="GET /open/v9/address at"):
            await client.read(ADDRESSES, Nothing())


async def test_a_name_that_did_not_come_is_missed(
    service: FakeService, tmp_path: Path
) -> None:
    """The contract's own name is not taken instead: it may hold another amount
    there.
    """
    service.answers("/open/product/search", lambda: ok({"data": [HIT]}))
    async with corrected(
        service, tmp_path, '[5.response]\ndata.price = "salePrice"'
    ) as client:
        with pytest.raises(ContractMismatch, match=r"data\.0\.price"):
            await client.read(taobao_product.SEARCH, SEARCH)


def test_what_gives_way_is_kept() -> None:
    """A field under the contract's name is another one; it is moved to the free name,
    not lost.
    """
    names: Renames = {("price",): "salePrice"}
    assert renamed({"price": 1, "salePrice": 2}, names, reading=True) == {
        "salePrice": 1,
        "price": 2,
    }
    assert renamed({"salePrice": 1, "price": 2}, names, reading=False) == {
        "price": 1,
        "salePrice": 2,
    }


def test_two_names_can_be_swapped() -> None:
    """Each way back is the way there."""
    names: Renames = {("a",): "b", ("b",): "a"}
    assert renamed({"a": 1, "b": 2}, names, reading=True) == {"b": 1, "a": 2}
    assert renamed({"b": 1, "a": 2}, names, reading=False) == {"a": 1, "b": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[500]\n", "[500]: no such operation"),
        ('[5]\npth = "/x"\n', "[5] pth: unknown; only method, path, request, response can be set"),
        ('[5]\nmethod = "PUT"\n', "[5] method: 'PUT' is neither GET nor POST"),
        ('[29]\nmethod = "POST"\n', "[29] method: /open/order/refund/cancel/{refundId} carries a field and stays GET"),
        ('[8]\npath = "open/get"\n', "[8] path: 'open/get' is no path; write it as /open/product/get, without host"),
        ('[8]\npath = "/open/../get"\n', "[8] path: '/open/../get' is no path"),
        ('[8]\npath = "/get?x=1"\n', "[8] path: '/get?x=1' is no path"),
        ('[29]\npath = "/cancel"\n', "[29] path: must hold the same names in braces"),
        ('[35]\npath = "/x"\n', "[35]: the service calls us here; there is nothing to set"),
        ('[5.request]\nkeywrd = "q"\n', "no `keywrd` there; its fields are: pageNo, pageSize, keyword"),
        ('[5.request]\nkeyword = "a.b"\n', "[5.request] keyword: 'a.b' is no field name"),
        ('[5.response]\ndata.title.x = "y"\n', "[5.response] data.title.x: the contract has no `x` there"),
        ('[5.response]\ndata.title = "shopName"\n', "[5.response] data.title: the contract has another field shopName"),
        ('[94.response]\ndata.totalAmount = "goodsAmount"\n', "has another field goodsAmount beside it"),
        ('[83.response]\norderList.totalAmount = "productAmount"\n', "has another field productAmount beside it"),
        ('[5.response]\ndata.title = "x"\ndata.price = "x"\n', "data.price: data.title is called x already"),
        ('[5]\nresponse = "x"\n', "[5.response]: a table belongs here"),
        ('[5]\npath = "/a"\n["POST /open/product/search"]\npath = "/b"\n', "a second time; put both into one table"),
        ('[7]\npath = "/open/product/search"\n', "search API; override that one too, or not this"),
        ("[5\n", "no TOML: "),
    ],
)  # fmt: skip
def test_what_can_t_be_used_is_said_with_its_key(
    tmp_path: Path, text: str, said: str
) -> None:
    """One line a fault, with the table, the key and the remedy."""
    faults = faults_of(tmp_path, text)
    assert len(faults) == 1
    assert said in faults[0]


@pytest.mark.parametrize(
    "text",
    [
        '[86.response]\ndata.modifyTime = "updateTime"\n',
        '[83.response]\norderList.products.title = "name"\n',
        '[95.request]\nremark = "note"\n',
        '[94.response]\ndata.totalAmount = "sellerId"\ndata.sellerId = "seller"\n',
    ],
)
def test_a_field_that_is_passed_over_can_be_renamed(tmp_path: Path, text: str) -> None:
    """A file that was right stays right when its field is no longer read; and it gives
    its name away as any other.
    """
    (tmp_path / "overrides.toml").write_text(text)
    assert len(load_overrides(tmp_path / "overrides.toml")) == 1


def test_all_faults_are_said_at_once(tmp_path: Path) -> None:
    """Nobody mends a file line by line."""
    assert len(faults_of(tmp_path, '[500]\n[5]\npth = 1\n[8]\npath = "x"\n')) == 3


def test_a_file_that_is_not_there_is_named(tmp_path: Path) -> None:
    """With what the system says about it."""
    with pytest.raises(
        Misconfigured, match=r"gone\.toml \(XPORTCN_OVERRIDES\) can't be used"
    ):
        load_overrides(tmp_path / "gone.toml")


@in_turn(
    "entry",
    [
        entry
        for entry in catalogue()
        if not entry.is_read_only and not isinstance(entry, Callback)
    ],
)
def test_no_read_can_be_led_to_what_changes_something(
    tmp_path: Path, entry: Operation
) -> None:
    """Wherever an effect or a write lies, a call that may be repeated at will must not
    reach it, moved or not.
    """
    path = entry.path.replace("{refundId}", "1")
    for method in ("GET", "POST"):
        faults = faults_of(
            tmp_path, f'[8]\npath = "{path.upper()}"\nmethod = "{method}"\n'
        )
        assert (
            "changes something; a call that changes nothing can't go there" in faults[0]
        )
    moved = f'["{entry.name}"]\npath = "/elsewhere{entry.path}"\n[8]\npath = "{path}"\n'
    assert "changes something" in faults_of(tmp_path, moved)[0]


@in_turn("entry", [entry for entry in catalogue() if not isinstance(entry, Callback)])
def test_every_operation_can_be_overridden(tmp_path: Path, entry: Operation) -> None:
    """No row of the catalogue is left out, and what it means stays."""
    file = tmp_path / "overrides.toml"
    file.write_text(
        f'["{entry.name}"]\npath = "/moved{entry.path}"\n', encoding="utf-8"
    )
    moved = load_overrides(file)[entry].operation
    assert moved.path == f"/moved{entry.path}"
    assert (moved.nav, moved.effect, moved.provenance) == (
        entry.nav,
        entry.effect,
        entry.provenance,
    )


def test_two_operations_may_change_places(tmp_path: Path) -> None:
    """A path is free when the operation that the contract has there is moved away."""
    file = tmp_path / "overrides.toml"
    file.write_text(
        '[5]\npath = "/open/product/batch/check"\n[7]\npath = "/open/product/search"\n'
    )
    assert (
        load_overrides(file)[taobao_product.SEARCH].operation.path
        == "/open/product/batch/check"
    )


def test_without_a_file_nothing_is_overridden() -> None:
    """The catalogue's entries come back as they are."""
    overrides = load_overrides("")
    assert all(
        overrides[entry].operation is entry and entry not in overrides
        for entry in catalogue()
    )


async def test_moving_a_path_alone_leaves_the_body_as_it_is(
    service: FakeService, tmp_path: Path
) -> None:
    """Down to the order of its fields."""
    service.answers("/v3/search", lambda: ok({"data": [HIT]}))
    async with corrected(service, tmp_path, '[5]\npath = "/v3/search"') as client:
        await client.read(taobao_product.SEARCH, SEARCH)
    assert service.asked[0].text == '{"pageNo":1,"pageSize":10,"keyword":"杯"}'
