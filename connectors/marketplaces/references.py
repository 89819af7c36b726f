"""Searching for our orders: our references in a list of orders, and ids in batches."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

from domain.orders import SourcingOrder
from domain.service_orders import ServiceOrder

# The service's clock and ours may differ: an order counts as created after `since` from this much earlier on.
CLOCK_MARGIN = timedelta(minutes=10)


def is_since(order: ServiceOrder, since: datetime) -> bool:
    """Whether an order was created after `since`, with a margin for the clocks; an order without a time counts."""
    return order.created_at is None or order.created_at >= since - CLOCK_MARGIN


def by_reference(
    orders: Iterable[ServiceOrder], references: Iterable[str], since: datetime
) -> dict[str, list[ServiceOrder]]:
    """The orders that carry one of the references exactly, in either field, created after `since`."""
    wanted = set(references)
    found: dict[str, list[ServiceOrder]] = {}
    for order in orders:
        name = next((name for name in order.names if name in wanted), None)
        if name is not None and is_since(order, since):
            found.setdefault(name, []).append(order)
    return found


def in_every_call(calls: Sequence[Sequence[ServiceOrder]], controls: Sequence[str]) -> set[str]:
    """The controls that every one of these calls showed."""
    shown = [{name for order in orders for name in order.names} for orders in calls]
    return {control for control in controls if all(control in names for names in shown)}


def batches(ids: Sequence[str], size: int) -> list[list[str]]:
    """Distinct ids in lists of at most `size`."""
    distinct = list(dict.fromkeys(ids))
    return [distinct[start : start + size] for start in range(0, len(distinct), size)]


def batches_of_sellers(orders: Iterable[SourcingOrder], size: int) -> list[list[SourcingOrder]]:
    """Orders in as few lists as their sellers allow: in one list each seller stands once. None is left out."""
    lists: list[list[SourcingOrder]] = []
    for order in orders:
        free = (
            group for group in lists if len(group) < size and all(one.seller_id != order.seller_id for one in group)
        )
        if (group := next(free, None)) is None:
            lists.append([order])
        else:
            group.append(order)
    return lists


def require_batch(ids: Sequence[str], most: int) -> None:
    """Raises `ValueError` for a batch that the service would refuse as a whole: too many ids, none, or one twice."""
    if not 1 <= len(ids) <= most or len(set(ids)) < len(ids):
        raise ValueError(f"a batch has 1 to {most} different order ids, not {len(ids)} with {len(set(ids))} different")
