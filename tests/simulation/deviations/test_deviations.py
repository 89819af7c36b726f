"""A service that deviates in one form everywhere: nothing happens twice, nothing beyond
the limits, all of it told.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.marketplace import Marketplace
from tests.simulation.deviations.catalogue import BY_NAME, DEVIATIONS
from tests.simulation.deviations.open import why_open
from tests.simulation.deviations.player import play
from tests.simulation.deviations.scenes import Cell, Setting
from tests.simulation.deviations.service import Group
from tests.simulation.stage import Stage, stage

TAOBAO, ALIBABA, BIG_MAJOR, INTERNATIONAL, POIZON = Marketplace
CALM, CRASH, PUT_BACK = Setting
SAMPLE: tuple[tuple[str, Marketplace, Setting, int], ...] = (
    ("text as numbers", TAOBAO, CALM, 0),
    ("total rows of the page", ALIBABA, PUT_BACK, 0),
    ("whole yuan for fen", BIG_MAJOR, CALM, 2),
    ("a hundredth of amounts in lists and details", TAOBAO, CALM, 1),
    ("names in PascalCase in lists", INTERNATIONAL, CALM, 0),
    ("null as empty text", TAOBAO, CALM, 0),
    ("times as ISO with Z", POIZON, CALM, 0),
    ("pages of 20 rows", ALIBABA, CRASH, 1),
    ("rows: one row as an object", TAOBAO, CALM, 0),
    ("filters ignored", INTERNATIONAL, CALM, 0),
    ("references in lower case", ALIBABA, CALM, 0),
    ("errors as code 200", INTERNATIONAL, CALM, 0),
    ("some answers a page, HTTP 405", TAOBAO, CRASH, 0),
    ("paid is waitbuyersign", ALIBABA, CALM, 0),
    ("booleans as text", POIZON, CALM, 0),
    ("text with NaN", BIG_MAJOR, CALM, 0),
    ("payment is a submission", ALIBABA, CALM, 0),
    ("second payment refused as paid already", TAOBAO, CALM, 0),
    ("payments shown after 1,100 s", POIZON, PUT_BACK, 3),
)
"""One of each group, and the rows of what broke a promise once."""


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


@pytest.mark.parametrize(("name", "marketplace", "setting", "seed"), SAMPLE)
def test_no_deviation_costs_money_twice_or_untold(
    made: Stage, name: str, marketplace: Marketplace, setting: Setting, seed: int
) -> None:
    """The orders end as the catalogue expects it; `make endurance PART=deviations`
    plays all cells.
    """
    cell = Cell(
        deviation=BY_NAME[name], marketplace=marketplace, setting=setting, seed=seed
    )
    faults = play(made, cell).faults
    if faults and (reason := why_open(cell)):
        pytest.xfail(reason)
    assert faults == ()


def test_the_sample_has_each_group() -> None:
    """And no two deviations have one name."""
    assert {BY_NAME[name].group for name, *_ in SAMPLE} == set(Group)
    assert len(BY_NAME) == len(DEVIATIONS)
