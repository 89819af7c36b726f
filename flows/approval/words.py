"""A plan as shown for approval, and its words."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from heapq import nlargest
from zoneinfo import ZoneInfo

from connectors.ledger.plans import plan_hash
from connectors.settings import SourcingSettings
from connectors.ui_pages import artifact_page
from domain.landed import Rate
from domain.plan import NOTHING, PlanCost, PlannedOrder, Sum, in_one
from domain.report import MatchLine, ReportLine
from domain.wording import pluralize
from flows.approval.request import ApprovalRequest, rates_of
from flows.prefect_ui.artifacts import MOST_ROWS, artifact_key
from flows.prefect_ui.markdown import (
    SHOWN_MATCHES,
    action_words,
    found_by_words,
    freight_words,
    goods_markdown,
    inert,
    no_limit_words,
    table_row,
    waiting_list,
    warnings_list,
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
    """All references of a plan, what it costs, a hash of it, and its `dearest` orders,
    the dearest first.

    `matches` are the first of the `matched` lines that were found by words, `beside`
    the orders that are not asked about.
    """

    refs: Sequence[str]
    plan_hash: str
    cost: PlanCost
    dearest: Sequence[AskedOrder]
    matches: Sequence[MatchLine]
    matched: int
    beside: Sequence[ReportLine]

    @classmethod
    def of(cls, question: ApprovalRequest) -> AskedPlan:
        reading = _Reading()
        dearest = nlargest(
            MOST_ROWS, reading.orders(question), key=lambda one: one.price
        )
        shown_hash = hashlib.sha256(b"".join(sorted(reading.contents))).hexdigest()[:16]
        return cls(
            refs=reading.refs,
            plan_hash=shown_hash,
            cost=reading.cost,
            dearest=dearest,
            matches=reading.matches,
            matched=reading.matched,
            beside=question.beside(),
        )

    @property
    def rows(self) -> list[dict[str, str]]:
        return [one.row for one in self.dearest]

    def beyond(self, shown: int) -> str:
        """The words about the orders after the first so many; empty where there are
        none.
        """
        if (more := len(self.refs) - shown) <= 0:
            return ""
        last = self.dearest[shown - 1]
        at_most = f", none of them dearer than {last.plan.total}" if last.is_new else ""
        return f"And {more:,} orders more{at_most}."


class _Reading:
    """Totals gathered while the orders of a plan are read."""

    def __init__(self) -> None:
        self.refs: list[str] = []
        self.contents: list[bytes] = []
        self.cost = PlanCost()
        self.matches: list[MatchLine] = []
        self.matched = 0

    def orders(self, question: ApprovalRequest) -> Iterator[AskedOrder]:
        for plan in self._noted(question.to_buy):
            self.cost.buy(plan)
            taken = [match for match in plan.matches if match.item_id]
            self.matches += [
                MatchLine.of(plan.order_ref, one)
                for one in taken[: SHOWN_MATCHES - len(self.matches)]
            ]
            self.matched += len(taken)
            yield AskedOrder(plan=plan, is_new=True)
        for plan in self._noted(question.to_ship):
            self.cost.go_on(plan)
            yield AskedOrder(plan=plan, is_new=plan.is_unpaid)

    def _noted(self, plans: Iterable[PlannedOrder]) -> Iterator[PlannedOrder]:
        for plan in plans:
            freight = str(plan.freight_service.price) if plan.freight_service else ""
            freight += f" {plan.taken}" if plan.taken.minor else ""
            self.refs.append(plan.order_ref)
            self.contents.append(
                hashlib.sha256(
                    f"{plan.order_ref} {plan_hash(plan)} {freight}".encode()
                ).digest()
            )
            yield plan


SHOWN_ORDERS = 100
SHOWN_BESIDE = 10


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
    told = [f"{name} **{money}**" for name, money in parts.items()]
    told += [f"freight **{freight_words(cost)}**"] if cost.freight else []
    words = ", ".join(told)
    return f"{words[:1].upper()}{words[1:]}{_rates(counted)}."


def _rates(counted: Sum) -> str:
    if counted.lacks:
        return f"; no sum in {counted.money.currency}, since {inert('; '.join(counted.lacks))}"
    return f", at {' and '.join(map(_rate, counted.rates))}" if counted.rates else ""


def _rate(rate: Rate) -> str:
    return f"{rate.rate.normalize():f} {rate.into} for 1 {rate.base} ({rate.on}, {inert(rate.source)})"


def deadline_words(deadline: datetime, timezone: str) -> str:
    """`2026-11-27 09:00 Europe/Berlin (08:00 UTC)`."""
    here, utc = (
        deadline.astimezone(ZoneInfo(timezone)),
        deadline.astimezone(ZoneInfo("UTC")),
    )
    if timezone == "UTC":
        return f"{utc:%Y-%m-%d %H:%M} UTC"
    day = "" if utc.date() == here.date() else f"{utc:%Y-%m-%d} "
    return f"{here:%Y-%m-%d %H:%M} {timezone} ({day}{utc:%H:%M} UTC)"


def within_words(seconds: int) -> str:
    """`24 hours`, `90 seconds`."""
    hours = seconds / 3600
    return (
        f"{hours:.3g} hour{'' if hours == 1 else 's'}"
        if seconds >= 3600
        else pluralize(seconds, "second")
    )


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
    deed = deed if counted.lacks else f"{deed[:-1]}: **{counted.money}** in all."
    pause = question.paused
    waits = (
        [
            f"**{inert(pause.sentence)}.** What is approved now is bought as soon as it is resumed."
        ]
        if pause
        else []
    )
    taken = ", ".join(
        f"{plan.order_ref} ({plan.taken})"
        for plan in question.to_ship
        if plan.taken.minor
    )
    accepts = (
        [f"**More was taken than was approved: {taken}.** A yes to it accepts that."]
        if taken
        else []
    )
    return [
        deed,
        " ".join(filter(None, costs)),
        f"Why this is asked: {question.why}",
        *accepts,
        *waits,
    ]


def bare(markdown: str) -> str:
    """Markdown as plain text."""
    return markdown.replace("**", "")


def description_of(
    question: ApprovalRequest,
    plan: AskedPlan,
    words: Sequence[str],
    until: str,
    fault: str = "",
) -> str:
    """The form's text as Markdown: the question and its deadline in one paragraph, and
    the dearest orders as a table.

    The older UI shows little more than that paragraph without scrolling. `fault` is
    what was wrong with the previous answer.
    """
    refused = f"**That answer was not taken: {inert(fault)}.** Nothing of it is lost: correct it below."
    deed, *further = words
    beside = (
        f" Held or refused beside these: {pluralize(len(plan.beside), 'order')}."
        if plan.beside
        else ""
    )
    return "\n\n".join(
        [
            f"{deed} **Answer by {until}**; without an answer nothing of this is bought. "
            f"Batch {question.batch_id}.{beside}",
            *([refused] if fault else []),
            *further,
            *([said] if (said := warnings_list(question.warnings)) else []),
            *([found] if (found := found_by_words(plan.matches, plan.matched)) else []),
            "\n".join(_table(question, plan)),
            *([_rest(question, plan)] if len(plan.refs) > SHOWN_ORDERS else []),
            *(
                [
                    "\n".join(
                        [
                            "**Not asked about:**",
                            "",
                            *waiting_list(plan.beside, SHOWN_BESIDE),
                        ]
                    )
                ]
                if plan.beside
                else []
            ),
        ]
    )


def _rest(question: ApprovalRequest, plan: AskedPlan) -> str:
    key = artifact_key(f"plan-{question.batch_id}")
    where = (
        f"[artifact {key}]({page})"
        if (page := artifact_page(key))
        else f"artifact {key} of this run"
    )
    return (
        f"{plan.beyond(SHOWN_ORDERS)} The dearest {len(plan.dearest):,} are in {where}."
    )


def _table(question: ApprovalRequest, plan: AskedPlan) -> Iterator[str]:
    yield "| order | what | goods and postage | freight |"
    yield "|---|---|--:|--:|"
    for one in plan.dearest[:SHOWN_ORDERS]:
        row, what = one.row, goods_markdown(one.plan, question.pictures)
        yield f"| {row['order']} | {what} | {row['goods and postage']} | {row['freight']} |"
