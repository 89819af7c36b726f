"""A plan as shown for approval, and its words."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from zoneinfo import ZoneInfo

from connectors.book_file import rates_of
from connectors.settings import SourcingSettings
from domain.landed import Rate
from domain.plan import NOTHING, PlanCost, PlannedOrder, Sum, in_one
from domain.report import MatchLine
from flows.approval.request import ApprovalRequest, above_limit
from flows.prefect_ui.artifacts import MOST_ROWS
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


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedOrder:
    """An order of the plan. Where its goods are not to be paid any more, only its
    freight needs approval.
    """

    plan: PlannedOrder
    is_new: bool

    @property
    def row(self) -> dict[str, str]:
        return table_row(self.plan, is_new=self.is_new)

    @property
    def price(self) -> tuple[bool, int, int]:
        """The sort key: the dearest order comes first; freight is compared as if in one
        currency.
        """
        freight = (
            self.plan.freight_service.price.minor if self.plan.freight_service else 0
        )
        return self.is_new, self.plan.total.minor if self.is_new else 0, freight


@dataclass(frozen=True, slots=True, kw_only=True)
class AskedPlan:
    """The number of a plan's orders, what they cost, and its `dearest` orders, the
    dearest first.

    `matches` are the first of the `matched` lines that were found by words.
    """

    count: int
    cost: PlanCost
    dearest: Sequence[AskedOrder]
    matches: Sequence[MatchLine]
    matched: int

    @classmethod
    def of(cls, question: ApprovalRequest) -> AskedPlan:
        reading = _Reading()
        dearest = nlargest(
            MOST_ROWS, reading.orders(question), key=lambda order: order.price
        )
        return cls(
            count=reading.count,
            cost=reading.cost,
            dearest=dearest,
            matches=reading.matches,
            matched=reading.matched,
        )

    @property
    def rows(self) -> list[dict[str, str]]:
        return [order.row for order in self.dearest]

    def beyond(self, shown: int) -> str:
        """The words about the orders after the first so many; empty where there are
        none.
        """
        if (more := self.count - shown) <= 0:
            return ""
        last = self.dearest[shown - 1]
        at_most = f", none of them dearer than {last.plan.total}" if last.is_new else ""
        return f"And {more:,} orders more{at_most}."


class _Reading:
    """Totals gathered while the orders of a plan are read."""

    def __init__(self) -> None:
        self.count = 0
        self.cost = PlanCost()
        self.matches: list[MatchLine] = []
        self.matched = 0

    def orders(self, question: ApprovalRequest) -> Iterator[AskedOrder]:
        for plan in question.to_buy:
            self.count += 1
            self.cost.buy(plan)
            taken = [match for match in plan.matches if match.item_id]
            self.matches += [
                MatchLine.of(plan.order_ref, match)
                for match in taken[: SHOWN_MATCHES - len(self.matches)]
            ]
            self.matched += len(taken)
            yield AskedOrder(plan=plan, is_new=True)
        for plan in question.to_ship:
            self.count += 1
            self.cost.go_on(plan)
            yield AskedOrder(plan=plan, is_new=plan.is_unpaid)


SHOWN_ORDERS = 100


def counted_in_one(cost: PlanCost, settings: SourcingSettings, now: datetime) -> Sum:
    """All of it in the currency of the merchant's books, at today's rates."""
    into = settings.currency or cost.total.currency
    today = now.astimezone(ZoneInfo(settings.timezone)).date()
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
    now: datetime,
) -> list[str]:
    """The question with its sum, its cost and the reason for asking: three paragraphs
    of Markdown.

    A further one while paused, and where more was taken than was approved.
    """
    counted = counted_in_one(plan.cost, settings, now)
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
    for order in plan.dearest[:SHOWN_ORDERS]:
        row = order.row
        what = goods_markdown(order.plan, question.pictures)
        yield f"| {row['order']} | {what} | {row['goods and postage']} | {row['freight']} |"
