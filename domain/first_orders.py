"""The first order of a run at a marketplace, which goes alone (the canary), and the first paid one: why others wait."""

from __future__ import annotations

from collections.abc import Sequence

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus
from domain.wording import shorten

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
