"""Episodes in slices, so that several workers share them; `make soak` plays a hundred
thousand.

Those of `make test` are a part of what endurance plays. The last slice has the seeds
that find a mutant first.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import pytest

from tests.simulation.episode import play
from tests.simulation.stage import Stage, stage

SLICES = [range(first, first + 50) for first in range(0, 600, 50)]
IN_TEST = (range(1, 15), (398, 517))
IN_ENDURANCE = [pytest.param(seeds, marks=pytest.mark.endurance) for seeds in SLICES]


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


@pytest.mark.parametrize(
    "seeds", [*IN_TEST, *IN_ENDURANCE], ids=lambda seeds: str(seeds[0])
)
def test_nothing_happens_twice_and_everything_is_explained(
    made: Stage, seeds: Sequence[int]
) -> None:
    """No promise is broken at any moment, and in the calm every order ends final or
    with its question.
    """
    assert {
        seed: findings for seed in seeds if (findings := play(seed, made).found)
    } == {}
