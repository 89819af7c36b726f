"""What stops buying: the one switch, and the first order at a marketplace, which goes alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import Part, Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.wording import shorten

PAUSED = "buying is paused"
GOES_ON = Part.AFTER_RESUME.words
SOMEBODY = "a person in the Prefect UI"
LONGEST_NAME, LONGEST_WHY = 120, 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Pause:
    """Nothing is created, paid, booked or put into a cart while it stands; `at` is UTC, `why` may be empty."""

    by: str
    at: datetime
    why: str = ""

    @property
    def words(self) -> str:
        """`buying is paused since 2026-11-26 09:40 UTC by mei@shop: prices look wrong`."""
        return f"{PAUSED} since {self.at:%Y-%m-%d %H:%M} UTC by {self.by}{f': {self.why}' if self.why else ''}"

    @property
    def sentence(self) -> str:
        """The words with a capital, without the full stop."""
        return f"{self.words[:1].upper()}{self.words[1:]}"

    @property
    def notice(self) -> str:
        """The words as a sentence, and the way on as another."""
        return f"{self.sentence}. {GOES_ON}"


def by_whom(name: str) -> str:
    """The person named as having turned the switch; a name is not required."""
    return " ".join(name.split())[:LONGEST_NAME] or SOMEBODY


def why_in_words(words: str) -> str:
    """A reason as every message shows it: one line, bounded, without the full stop that follows it there."""
    return " ".join(words.split())[:LONGEST_WHY].rstrip(".")


BALANCE = "balance"
"""The pay channel that the limits of going live rely on: the wallet of the account."""


def first_goes_alone(first: str, marketplace: Marketplace) -> Reason:
    """Why an order is not begun: no person has looked yet at what the first payment there did."""
    return because(ReasonCode.FIRST_GOES_ALONE, first=first, marketplace=marketplace)


def first_payment(
    marketplace: Marketplace, order_ref: str, order_id: str, amount: Money, lines: Sequence[OrderLine]
) -> Reason:
    """The question that only a person with the console can answer: it settles units, credit and warehouse."""
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
    """The words for holding a marketplace whose first payment was not as it should be."""
    return f"the payment of {order_ref} was not as expected: {what}"


MOST = 4
"""A first order, and three that may take its place."""


def is_understood(order_ref: str, shown: ServiceOrder | None) -> bool:
    """Whether an unpaid order reads as it should, so that what keeps it from being paid concerns it alone."""
    return (
        shown is not None
        and (shown.reference.strip() in ("", order_ref) or shown.own_id == order_ref)
        and shown.status not in (ServiceStatus.OTHER, ServiceStatus.PAYMENT_REFUSED)
        and shown.total.minor > 0
    )


def waits_for(order_ref: str, marketplace: Marketplace, why: Reason | None) -> Reason:
    """Why an order is not created yet: the canary was not read back."""
    return because(ReasonCode.WAITS_FOR_FIRST, first=order_ref, marketplace=marketplace, why=why)


def given_up(order_refs: list[str], marketplace: Marketplace, last: Reason | None) -> Reason:
    """Why an order is not created: every order that may go first was refused or held, each for a reason of its own."""
    count = len(order_refs)
    return because(
        ReasonCode.FIRST_ONES_FAILED, count=count, marketplace=marketplace, refs=order_refs, why=last or "not known"
    )
