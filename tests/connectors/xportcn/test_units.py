"""The unit of amounts, by place: what a setting may say, and which operation is which
place.
"""

from __future__ import annotations

from typing import Any, get_args, get_origin

import pytest
from pydantic import BaseModel, ValidationError

from connectors.settings import BadSetting
from connectors.xportcn.models import FittingRows
from connectors.xportcn.operations import (
    alibaba_order,
    big_major,
    poizon,
    taobao_after_sale,
    taobao_order,
)
from connectors.xportcn.operations.operation import Call
from connectors.xportcn.settings import XportcnSettings
from connectors.xportcn.units import parse_units
from connectors.xportcn.wire import Fen, Yuan
from domain.marketplace import Marketplace
from tests.connectors.xportcn.models import CALLS, bare, fields_of, metadata


def test_a_place_is_named_alone_or_by_its_marketplace() -> None:
    assert parse_units("taobao.search=yuan, 1688.detail = fen") == {
        "1688.detail": "fen",
        "taobao.search": "yuan",
    }
    assert set(parse_units("poizon=fen")) == {
        "poizon.create", "poizon.detail", "poizon.orders", "poizon.preview", "poizon.search",
    }  # fmt: skip
    assert parse_units("") == {}


@pytest.mark.parametrize(
    ("text", "wrong"),
    [
        (
            "taobao.price=yuan",
            "'taobao.price=yuan' is not PLACE=fen or PLACE=yuan; places: taobao.",
        ),
        ("taobao.detail=cents", "'taobao.detail=cents' is not PLACE=fen"),
        ("yuan", "'yuan' is not PLACE=fen"),
        ("international=yuan", "'international=yuan' is not PLACE=fen"),
        (
            "taobao=yuan, taobao.detail=fen",
            "taobao.detail can't be in both fen and yuan",
        ),
    ],
)
def test_what_is_no_place_or_no_unit(
    text: str, wrong: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XPORTCN_UNITS", text)
    with pytest.raises(BadSetting) as raised:
        XportcnSettings()
    assert str(raised.value).startswith(f"XPORTCN_UNITS: {wrong}")


def test_a_marketplace_has_one_text_for_its_units() -> None:
    """The order and the blanks of the setting make no difference; other marketplaces
    don't count.
    """
    settings = XportcnSettings(
        units="taobao.search=yuan,taobao.detail=yuan, 1688=fen", _env_file=None
    )
    assert (
        settings.units_at(Marketplace.TAOBAO)
        == "taobao.detail=yuan, taobao.search=yuan"
    )
    assert settings.units_at(Marketplace.POIZON) == ""


READERS_OF_CNY = {get_args(Fen)[1], get_args(Yuan)[1]}


def has_cny(annotation: Any) -> bool:
    """Whether an amount in fen or yuan stands in a model, at any depth."""
    if any(
        reader == item for item in metadata(annotation) for reader in READERS_OF_CNY
    ):
        return True
    kind = bare(annotation)
    if get_origin(kind) in (tuple, FittingRows):
        return has_cny(get_args(kind)[0])
    is_model = isinstance(kind, type) and issubclass(kind, BaseModel)
    return is_model and any(has_cny(field.annotation) for field in fields_of(kind))


def test_every_call_with_amounts_in_fen_or_yuan_is_a_place() -> None:
    """All but the freight quote: its request has a price, its answer amounts with their
    currency.
    """
    with_cny = {
        item.name for item in CALLS if has_cny(item.request) or has_cny(item.response)
    }
    placed = {item.name for item in CALLS if item.place}
    unread = {item.name for item in CALLS if item.response is object}
    assert with_cny - placed == {"Warehouse logistics / Order overseas freight preview"}
    assert placed - with_cny <= unread


POINT = "has a decimal point where fen are whole"
DIGITS = "more digits than yuan have"


@pytest.mark.parametrize(
    ("call", "answer", "why"),
    [
        (
            big_major.CREATE,
            {"orderList": [{"totalPayment": "65", "productAmount": "58.00"}]},
            POINT,
        ),
        (
            big_major.CREATE,
            {"orderList": [{"totalPayment": "65", "totalAmount": "64.5"}]},
            POINT,
        ),
        (
            big_major.ORDER_DETAIL,
            {"orderId": "1", "totalPayment": 65, "shippingFee": "7.00"},
            POINT,
        ),
        (
            big_major.ORDER_DETAIL,
            {"orderId": "1", "totalPayment": 65, "orderItems": [{"amount": "58.00"}]},
            POINT,
        ),
        (alibaba_order.CREATE, {"totalSuccessAmount": 65, "postFee": "7.00"}, POINT),
        (
            taobao_order.CREATE,
            {
                "orderList": [
                    {"purchaseId": "1", "orderLineList": [{"estimateAmount": "6.5"}]}
                ]
            },
            POINT,
        ),
        (taobao_after_sale.RefundedLine, {"totalPrice": "6.5"}, POINT),
        (poizon.PAY, {"distOrderNo": "1", "realPayAmount": "65.005"}, DIGITS),
        (
            poizon.CREATE,
            {"orderList": [{"totalAmount": "65", "orderItems": [{"price": "5.005"}]}]},
            DIGITS,
        ),
    ],
)
def test_any_amount_of_an_answer_tells_that_its_unit_is_another(
    call: Any, answer: Any, why: str
) -> None:
    """A total of whole yuan looks like fen; the amounts beside it don't."""
    parse = call.parse if isinstance(call, Call) else call.model_validate
    with pytest.raises(ValidationError, match=why):
        parse(answer)
