"""Errors made of whole answers that refuse, or leave open what happened."""

from __future__ import annotations

import re
from collections.abc import Awaitable, Set
from typing import Any, TypeVar

from connectors.xportcn.errors import Refused, Unanswered
from connectors.xportcn.operations import EffectCall, international
from connectors.xportcn.wire import CheckedAnswer, EffectAnswer
from domain.quotes import LineProblem, Problem

CODE_WORD = re.compile(r"[A-Z][A-Z0-9_]+")
REFUSED_BY_THE_ENVELOPE = "400"
DUPLICATE = re.compile(
    "duplicat|repeat|already|_EXISTS|重复|已存在|已经存在|已(?:支付|付款|提交|下单|创建)", re.IGNORECASE
)
NOT_OVER = re.compile("time.?out|processing|pending|busy|超时|处理中|繁忙|稍后", re.IGNORECASE)
ABOUT_OWN_ID = re.compile("out_?order_?id", re.IGNORECASE)

BALANCE_NOT_ENOUGH = "BALANCE_NOT_ENOUGH"
ORDER_STATUS_ERROR = "ORDER_STATUS_ERROR"
ORDER_NOT_EXIST = "ORDER_NOT_EXIST"
CANNOT_PAY = "CANNOT_PAY"

ORDER_NOT_FOUND = "40402"
PRODUCT_NOT_FOUND = "40401"

# The envelope's own codes: a request's shape and ids are checked before any effect (docs/contract/assumed-all.md 1).
CHECKED = frozenset({"40001", "42001", *(str(code) for code in range(40401, 40409))})
NO_MONEY = frozenset({"BALANCE_NOT_ENOUGH", "INSUFFICIENT_BALANCE", "余额不足"})
NOT_PAID = frozenset(
    {
        *(CHECKED | NO_MONEY),
        *(ORDER_NOT_EXIST, "ACCOUNT_NOT_EXIST", "ACCOUNT_FROZEN", "PARAM_ILLEGAL"),
        *("PRODUCT_TRADE_STAT_ERROR", "MANUAL-TRADE"),
    }
)
"""Refusals after which nothing was paid (contract 1.6; docs/contract/assumed.md 2).

Not among them: an order in 1688's `cantPayOrderList`, which may have been paid already.
"""
NOT_ORDERED = frozenset(
    {
        *(CHECKED | international.REFUSALS),
        *("500_006", "500_007", "500_008", "not support tradeType", "AddressId invalid", "PREVIEW_REQUIRED"),
    }
)
"""Refusals after which nothing was ordered, beside those that name a line's problem (contract 1.6)."""

Answer = TypeVar("Answer")


def refusal(
    call: EffectCall[Any, Any], answer: EffectAnswer, words: str, *, code: str, problems: tuple[LineProblem, ...] = ()
) -> Refused:
    """The error of an answer that refuses."""
    return Refused(
        words or code or "refused without a word",
        operation=call.name,
        request_id=answer.request_id,
        status=200,
        code=code,
        problems=problems,
    )


def unsettled(call: EffectCall[Any, Any], answer: EffectAnswer, words: str) -> Unanswered:
    """The error of an answer that leaves open whether the effect happened."""
    return Unanswered(
        f"{words}; it may have been carried out",
        operation=call.name,
        request_id=answer.request_id,
        status=200,
    )


def require_success(call: EffectCall[Any, Any], answer: CheckedAnswer, *, doubt: str) -> None:
    """Return for success. Raises `Refused` for a refusal, `Unanswered` with the `doubt` for neither."""
    if answer.success is None:
        raise unsettled(call, answer, doubt)
    if not answer.success:
        raise refusal(call, answer, answer.error_message, code=answer.error_code)


def means_it_exists(refused: Refused) -> bool:
    """Whether a refusal may mean that an earlier request succeeded; its words are the marketplace's own."""
    return bool(DUPLICATE.search(f"{refused.code} {refused.message}"))


def may_have_happened(refused: Refused) -> bool:
    """Whether the words of a refusal leave open that the effect was done before, or is under way."""
    return means_it_exists(refused) or bool(NOT_OVER.search(f"{refused.code} {refused.message}"))


def means_no(refused: Refused, known: Set[str]) -> bool:
    """Whether the code of a refusal, or words of its message, are known to mean that nothing happened."""
    told = (word == refused.code or (not word.isdigit() and word in refused.message) for word in known)
    return not may_have_happened(refused) and any(told)


def means_not_ordered(refused: Refused, known: Set[str] = NOT_ORDERED) -> bool:
    """Whether a create was refused for a known problem, or in `known` words."""
    problems = {one.problem for one in refused.problems} - {Problem.OTHER}
    return means_no(refused, known) or bool(problems and not means_it_exists(refused))


def without_own_id(refused: Refused) -> Refused:
    """A create refused for a field beyond the written contract, with the setting that leaves the field out."""
    if means_it_exists(refused) or not ABOUT_OWN_ID.search(refused.message):
        return refused
    words = f"{refused.message}: the service does not know this field. Leave it out with XPORTCN_OUT_ORDER_ID=false"
    return refused.explained(code=refused.code, message=words)


def code_of(refused: Refused) -> str:
    """The code to act on; under envelope code 400 it is the first word of the message (all 1, form E)."""
    word = refused.message.partition(":")[0].strip()
    return word if refused.code == REFUSED_BY_THE_ENVELOPE and CODE_WORD.fullmatch(word) else refused.code


async def payment_answer(payment: Awaitable[Answer]) -> Answer:
    """The answer to a payment. A refusal by the envelope gets the code that all channels have for it."""
    try:
        return await payment
    except Refused as refused:
        code = code_of(refused)
        raise refused.explained(code=ORDER_NOT_EXIST if code == ORDER_NOT_FOUND else code) from refused


async def unless_missing(asked: Awaitable[Answer], code: str) -> Answer | None:
    """The answer; None where the service's code means that there is no such thing."""
    try:
        return await asked
    except Refused as refused:
        if refused.code == code:
            return None
        raise
