"""Which refusals prove for which kind of effect that nothing happened."""

from __future__ import annotations

from typing import Any, cast

import pytest

from connectors.xportcn.errors import Refused
from domain.offers import LineProblem, Problem
from tasks.effects.book import Book
from tasks.effects.cancel import Cancel
from tasks.effects.create_by_reference import CreateByReference
from tasks.effects.kind import EffectKind
from tasks.effects.pay import Pay
from tasks.effects.refund import AskRefund, ReturnParcel


def no(code: str, words: str = "", problem: Problem | None = None) -> Refused:
    problems = (LineProblem(problem=problem, message=words),) if problem else ()
    return Refused(words, code=code, problems=problems)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        *(
            (CreateByReference, no("X", "Y", problem))
            for problem in Problem
            if problem is not Problem.OTHER
        ),
        (CreateByReference, no("500_008", problem=Problem.OTHER)),
        (CreateByReference, no("130704", problem=Problem.OTHER)),
        (CreateByReference, no("400", "not support tradeType:credit", Problem.OTHER)),
        (CreateByReference, no("40001", "outOrderId: unknown field", Problem.OTHER)),
        (Pay, no("BALANCE_NOT_ENOUGH")),
        (Pay, no("ORDER_NOT_EXIST")),
        (Book, no("42001", "nobody ships to XX")),
        (Cancel, no("400", "CLOSE_ORDER_TOO_FAST")),
        (Cancel, no("ORDER_STATUS_ERROR")),
        (AskRefund, no("REFUND_FEE_INVALID")),
        (ReturnParcel, no("400", "LOGISTICS_COMPANY_UNKNOWN")),
    ],
)
def test_a_daily_refusal_is_a_clear_no(
    kind: type[EffectKind], refusal: Refused
) -> None:
    assert kind(cast(Any, None)).proves_nothing_happened(refusal)


@pytest.mark.parametrize(
    ("kind", "refusal"),
    [
        *(
            (kind, no("51234", "系统异常"))
            for kind in (
                CreateByReference,
                Pay,
                Book,
                Cancel,
            )
        ),
        *((kind, no("51234", "系统异常")) for kind in (AskRefund, ReturnParcel)),
        (
            CreateByReference,
            no("400", "DUPLICATE_OUT_ORDER_ID: there is one", Problem.OTHER),
        ),
        (CreateByReference, no("OUT_OF_STOCK", "该订单已存在", Problem.OUT_OF_STOCK)),
        (Pay, no("ORDER_STATUS_ERROR", "the order is paid or closed")),
        (Book, no("40001", "busy, try again")),
        (AskRefund, no("REFUND_EXISTS")),
        (ReturnParcel, no("REFUND_STATUS_ERROR")),
    ],
)
def test_any_other_refusal_is_a_doubt(kind: type[EffectKind], refusal: Refused) -> None:
    """Among them those that may mean that it is done already."""
    assert not kind(cast(Any, None)).proves_nothing_happened(refusal)
