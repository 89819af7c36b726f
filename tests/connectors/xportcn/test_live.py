"""Going live: what is asked, what never is, how answers are compared, and what samples
leave out.
"""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.errors import Misconfigured, NotSent
from connectors.xportcn.live_check.comparing import (
    AnswerComparison,
    Difference,
    Mismatch,
    compare,
    fields_of,
    model_in,
)
from connectors.xportcn.live_check.examination import (
    Checked,
    Conformance,
    Examination,
    redacted,
)
from connectors.xportcn.operations import (
    alibaba_product,
    catalogue,
    poizon,
    taobao_order,
    taobao_product,
    warehouse,
)
from connectors.xportcn.operations.operation import Callback, ReadCall
from tests.connectors.xportcn.fake_service import FakeService, Maker, bare, no, ok
from tests.connectors.xportcn.orders import client_of
from tests.connectors.xportcn.sandbox_process import Sandbox
from tests.rewriting_proxy import renamed, retyped, rewriting_proxy

WRITES = {40, 41, 61, 71, 72}
HIT: dict[str, Any] = {
    "itemId": 1,
    "title": "杯",
    "picUrl": "",
    "price": 100,
    "shopId": "2",
    "shopName": "a",
    "quantity": 3,
}
PAGE: dict[str, Any] = {"totalRecords": 1, "data": [HIT]}


def of(findings: list[Checked], nav: int) -> Checked:
    """The finding of one operation."""
    return next(finding for finding in findings if finding.operation.nav == nav)


def page(**changes: Any) -> dict[str, Any]:
    """A page of one search hit with other values; None leaves a field out."""
    hit = {
        name: value for name, value in {**HIT, **changes}.items() if value is not None
    }
    return {**PAGE, "data": [hit]}


def paths_of(answer: Any, path: str = "") -> list[str]:
    """Every field of an answer that holds something, as the report names it, once."""
    found: dict[str, None] = {}
    for entry in (
        answer
        if isinstance(answer, list)
        else [answer]
        if isinstance(answer, dict)
        else []
    ):
        inside = (
            f"{path}[]." if isinstance(answer, list) else f"{path}." if path else ""
        )
        for name, value in entry.items() if isinstance(entry, dict) else ():
            if value is not None:
                found |= dict.fromkeys(
                    [f"{inside}{name}", *paths_of(value, f"{inside}{name}")]
                )
    return list(found)


def other_kind(value: Any) -> Any:
    """The same in another JSON type: a text as number, a number or truth value as text,
    a list as object.
    """
    if isinstance(value, list | dict):
        return {} if isinstance(value, list) else []
    return 5 if isinstance(value, str) else None if value is None else str(value)


def is_read(shape: Any, path: str) -> bool:
    """Whether our models have a field of an answer, by the path that the report gives
    it.
    """
    for part in filter(None, path.replace("[]", "").split(".")):
        model = model_in(shape)
        named = (
            {
                name: field.annotation
                for field in fields_of(model)
                for name in field.names
            }
            if model
            else {}
        )
        if part not in named:
            return False
        shape = named[part]
    return True


async def test_a_service_that_keeps_the_contract_matches_everywhere(
    sandbox: Sandbox, live: XportcnClient
) -> None:
    """On an empty account every call that needs no order, refund or cart row is made,
    and nothing differs.
    """
    findings = await Examination(live).all()
    assert [finding for finding in findings if finding.comparison.differences] == []
    matching = {
        finding.operation.nav
        for finding in findings
        if finding.verdict is Conformance.MATCHES
    }
    assert matching - {None} == {
        *{1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 13, 15, 17, 22, 25, 38},
        *{44, 45, 46, 47, 48, 49, 50, 51, 59, 64, 69, 75, 77, 78},
        *{81, 82, 83, 85, 86, 87, 91, 92, 94, 96},
    }
    unasked = {
        finding.reason for finding in findings if finding.operation.nav in (23, 34, 42)
    }
    assert unasked == {
        "no purchaseOrderId to ask with",
        "no refundId to ask with",
        "no ids to ask with",
    }


