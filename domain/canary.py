"""The canary: the first order at a marketplace goes alone until it is read back, ours, at our price."""

from __future__ import annotations

from domain.marketplace import Marketplace
from domain.reasons import Reason, ReasonCode, because
from domain.service_orders import ServiceOrder, ServiceStatus

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
