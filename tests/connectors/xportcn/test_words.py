"""Words of the service: nothing in them moves a cursor, hides a letter or gives the
account away.
"""

from __future__ import annotations

import json
from typing import Any

import pytest

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope
from connectors.xportcn.errors import ContractMismatch, Refused
from connectors.xportcn.operations import international, taobao_order, taobao_product
from tests.connectors.xportcn.fake_service import FakeService, no, ok
from tests.connectors.xportcn.orders import settings

SECRET = "a-secret/of-the-account"
KEY = "the-access-key"
HARMFUL = [
    "\x1b[31m",
    "\x1b]0;owned\x07",
    "\x00",
    "\x7f",
    "\x9b",
    "\u202e",
    "\u2066",
    "\u200b",
    "\u2028",
    "\ufeff",
    "\ud800",
]


def opened(data: Any, *, in_ascii: bool) -> Any:
    body = json.dumps(
        {"code": 200, "msg": "", "data": data}, ensure_ascii=in_ascii
    ).encode("utf-8", "surrogatepass")
    envelope = open_envelope(body, (SECRET, KEY))
    return envelope.data if envelope else None


@pytest.mark.parametrize("harmful", HARMFUL)
def test_harmful_characters_become_a_mark(harmful: str) -> None:
    """In values and names, at any depth, escaped or as they are; the words around them
    stay.
    """
    for in_ascii in (True, False):
        notices = opened(
            {"a": [{f"n{harmful}": f"red{harmful}cup"}]}, in_ascii=in_ascii
        )
        if notices is None:  # no UTF-8, so no answer
            assert (harmful, in_ascii) == ("\ud800", False)
            continue
        ((name, value),) = notices["a"][0].items()
        assert value.startswith("red\ufffd")
        assert value.endswith("cup")
        assert f"{name}{value}".isprintable()


def test_line_breaks_are_blanks() -> None:
    """A line of a log stays one."""
    assert opened({"title": "a\r\nb\tc"}, in_ascii=True) == {"title": "a  b c"}


@pytest.mark.parametrize(
    "words",
    ["义乌市 纯棉毛巾", "Größe «M» – 5 €", "🙂", "\u3000全角", 'a "quoted" \\ path'],
)
def test_other_words_stay_as_they_are(words: str) -> None:
    """Chinese, accents, pictures and wide blanks are words."""
    assert opened([words], in_ascii=True) == opened([words], in_ascii=False) == [words]


@pytest.mark.parametrize("in_ascii", [True, False])
def test_the_account_is_struck_out(in_ascii: bool) -> None:  # noqa: FBT001
    """However the service echoes it, also with its slash escaped."""
    assert opened({"error": f"secret={SECRET}, key={KEY}"}, in_ascii=in_ascii) == {
        "error": "secret=***, key=***"
    }
    body = (
        json.dumps({"code": 400, "msg": SECRET})
        .replace("/", "\\/")
        .replace("-", "\\u002d")
        .encode()
    )
    envelope = open_envelope(body, (SECRET, KEY))
    assert envelope is not None
    assert envelope.words == "***"


def test_the_words_of_a_refusal_are_short() -> None:
    """They go into a table."""
    envelope = open_envelope(
        json.dumps({"code": 400, "msg": "茶" * 10_000}, ensure_ascii=False).encode()
    )
    assert envelope is not None
    assert len(envelope.words) == 500


async def test_a_cleaned_id_is_none(
    client: XportcnClient, service: FakeService
) -> None:
    """What was taken out of it must not make it another order's."""
    service.answers(
        "/open/order/detail/get",
        lambda: ok({"purchaseId": "12\x003", "status": 0, "purchaseAmount": 1}),
    )
    with pytest.raises(ContractMismatch, match="`purchaseId`: not an id"):
        await client.read(
            taobao_order.ORDER_DETAIL,
            taobao_order.OrderDetailRequest(purchase_order_id="123"),
        )


async def test_the_client_strikes_out_its_own_account(
    client: XportcnClient, service: FakeService
) -> None:
    """Its errors can be shown."""
    secret = settings(service.url).access_secret.get_secret_value()
    service.answers(
        "/open/product/get", lambda: no(40001, f"signature of {secret} differs \x1b[2J")
    )
    with pytest.raises(Refused) as caught:
        await client.read(
            taobao_product.PRODUCT, taobao_product.ProductRequest(item_id="1")
        )
    assert caught.value.message == "signature of *** differs \ufffd[2J"


@pytest.mark.parametrize(
    "body",
    [
        b'{"code": 200, "code": 500}',
        b'{"code": 200, "data": {"orderId": 1, "orderId": 2}}',
        b'{"code": 200, "data": ' + b"[" * 100_000 + b"]" * 100_000 + b"}",
        b'{"code": 200, "data": NaN}',
        '{"code": 200}'.encode("utf-16"),
        b'{"code": 200, "msg": "\xff"}',
    ],
    ids=["code twice", "id twice", "deep", "NaN", "UTF-16", "no UTF-8"],
)
def test_what_can_be_read_in_two_ways_is_no_answer(body: bytes) -> None:
    """Nor what no reader gets to the end of."""
    assert open_envelope(body) is None


@pytest.mark.parametrize(
    "number", ["9" * 5_000, "1e" + "9" * 30, "-" + "1" * 4_400, "0." + "1" * 5_000]
)
def test_a_number_without_end_spoils_its_own_entry_alone(number: str) -> None:
    """The others of the page are there."""
    order = '{"purchaseId": %d, "status": 0, "purchaseAmount": %s}'
    body = f'{{"code": 200, "data": {{"data": [{order % (1, 5)}, {order % (2, number)}]}}}}'
    envelope = open_envelope(body.encode())
    assert envelope is not None
    page = taobao_order.ORDER_PAGE.parse(envelope.data)
    assert [purchase_order.purchase_id for purchase_order in page.data] == ["1"]
    assert [str(misfit) for misfit in page.data.misfits] == ["2, `purchaseAmount`"]


async def test_what_is_said_of_a_misfit_is_short_and_quotes_nothing(
    client: XportcnClient, service: FakeService
) -> None:
    """It becomes the reason of an order."""
    step = {"minQuantity": 1, "currency": "CNY", "price": "x" * 10**6}
    offer = {"productId": 1, "skus": [{"skuId": 2, "ladderPrice": [step]}]}
    service.answers("/alibaba/international/product/detail/get", lambda: ok(offer))
    with pytest.raises(ContractMismatch) as caught:
        await client.read(
            international.DETAIL, international.DetailRequest(product_id="1")
        )
    assert caught.value.message == (
        "the answer does not fit the contract at `skus.0.ladderPrice.0.price`: not an amount of its currency"
    )