async def test_any_field_that_is_renamed_or_retyped_is_found(
    sandbox: Sandbox, live: XportcnClient
) -> None:
    """In each answer, each field that we read, one after the other; only an id or a
    state may be text or number.
    """
    answered = [
        finding
        for finding in await Examination(live).all()
        if finding.verdict is Conformance.MATCHES
    ]
    tried, missed = 0, []
    for finding in answered:
        call = finding.operation
        assert isinstance(call, ReadCall)
        for path in paths_of(finding.answer):
            if not is_read(call.response, path):
                continue
            name = path.rpartition(".")[2]
            for change, either in (
                (renamed(name, f"{name}2"), r"(id|ID|Id)$"),
                (retyped(name, other_kind), r"(id|ID|Id|[sS]tatus)$"),
            ):
                tried += 1
                if not compare(
                    call, change(finding.answer)
                ).differences and not re.search(either, path):
                    missed.append((finding.operation.path, path))
    assert missed == []
    assert tried > 600


async def test_nothing_is_changed_and_no_effect_is_called(sandbox: Sandbox) -> None:
    """Only calls that leave everything as it was reach the service; its books and
    messages stay empty.
    """
    before = sandbox.books()
    with rewriting_proxy(sandbox.url) as proxy:
        async with client_of(proxy.url) as client:
            findings = await Examination(client).all()
    read_only = {
        (entry.method, entry.path) for entry in catalogue() if entry.is_read_only
    }
    assert set(proxy.asked) <= read_only
    assert len(set(proxy.asked)) > 35
    assert sandbox.books() == before
    assert before["orders"] == before["payments"] == before["shipments"] == []
    effects = [finding for finding in findings if finding.operation.effect]
    assert len(effects) == 34
    assert {finding.verdict for finding in effects} == {Conformance.SKIPPED}


def test_what_writes_without_being_an_effect_is_known() -> None:
    """Changing or deleting a cart's row, and uploading a picture: repeatable, but no
    calls that change nothing.
    """
    left = {
        entry.nav
        for entry in catalogue()
        if not entry.effect and not isinstance(entry, Callback)
    } - {entry.nav for entry in catalogue() if entry.is_read_only}
    assert left == WRITES


async def test_an_id_that_is_called_otherwise_leaves_the_next_calls_unasked(
    sandbox: Sandbox,
) -> None:
    """What hangs on it says what it would need, and is not blamed."""
    answers = {"/poizon/product/keywordSearch": renamed("dwSpuId", "spuId")}
    with rewriting_proxy(sandbox.url, answers=answers) as proxy:
        async with client_of(proxy.url) as client:
            findings = await Examination(client).all()
    assert of(findings, 91).comparison.differences == [
        Difference(
            "data[].dwSpuId", Mismatch.MISSING, "number or string", "null or nothing"
        )
    ]
    assert (of(findings, 92).verdict, of(findings, 92).reason) == (
        Conformance.SKIPPED,
        "no dwSpuId to ask with",
    )


@pytest.mark.parametrize(
    ("answer", "verdict", "code"),
    [
        (lambda: ok([]), Conformance.MATCHES, ""),
        (lambda: ok([{"name": 1}]), Conformance.DIFFERS, ""),
        (lambda: bare(404), Conformance.PATH_UNKNOWN, "404"),
        (lambda: bare(405), Conformance.PATH_UNKNOWN, "405"),
        (lambda: no(404, "no such path", status=404), Conformance.PATH_UNKNOWN, "404"),
        (lambda: no(40301, "no right to this"), Conformance.REFUSED, "40301"),
        (lambda: no(40001, "kind: missing", status=400), Conformance.DIFFERS, "40001"),
        (lambda: no(40106, "sign", status=401), Conformance.DIFFERS, "40106"),
        (lambda: no(500, "系统异常", status=500), Conformance.NO_ANSWER, "500"),
        (lambda: bare(200), Conformance.NO_ANSWER, "200"),
    ],
)
async def test_an_answer_is_one_of_these(
    service: FakeService,
    client: XportcnClient,
    answer: Maker,
    verdict: Conformance,
    code: str,
) -> None:
    """What the service says to one call, by HTTP status and envelope."""
    service.answers(warehouse.ADDRESSES.path, answer)
    finding = of(await Examination(client).all(), 75)
    assert (finding.verdict, finding.code) == (verdict, code)


