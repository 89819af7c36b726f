"""Whether a yes given beforehand is enough, and in words why a person is asked."""

from __future__ import annotations

from datetime import datetime
from decimal import ROUND_CEILING
from itertools import chain
from zoneinfo import ZoneInfo

from connectors.rates_file import RatesUnusable, read_rates
from connectors.settings import SourcingSettings
from domain.money import Money, total_of
from domain.plan_costs import Sum, add_to, in_one
from domain.rates import Rates
from flows.approval_request import ApprovalRequest


def rates_of(settings: SourcingSettings) -> Rates:
    """The merchant's rates. An unusable file gives none, with the reason where a rate is needed: the run goes on."""
    try:
        return read_rates(settings.rates_file)
    except RatesUnusable as error:
        return Rates(fault=str(error).partition("\n")[0].rstrip(":"))


def above_limit(question: ApprovalRequest, settings: SourcingSettings, now: datetime) -> str:
    """Why a plan needs a person's yes, as the end of a sentence; empty where it is within the approval limit.

    Freight counts where the settings say so, and a sum that can't be converted today never counts as 0.
    """
    if (limit := settings.approval_limit) is None:
        return ""
    counted = _counted(question, settings, now)
    if counted.is_within(limit):
        return ""
    bound = f"the approval limit of {limit} (SOURCING_APPROVAL_LIMIT_CNY)"
    if counted.money > limit:
        with_earlier = ", with what this run was allowed before," if question.allowed else ""
        return f"its {_what(settings)} of {counted.money}{with_earlier} are above {bound}"
    return f"whether its {_what(settings)} are within {bound} is not known: {'; '.join(counted.lacks)}"


def why_asked(above: str, settings: SourcingSettings, *, yes: bool) -> str:
    """One or two sentences for the person who is asked. `above` is the answer of `above_limit`."""
    if yes:
        return f"the run was approved beforehand, but {above}."
    why = "the run was not approved beforehand."
    if (limit := settings.approval_limit) is None:
        return why
    within = f"its {_what(settings)} are within the approval limit of {limit} (SOURCING_APPROVAL_LIMIT_CNY)"
    return f"{why} As to the plan, {above or within}."


def _what(settings: SourcingSettings) -> str:
    return "goods, postage and freight" if settings.approval_counts_freight else "goods and postage"


def _counted(question: ApprovalRequest, settings: SourcingSettings, now: datetime) -> Sum:
    asked = (*question.allowed, question)
    total = total_of([one.total for one in asked])
    if not settings.approval_counts_freight:
        return Sum(money=total)
    today = now.astimezone(ZoneInfo(settings.timezone)).date()
    sums: dict[str, Money] = {}
    for amount in (total, *chain.from_iterable(one.freight for one in asked)):
        add_to(sums, amount)
    return in_one(sums.values(), total.currency, rates_of(settings), today, ROUND_CEILING)
