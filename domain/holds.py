"""What stops buying: the one switch, the first order at a marketplace, which goes
alone, and budgets.

These are sums of amounts that can only grow: what costs nothing or less has no place in
them.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from decimal import Decimal
from enum import StrEnum
from zoneinfo import ZoneInfo

from domain.decisions import Verdict, held
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.wording import shorten

PAUSED = "buying is paused"
GOES_ON = "It goes on after resume-buying in the Prefect UI, or: sourcing resume"
SOMEBODY = "a person in the Prefect UI"
LONGEST_NAME = 120
LONGEST_WHY = 200


class Topic(StrEnum):
    """What a person confirms of a marketplace."""

    AMOUNTS = "its amounts are right"
    FIRST_PAYMENT = "its first payment is as it should be"
    REFERENCE = "its order without a reference is ours"
    ALL_KNOWN = "every order of ours there is known"


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is created, paid or booked while it stands; `at` is UTC, `why` may be
    empty.
    """

    by: str
    at: datetime
    why: str = ""

    @property
    def words(self) -> str:
        """`buying is paused since 2026-11-26 09:40 UTC by mei@shop: prices look
        wrong`.
        """
        return f"{PAUSED} since {self.at:%Y-%m-%d %H:%M} UTC by {self.by}{f': {self.why}' if self.why else ''}"

    @property
    def sentence(self) -> str:
        """The words with a capital, without the full stop."""
        return f"{self.words[:1].upper()}{self.words[1:]}"

    @property
    def notice(self) -> str:
        """The words as a sentence, and the way on as another."""
        return f"{self.sentence}. {GOES_ON}"


def buying_paused(pause: Pause) -> Reason:
    """Why an order waits while the switch is off."""
    return because(ReasonCode.BUYING_PAUSED, pause=pause.sentence)


def waits_for_approval(*, freight: bool = False) -> Reason:
    """Why an order is held that a person is asked about; of a paid one its `freight`
    alone.
    """
    return because(ReasonCode.WAITS_FOR_APPROVAL, freight=freight)


def by_whom(name: str) -> str:
    """The person named as having turned the switch; a name is not required."""
    return " ".join(name.split())[:LONGEST_NAME] or SOMEBODY


def why_in_words(text: str) -> str:
    """A reason as every message shows it: one line, bounded, without the full stop that
    follows it there.
    """
    return " ".join(text.split())[:LONGEST_WHY].rstrip(".")


def first_goes_alone(first: str, marketplace: Marketplace) -> Reason:
    """Why an order is not begun: no person has looked yet at what the first payment
    there did.
    """
    return because(ReasonCode.FIRST_GOES_ALONE, first=first, marketplace=marketplace)


def first_payment(
    marketplace: Marketplace,
    order_ref: str,
    order_id: str,
    amount: Money,
    lines: Sequence[OrderLine],
) -> Reason:
    """The question that only a person with the console can answer: it settles units,
    credit and warehouse.
    """
    goods = shorten([f"{line.title} × {line.quantity}" for line in lines])
    return because(
        ReasonCode.FIRST_PAYMENT,
        marketplace=marketplace,
        first=order_ref,
        order_id=order_id,
        amount=amount,
        goods=goods,
    )


def differs(order_ref: str, what: str) -> str:
    """The words for holding a marketplace whose first payment was not as it should
    be.
    """
    return f"the payment of {order_ref} was not as expected: {what}"


MOST = 4
"""A first order, and three that may take its place."""


def is_understood(order_ref: str, shown: ServiceOrder | None) -> bool:
    """Whether an unpaid order reads as it should, so that what keeps it from being paid
    concerns it alone.
    """
    return (
        shown is not None
        and (shown.reference.strip() in ("", order_ref) or shown.own_id == order_ref)
        and shown.status not in (ServiceStatus.OTHER, ServiceStatus.PAYMENT_REFUSED)
        and shown.total.minor > 0
    )


def waits_for(
    order_ref: str, marketplace: Marketplace, reason: Reason | None
) -> Reason:
    """Why an order is not created yet: the canary was not read back."""
    return because(
        ReasonCode.WAITS_FOR_FIRST, first=order_ref, marketplace=marketplace, why=reason
    )


def given_up(
    order_refs: list[str], marketplace: Marketplace, last: Reason | None
) -> Reason:
    """Why an order is not created: every order that may go first was refused or held,
    each for a reason of its own.
    """
    count = len(order_refs)
    return because(
        ReasonCode.FIRST_ONES_FAILED,
        count=count,
        marketplace=marketplace,
        refs=order_refs,
        why=last or "not known",
    )


NOTHING = Money(0)
HUNDREDTHS_OF_A_PERCENT = 10_000


@dataclass(frozen=True, slots=True, kw_only=True)
class BudgetLimits:
    """Upper bounds in CNY; None is no bound. What is in flight or unknown counts as
    spent.

    With `tolerance`, in percent, an order counts for the most that it may come to.
    """

    order: Money | None = None
    batch: Money | None = None
    day: Money | None = None
    batch_spent: Money = NOTHING
    day_spent: Money = NOTHING
    tolerance: Decimal = Decimal(0)


def payable(approved: Money, tolerance: Decimal) -> Money:
    """The most that may be paid for what was approved. `tolerance` is in percent, to
    the hundredth; rounded down.
    """
    hundredths = int(tolerance * 100)
    return Money(
        approved.minor + approved.minor * hundredths // HUNDREDTHS_OF_A_PERCENT,
        approved.currency,
    )


def over_budget(
    orders: Sequence[tuple[str, Money]], limits: BudgetLimits
) -> dict[str, Verdict]:
    """The orders that don't fit, each held with the reason. Taken in file order; a
    smaller later one may still fit.

    Raises `ValueError` for an order that costs nothing: its preview is not taken.
    """
    over: dict[str, Verdict] = {}
    batch = limits.batch_spent
    day = limits.day_spent
    for order_ref, total in orders:
        amount = payable(total, limits.tolerance)
        if verdict := _over(amount, batch, day, limits):
            over[order_ref] = verdict
        else:
            batch = batch + amount
            day = day + amount
    return over


def start_of_day(moment: datetime, timezone: str) -> datetime:
    """The first instant, in UTC, of the day of `now` in the merchant's time zone.

    Where clocks go back at midnight the day begins with the first of the two; where
    they skip it, with the jump.
    """
    midnight = moment.astimezone(ZoneInfo(timezone)).replace(
        hour=0, minute=0, second=0, microsecond=0, fold=0
    )
    return midnight.astimezone(
        UTC
    )  # a local time that is skipped or comes twice equals no time of another zone


def _over(
    amount: Money, batch: Money, day: Money, limits: BudgetLimits
) -> Verdict | None:
    if amount.minor <= 0:
        raise ValueError(f"an order can't cost {amount}")
    reason = None
    if limits.order is not None and amount > limits.order:
        reason = because(ReasonCode.OVER_ORDER_LIMIT, limit=limits.order)
    elif limits.batch is not None and batch + amount > limits.batch:
        reason = because(ReasonCode.OVER_BUDGET, taken=batch, limit=limits.batch)
    elif limits.day is not None and day + amount > limits.day:
        reason = because(ReasonCode.OVER_DAY_LIMIT, taken=day, limit=limits.day)
    return (
        held(reason.but(costs=amount, tolerated=bool(limits.tolerance)))
        if reason
        else None
    )
