"""A plan as shown for approval, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime
from heapq import nlargest
from zoneinfo import ZoneInfo

from connectors.book_file import rates_of
from connectors.settings import SourcingSettings
from domain.landed import Rate
from domain.plan import NOTHING, PlanCost, PlannedOrder, Sum, in_one
from domain.report import MatchLine
from flows.approval.request import ApprovalRequest, above_limit
from flows.prefect_ui.markdown import (
    SHOWN_MATCHES,
    action_words,
    found_by_words,
    freight_words,
    goods_markdown,
    inert,
    no_limit_words,
    table_row,
)

SHOWN_ORDERS = 200


class AskedPlan:
    """The number of a plan's orders, what they cost, and its `dearest` orders, the
    dearest first.

    `matches` are the first of the `matched` lines that were found by words.
    """

    def __init__(self, question: ApprovalRequest) -> None:
        self.count = 0
        self.cost = PlanCost()
        self.matches: list[MatchLine] = []
        self.matched = 0
        self.dearest = nlargest(
            SHOWN_ORDERS, map(self._counted, question.all), key=_price
        )

    def _counted(self, plan: PlannedOrder) -> PlannedOrder:
        self.count += 1
        self.cost.add(plan)
        taken = [match for match in plan.matches if match.item_id]
        self.matches += [
            MatchLine.of(plan.order_ref, match)
            for match in taken[: SHOWN_MATCHES - len(self.matches)]
        ]
        self.matched += len(taken)
        return plan

    def beyond(self, shown: int) -> str:
        """The words about the orders after the first so many; empty where there are
        none.
        """
        if (more := self.count - shown) <= 0:
            return ""
        last = self.dearest[shown - 1]
        at_most = f", none of them dearer than {last.total}" if last.pays_goods else ""
        return f"And {more:,} orders more{at_most}."


def _price(plan: PlannedOrder) -> tuple[bool, int, int]:
    """The dearest order comes first; freight is compared as if in one currency."""
    freight = plan.freight_service.price.minor if plan.freight_service else 0
    return plan.pays_goods, plan.total.minor if plan.pays_goods else 0, freight


def counted_in_one(cost: PlanCost, settings: SourcingSettings, moment: datetime) -> Sum:
    """All of it in the currency of the merchant's books, at today's rates."""
    into = settings.currency or cost.total.currency
    today = moment.astimezone(ZoneInfo(settings.timezone)).date()
    return in_one([cost.total, *cost.freight.values()], into, rates_of(settings), today)


def cost_words(cost: PlanCost, counted: Sum) -> str:
    """Goods, postage and freight, and the rates at which they are `counted` in one
    currency, as Markdown.

    `Goods **30.00 CNY**, postage **5.00 CNY**, freight **15.00 USD**, at 0.128 EUR for
    1 CNY (2026-11-25, ECB) and ….`
    """
    parts = {"goods": cost.goods, "postage": cost.postage} if cost.to_buy else {}
    if cost.to_buy and cost.fees.minor:
        parts |= (
            {"fees": cost.fees}
            if cost.fees.minor > 0
            else {"less a discount of": NOTHING - cost.fees}
        )
    amounts = [f"{name} **{money}**" for name, money in parts.items()]
    amounts += [f"freight **{freight_words(cost)}**"] if cost.freight else []
    words = ", ".join(amounts)
    return f"{words[:1].upper()}{words[1:]}{_rates(counted)}."


def _rates(counted: Sum) -> str:
    if counted.lacks:
        lacks = inert("; ".join(counted.lacks))
        return f"; no sum in {counted.money.currency}, since {lacks}"
    return f", at {' and '.join(map(_rate, counted.rates))}" if counted.rates else ""


def _rate(rate: Rate) -> str:
    amount = f"{rate.rate.normalize():f} {rate.into} for 1 {rate.base}"
    return f"{amount} ({rate.on}, {inert(rate.source)})"


def question_words(
    question: ApprovalRequest,
    plan: AskedPlan,
    settings: SourcingSettings,
    moment: datetime,
) -> list[str]:
    """The question with its sum, its cost and the reason for asking: three paragraphs
    of Markdown.

    A further one while paused, and where more was taken than was approved.
    """
    counted = counted_in_one(plan.cost, settings, moment)
    costs = [cost_words(plan.cost, counted), no_limit_words(plan.cost)]
    deed = action_words(plan.cost)
    if not counted.lacks:
        deed = f"{deed[:-1]}: **{counted.money}** in all."
    why = above_limit(question, settings) or "it was not approved beforehand"
    words = [deed, " ".join(filter(None, costs)), f"Why this is asked: {why}."]
    overpaid = [
        f"{order.order_ref} ({order.taken})"
        for order in question.to_ship
        if order.taken.minor
    ]
    if overpaid:
        taken = f"More was taken than was approved: {', '.join(overpaid)}."
        words.append(f"**{taken}** A yes to it accepts that.")
    if question.paused:
        pause = inert(question.paused.sentence)
        words.append(f"**{pause}.** What is approved now is bought once it is resumed.")
    return words


def bare(markdown: str) -> str:
    """Markdown as plain text."""
    return markdown.replace("**", "")


def plan_markdown(
    question: ApprovalRequest, plan: AskedPlan, words: Sequence[str]
) -> str:
    """The question, what words were taken to mean, and the dearest orders with their
    pictures as a table.
    """
    found = found_by_words(plan.matches, plan.matched)
    parts = [
        *words,
        found,
        "\n".join(_table(question, plan)),
        plan.beyond(SHOWN_ORDERS),
    ]
    return "\n\n".join(filter(None, parts))


def _table(question: ApprovalRequest, plan: AskedPlan) -> Iterator[str]:
    yield "| order | what | goods and postage | freight |"
    yield "|---|---|--:|--:|"
    for order in plan.dearest:
        row = table_row(order)
        what = goods_markdown(order, question.pictures)
        yield f"| {row['order']} | {what} | {row['goods and postage']} | {row['freight']} |"
