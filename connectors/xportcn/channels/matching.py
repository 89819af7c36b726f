"""Finding our own line behind the ids of an answer, and our own references behind a list of orders."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from datetime import datetime, timedelta
from typing import TypeVar

from domain.orders import OrderLine, SourcingOrder
from domain.quotes import LineProblem, Problem
from domain.service_orders import ServiceOrder, TraceStatus, TrackingEvent

# The service's clock and ours may differ: an order counts as created after `since` from this much earlier on.
CLOCK_MARGIN = timedelta(minutes=10)

LineIds = tuple[str, str]
Value = TypeVar("Value")


class LinesByIds:
    """Gives out each line once, so that two lines of the same SKU both get theirs, and none stands for many."""

    def __init__(self, lines: Iterable[OrderLine], ids: Callable[[OrderLine], LineIds]) -> None:
        self._lines: defaultdict[LineIds, list[OrderLine]] = defaultdict(list)
        for line in lines:
            self._lines[ids(line)].append(line)

    def take(self, ids: LineIds) -> OrderLine | None:
        lines = self._lines.get(ids)
        return lines.pop(0) if lines else None


def untold(lines: Iterable[OrderLine], told: Iterable[OrderLine | None]) -> tuple[LineProblem, ...]:
    """A line that the preview is silent about has no price: that is a problem, not a gift."""
    heard = {line.line_no for line in told if line}
    return tuple(
        LineProblem(problem=Problem.OTHER, message="the preview does not mention this line", line_no=line.line_no)
        for line in lines
        if line.line_no not in heard
    )


def distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    """Each value once, in order: a row that is told three thousand times is one row."""
    return tuple(dict.fromkeys(values))


def other_pieces(line: OrderLine, told: int) -> LineProblem:
    """A price for more or fewer pieces than were asked for is none for our order."""
    words = f"the preview is for {told} pieces, asked {line.quantity}"
    return LineProblem(problem=Problem.OTHER, message=words, line_no=line.line_no)


def is_since(order: ServiceOrder, since: datetime) -> bool:
    """Whether an order was created after `since`, give or take the clocks; one without a time counts."""
    return order.created_at is None or order.created_at >= since - CLOCK_MARGIN


def by_reference(
    orders: Iterable[ServiceOrder], references: Iterable[str], since: datetime
) -> dict[str, list[ServiceOrder]]:
    """The orders that carry one of the references exactly, in either place, created after `since`."""
    wanted = set(references)
    found: dict[str, list[ServiceOrder]] = {}
    for order in orders:
        name = next((name for name in order.names if name in wanted), None)
        if name is not None and is_since(order, since):
            found.setdefault(name, []).append(order)
    return found


def in_every_call(calls: Sequence[Sequence[ServiceOrder]], controls: Sequence[str]) -> set[str]:
    """Those of the controls that each of these calls showed."""
    shown = [{name for order in orders for name in order.names} for orders in calls]
    return {control for control in controls if all(control in names for names in shown)}


def oldest_first(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Events in order of time, each once: parcels shared by two parts of an order are told twice."""
    return sorted(dict.fromkeys(events), key=lambda event: event.occurred_at)


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
    """Raises `ValueError` for what the service would refuse as a whole: too many, none, or one twice."""
    if not 1 <= len(ids) <= most or len(set(ids)) < len(ids):
        raise ValueError(f"a batch has 1 to {most} different order ids, not {len(ids)} with {len(set(ids))} different")


def trace_status(text: str) -> TraceStatus:
    """The stage of an event; words that the contract does not list are `OTHER`."""
    return TraceStatus(text) if text in set(TraceStatus) else TraceStatus.OTHER
