"""Journeys at a service that speaks dialects; `make endurance PART=dialects` plays all
of them and 40 combinations.
"""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.marketplace import Marketplace
from sandbox.dialects.known import BY_NAME, DIALECTS
from tests.simulation.dialects.__main__ import PAGE
from tests.simulation.dialects.journey import Journey
from tests.simulation.dialects.table import REMEDIES, Trip, Word, judged, played
from tests.simulation.stage import Stage, stage

ABOUT_MONEY = (
    pytest.param(
        ("pay-is-submission", "refuses-duplicates"), marks=pytest.mark.endurance
    ),
    ("pay-by-credit",),
)


SLOW = ("receiver-china", "pages-from-0")


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


@pytest.mark.endurance
def test_without_a_dialect_all_is_delivered_but_what_was_taken_back(
    made: Stage,
) -> None:
    """One order is cancelled before it is paid, one after; the wallet has paid for the
    others alone.
    """
    journey = Journey(made, ())
    journey.run()
    assert journey.found == []
    assert {
        end.order_ref: end.state for end in journey.all_ends if end.state != "delivered"
    } == {
        "taobao-unpaid": "cancelled",
        "taobao-3": "refunded",
    }
    assert len(journey.all_ends) == 3 * len(Marketplace) + 1
    kept_fen = sum(
        order.paid_fen - order.refunded_fen
        for order in journey.world.books.every_order()
    )
    assert (
        journey.world.books.opening_fen - journey.world.books.balance_fen
        == kept_fen
        > 0
    )


@pytest.mark.parametrize("dialects", ABOUT_MONEY, ids=" ".join)
def test_money_is_safe_in_each_dialect(made: Stage, dialects: tuple[str, ...]) -> None:
    """Every order goes through or, beyond the first of its marketplace, is held unbegun
    with the assumption named.
    """
    trip = Trip(dialects=dialects)
    assert judged(played(made, trip), trip).faults == ()


@pytest.mark.endurance
def test_a_setting_lets_a_held_batch_through(made: Stage) -> None:
    """An unknown field is named with its setting, and nothing is ordered; with the
    setting all is delivered.

    Then also where filters want another form of times, and say so under the code of a
    fault.
    """
    trip = Trip(dialects=("refuses-unknown-fields",))
    assert judged(played(made, trip), trip).words["1688"] is Word.STOPS
    mended = Trip(dialects=(*trip.dialects, "time-compact", "code-500"), mended=True)
    assert judged(played(made, mended), mended).words["1688"] is Word.THROUGH


@pytest.mark.parametrize(
    ("dialect", "marketplace", "word", "setting"),
    [
        pytest.param(*row, marks=pytest.mark.endurance if row[0] in SLOW else ())
        for row in (
            (
                "freight-distribution-ids",
                "taobao",
                Word.STOPS,
                "FREIGHT_IDS to shop or",
            ),
            ("receiver-china", "taobao", Word.STOPS, "TAOBAO_RECEIVER to abroad or"),
            ("pages-from-0", "1688", Word.ONE, "FIRST_PAGE=0"),
            ("time-compact", "1688", Word.STOPS, "COMPACT_TIMES"),
        )
    ],
)
def test_what_the_contract_leaves_open_holds_a_marketplace_and_names_the_setting(
    made: Stage, dialect: str, marketplace: str, word: Word, setting: str
) -> None:
    """Nothing is tried out: each order that waits says what to set."""
    trip = Trip(dialects=(dialect,))
    journey = played(made, trip)
    result = judged(journey, trip)
    assert (result.words[marketplace], result.faults) == (word, ())
    waiting = [
        end
        for end in journey.all_ends
        if end.marketplace == marketplace and not end.is_as_written
    ]
    assert waiting
    assert all(f"XPORTCN_{setting}" in end.reason for end in waiting)


def test_the_page_has_each_dialect_as_the_sandbox_tells_it() -> None:
    """`python -m tests.simulation.dialects` writes it."""
    lines = PAGE.read_text(encoding="utf-8").splitlines()
    rows = {
        (cells := [cell.strip() for cell in line.split("|")])[1]: cells
        for line in lines
        if line.startswith("| ")
    }
    assert {name: row[2:4] for name, row in rows.items() if name in BY_NAME} == {
        dialect.name: [dialect.sentence, dialect.mark] for dialect in DIALECTS
    }
    assert {f"- {dialect.name}: {dialect.source}" for dialect in DIALECTS} <= set(lines)
    assert set(BY_NAME) >= set(REMEDIES)
