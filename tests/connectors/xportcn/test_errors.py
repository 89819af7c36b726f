"""Errors survive pickling, read well and carry what the caller needs."""

from __future__ import annotations

import pickle
from dataclasses import replace

import pytest

from connectors.xportcn.errors import (
    ContractMismatch,
    Misconfigured,
    NotSent,
    Refused,
    Unanswered,
    XportcnError,
)
from domain.offers import LineProblem, Problem

PROBLEM = LineProblem(problem=Problem.OUT_OF_STOCK, message="库存不足", line_no=2)
COMMON = {
    "operation": "1688 / Order / Create an order",
    "request_id": "abc",
    "status": 200,
    "code": "500_004",
}
ERRORS = [
    XportcnError("x", **COMMON),  # type: ignore[arg-type]
    Misconfigured("x", **COMMON),  # type: ignore[arg-type]
    NotSent("x", **COMMON, retry_after_s=1.5),  # type: ignore[arg-type]
    Refused("x", **COMMON, problems=(PROBLEM,)),  # type: ignore[arg-type]
    Unanswered("x", **COMMON),  # type: ignore[arg-type]
    ContractMismatch("x", **COMMON, field="data.orderId"),  # type: ignore[arg-type]
]


@pytest.mark.parametrize("error", ERRORS, ids=lambda error: type(error).__name__)
def test_every_error_survives_pickling(error: XportcnError) -> None:
    """An error that crosses processes keeps its type, message and all attributes."""
    copy = pickle.loads(pickle.dumps(error))
    assert type(copy) is type(error)
    assert str(copy) == str(error)
    assert vars(copy) == vars(error)


@pytest.mark.parametrize("kind", [type(error) for error in ERRORS])
def test_every_error_can_be_made_of_a_message_alone(kind: type[XportcnError]) -> None:
    """Every other field has a default: unpickling relies on it."""
    assert kind("x").message == "x"


def test_the_text_tells_operation_words_and_numbers() -> None:
    """One line says what was called, what came, and what to quote to the service's
    support.
    """
    error = Refused(
        "库存不足",
        operation="1688 / Order / Create an order",
        request_id="abc",
        status=200,
        code="500_004",
    )
    assert (
        str(error)
        == "1688 / Order / Create an order: 库存不足 (HTTP 200, code 500_004, request abc)"
    )


def test_a_refusal_explained_keeps_what_the_service_said() -> None:
    """A channel adds its code and problems to a refusal and nothing else changes."""
    error = Refused("库存不足", operation="o", request_id="abc", status=200, code="400")
    explained = replace(error, code="500_004", problems=(PROBLEM,))
    assert (explained.message, explained.operation, explained.request_id) == (
        "库存不足",
        "o",
        "abc",
    )
    assert (explained.code, explained.problems) == ("500_004", (PROBLEM,))
