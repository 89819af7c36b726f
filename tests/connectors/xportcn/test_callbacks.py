"""The orders that a message names: of every example of the contract, and of whatever
else may come.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connectors.xportcn.callback_reader import MAX_ORDERS_A_MESSAGE, order_ids_in

PAGE = (Path(__file__).parents[3] / "docs/contract/assumed-all.md").read_text(
    encoding="utf-8"
)
EXAMPLES = re.findall(r"^\{.*\}$", PAGE.split("## 6. Callbacks")[1], re.MULTILINE)
NAMED = [
    *["200012345678900001"] * 3,
    *["2542285634920880794"] * 3,
    *["2887421737338134260"] * 2,
]


def posted(body: Any, message_type: str = "X") -> bytes:
    """An envelope with its body as text, as the contract says."""
    envelope = {"messageType": message_type, "messageBody": json.dumps(body)}
    return json.dumps(envelope).encode()


@pytest.mark.parametrize(
    ("example", "order_id"), [*zip(EXAMPLES, NAMED, strict=True)], ids=range(len(NAMED))
)
def test_the_contract_s_examples_name_their_order(example: str, order_id: str) -> None:
    """An id of 19 digits is exact although it comes as a number."""
    assert order_id in order_ids_in(example.encode())


@pytest.mark.parametrize(
    ("body", "order_ids"),
    [
        (posted({"orderId": 71}), ("71",)),
        (posted({"orderId": "71"}), ("71",)),
        (json.dumps(json.loads(posted({"orderId": "71"})), indent=2).encode(), ("71",)),
        (json.dumps({"messageBody": {"orderId": "71", "x": None}}).encode(), ("71",)),
        (posted(json.dumps({"orderId": "71"})), ("71",)),
        (posted({"list": [{"orderId": 71}, {"orderId": 72}, {"orderId": 71}]}),
         ("71", "72")),
        (posted({"distOrderNo": "913033-OA00835379_1"}), ("913033-OA00835379_1",)),
        (b"message=" + quote('{"data": {"orderId": 71}}').encode() + b"&sign=AB",
         ("71",)),
        (posted({"orderNo": "PO1", "refundId": "TQ1"}), ()),
        (posted({"orderId": "7" * 65}), ()),
    ],
    ids=[
        "a number", "a text", "spread over lines", "an unpacked body",
        "a body packed twice", "several", "poizon", "a form", "none", "too long",
    ],
)  # fmt: skip
def test_orders_are_found_in_any_form(body: bytes, order_ids: tuple[str, ...]) -> None:
    assert order_ids_in(body) == order_ids


def test_a_message_that_names_too_many_orders_names_none() -> None:
    """No message of the service has so many."""
    limit = [{"orderId": number} for number in range(MAX_ORDERS_A_MESSAGE)]
    assert len(order_ids_in(posted(limit))) == MAX_ORDERS_A_MESSAGE
    assert order_ids_in(posted([*limit, {"orderId": 7_000}])) == ()


GARBAGE = [
    *(b"", b"\xff\xfe\x00", b"[]", b"1", b"null", b"{}", b"<html>", b"message="),
    *(b"message=%7B&message=x", b"a=1&" * 100, b"[" * 100_000, b'"orderId":'),
    *(b'{"messageType":"X","messageBody":"{"}', b'{"alibaba_order_id":{}}'),
    *(
        b'"orderId"' * 20_000,
        b'"orderId' + b"\\" * 200_000,
        b'"orderId":' + b" " * 200_000,
    ),
]


@pytest.mark.parametrize("garbage", GARBAGE, ids=range(len(GARBAGE)))
def test_garbage_names_no_order(garbage: bytes) -> None:
    assert order_ids_in(garbage) == ()


@given(st.binary(max_size=60) | st.text(max_size=60).map(str.encode))
def test_no_bytes_break_the_reader(raw: bytes) -> None:
    assert all(order_ids_in(b'{"orderId": 7, ' + raw))
