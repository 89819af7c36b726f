"""Steps for tests of what a step does."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tasks.steps import Orders, Step


def step_for(expected: Iterable[str], **given: Any) -> Step:
    """A step for all orders that come to it."""
    return Step(expected, **{"is_for": lambda _order: True, **given})


def step_of(orders: Orders) -> Step:
    """A step for these orders, which are here."""
    step = step_for(())
    step.given |= orders
    return step
