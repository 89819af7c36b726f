"""Nights on which the service answers oddly, and the nights after: nothing is bought twice, and nothing given up."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from domain.marketplace import Marketplace
from domain.reasons import ReasonCode
from sandbox.control import books
from tests.simulation.deviations.wire import Role
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import DAY_S, Odd, Scene, refuses
from tests.simulation.scripts import buy, steps, telling
from tests.simulation.stage import Stage, stage

ESTIMATE = "/open/pp/logistics/orderEstimateFreight"


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as one:
        yield one


def night(made: Stage, at: Marketplace, *odd: Odd, nights: int = 2) -> tuple[list[str], int, set[str]]:
    """Where an order stands after a night with odd answers and others without, its payments, and the reasons met."""
    scene = Scene(made, at)
    scene.run(steps(telling(*odd), buy, DAY_S, telling(), *[buy] * (nights - 1))(scene))  # type: ignore[arg-type]
    assert scene.found == []
    stands = [str(scene.database.orders()[one.order_ref].state) for one in scene.scenario.requests]
    return stands, sum(one["paid_times"] for one in books(scene.sandbox, NO_QUERY, b"")["orders"]), scene.reasons


@pytest.mark.parametrize("at", Marketplace)
@pytest.mark.parametrize("call", [Role.PREVIEW, ESTIMATE])
def test_an_order_refused_in_words_that_are_not_understood_is_bought_on_the_next_night(
    made: Stage, at: Marketplace, call: str
) -> None:
    """The service's token has expired, say: that ends no order."""
    expired = refuses(call, "IllegalAccessToken", "The specified access token is invalid or expired")
    states, payments, reasons = night(made, at, expired)
    assert (states, payments) == (["booked"], 1)
    assert ReasonCode.ANSWER_UNUSABLE in reasons


@pytest.mark.parametrize("at", [Marketplace.BIG_MAJOR, Marketplace.INTERNATIONAL])
def test_a_preview_inside_a_create_that_is_refused_so_leaves_the_order_for_the_next_night(
    made: Stage, at: Marketplace
) -> None:
    odd = refuses(Role.PREVIEW, "isp.remote-service-error", "no", skip=1)
    assert night(made, at, odd, nights=1)[:2] == (["planned"], 0)
    assert night(made, at, odd)[:2] == (["booked"], 1)
