"""A file corrects path and fields of operations; what it can't correct is refused at
start.
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


def fault_of(folder: Path, text: str) -> str:
    """What is said of a file, without the beginning that names it."""
    file = folder / "overrides.toml"
    file.write_text(text, encoding="utf-8")
    with pytest.raises(Misconfigured) as refused:
        load_overrides(file)
    beginning = f"{file} (XPORTCN_OVERRIDES) can't be used: "
    assert refused.value.message.startswith(beginning)
    return refused.value.message.removeprefix(beginning)


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
        on_send=lambda claim: asked_leave.append(claim.key),
    ) as client:
        request = alibaba_order.OrderRequest(order_id="9")
        await client.effect(alibaba_order.PAY, request, claim=claim(Action.PAY))
        with pytest.raises(TypeError):
            await client.read(alibaba_order.PAY, request)  # type: ignore[arg-type]
    assert [(call.path, call.query) for call in service.asked] == [
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
        service, tmp_path, '[5.response]\n"data.price" = "salePrice"'
    ) as client:
        with pytest.raises(ContractMismatch, match=r"data\.0\.price"):
            await client.read(taobao_product.SEARCH, SEARCH)


def test_a_name_that_means_something_else_is_not_read() -> None:
    """What the service has under the contract's name is another field."""
    names: Renames = {("price",): "salePrice"}
    assert renamed({"price": 1, "salePrice": 2}, names, reading=True) == {"price": 2}


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[500]\n", "[500] is no call that `sourcing endpoints` lists"),
        ('[5]\nmethod = "GET"\n', "[5] only path, request, response can be set"),
        ('[8]\npath = "open/get"\n', "[8] path: write it as /open/product/get, without host and query"),
        ('[8]\npath = "/open/../get"\n', "[8] path: write it as"),
        ('[8]\npath = "/get?x=1"\n', "[8] path: write it as"),
        ('[29]\npath = "/cancel"\n', "[29] path: write it as /open/order/refund/cancel/{refundId}"),
        ('[35]\npath = "/x"\n', "[35] is no call"),
        ('[5.request]\nkeywrd = "q"\n', "keywrd: the contract has pageNo, pageSize, keyword"),
        ('[5.request]\nkeyword = "a.b"\n', '[5.request] keyword: write "contract.name" = "newName"'),
        ('[5.response]\n"data.title.x" = "y"\n', "data.title.x: the contract has nothing there"),
        ('[5.response]\ndata.title = "y"\n', '[5.response] data: write "contract.name" = "newName"'),
        ('[5.response]\n"data.title" = "shopName"\n', "data.title: another field is called shopName"),
        ('[94.response]\n"data.totalAmount" = "goodsAmount"\n', "another field is called goodsAmount"),
        ('[83.response]\n"orderList.totalAmount" = "productAmount"\n', "another field is called productAmount"),
        ('[5.response]\n"data.title" = "x"\n"data.price" = "x"\n', "data.price: another field is called x"),
        ('[5]\nresponse = "x"\n', "[5.response] is a table"),
        ('[5]\npath = "/a"\n["POST /open/product/search"]\npath = "/b"\n', "names it a second time"),
        ('[7]\npath = "/open/product/search"\n', "is the path of Taobao / Product / Taobao product search API"),
        ("[5\n", "Expected ']'"),
    ],
)  # fmt: skip
def test_what_can_t_be_used_is_said_with_its_key(
    tmp_path: Path, text: str, said: str
) -> None:
    """The fault with the table, the key and the remedy."""
    assert said in fault_of(tmp_path, text)


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
    for read in ("8", "5"):
        fault = fault_of(tmp_path, f'[{read}]\npath = "{path.upper()}"\n')
        assert f"is the path of {entry.name}" in fault
    moved = f'["{entry.name}"]\npath = "/elsewhere{entry.path}"\n[8]\npath = "{path}"\n'
    assert f"is the path of {entry.name}" in fault_of(tmp_path, moved)


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


def test_two_operations_can_t_change_places(tmp_path: Path) -> None:
    """The path of another operation is taken, also where that one is moved away."""
    text = (
        '[5]\npath = "/open/product/batch/check"\n[7]\npath = "/open/product/search"\n'
    )
    assert "is the path of" in fault_of(tmp_path, text)


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
