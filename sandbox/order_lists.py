"""Filters of listings: by id, by reference, by status, by times."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.refusals import bad_request
from sandbox.times import SECOND, read_china_text
from sandbox.world import World

MAX_NAMED = 50

Span = tuple[int | None, int | None]


@dataclass(frozen=True, slots=True)
class OrderFilter:
    """Filters, all of which must hold; spans include both ends, in milliseconds."""

    created: Span
    modified: Span = (None, None)
    status: str = ""
    ids: Sequence[str] | None = None
    references: Sequence[str] | None = None


@dataclass(frozen=True, slots=True)
class Showing:
    """The status and the last change of an order, as a marketplace shows them now."""

    status: Callable[[Order, int], str]
    modified_at: Callable[[World, Order], int]


def select_orders(
    world: World, marketplace: str, wanted: OrderFilter, showing: Showing
) -> Sequence[Order]:
    """The orders of a listing, newest first. Only filters by status and change scan;
    ids and references are indexed.
    """
    orders, tests = (
        _candidates(world, marketplace, wanted)[::-1],
        _tests(world, wanted, showing),
    )
    return (
        [order for order in orders if all(test(order) for test in tests)]
        if tests
        else orders
    )


def _candidates(world: World, marketplace: str, wanted: OrderFilter) -> Sequence[Order]:
    """Oldest first."""
    if wanted.ids is None and wanted.references is None:
        return world.books.created_between(marketplace, *wanted.created)
    orders = _named(world, marketplace, wanted)
    return [order for order in orders if _within(order.created_at, wanted.created)]


def _named(world: World, marketplace: str, wanted: OrderFilter) -> list[Order]:
    if wanted.ids is None:
        found = [
            order
            for reference in dict.fromkeys(wanted.references or ())
            for order in world.books.referenced(marketplace, reference)
        ]
    else:
        found = [
            order
            for order_id in dict.fromkeys(wanted.ids)
            if (order := world.books.order(marketplace, order_id))
        ]
        if wanted.references is not None:
            found = [order for order in found if order.reference in wanted.references]
    return sorted(found, key=lambda order: order.sequence)


def _tests(
    world: World, wanted: OrderFilter, showing: Showing
) -> list[Callable[[Order], bool]]:
    now = world.now()
    tests: list[Callable[[Order], bool]] = []
    if wanted.status:
        tests.append(lambda order: showing.status(order, now) == wanted.status)
    if wanted.modified != (None, None):
        tests.append(
            lambda order: _within(showing.modified_at(world, order), wanted.modified)
        )
    return tests


def _within(moment: int, span: Span) -> bool:
    start, end = span
    return (start is None or moment >= start) and (end is None or moment <= end)


def start_of_second(asked: Fields, name: str) -> int | None:
    """A time in China's text form."""
    text = asked.optional_text(name)
    try:
        return read_china_text(text) if text else None
    except ValueError as error:
        raise bad_request(name, "must be yyyy-MM-dd HH:mm:ss") from error


def end_of_second(asked: Fields, name: str) -> int | None:
    """The end of a span: a time given to the second includes all of that second."""
    time = start_of_second(asked, name)
    return None if time is None else time + SECOND - 1


def named_ids(asked: Fields, name: str) -> list[str] | None:
    return _bounded(asked, name, asked.identifiers(name)) if asked.has(name) else None


def named_texts(asked: Fields, name: str) -> list[str] | None:
    if not asked.has(name):
        return None
    texts = asked.raw[name]
    if not isinstance(texts, list) or not all(isinstance(text, str) for text in texts):
        raise bad_request(asked.named(name), "a list of texts is required")
    return _bounded(asked, name, texts)


def _bounded(asked: Fields, name: str, values: list[str]) -> list[str]:
    if not 1 <= len(values) <= MAX_NAMED:
        raise bad_request(asked.named(name), f"from 1 to {MAX_NAMED} entries")
    return values
