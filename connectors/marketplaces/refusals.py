"""Errors made of whole answers that refuse, or leave open what happened; previews
inside a create.
"""

from __future__ import annotations

import re
from collections.abc import (
    Awaitable,
    Callable,
    Collection,
    Iterable,
    Iterator,
    Sequence,
    Set,
)
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

from connectors.marketplaces.protocol import Created
from connectors.xportcn.errors import (
    NEVER_S,
    ContractMismatch,
    NotSent,
    Refused,
    Unanswered,
)
from connectors.xportcn.failures import ANY_NO, NO_ORDER, NOT_FOUND, problem_in
from connectors.xportcn.models import CheckedAnswer, EffectAnswer
from connectors.xportcn.operations import international
from connectors.xportcn.operations.operation import Call, EffectCall
from domain.money import Money, total_of
from domain.offers import LineProblem, Problem, Quote

CODE_WORD = re.compile(r"[A-Z][A-Z0-9_]+")
REFUSED_BY_THE_ENVELOPE = "400"
DUPLICATE = re.compile(
    "duplicat|repeat|already|_EXISTS|重复|已存在|已经存在|已(?:支付|付款|提交|下单|创建)",
    re.IGNORECASE,
)
NOT_OVER = re.compile(
    "time.?out|processing|pending|busy|超时|处理中|繁忙|稍后", re.IGNORECASE
)
ABOUT_OWN_ID = re.compile("out_?order_?id", re.IGNORECASE)

ORDER_STATUS_ERROR = "ORDER_STATUS_ERROR"
ORDER_NOT_EXIST = "ORDER_NOT_EXIST"

ORDER_NOT_FOUND = "40402"
PRODUCT_NOT_FOUND = "40401"
ANY_NOES = frozenset({ANY_NO, NOT_FOUND, "1009"})
"""Codes that stand for any no, which their words tell (of another reseller;
inferred).
"""
NO_DATA = re.compile(r"(?:数据|记录)不存在")
"""Java's plain words for an order that is not there, under code 404 alone
(inferred).
"""
OFFLINE = Problem.OFFLINE
TOO_MANY_ORDERS = re.compile(
    r"TOO_MANY_ORDERS|ORDER_(?:COUNT|NUM)_LIMIT|too many orders|"
    r"下单(?:过于|太)?频繁|(?:下单|订单)(?:数量|次数|数)?已?(?:超|达到?上限)",
    re.IGNORECASE,
)
"""Words of a create that is refused since the account orders too much now: later it is
not (inferred).
"""

# The envelope's own codes: a request's shape and ids are checked before any effect
# (docs/contract/assumed-all.md 1).
CHECKED = frozenset({"40001", "42001", *(str(code) for code in range(40401, 40409))})
NO_MONEY = frozenset({"BALANCE_NOT_ENOUGH", "INSUFFICIENT_BALANCE", "余额不足"})
NOT_PAID = frozenset(
    {
        *(CHECKED | NO_MONEY),
        *(ORDER_NOT_EXIST, "ACCOUNT_NOT_EXIST", "ACCOUNT_FROZEN", "PARAM_ILLEGAL"),
        *("PRODUCT_TRADE_STAT_ERROR", "MANUAL-TRADE"),
    }
)
"""Refusals after which nothing was paid (contract 1.6; docs/contract/assumed.md 2)."""
NOT_ORDERED = frozenset(
    {
        *(CHECKED | international.REFUSALS),
        *(
            "500_006",
            "500_007",
            "500_008",
            "not support tradeType",
            "AddressId invalid",
            "PREVIEW_REQUIRED",
        ),
    }
)
"""Refusals after which nothing was ordered, beside those that name a line's problem
(contract 1.6).
"""

NOT_NOW = frozenset({"ORDER_STATUS_ERROR", "GOODS_STATUS_ERROR"})
"""Words of a refusal to list reasons, in a state of the order that allows none."""

Answer = TypeVar("Answer")

PRICE_CHANGED = "PRICE_CHANGED"
FAILED = "FAILED"
"""The code of a payment that is listed as failed without one."""


