"""Every place where an amount, a count or an id enters: of every sign and size, only
what can be meant is read.
"""

from __future__ import annotations

from decimal import Decimal
from typing import Any, get_args

import pytest
from annotated_types import Ge, Le
from pydantic import TypeAdapter, ValidationError

from connectors.xportcn.models import Request, Response
from connectors.xportcn.operations import taobao_order
from connectors.xportcn.wire import (
    Amount,
    Bounds,
    Count,
    Fen,
    GivenId,
    Id,
    UnixMs,
    Yuan,
)
from domain.money import Money
from tests.connectors.xportcn.models import (
    MODULES,
    READERS,
    Field,
    bare,
    example,
    fields_of,
    metadata,
    name_of,
)
from tests.in_turn import in_turn

AMOUNTS = [get_args(kind)[1] for kind in (Fen, Yuan, Amount)]
NO_AMOUNTS: list[Any] = [
    -1, "-1", "-0.01", Decimal("-1"), -(10**12), -(10**30), 10**16, 10**18, 2**63, 2**64, 10**30, "1e17", "1e30",
    "9" * 400, True, [], {}, [1], "", " ", "one", "NaN", "Infinity", "1\x00", "0x10", 1.5,
]  # fmt: skip
NOTHING: tuple[Any, ...] = ([], {}, "", -1, "-1")


def places(model: type[Response]) -> list[Field]:
    """The fields that hold an amount; whatever is `Money` must be read as one of
    ours.
    """
    findings = [field for field in fields_of(model) if bare(field.annotation) is Money]
    for field in findings:
        assert any(reader in metadata(field.annotation) for reader in AMOUNTS), (
            model,
            field,
        )
    return findings


PLACES = [(model, field) for model in READERS for field in places(model)]


def test_no_amount_is_forgotten() -> None:
    """They are found by what they are, so that a new one is among them."""
    assert len(PLACES) > 60


@in_turn("model", dict.fromkeys(model for model, _ in PLACES), name_of)
def test_an_amount_that_can_not_be_meant_does_not_fit(model: type[Response]) -> None:
    """Below zero, beyond any order, beyond 64 bits, or no number: at each place, and
    the place is named.

    What stands for nothing is none, where there may be none.
    """
    total = example(model)
    assert model.model_validate(total)
    for field in places(model):
        for odd in NO_AMOUNTS:
            if odd in NOTHING and not field.required:
                assert (
                    getattr(
                        model.model_validate(total | {field.names[0]: odd}),
                        field.attribute,
                    )
                    is None
                )
                continue
            with pytest.raises(ValidationError) as caught:
                model.model_validate(total | {field.names[0]: odd})
            assert caught.value.errors()[0]["loc"][0] == field.names[0], odd


@in_turn("model", READERS, name_of)
def test_every_number_has_bounds(model: type[Response]) -> None:
    """Counts and codes go into columns of 64 bits, into loops and into tables."""
    for field in fields_of(model):
        if bare(field.annotation) is int:
            marks = [
                mark
                for item in metadata(field.annotation)
                for mark in getattr(item, "metadata", [item])
            ]
            assert any(isinstance(mark, Ge) for mark in marks), field
            assert any(isinstance(mark, Le) for mark in marks), field


@in_turn("model", READERS, name_of)
def test_an_id_that_must_be_there_is_not_empty(model: type[Response]) -> None:
    """An order without an id could be taken for any other."""
    for field in fields_of(model):
        if field.required and get_args(Id)[1] in metadata(field.annotation):
            with pytest.raises(ValidationError):
                model.model_validate(example(model) | {field.names[0]: " "})


def test_no_request_carries_an_amount_that_can_not_be_meant() -> None:
    """What we send is held to the same bounds."""
    writers = {
        value
        for module in MODULES
        for value in vars(module).values()
        if isinstance(value, type)
    }
    priced = [
        (model, field)
        for model in writers
        if issubclass(model, Request)
        for field in fields_of(model)
        if bare(field.annotation) is Money
    ]
    assert len(priced) > 8
    for model, field in priced:
        with pytest.raises(ValidationError):
            model.__pydantic_validator__.validate_assignment(
                model.model_construct(), field.attribute, Money(-1)
            )


NO_IDS: list[object] = [
    "", " ", "\t", "a b", "1" * 65, "1" * 10_000, "1/2", "../1", ".", "..", "1?a=b", "1#", "1%2F", "1&a", "<b>", "1\n2",
    "1\x00", "\x1b[31m1", "\u202e1", "1\ufffd2", "\uff11\uff12", "'1", '1"', "1;2", "1,2", "$1", 1.5, True, False,
    [], [1], [[1]], {}, {"id": 1}, -1, "-1", None,
]  # fmt: skip


@in_turn("value", NO_IDS)
def test_what_is_no_id(value: object) -> None:
    """It would go into addresses, keys and columns."""
    with pytest.raises(ValidationError):
        TypeAdapter(GivenId).validate_python(value)


@pytest.mark.parametrize(
    "value", ["2542285634920880794", "LP00123-4", "a1b2" * 16, "50_7.1:9", "9wQ=="]
)
def test_what_is_an_id(value: str) -> None:
    """Numbers of 19 digits, hex of 32 signs, and what carriers and warehouses make
    up.
    """
    assert TypeAdapter(GivenId).validate_python(value) == value


@pytest.mark.parametrize("value", [-1, -(10**20), 10**13, 2**63, "1.5", "many", [], {}])
def test_what_is_no_count(value: object) -> None:
    """A list that counts less than nothing, or more than there is."""
    with pytest.raises(ValidationError):
        TypeAdapter(Count).validate_python(value)


@pytest.mark.parametrize(
    "value", [0, -1, 253_402_300_799_000, 10**15, 4_102_444_800_000, 946_684_799_000]
)
def test_what_is_no_time_of_ours(value: int) -> None:
    """The years 1970, 9999, 2100 and 1999 are none in which these orders are made; sums
    with them would overflow.
    """
    with pytest.raises(ValidationError):
        TypeAdapter(UnixMs).validate_python(value)


def test_a_text_without_end_does_not_fit() -> None:
    """Its entry alone is left out; what is shown of a title has a bound."""
    order = example(taobao_order.SubPurchaseOrder)
    taobao_order.SubPurchaseOrder.model_validate(order | {"title": "茶" * 2_000})
    with pytest.raises(ValidationError):
        taobao_order.SubPurchaseOrder.model_validate(order | {"title": "茶" * 2_001})


def test_no_amount_above_the_bounds_is_believed() -> None:
    bounds = Bounds(most_minor=100_000)
    order = {"purchaseId": "7", "status": 0, "purchaseAmount": 100_000}
    assert taobao_order.ORDER_DETAIL.parse(order, bounds).purchase_amount == Money(
        100_000
    )
    with pytest.raises(ValidationError, match=r"an amount above 1,000\.00 CNY"):
        taobao_order.ORDER_DETAIL.parse(order | {"purchaseAmount": 100_001}, bounds)
