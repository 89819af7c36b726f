"""Every amount and every id that the service answers, and more: odd, and none of it
leads to an effect or a crash.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.hostile.pointers import Sort
from tests.hostile.service import Case
from tests.hostile.table import cases_of, play, seeded
from tests.simulation.stage import Stage, stage

COUNT = 10
SEED = 11
EACH = 3


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def require_all_of_the_main_job(table: list[Case]) -> None:
    """All places of all answers, each with at least twenty odd values, and enough of
    them amounts and ids.
    """
    values: dict[tuple[object, ...], int] = {}
    for case in table:
        marketplace = case.marketplace, case.operation, case.pointer, case.when
        values[marketplace] = values.get(marketplace, 0) + 1
    assert min(values.values()) >= 20
    played = seeded(table, COUNT, SEED)
    assert sum(case.sort is Sort.AMOUNT for case in played) >= 3
    assert sum(case.sort is Sort.ID for case in played) >= 4


def test_no_odd_answer_costs_money_or_stops_a_run(made: Stage) -> None:
    """Nothing above what was approved, no exception, no other order harmed, nothing odd
    kept; then all is finished.
    """
    table = cases_of(made)  # it takes ten seconds
    require_all_of_the_main_job(table)
    # `make endurance PART=hostile` plays all
    notices = play(made, seeded(table, COUNT, SEED)[::EACH])
    assert {
        str(case): label for broken in notices for case, label in broken.items()
    } == {}