def refusal(
    call: EffectCall[Any, Any],
    answer: EffectAnswer,
    words: str,
    *,
    code: str,
    problems: tuple[LineProblem, ...] = (),
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


def unsettled(
    call: EffectCall[Any, Any], answer: EffectAnswer, words: str
) -> Unanswered:
    """The error of an answer that leaves open whether the effect happened."""
    return Unanswered(
        f"{words}; it may have been carried out",
        operation=call.name,
        request_id=answer.request_id,
        status=200,
    )


def refused_create(
    call: EffectCall[Any, Any], answer: CheckedAnswer, problem: LineProblem
) -> Refused:
    """The error of a create that the answer refuses."""
    return refusal(
        call,
        answer,
        answer.error_message,
        code=answer.error_code,
        problems=(problem,),
    )


def created_orders(
    call: EffectCall[Any, Any],
    answer: EffectAnswer,
    orders: Sequence[tuple[str, Money | None]],
    *,
    is_success: bool | None,
    failed: Sequence[str] = (),
) -> Created:
    """The new orders, of ids and amounts. Raises `Unanswered` where one lacks its id
    or its amount, and where lines failed.
    """
    ids = tuple(order_id for order_id, _ in orders if order_id)
    amounts = [amount for _, amount in orders if amount is not None]
    is_whole = len(ids) == len(amounts) == len(orders)
    if is_success and ids and is_whole and not failed:
        return Created(order_ids=ids, total=total_of(amounts))
    raise unsettled(
        call,
        answer,
        f"success {is_success} with order ids {list(ids)}, {len(amounts)} amounts "
        f"and failed lines {list(failed)}",
    )


def settle_listed(
    call: EffectCall[Any, Any],
    answer: EffectAnswer,
    order_id: str,
    paid_ids: Collection[str],
    failures: Iterable[tuple[str, str]],
) -> None:
    """As `settle_payment`, of an answer that lists what is paid and what failed, with
    codes and words of the order.
    """
    code, words = next(((code or FAILED, words) for code, words in failures), ("", ""))
    result = (order_id in paid_ids, code, words)
    settle_payment(call, answer, order_id, result, about="")


def settle_payment(
    call: EffectCall[Any, Any],
    answer: EffectAnswer,
    order_id: str,
    result: tuple[bool | None, str, str],
    *,
    about: str,
) -> None:
    """Return if the order is paid. Raises `Refused` for a clear refusal, `Unanswered`
    otherwise.
    """
    paid, code, words = result
    if about not in ("", order_id):
        raise unsettled(call, answer, f"the answer is about order {about}")
    if paid is False and code:
        raise refusal(call, answer, words, code=code)
    if not paid or code:
        raise unsettled(call, answer, f"paid {paid} with error code {code or 'none'}")


def require_success(
    call: EffectCall[Any, Any], answer: CheckedAnswer, *, doubt: str
) -> None:
    """Return for success. Raises `Refused` for a refusal, `Unanswered` with the `doubt`
    for neither.
    """
    if answer.success is None:
        raise unsettled(call, answer, doubt)
    if not answer.success:
        raise refusal(call, answer, answer.error_message, code=answer.error_code)


def require_true(call: Call[Any, bool], *, answered: bool) -> None:
    """Raise `Unanswered` for a `false` where the contract knows only `true`."""
    if not answered:
        doubt = "; it may have been carried out" if call.effect else ""
        raise Unanswered(
            f"the answer is false without a reason{doubt}", operation=call.name
        )


def word_of(refused: Refused) -> str:
    """The code word of a refusal that comes as text only: `CODE` or `CODE: words`
    (assumed-all.md 1).
    """
    return refused.message.split(":", 1)[0].strip()


def means_it_exists(refused: Refused) -> bool:
    """Whether a refusal may mean that an earlier request succeeded; its words are the
    marketplace's own.
    """
    return bool(DUPLICATE.search(f"{refused.code} {refused.message}"))


def may_have_happened(refused: Refused) -> bool:
    """Whether the words of a refusal leave open that the effect was done before, or is
    under way.
    """
    return means_it_exists(refused) or bool(
        NOT_OVER.search(f"{refused.code} {refused.message}")
    )


def means_no(refused: Refused, known: Set[str]) -> bool:
    """Whether the code of a refusal, or words of its message, are known to mean that
    nothing happened.
    """
    told = (
        word == refused.code or (not word.isdigit() and word in refused.message)
        for word in known
    )
    return not may_have_happened(refused) and any(told)


def means_too_many_orders(refused: Refused) -> bool:
    """Whether a create was refused since the account has too many orders now: the same
    create may be accepted later.
    """
    return bool(
        TOO_MANY_ORDERS.search(f"{refused.code} {refused.message}")
    ) and not means_it_exists(refused)


def means_not_ordered(refused: Refused, known: Set[str] = NOT_ORDERED) -> bool:
    """Whether a create was refused for a known problem, for too many orders, or in
    `known` words.
    """
    if means_too_many_orders(refused):
        return True
    problems = {one.problem for one in refused.problems} - {Problem.OTHER}
    return means_no(refused, known) or bool(problems and not means_it_exists(refused))


def without_own_id(refused: Refused) -> Refused:
    """A create refused for a field beyond the written contract, with the setting that
    leaves the field out.
    """
    if means_it_exists(refused) or not ABOUT_OWN_ID.search(refused.message):
        return refused
    words = f"{refused.message}: the service does not know this field. Leave it out with XPORTCN_OUT_ORDER_ID=false"
    return replace(refused, message=words)


def code_of(refused: Refused) -> str:
    """The code to act on; under envelope code 400 it is the first word of the message
    (all 1, form E).
    """
    word = refused.message.partition(":")[0].strip()
    return (
        word
        if refused.code == REFUSED_BY_THE_ENVELOPE and CODE_WORD.fullmatch(word)
        else refused.code
    )


@contextmanager
def naming_problem(problem: Callable[[str, str], LineProblem]) -> Iterator[None]:
    """A create's refusal gets the code to act on, and the marketplace's `problem` of
    its code and words.
    """
    try:
        yield
    except Refused as refused:
        refused = without_own_id(refused)
        problems = refused.problems or (problem(refused.code, refused.message),)
        raise replace(refused, code=code_of(refused), problems=problems) from refused


async def payment_answer(payment: Awaitable[Answer]) -> Answer:
    """The answer to a payment. A refusal by the envelope gets the code that all
    channels have for it.
    """
    try:
        return await payment
    except Refused as refused:
        code = code_of(refused)
        raise replace(
            refused, code=ORDER_NOT_EXIST if code == ORDER_NOT_FOUND else code
        ) from refused


async def unless_missing(asked: Awaitable[Answer], code: str) -> Answer | None:
    """The answer; None where the service's code means that there is no such thing."""
    try:
        return await asked
    except Refused as refused:
        if refused.code == code or (
            refused.code in ANY_NOES and _is_gone(refused, code)
        ):
            return None
        raise


def _is_gone(refused: Refused, code: str) -> bool:
    if code == PRODUCT_NOT_FOUND:
        return problem_in(refused.message) is OFFLINE
    no_data = refused.code == NOT_FOUND and NO_DATA.search(refused.message)
    return bool(no_data or NO_ORDER.search(refused.message))


def is_understood(refused: Refused) -> bool:
    """Whether a read was refused in the envelope's own codes or in known words, not for
    a fault.
    """
    return refused.code in CHECKED or problem_in(refused.message) is not None


def no_quote(problem: LineProblem, code: str) -> Quote:
    """The quote of a preview that was refused as a whole, under a known code or in
    known words.
    """
    if problem.problem is Problem.OTHER:
        known = problem_in(problem.message) or (
            Problem.RULED_OUT if code in CHECKED else Problem.OTHER
        )
        problem = replace(problem, problem=known)
    return Quote(goods=Money(0), postage=Money(0), total=Money(0), problems=(problem,))


async def asked_before(
    create: EffectCall[Any, Any], preview: Awaitable[Answer]
) -> Answer:
    """The answer of a preview. A failed preview raises `NotSent`: whatever the error,
    nothing was ordered.
    """
    try:
        return await preview
    except Unanswered as error:
        raise NotSent(
            f"the preview before it failed: {error.message}; nothing was ordered",
            retry_after_s=NEVER_S if isinstance(error, ContractMismatch) else None,
            operation=create.name,
            request_id=error.request_id,
            status=error.status,
            code=error.code,
        ) from error


def not_now(create: EffectCall[Any, Any], words: str) -> NotSent:
    """The error of a preview whose answer will be the same within seconds."""
    return NotSent(
        f"{words}; nothing was ordered", retry_after_s=NEVER_S, operation=create.name
    )


def require_understood(create: EffectCall[Any, Any], quote: Quote) -> None:
    """Raises `NotSent` for a preview that was refused in words that are not
    understood.
    """
    if quote.problems and all(one.problem is Problem.OTHER for one in quote.problems):
        words = "; ".join(problem.message for problem in quote.problems)
        raise not_now(create, f"the preview before it was refused: {words}")


def require_approved(
    create: EffectCall[Any, Any], quote: Quote, approved: Money
) -> None:
    """Raises `Refused` for a quote with problems, or above what was approved; `NotSent`
    for one that says nothing.
    """
    require_understood(create, quote)
    if quote.problems:
        words = "; ".join(problem.message for problem in quote.problems)
        code = quote.problems[0].problem.upper()
        raise Refused(words, operation=create.name, code=code, problems=quote.problems)
    if not quote.goods.minor:
        raise not_now(create, f"the preview tells {quote.total} and no price")
    if quote.total > approved:
        raise over_limit(create, quote.total, approved)


def over_limit(create: EffectCall[Any, Any], total: Money, approved: Money) -> Refused:
    words = f"it costs {total} now, approved {approved}; nothing was ordered"
    problem = LineProblem(problem=Problem.PRICE_CHANGED, message=words)
    return Refused(
        words, operation=create.name, code=PRICE_CHANGED, problems=(problem,)
    )
