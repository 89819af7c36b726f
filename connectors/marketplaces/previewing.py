"""A preview inside a create: where the service guards no amount, the client compares before anything is ordered."""

from __future__ import annotations

from collections.abc import Awaitable
from typing import Any, TypeVar

from connectors.xportcn.errors import NotSent, Refused, Unanswered
from connectors.xportcn.operations import EffectCall
from domain.money import Money
from domain.quotes import LineProblem, Problem, Quote

PRICE_CHANGED = "PRICE_CHANGED"

Answer = TypeVar("Answer")


def no_quote(problem: LineProblem) -> Quote:
    """The quote of a preview that was refused as a whole."""
    return Quote(goods=Money(0), postage=Money(0), total=Money(0), problems=(problem,))


async def asked_before(create: EffectCall[Any, Any], preview: Awaitable[Answer]) -> Answer:
    """The answer of a preview. A failed preview raises `NotSent`: whatever the error, nothing was ordered."""
    try:
        return await preview
    except Unanswered as error:
        raise NotSent(
            f"the preview before it failed: {error.message}; nothing was ordered",
            operation=create.name,
            request_id=error.request_id,
            status=error.status,
            code=error.code,
        ) from error


def require_approved(create: EffectCall[Any, Any], quote: Quote, approved: Money) -> None:
    """Raises `Refused` for a quote with problems, or above what was approved."""
    if quote.problems:
        words = "; ".join(problem.message for problem in quote.problems)
        code = quote.problems[0].problem.upper()
        raise Refused(words, operation=create.name, code=code, problems=quote.problems)
    if quote.total > approved:
        raise over_limit(create, quote.total, approved)


def over_limit(create: EffectCall[Any, Any], total: Money, approved: Money) -> Refused:
    words = f"it costs {total} now, approved {approved}; nothing was ordered"
    problem = LineProblem(problem=Problem.PRICE_CHANGED, message=words)
    return Refused(words, operation=create.name, code=PRICE_CHANGED, problems=(problem,))