async def test_a_refused_request_says_which_field(
    service: FakeService, client: XportcnClient
) -> None:
    """The contract is then wrong about what we send."""
    service.answers(
        warehouse.ADDRESSES.path, lambda: no(40001, "kind: missing", status=400)
    )
    finding = of(await Examination(client).all(), 75)
    assert finding.comparison.differences == [
        Difference("request", Mismatch.NOT_ACCEPTED, "", "kind: missing")
    ]


async def test_an_account_that_is_not_accepted_ends_it(
    service: FakeService, client: XportcnClient
) -> None:
    """Sixty times the same refusal would hide the cause."""
    service.answers(
        warehouse.ADDRESSES.path, lambda: no(40102, "signature", status=401)
    )
    with pytest.raises(Misconfigured, match="XPORTCN_ACCESS_SECRET"):
        await Examination(client).all()
    assert len(service.asked) == 1


async def test_a_service_that_is_not_there_ends_it() -> None:
    """No connection is no finding about the contract."""
    async with client_of("http://127.0.0.1:9", retries=0) as client:
        with pytest.raises((Misconfigured, NotSent)):
            await Examination(client).all()


@pytest.mark.parametrize(
    ("changes", "differences"),
    [
        ({}, []),
        ({"itemId": "1"}, []),  # an id is read as text and as number
        (
            {"price": None},
            [Difference("data[].price", Mismatch.MISSING, "number", "null or nothing")],
        ),
        (
            {"shopName": None},
            [Difference("data[].shopName", Mismatch.MISSING, "string", "nothing")],
        ),
        (
            {"price": "1.00"},
            [Difference("data[].price", Mismatch.WRONG_TYPE, "number", "string")],
        ),
        (
            {"price": "100"},
            [Difference("data[].price", Mismatch.WRONG_TYPE, "number", "string")],
        ),
        (
            {"quantity": "3"},
            [Difference("data[].quantity", Mismatch.WRONG_TYPE, "number", "string")],
        ),
        (
            {"title": 5},
            [Difference("data[].title", Mismatch.WRONG_TYPE, "string", "number")],
        ),
        (
            {"title": True},
            [Difference("data[].title", Mismatch.WRONG_TYPE, "string", "boolean")],
        ),
        (
            {"itemId": {}},
            [
                Difference(
                    "data[].itemId", Mismatch.WRONG_TYPE, "number or string", "object"
                )
            ],
        ),
    ],
)
def test_a_field_is_as_promised_or_not(
    changes: dict[str, Any], differences: list[Difference]
) -> None:
    """Also where our reader copes: a number in a text is not what the contract says."""
    assert compare(taobao_product.SEARCH, page(**changes)).differences == differences


def test_a_page_of_another_kind_is_one_difference() -> None:
    """What is below it is not listed too."""
    assert compare(taobao_product.SEARCH, []).differences == [
        Difference("data", Mismatch.WRONG_TYPE, "object", "array")
    ]
    assert compare(taobao_product.SEARCH, {**PAGE, "data": {}}).differences == [
        Difference("data", Mismatch.WRONG_TYPE, "array", "object")
    ]


def test_what_only_the_reader_finds_is_found() -> None:
    """An amount that is none, an amount of more digits than money has; the value itself
    is not told.
    """
    service = {
        "serviceId": "1",
        "companyName": "",
        "serviceCategory": "",
        "amount": "1.234",
        "currency": "USD",
    }
    answer = {
        "renderId": "r",
        "expireTime": None,
        "services": [{**service, "minDays": 1, "maxDays": 2}],
    }
    [difference] = compare(warehouse.RENDER, answer).differences
    assert (difference.path, difference.problem) == (
        "services[].amount",
        Mismatch.WRONG_TYPE,
    )
    hit = {"offerId": 1, "subject": "", "priceInfo": {"price": "dear"}}
    [difference, *_] = [
        found
        for found in compare(alibaba_product.SEARCH, {"data": [hit]}).differences
        if "priceInfo" in found.path
    ]
    assert (difference.path, "dear" in difference.got) == (
        "data[].priceInfo.price",
        False,
    )


def test_both_spellings_are_right() -> None:
    """A misspelt field counts as there under either name."""
    parcel = {"logisticCompanyName": "", "rtsTime": None}
    for name in ("logisticNumber", "logisticNumer"):
        answer = {
            "subPurchaseOrders": [
                {"subPurchaseOrderId": "1", "logisticOrders": [{**parcel, name: "1"}]}
            ]
        }
        paths = [
            difference.path
            for difference in compare(taobao_order.ORDER_DETAIL, answer).differences
        ]
        assert not any("logisticNum" in path for path in paths)


