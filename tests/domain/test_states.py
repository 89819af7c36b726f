"""The table of legal moves."""

from __future__ import annotations

from itertools import pairwise

import pytest

from domain.states import MOVES, ROAD, IllegalMove, OrderState, move


def test_every_state_is_in_the_table() -> None:
    """A state without an entry would fail only when first met."""
    assert set(MOVES) == set(OrderState)


def test_the_road_can_be_walked_step_by_step() -> None:
    """Each state leads to the next, from planned to delivered."""
    for old, new in pairwise(ROAD):
        assert move(old, new) == new


@pytest.mark.parametrize(
    ("old", "new"),
    [
        (OrderState.PLANNED, OrderState.PAID),
        (OrderState.ORDERED, OrderState.BOOKED),
        (OrderState.PAID, OrderState.ORDERED),
        (OrderState.DELIVERED, OrderState.BOOKED),
        (OrderState.REFUNDED, OrderState.PLANNED),
        (OrderState.CANCELLED, OrderState.ORDERED),
    ],
)
def test_other_moves_raise(old: OrderState, new: OrderState) -> None:
    """Going back, or over a step that costs money, is a defect."""
    with pytest.raises(IllegalMove, match=f"from {old} to {new}"):
        move(old, new)


def test_nothing_moves_backward_on_the_road() -> None:
    """No road state leads to an earlier one."""
    for index, state in enumerate(ROAD):
        assert not MOVES[state] & set(ROAD[:index])
