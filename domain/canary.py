"""The canary: the first order at a marketplace goes alone until it is read back, ours, at our price."""

from __future__ import annotations

from domain.marketplace import Marketplace
from domain.service_orders import ServiceOrder, ServiceStatus

MOST = 4
"""A first order, and three to which it may be handed over."""


def is_understood(order_ref: str, shown: ServiceOrder | None) -> bool:
    """Whether an order that is not paid reads as it should, so that what keeps it from that concerns it alone."""
    return (
        shown is not None
        and (shown.reference.strip() in ("", order_ref) or shown.own_id == order_ref)
        and shown.status is not ServiceStatus.OTHER
        and shown.total.minor > 0
    )


def waits_for(order_ref: str, marketplace: Marketplace, reason: str) -> str:
    """Why an order is not created yet: the one that went first was not read back."""
    said = f" ({reason})" if reason else ""
    return (
        f"not ordered yet: {order_ref} goes first at {marketplace} and was not read back as ordered{said}. See to it: "
        f"sourcing status {order_ref}; a run after that goes on"
    )


def given_up(order_refs: list[str], marketplace: Marketplace, reason: str) -> str:
    """Why an order is not created: as many as may go first were refused or held, each for its own sake."""
    return (
        f"not ordered: none of the first {len(order_refs)} orders at {marketplace} could be bought "
        f"({', '.join(order_refs)}; the last: {reason}). See to them, then run again"
    )
