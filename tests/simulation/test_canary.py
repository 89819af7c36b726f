"""The first order at a marketplace goes alone until it is read back; where it is not,
the others are not created.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from itertools import count

import pytest

from domain.marketplace import Marketplace
from tests.simulation.misfortune import Call, Fault, Kind
from tests.simulation.shop import Shop
from tests.simulation.stage import Stage, stage

TAOBAO = Marketplace.TAOBAO
ALIBABA = Marketplace.ALIBABA_1688
INTERNATIONAL = Marketplace.INTERNATIONAL
SOLD_OUT = Fault(Kind.OUT_OF_STOCK)


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


async def one_run(shop: Shop) -> None:
    await shop.start("source")


@pytest.mark.parametrize("marketplace", list(Marketplace))
@pytest.mark.parametrize(
    "chunk_size", [1, pytest.param(50, marks=pytest.mark.endurance)]
)
def test_one_order_is_created_where_it_can_not_be_read_back(
    made: Stage, marketplace: Marketplace, chunk_size: int
) -> None:
    """Of five; the others name it, in each further run. Once the service tells what it
    should, all are bought.
    """

    async def script(shop: Shop) -> None:
        shop.odd = True
        await shop.start("source")
        assert (
            f"not ordered yet: R-1 goes first at {marketplace} and was not read back"
            in shop.reason("R-5")
        )
        await shop.later()
        await shop.start("source")
        assert shop.ordered == ["R-1"]
        assert {shop.states[f"R-{n}"] for n in (2, 3, 4, 5)} <= {"planned", "held"}
        shop.odd = False
        await shop.start("source")

    assert set(
        Shop(made, *[marketplace] * 5, chunk_size=chunk_size)
        .plays(script)
        .states.values()
    ) == {"booked"}


@pytest.mark.parametrize(
    "chunk_size", [1, pytest.param(50, marks=pytest.mark.endurance)]
)
def test_the_others_are_created_once_the_first_is_read_back(
    made: Stage, chunk_size: int
) -> None:
    """Before it is booked; its reading, payment and look at what was taken are not
    shared with others', no more calls.

    Another marketplace waits for nobody.
    """

    async def without_canaries(shop: Shop) -> None:
        shop.know([TAOBAO, ALIBABA])
        await shop.start("source")

    at = (TAOBAO, TAOBAO, TAOBAO, ALIBABA)
    shop = Shop(made, *at, chunk_size=chunk_size).plays(one_run)
    assert set(shop.states.values()) == {"booked"}
    assert {*shop.sent[:2]} == {"R-1:create", "R-4:create"}
    assert shop.sent.index("R-2:create") < shop.sent.index("R-1:book")
    assert shop.reads_between("R-1:create", "R-2:create")
    expected = Shop(made, *at, chunk_size=chunk_size).plays(without_canaries)
    assert not expected.reads_between("R-1:create", "R-2:create")
    assert expected.calls <= shop.calls <= expected.calls + 3 * 2


def test_a_canary_of_which_nobody_knows_keeps_its_marketplace_waiting(
    made: Stage,
) -> None:
    """It lands five minutes late. Elsewhere all is bought, and the run that finds it
    goes on.
    """

    async def script(shop: Shop) -> None:
        for _ in range(2):
            await shop.start("source")
            assert [shop.states[f"R-{n}"] for n in range(1, 6)] == [
                "unknown",
                "planned",
                "planned",
                "booked",
                "booked",
            ]
            assert (
                "R-1 goes first at poizon and was not read back as ordered (no answer to create"
                in shop.reason("R-3")
            )
            assert "sourcing status R-1; a run after that goes on" in shop.reason("R-3")
        await shop.later()
        await shop.start("source")

    delayed = {Call.CREATE: [Fault(Kind.LATE_EFFECT, delay_s=300), None]}
    shop = Shop(
        made, *[Marketplace.POIZON] * 3, INTERNATIONAL, INTERNATIONAL, faults=delayed
    ).plays(script)
    assert set(shop.states.values()) == {"booked"}
    assert sorted(shop.ordered) == [f"R-{n}" for n in range(1, 6)]


def test_a_canary_whose_answer_was_cut_off_is_bought_by_later_runs(made: Stage) -> None:
    """It never arrived. Where only references can be asked for, the next one is the
    younger order that proves it.
    """

    async def script(shop: Shop) -> None:
        shop.bought_before()
        for _ in range(4):
            await shop.start("source")
            await shop.later()

    marketplaces = list(Marketplace)
    faults = {Call.CREATE: [Fault(Kind.DROP_BEFORE)] * len(marketplaces)}
    shop = Shop(
        made,
        *[marketplace for marketplace in marketplaces for _ in range(3)],
        faults=faults,
    ).plays(script)
    assert {
        ref: state
        for ref, state in shop.states.items()
        if state != "booked" and ref.startswith("R-")
    } == {}


def test_a_canary_that_is_sold_out_hands_over_to_the_next(made: Stage) -> None:
    shop = Shop(made, *[TAOBAO] * 5, faults={Call.CREATE: [SOLD_OUT] * 3}).plays(
        one_run
    )
    assert shop.states == {
        f"R-{n}": "refused" if n <= 3 else "booked" for n in range(1, 6)
    }


@pytest.mark.parametrize(
    "chunk_size", [1, pytest.param(50, marks=pytest.mark.endurance)]
)
def test_after_four_of_them_the_others_are_held(made: Stage, chunk_size: int) -> None:
    shop = Shop(
        made, *[TAOBAO] * 6, faults={Call.CREATE: [SOLD_OUT] * 6}, chunk_size=chunk_size
    ).plays(one_run)
    assert shop.states == {
        f"R-{n}": "refused" if n <= 4 else "held" for n in range(1, 7)
    }
    assert (
        "none of the first 4 orders at taobao could be bought (R-1, R-2, R-3, R-4; the last: refused by the service: "
        in shop.reason("R-6")
    )


def test_a_canary_that_became_dearer_hands_over_to_the_next(made: Stage) -> None:
    """It is not paid, and the others are bought."""
    dearer = {Call.CREATE: [Fault(Kind.PRICE_RISES_AFTER)]}
    shop = Shop(made, *[TAOBAO] * 3, faults=dearer).plays(one_run)
    assert shop.states == {"R-1": "held", "R-2": "booked", "R-3": "booked"}


@pytest.mark.parametrize("is_odd", [False, True])
def test_a_run_after_a_crash_reads_the_canary_back_before_it_creates_another(
    made: Stage, *, is_odd: bool
) -> None:
    """Killed right after it was ordered: the ledger has it, nobody has read it."""

    async def script(shop: Shop) -> None:
        shop.dies_after = "R-1:create"
        shop.odd = is_odd
        await shop.start("source")
        assert shop.ordered == ["R-1"]
        await shop.later()
        await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 4).plays(script)
    assert sorted(shop.ordered) == (
        ["R-1"] if is_odd else [f"R-{n}" for n in range(1, 5)]
    )


def test_two_runs_of_one_instant_have_one_canary_each(made: Stage) -> None:
    """At most, and no more than that where it can't be read back."""

    async def script(shop: Shop) -> None:
        shop.odd = True
        await asyncio.gather(shop.start("source"), shop.start("source"))

    assert len(Shop(made, *[TAOBAO] * 6).plays(script).ordered) <= 2


def test_what_was_bought_within_a_day_needs_no_canary(made: Stage) -> None:
    """Noted in the ledger, with those that went first: one in the first run, none an
    hour later, one a day later.
    """

    async def script(shop: Shop) -> None:
        requests = shop.scenario.requests
        for number, wait_s in enumerate((0, 3600, 24 * 3600)):
            await asyncio.sleep(wait_s)
            object.__setattr__(
                shop.scenario, "requests", requests[3 * number : 3 * number + 3]
            )
            await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 9).plays(script)
    assert set(shop.states.values()) == {"booked"}
    went_first = shop.database.rows(
        "SELECT words FROM marks WHERE name = 'first:taobao' ORDER BY id"
    )
    assert [row.words for row in went_first] == ["R-1", "R-7"]


def test_a_canary_counts_for_the_program_that_its_run_began_with(
    made: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    """While a run waits for its answer, its files may become those of a newer
    version.
    """
    versions = map("v{}".format, count(1))
    monkeypatch.setattr("flows.batch.execution.program", lambda: next(versions))

    async def script(shop: Shop) -> None:
        await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 3).plays(script)
    noted = shop.database.rows("SELECT words FROM marks WHERE name = 'canary:taobao'")
    assert [row.words for row in noted] == ["v1"]
