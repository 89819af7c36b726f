"""Six hundred episodes in slices, so that several workers share them; `make soak` plays a hundred thousand."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.simulation.episode import play
from tests.simulation.stage import Stage, stage

SLICE = 50
SLICES = 12


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as one:
        yield one


@pytest.mark.parametrize("number", range(SLICES))
def test_nothing_happens_twice_and_everything_is_explained(made: Stage, number: int) -> None:
    """No promise is broken at any moment, and in the calm every order ends final or with its question."""
    seeds = range(number * SLICE, (number + 1) * SLICE)
    assert {seed: found for seed in seeds if (found := play(seed, made).found)} == {}
