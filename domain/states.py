"""The states of an order and the only moves between them."""

from __future__ import annotations

from enum import StrEnum


class OrderState(StrEnum):
    """The state of an order. The first nine are the road, the others are where it can
    leave it.
    """

    PLANNED = "planned"
    ORDERED = "ordered"
    PAYMENT_PENDING = "payment_pending"
    PAID = "paid"
    BOOKED = "booked"
    SHIPPED = "shipped"
    IN_WAREHOUSE = "in_warehouse"
    IN_TRANSIT = "in_transit"
    DELIVERED = "delivered"
    HELD = "held"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    CANCELLED = "cancelled"
    REFUNDING = "refunding"
    REFUNDED = "refunded"


S = OrderState

ROAD = (
    S.PLANNED,
    S.ORDERED,
    S.PAYMENT_PENDING,
    S.PAID,
    S.BOOKED,
    S.SHIPPED,
    S.IN_WAREHOUSE,
    S.IN_TRANSIT,
    S.DELIVERED,
)
REACHED_BOOKED = frozenset(ROAD[ROAD.index(S.BOOKED) :])
TRAVELLING = (S.BOOKED, S.SHIPPED, S.IN_WAREHOUSE, S.IN_TRANSIT)
BEGUN = (S.ORDERED, S.PAYMENT_PENDING, S.PAID)
NEEDS_A_PERSON = (S.UNKNOWN, S.HELD, S.REFUSED)
NEVER_BEGUN = (S.PLANNED, S.HELD, S.REFUSED, S.CANCELLED)
"""States in which nothing of an order need have been begun; its effects say whether
that is so.
"""

MOVES: dict[OrderState, frozenset[OrderState]] = {
    S.PLANNED: frozenset({S.ORDERED, S.HELD, S.REFUSED, S.UNKNOWN, S.CANCELLED}),
    S.ORDERED: frozenset({S.PAYMENT_PENDING, S.PAID, S.HELD, S.UNKNOWN, S.CANCELLED}),
    S.PAYMENT_PENDING: frozenset({S.PAID, S.HELD, S.UNKNOWN, S.CANCELLED}),
    S.PAID: frozenset({S.BOOKED, S.HELD, S.UNKNOWN, S.REFUNDING, S.REFUNDED}),
    S.BOOKED: frozenset(
        {
            S.SHIPPED,
            S.IN_WAREHOUSE,
            S.IN_TRANSIT,
            S.DELIVERED,
            S.HELD,
            S.REFUNDING,
            S.REFUNDED,
        }
    ),
    S.SHIPPED: frozenset(
        {S.IN_WAREHOUSE, S.IN_TRANSIT, S.DELIVERED, S.HELD, S.REFUNDING, S.REFUNDED}
    ),
    S.IN_WAREHOUSE: frozenset(
        {S.IN_TRANSIT, S.DELIVERED, S.HELD, S.REFUNDING, S.REFUNDED}
    ),
    S.IN_TRANSIT: frozenset({S.DELIVERED, S.HELD, S.REFUNDING, S.REFUNDED}),
    S.DELIVERED: frozenset({S.REFUNDING, S.REFUNDED}),
    S.HELD: frozenset(
        set(ROAD) | {S.REFUSED, S.UNKNOWN, S.CANCELLED, S.REFUNDING, S.REFUNDED}
    ),
    S.REFUSED: frozenset({S.PLANNED, S.HELD, S.CANCELLED}),
    S.UNKNOWN: frozenset(
        {
            S.PLANNED,
            S.ORDERED,
            S.PAYMENT_PENDING,
            S.PAID,
            S.BOOKED,
            S.HELD,
            S.REFUSED,
            S.CANCELLED,
        }
    ),
    S.CANCELLED: frozenset({S.REFUNDING, S.REFUNDED}),
    S.REFUNDING: frozenset(
        {
            S.REFUNDED,
            S.HELD,
            S.PAID,
            S.BOOKED,
            S.SHIPPED,
            S.IN_WAREHOUSE,
            S.IN_TRANSIT,
            S.DELIVERED,
        }
    ),
    S.REFUNDED: frozenset(),
}


class IllegalMove(Exception):
    """A change of state that the table does not have: a defect, or a ledger changed by
    hand.
    """


def move(old: OrderState, new: OrderState) -> OrderState:
    """The new state, or `IllegalMove`. Staying is always legal."""
    if new != old and new not in MOVES[old]:
        raise IllegalMove(f"an order can't go from {old} to {new}")
    return new


def can_move(old: OrderState, new: OrderState) -> bool:
    """Whether an order may go there, or is there already."""
    return new == old or (new in MOVES[old] and not is_behind(new, old))


def is_behind(new: OrderState, old: OrderState) -> bool:
    """Whether a move would go back on the road: a state that a later one has
    overtaken.
    """
    return new in ROAD and old in ROAD and ROAD.index(new) < ROAD.index(old)
