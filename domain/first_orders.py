"""The question about the first paid order of a marketplace, and why others wait for its answer."""

from __future__ import annotations

from collections.abc import Sequence

from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderLine
from domain.reasons import Reason, ReasonCode, because
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
