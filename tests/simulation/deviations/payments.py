"""Payments that are carried out otherwise than the contract says."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from functools import partial

from sandbox.entities import Order
from sandbox.faults import Kind, Rule
from sandbox.times import HOUR
from sandbox.world import World
from tests.simulation.network import DrawnFaults, Incoming

TAKES = 3 * HOUR
Pays = Callable[[World, DrawnFaults, Incoming], AbstractContextManager[None]]


@contextmanager
def submitted(_world: World, faults: DrawnFaults, request: Incoming) -> Iterator[None]:
    """Each request is taken in, never answered, and carried out hours later."""
    faults.next = Rule(request.path, Kind.LATE_EFFECT, 1.0, None, TAKES / 1000)
    yield
    request.abort()


@contextmanager
def unanswered(world: World, _faults: DrawnFaults, request: Incoming) -> Iterator[None]:
    """It is carried out at once, and the answer comes too late for anybody; a refusal
    is answered.
    """
    before = len(world.books.payments)
    yield
    if len(world.books.payments) > before:
        request.abort()


@contextmanager
def reversed_later(
    world: World, _faults: DrawnFaults, _request: Incoming
) -> Iterator[None]:
    """It is carried out; hours later finance refuses it, gives the money back and
    closes the order.
    """
    before = len(world.books.payments)
    yield
    for payment in world.books.payments[before:]:
        world.agenda.add(
            world.now() + TAKES,
            partial(_reverse, world, world.books.orders[payment.order_id]),
        )


def _reverse(world: World, order: Order) -> None:
    if order.closed_at is None:
        world.books.give_back(order, order.paid_fen, world.now())
        world.close(order, "FINANCE_REFUSED")


@contextmanager
def on_credit(world: World, _faults: DrawnFaults, _request: Incoming) -> Iterator[None]:
    """The wallet stays as it is."""
    debit = world.books.debit
    world.books.debit = lambda order, now: world.books._pay(  # type: ignore[method-assign]
        order, order.amount_fen, now, "credit"
    )
    try:
        yield
    finally:
        world.books.debit = debit  # type: ignore[method-assign]
