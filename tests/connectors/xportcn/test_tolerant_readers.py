"""Every answer model of every operation: what may vary is read without loss, what is
missing is named.
"""

from __future__ import annotations

import copy
import json
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import read_json
from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.models import Response
from connectors.xportcn.operations.operation import Call, EffectCall
from tests.connectors.xportcn.fake_service import FakeService, ok
from tests.connectors.xportcn.models import (
    CALLS,
    READERS,
    example,
    fields_of,
    name_of,
    required_paths,
)
from tests.connectors.xportcn.orders import claim
from tests.connectors.xportcn.wire_values import objects_of, require_same
from tests.everyday import examples
from tests.in_turn import in_turn

PATHS = [(call, path) for call in CALLS for path in required_paths(call.response)]
TWICE_SPELT = [
    (model, field)
    for model in READERS
    for field in fields_of(model)
    if len(field.names) > 1
]


def over_the_wire(value: Any) -> Any:
    return read_json(json.dumps(value).encode())


def without(answer: Any, path: tuple[str | int, ...]) -> Any:
    """A copy with nothing at the path."""
    changed = copy.deepcopy(answer)
    *before, last = path
    index = changed
    for step in before:
        index = index[step]
    del index[last]
    return changed


async def answered(client: XportcnClient, call: Call[Any, Any]) -> Any:
    request = call.request.model_validate(example(call.request, full=False))
    if isinstance(call, EffectCall):
        return await client.effect(call, request, claim=claim(call.action))
    return await client.read(call, request)  # type: ignore[arg-type]


@pytest.mark.parametrize("model", READERS, ids=name_of)
@settings(
    max_examples=examples(8),
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
)
@given(data=st.data())
def test_nothing_is_lost_however_it_comes(
    model: type[Response], data: st.DataObject
) -> None:
    """Unknown fields are kept, nulls are absent, ids and amounts are the same as number
    and text, in any spelling.
    """
    sent = data.draw(objects_of(model))
    require_same(model.model_validate(over_the_wire(sent.wire)), sent.read)


@in_turn("model", READERS, name_of)
def test_null_is_as_good_as_absent(model: type[Response]) -> None:
    """Every optional field of every answer takes null."""
    lower_bound = example(model, full=False)
    nulls = {
        name: None
        for field in fields_of(model)
        if not field.required
        for name in field.names
    }
    assert model.model_validate(lower_bound | nulls) == model.model_validate(
        lower_bound
    )


@in_turn("model", READERS, name_of)
def test_a_missing_field_is_named(model: type[Response]) -> None:
    """Without a required field, or with null in it, the error says which, under the
    contract's name.
    """
    for field in fields_of(model):
        if not field.required:
            continue
        for broken in (
            without(example(model), (field.names[0],)),
            example(model) | {field.names[0]: None},
        ):
            with pytest.raises(ValidationError) as caught:
                model.model_validate(broken)
            assert caught.value.errors()[0]["loc"] == (field.names[0],)


@in_turn("model, field", TWICE_SPELT)
def test_both_spellings_are_read(model: type[Response], field: Any) -> None:
    """The misspelt name of the contract and the right one give the same answer."""
    value = example(field.annotation)
    remainder = example(model, full=False)
    remainder.pop(field.names[0], None)
    answers = [model.model_validate(remainder | {name: value}) for name in field.names]
    assert all(answer == answers[0] for answer in answers)
    assert getattr(answers[0], field.attribute) not in ("", None, ())


def test_the_misspelt_names_are_covered() -> None:
    """The contract's known misspellings are among those that are read both ways."""
    spelt = {name for _, field in TWICE_SPELT for name in field.names}
    assert {
        "logisticNumer",
        "logisticNumber",
        "orderPreviewResuslt",
        "orderPreviewResult",
    } <= spelt
    assert {
        "orderAmmount",
        "orderAmount",
        "standerdDesc",
        "standardDesc",
        "productID",
        "productId",
    } <= spelt
    assert {
        "internationalLogisticInfos",
        "internationalLogisticInfo",
        "categoryID",
        "categoryId",
    } <= spelt


def test_every_answer_is_covered() -> None:
    """The models that are looked at hold those of all calls; a new one can't be
    forgotten.
    """
    assert len(CALLS) == 95
    assert len(READERS) > 100
    assert len(PATHS) > 100


@pytest.mark.parametrize("call", CALLS, ids=lambda call: call.path)
async def test_every_call_reads_its_full_answer(
    call: Call[Any, Any], client: XportcnClient, service: FakeService
) -> None:
    """An answer with every field that we know comes through the client."""
    service.answers(*answering(call, example(call.response)))
    assert await answered(client, call) is not None


@pytest.mark.parametrize(
    "call", dict.fromkeys(call for call, _ in PATHS), ids=lambda call: call.path
)
async def test_an_answer_without_a_required_field_names_operation_and_field(
    call: Call[Any, Any], client: XportcnClient, service: FakeService
) -> None:
    """At every depth: the error is a contract mismatch that says where."""
    for path in required_paths(call.response):
        service.answers(*answering(call, without(example(call.response), path)))
        with pytest.raises(ContractMismatch) as caught:
            await answered(client, call)
        assert caught.value.operation == call.name
        assert caught.value.field == ".".join(str(step) for step in path)
        assert call.name in str(caught.value)


def answering(call: Call[Any, Any], answer: Any) -> tuple[str, Any]:
    """The path as the example's request makes it, and the answer; both envelopes carry
    the same data.
    """
    return call.path.replace("{refundId}", "12"), lambda: ok(answer)