def test_what_is_no_difference_is_told_apart() -> None:
    """Fields we don't read, optional ones that did not come, lists without an entry."""
    found = compare(taobao_product.SEARCH, {**PAGE, "data": [], "traceId": "x"})
    assert found == AnswerComparison(
        differences=[], extra=["traceId"], absent=[], empty=["data[]"]
    )
    product = {"itemId": 1, "skuList": [{"skuId": 2, "price": 3}]}
    assert "skuList[].promotionPrice" in compare(taobao_product.PRODUCT, product).absent


UNPAID: dict[str, Any] = {
    "requestId": "R-1",
    "distOrderNo": "1",
    "customerOrderNo": "OA00835379",
    "orderStatus": "WAIT_PAY",
    "goodsAmount": "58.00",
    "freightAmount": "7.00",
    "totalAmount": "65.00",
    "currency": "CNY",
    "sellerId": "2",
    "createTime": 1779263269913,
    "modifyTime": 1779263269913,
    "closeReason": "",
    "orderItems": [
        {
            "dwSpuId": "2",
            "dwSkuId": "3",
            "quantity": 1,
            "price": "58.00",
            "currency": "CNY",
        }
    ],
    "logisticsList": [],
    "internationalLogistics": [],
}


def test_what_an_unpaid_order_leaves_out_is_no_difference() -> None:
    """Beside fields of the contract that are passed over; one that the contract lacks
    may be the payment, renamed.
    """
    whole = {
        "totalRecords": 1,
        "totalPage": 1,
        "pageSize": 10,
        "currentPage": 1,
        "data": [UNPAID],
    }
    found = compare(poizon.ORDER_LIST, whole)
    assert (found.differences, found.extra) == ([], [])
    assert found.absent == [
        "data[].realPayAmount",
        "data[].payTime",
        "data[].orderItems[].realPayAmount",
    ]
    found = compare(
        poizon.ORDER_LIST, {**whole, "data": [{**UNPAID, "paidTime": None}]}
    )
    assert found.extra == ["data[].paidTime"]
    assert [one.path for one in found.differences] == [
        "data[].realPayAmount",
        "data[].payTime",
    ]


def test_samples_hide_persons_wherever_they_stand() -> None:
    """Names, phones, mails, addresses, tokens and account go; ids, goods, amounts and
    carriers stay.
    """
    answer = {
        "orderId": "2612179450807013512",
        "title": "保温杯",
        "price": 1200,
        "currency": "USD",
        "companyName": "顺丰",
        "mailNo": "SF1234521212678",
        "receiver": {
            "name": "Jane Doe",
            "country": "US",
            "state": "California",
            "mobile_phone": 5083326888,
        },
        "warehouse": {
            "name": "一号仓",
            "city": "深圳市",
            "address": "宝安区1号",
            "isDefault": True,
        },
        "properties": '[{"propName":"颜色","valueName":"红"},{"contact":"jane@example.com"}]',
        "desc": "to Jane Doe, jane@example.com, 13800000000 or +1 508 332 6888",
        "url": "https://user:pw@example.com/im?loginToken=abc",
        "loginToken": "abc",
        "reply": "key-1 at work",
    }
    assert redacted(answer, secrets=("key-1",)) == {
        "orderId": "2612179450807013512",
        "title": "保温杯",
        "price": 1200,
        "currency": "USD",
        "companyName": "顺丰",
        "mailNo": "SF1234521212678",
        "receiver": {
            "name": "redacted",
            "country": "redacted",
            "state": "redacted",
            "mobile_phone": 0,
        },
        "warehouse": {
            "name": "redacted",
            "city": "redacted",
            "address": "redacted",
            "isDefault": True,
        },
        "properties": '[{"propName": "颜色", "valueName": "红"}, {"contact": "redacted"}]',
        "desc": "to redacted, redacted, redacted or redacted",
        "url": "https://redactedexample.com/im?redacted",
        "loginToken": "redacted",
        "reply": "redacted at work",
    }


def test_a_link_alone_is_an_answer_too() -> None:
    """What it carries may let somebody in."""
    link = "https://example.com/im?loginToken=abc"
    assert json.dumps(redacted(link)) == '"https://example.com/im?redacted"'
