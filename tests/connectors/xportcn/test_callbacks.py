"""Messages that the service posts: every example of the contract, and whatever else may
come.
"""

from __future__ import annotations

import json
import re
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.xportcn.callback_reader import (
    KINDS,
    ORDER_NAMES,
    CallbackMessage,
    UnreadableCallback,
    parse_callback,
)
from domain.marketplace import Marketplace

PAGE = (Path(__file__).parents[3] / "docs/contract/assumed-all.md").read_text(
    encoding="utf-8"
)
TP, TS, TR, PRICE, SENT, REFUND, KA, INBOUND = re.findall(
    r"^\{.*\}$", PAGE.split("## 6. Callbacks")[1], re.MULTILINE
)


def posted(message_type: str, body: Any, platform: int = 1) -> str:
    envelope = {
        "messageType": message_type,
        "messagePlatform": platform,
        "timestamp": "1779263269913",
    }
    return json.dumps(envelope | {"messageBody": json.dumps(body)})


def facts(message: CallbackMessage) -> tuple[int | None, str | None, str]:
    assert message.operation is not None
    return message.operation.nav, message.marketplace, message.order_ids[0]


def test_a_price_of_taobao() -> None:
    """nav 35: the order. Its new amounts are read from the order itself."""
    message = parse_callback(TP)
    assert facts(message) == (35, "taobao", "200012345678900001")
    assert message.sent_at == datetime(2026, 5, 20, 7, 47, 49, 913000, tzinfo=UTC)


def test_a_message_may_come_as_the_field_of_a_form() -> None:
    """As upstream posts them."""
    form = f"message={quote(json.dumps({'type': 'X', 'data': {'orderId': 71}}))}&_aop_signature=AB"
    assert parse_callback(form.encode()).order_ids == ("71",)
    assert facts(parse_callback(f"_aop_signature=AB&message={quote(SENT)}")) == facts(
        parse_callback(SENT)
    )


@pytest.mark.parametrize(
    "kind", ["BATCH_PAY", "LOGISTICS_BUYER_VIEW_TRACE", "LOGISTICS_MAIL_NO_CHANGE"]
)
def test_orders_inside_a_message_of_1688_are_read_again(kind: str) -> None:
    """Also where the body names none at its top."""
    body = {
        "batchPay": [
            {"orderId": 71, "status": "successed"},
            {"orderId": 72, "status": "ACCOUNT_FROZEN"},
        ]
    }
    message = parse_callback(json.dumps({"messageType": kind, "messageBody": body}))
    assert (message.marketplace, message.order_ids) == (
        Marketplace.ALIBABA_1688,
        ("71", "72"),
    )


def test_an_order_of_poizon_has_a_number_with_letters() -> None:
    message = parse_callback(
        json.dumps(
            {"messageType": "X", "messageBody": {"distOrderNo": "913033-OA00835379_1"}}
        )
    )
    assert message.order_ids == ("913033-OA00835379_1",)


def test_a_status_of_taobao() -> None:
    """nav 36: the order."""
    assert facts(parse_callback(TS)) == (36, "taobao", "200012345678900001")


def test_a_refund_of_taobao() -> None:
    """nav 37: the order of the refund."""
    assert facts(parse_callback(TR)) == (37, "taobao", "200012345678900001")


def test_messages_of_1688() -> None:
    """nav 66, 67, 68: an order id of 19 digits is exact although it comes as a
    number.
    """
    assert facts(parse_callback(PRICE)) == (66, "1688", "2542285634920880794")
    assert facts(parse_callback(SENT)) == (67, "1688", "2542285634920880794")
    assert facts(parse_callback(REFUND)) == (68, "1688", "2542285634920880794")


def test_an_order_of_big_major_comes_by_1688_s_url() -> None:
    """By types of its own."""
    assert facts(parse_callback(KA)) == (67, "big_major", "2887421737338134260")


def test_a_type_that_two_marketplaces_share_is_told_by_the_body() -> None:
    """`currentStatus` is 1688's word, `orderStatus` bigMajor's."""
    shared = "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
    theirs = parse_callback(
        posted(shared, {"orderId": "7", "orderStatus": "WAITING_FOR_PAYMENT"})
    )
    assert facts(theirs) == (66, "big_major", "7")
    assert facts(
        parse_callback(posted(shared, {"orderId": 7, "currentStatus": "waitbuyerpay"}))
    ) == (66, "1688", "7")


def test_a_refund_of_big_major() -> None:
    """Its type is bigMajor's alone, so the cut-off page's body needs no status."""
    message = parse_callback(
        posted(
            "ORDER_BUYER_VIEW_ORDER_BUYER_REFUND", {"refundId": "TQ1", "orderId": "7"}
        )
    )
    assert facts(message) == (68, "big_major", "7")


def test_a_parcel_report_comes_bare() -> None:
    """nav 90: no envelope, snake case, sizes as number or text."""
    message = parse_callback(INBOUND.encode())
    assert facts(message) == (90, "big_major", "2887421737338134260")
    assert message.parcel is not None
    assert message.parcel.tracking_number == "YT7565691026776"
    inspection = message.parcel.inspection
    assert (
        inspection.status,
        inspection.weight,
        inspection.length,
        inspection.width,
    ) == (
        "质检通过",
        "0.4",
        "23",
        "34",
    )
    assert (message.message_type, message.sent_at) == ("", None)


@pytest.mark.parametrize("example", [TP, TS, TR, PRICE, SENT, REFUND, KA, INBOUND])
def test_the_contract_s_examples_name_their_order_where_the_contract_says(
    example: str,
) -> None:
    """In the field of their row."""
    message, sent = parse_callback(example), json.loads(example)
    content = json.loads(sent["messageBody"]) if "messageBody" in sent else sent
    assert message.operation is not None
    assert str(content[message.operation.order_field]) == message.order_ids[0]


