"""Nights on which the service answers oddly, and the nights after: nothing is bought
twice, and nothing given up.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator
from typing import Any

import pytest

from domain.marketplace import Marketplace
from domain.reasons import ReasonCode
from flows.batch.plan_sources import FromRequests
from sandbox.control import books
from tests.simulation.deviations.wire import Role
from tests.simulation.episode import NO_QUERY
from tests.simulation.scene import DAY_S, Odd, Scene, refuses, tells
from tests.simulation.scripts import buy, steps, telling, track
from tests.simulation.stage import Stage, stage

ESTIMATE = "/open/pp/logistics/orderEstimateFreight"
BOOK = "/open/pp/logistics/orderBookingFreight"


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


def night(
    made: Stage, at: Marketplace, *odd: Odd, nights: int = 2
) -> tuple[list[str], int, set[str]]:
    """Where an order stands after a night with odd answers and others without, its
    payments, and the reasons met.
    """
    scene = Scene(made, at)
    scene.run(steps(telling(*odd), buy, DAY_S, telling(), *[buy] * (nights - 1))(scene))  # type: ignore[arg-type]
    assert scene.found == []
    state = [
        str(scene.database.orders()[request.order_ref].state)
        for request in scene.scenario.requests
    ]
    return (
        state,
        sum(
            book["paid_times"] for book in books(scene.sandbox, NO_QUERY, b"")["orders"]
        ),
        scene.reasons,
    )


@pytest.mark.parametrize("at", Marketplace)
@pytest.mark.parametrize("call", [Role.PREVIEW, ESTIMATE])
def test_an_order_refused_in_words_that_are_not_understood_is_bought_on_the_next_night(
    made: Stage, at: Marketplace, call: str
) -> None:
    """The service's token has expired, say: that ends no order."""
    expired = refuses(
        call, "IllegalAccessToken", "The specified access token is invalid or expired"
    )
    states, payments, reasons = night(made, at, expired)
    assert (states, payments) == (["booked"], 1)
    assert ReasonCode.ANSWER_UNUSABLE in reasons


@pytest.mark.parametrize("at", Marketplace)
@pytest.mark.parametrize("call", [Role.PREVIEW, ESTIMATE])
@pytest.mark.parametrize("status", [403, 413])
def test_a_page_that_passes_ends_no_night(
    made: Stage, at: Marketplace, call: str, status: int
) -> None:
    """A firewall answers in the service's place to the first few requests of their
    kind.
    """
    odd = Odd(at=call, tells=lambda _: None, instead=True, status=status, times=3)
    assert night(made, at, odd, nights=1)[:2] == (["booked"], 1)


@pytest.mark.parametrize("at", [Marketplace.BIG_MAJOR, Marketplace.INTERNATIONAL])
def test_a_preview_inside_a_create_that_is_refused_so_leaves_the_order_for_the_next_night(
    made: Stage, at: Marketplace
) -> None:
    odd = refuses(Role.PREVIEW, "isp.remote-service-error", "no", skip=1)
    assert night(made, at, odd, nights=1)[:2] == (["planned"], 0)
    assert night(made, at, odd)[:2] == (["booked"], 1)


@pytest.mark.parametrize("at", [Marketplace.BIG_MAJOR, Marketplace.INTERNATIONAL])
@pytest.mark.parametrize("fits", [True, False])
def test_such_a_preview_is_asked_once_a_pass_and_keeps_no_other_order_waiting(
    made: Stage, at: Marketplace, *, fits: bool
) -> None:
    """Before this, each order of a night took its fifteen seconds, alone: a lasting no
    does not pass in seconds.
    """
    no = refuses(Role.PREVIEW, "isp.remote-service-error", "no", skip=3)
    odd = (
        no
        if fits
        else Odd(
            at=Role.PREVIEW,
            tells=lambda _: {"code": 200, "data": "?"},
            skip=3,
            instead=True,
        )
    )
    scene = Scene(made, at, at, at)
    scene.run(steps(telling(odd), buy)(scene))  # type: ignore[arg-type]
    assert [
        str(scene.database.orders()[request.order_ref].state)
        for request in scene.scenario.requests
    ] == ["planned"] * 3
    assert scene.service.odd[odd] - 3 == 2 * 3


def also_a_colleague_s(**odd: Any) -> Odd:
    """The order list shows an order of somebody else in the account, with fields that
    are odd.
    """

    def told(answer: Any) -> Any:
        (name,) = (
            name for name, value in answer["data"].items() if isinstance(value, list)
        )
        rows = answer["data"][name]
        own = {"id": 7, "idOfStr": "7", "orderId": "7"} | dict.fromkeys(
            ("buyerFeedback", "message", "outOrderId")
        )
        also = [
            row
            | (
                {"baseInfo": row["baseInfo"] | own | odd}
                if "baseInfo" in row
                else own | odd
            )
            | {
                items: [item | {"quantity": 2.5} for item in row.get(items, ())]
                for items in ("productItems", "orderItems")
            }
            for row in rows[:1]
        ]
        return {**answer, "data": {**answer["data"], name: [*rows, *also]}}

    return Odd(at=Role.LIST, tells=told)


@pytest.mark.parametrize("at", [Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR])
@pytest.mark.parametrize(
    "odd",
    [
        {},
        {
            "buyerFeedback": "for Ann",
            "message": "for Ann",
            "totalAmount": "12.345",
            "totalPayment": -3,
        },
    ],
)
def test_an_order_of_a_colleague_that_does_not_fit_stops_no_buying(
    made: Stage, at: Marketplace, odd: dict[str, Any]
) -> None:
    """By the metre, or with an amount that can't be: the list shows our own by their
    reference.
    """
    scene = Scene(made, at, at)

    async def script() -> None:
        await scene.buys(FromRequests(scene.scenario.requests[:1], "requests.csv"))
        scene.hears(also_a_colleague_s(**odd))
        await buy(scene)

    scene.run(script())
    assert scene.found == []
    assert [
        str(scene.database.orders()[request.order_ref].state)
        for request in scene.scenario.requests
    ] == ["booked"] * 2


@pytest.mark.parametrize(
    "odd",
    [
        {"amount": "1,322.92"},
        {"currency": "usd"},
        {"orderFee": None},
        {"subOrders": "none"},
    ],
)
def test_a_booking_with_an_odd_fee_is_booked(made: Stage, odd: dict[str, Any]) -> None:
    """Its id is enough: there is no question for each order of a night."""
    scene = Scene(made, Marketplace.TAOBAO)
    scene.run(steps(telling(tells(BOOK, **odd)), buy)(scene))  # type: ignore[arg-type]
    assert scene.found == []
    assert str(scene.database.orders()["R-1"].state) == "booked"


def test_nothing_is_bought_while_no_address_is_the_default(made: Stage) -> None:
    """Then, with one, all is bought, and followed when there is none again."""
    scene = Scene(made, Marketplace.ALIBABA_1688)
    refused = Odd(
        at="/open/address/get",
        tells=lambda answer: {**answer, "data": without_default(answer["data"])},
    )

    async def script() -> None:
        scene.hears(refused)
        await buy(scene)
        assert (list(scene.sent), books(scene.sandbox, NO_QUERY, b"")["orders"]) == (
            [],
            [],
        )
        scene.hears()
        await buy(scene)
        scene.hears(refused)
        await asyncio.sleep(7 * DAY_S)
        await track(scene)

    scene.run(script())
    assert scene.found == []
    assert str(scene.database.orders()["R-1"].state) == "in_transit"


def without_default(addresses: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return [address | {"isDefault": False} for address in addresses]
