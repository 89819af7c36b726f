"""A service that tells an amount, an id or a reference that is not so: one place of one
answer, drawn from the seed.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from random import Random
from typing import Any

from sandbox.entities import Order
from tests.hostile.pointers import Pointer, Sort, at, places, sort_of
from tests.hostile.values import is_number, times
from tests.simulation.misfortune import Kind

AMOUNTS = {Kind.NEGATIVE_AMOUNT: -1, Kind.ZERO_AMOUNT: 0, Kind.HUGE_AMOUNT: 10**14}


def lied(
    kind: Kind, dice: Random, body: bytes, orders: Sequence[Order]
) -> tuple[bytes, str]:
    """The answer with a lie in it, and what it says instead of what; unchanged when
    there is nothing to lie about.
    """
    answer = json.loads(body)
    sort = Sort.AMOUNT if kind in AMOUNTS or kind is Kind.SWAPPED_AMOUNT else Sort.ID
    findings = [
        (location, real)
        for location, real in places(answer, lambda _: False)
        if _is_of(sort, location, real)
    ]
    dice.shuffle(findings)
    for location, real in findings:
        value = _told_instead(kind, dice, real, orders)
        if value is not None and str(value) != str(real):
            at(answer, location[:-1])[location[-1]] = value
            return json.dumps(
                answer, ensure_ascii=False
            ).encode(), f"{location} {real} told as {value}"
    return body, ""


def _is_of(sort: Sort, pointer: Pointer, real: Any) -> bool:
    return (
        sort_of(pointer, real) is sort
        and real is not None
        and (sort is Sort.ID or is_number(real))
    )


def _told_instead(kind: Kind, dice: Random, real: Any, orders: Sequence[Order]) -> Any:
    """None when this place can't tell that lie."""
    if kind in AMOUNTS:
        return times(real, AMOUNTS[kind])
    neighbours = [
        order for order in orders if str(real) not in (order.id, order.reference)
    ]
    if not neighbours:
        return None
    order = dice.choice(neighbours)
    if kind is Kind.SWAPPED_AMOUNT:
        return _like(real, order.amount_fen)
    own = next(
        (order for order in orders if str(real) in (order.id, order.reference)), None
    )
    if own is None:
        return None  # an item's or a seller's id
    message = order.id if str(real) == own.id else order.reference
    return int(message) if isinstance(real, int) else message


def _like(real: Any, fen: int) -> Any:
    """An amount in the unit of the one that it stands for: yuan have a point."""
    yuan = isinstance(real, float) or "." in str(real)
    amount: Any = fen / 100 if yuan else fen
    return (
        f"{amount:.2f}"
        if isinstance(real, str) and yuan
        else str(amount)
        if isinstance(real, str)
        else amount
    )