@pytest.mark.parametrize("message_type", KINDS)
def test_every_known_type_is_bound_to_the_field_of_its_order(message_type: str) -> None:
    """Each has a row of the catalogue, and that row a name that is known to stand for
    an order.
    """
    assert KINDS[message_type].order_field in ORDER_NAMES


def test_a_type_nobody_told_us_of_still_names_its_order() -> None:
    """It means: read the order again."""
    message = parse_callback(
        posted(
            "ORDER_BUYER_VIEW_SOMETHING_NEW", {"orderId": 2542285634920880794, "x": [1]}
        )
    )
    assert (message.operation, message.marketplace, message.order_ids) == (
        None,
        None,
        ("2542285634920880794",),
    )


def test_orders_deep_in_an_unknown_body_are_found() -> None:
    """1688's logistics message holds them in a list; each is named once."""
    orders = [
        {"orderId": 71, "orderEntryId": 1},
        {"orderId": 72, "orderEntryId": 2},
        {"orderId": 71},
    ]
    body = {"OrderLogisticsTracingModel": {"mailNo": "SF1", "orderLogsItems": orders}}
    assert parse_callback(posted("LOGISTICS_BUYER_VIEW_TRACE", body)).order_ids == (
        "71",
        "72",
    )


def test_an_unknown_message_without_an_order_is_no_error() -> None:
    """There is just nothing to read again."""
    message = parse_callback(posted("HELLO", {}))
    assert message.order_ids == ()


def test_a_known_message_that_is_not_as_told_still_names_its_order() -> None:
    """An order that is named elsewhere is found all the same."""
    message = parse_callback(
        posted(
            "TAOBAO_ORDER_STATUS_MODIFY", {"skuList": [{"purchaseId": "7"}]}, platform=0
        )
    )
    assert facts(message) == (36, "taobao", "7")


@pytest.mark.parametrize("kind", ["TAOBAO_ORDER_STATUS_MODIFY", "TAOBAO_ORDER_REFUND"])
def test_a_message_of_taobao_is_of_its_purchase(kind: str) -> None:
    """`purchaseOrderId` beside it may be one of its parts; alone it is looked for in
    the whole body.
    """
    assert parse_callback(
        posted(kind, {"purchaseOrderId": "8", "purchaseId": "7"}, platform=0)
    ).order_ids == ("7",)
    body = {"purchaseOrderId": "8", "skuList": [{"purchaseId": "7"}]}
    assert parse_callback(posted(kind, body, platform=0)).order_ids == ("8", "7")


def test_an_unknown_message_of_platform_0_is_taobao_s() -> None:
    """The envelope tells."""
    assert (
        parse_callback(posted("NEW", {"purchaseId": "7"}, platform=0)).marketplace
        is Marketplace.TAOBAO
    )


def test_nulls_unknown_fields_and_an_unpacked_body_are_read() -> None:
    """The body may be an object instead of its text."""
    body = {
        "orderId": "7",
        "currentStatus": None,
        "msgSendTime": None,
        "newField": {"deep": 1},
    }
    message = parse_callback(
        json.dumps({"messageType": "ORDER_BUYER_VIEW_ORDER_PAY", "messageBody": body})
    )
    assert facts(message) == (67, "1688", "7")


def test_a_known_message_without_an_order_says_what_is_missing() -> None:
    """Type and field, and nothing of the content."""
    with pytest.raises(
        UnreadableCallback, match="ORDER_CREATE names no order: orderId is missing"
    ) as caught:
        parse_callback(posted("ORDER_CREATE", {"orderNo": "secret"}))
    assert "secret" not in str(caught.value)


GARBAGE = [
    b"",
    b"\xff\xfe\x00",
    "\ud800",
    "[]",
    "1",
    "null",
    "{}",
    "<html>",
    "message=",
    "message=%7B&message=x",
    "a=1&" * 100,
    "[" * 100_000,
    '{"messageType":"X"}',
    '{"messageType":"X","messageBody":"{"}',
    '{"messageType":"X","messageBody":[]}',
    '{"alibaba_order_id":{}}',
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_is_one_kind_of_error(garbage: bytes | str) -> None:
    """What is no message raises nothing else."""
    with pytest.raises(UnreadableCallback):
        parse_callback(garbage)


NAMES = st.sampled_from(
    ["orderId", "purchaseId", "status", "skuList", "purchaseOrderPriceDTO", "x"]
)
JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inside: (
        st.lists(inside, max_size=3) | st.dictionaries(NAMES, inside, max_size=4)
    ),
    max_leaves=12,
)


@given(
    kind=st.sampled_from([*KINDS, "ORDER_CREATE", "X"]),
    body=JSON,
    platform=JSON,
    sent_at=JSON,
)
def test_no_body_breaks_the_parser(
    kind: str, body: Any, platform: Any, sent_at: Any
) -> None:
    """Whatever stands in it, the answer is a message or the one error."""
    envelope = {
        "messageType": kind,
        "messageBody": body,
        "messagePlatform": platform,
        "timestamp": sent_at,
    }
    try:
        message = parse_callback(json.dumps(envelope))
    except UnreadableCallback:
        return
    assert all(order_id for order_id in message.order_ids)


@given(st.binary(max_size=60) | st.text(max_size=60))
def test_no_bytes_break_the_parser(raw: bytes | str) -> None:
    """Nothing but the one error comes out."""
    try:
        parse_callback(raw)
    except UnreadableCallback:
        return
