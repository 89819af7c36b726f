"""A service whose answers are behind: the books as they were, or payments that show
later.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from random import Random

from sandbox.books import Books
from sandbox.entities import Order
from sandbox.store import Store
from sandbox.world import World
from tests.simulation.deviations.wire import ORDERS, Role

Within = Callable[[World, Role, Random], AbstractContextManager[None]]


def behind(seconds: int, where: frozenset[Role], *, chance: float = 1.0) -> Within:
    """These answers tell what was true so long ago; with a `chance`, only some of
    them.
    """

    @contextmanager
    def within(world: World, role: Role, dice: Random) -> Iterator[None]:
        lags = role in where and dice.random() < chance
        with _other_books(
            world,
            lambda order, instant: _as_of(order, instant - seconds * 1000),
            on=lags,
        ):
            yield

    return within


def payments_after(seconds: int) -> Within:
    """Orders are shown as unpaid until a payment is so old."""

    @contextmanager
    def within(world: World, role: Role, dice: Random) -> Iterator[None]:
        with _other_books(
            world,
            lambda order, instant: _unpaid_until(order, instant - seconds * 1000),
            on=role in ORDERS,
        ):
            yield

    return within


@contextmanager
def _other_books(
    world: World, observed: Callable[[Order, int], Order | None], *, on: bool
) -> Iterator[None]:
    if not on:
        yield
        return
    books = world.books
    instant = world.now()
    second = Books(Store())
    for order in books.every_order():
        if (listing := observed(order, instant)) is not None:
            second._list(listing)
    second.shipments = books.shipments
    world.books = second
    try:
        yield
    finally:
        world.books = books


def _as_of(order: Order, then: int) -> Order | None:
    if order.created_at > then:
        return None
    later = {
        name: None
        for name in ("paid_at", "closed_at", "booked_at")
        if (getattr(order, name) or 0) > then
    }
    ships: dict[str, list[str]] = {"shipment_ids": []} if "booked_at" in later else {}
    return replace(order, **later, **ships)  # type: ignore[arg-type]


def _unpaid_until(order: Order, then: int) -> Order:
    return (
        replace(order, paid_at=None)
        if order.paid_at is not None and order.paid_at > then
        else order
    )
