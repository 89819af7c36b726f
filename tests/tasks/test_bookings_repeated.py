"""A booking without an answer, where the service is said to refuse a second one: sent
once more, and never a third.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, cast

import pytest

from connectors.ledger.records import Intent
from connectors.marketplaces import Offering
from connectors.xportcn.errors import NotSent, Refused, Unanswered, XportcnError
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import ChosenFreight, FreightQuote, FreightService
from domain.reasons import ReasonCode
from domain.service_orders import (
    DomesticParcel,
    ServiceStatus,
    Shipment,
    TraceStatus,
    TrackingEvent,
)
from domain.states import OrderState
from tasks.book_shipment import book_shipments
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources
from tests.clock import MovableClock
from tests.flows.answers.test_resolve import FakeChannel
from tests.tasks.calling import call_in
from tests.tasks.stepping import step_of
from tests.tasks.test_effect_path import FREIGHT, now, paid

TWICE = Refused("BOOKING_EXISTS: already booked", code="400")
LOST = Unanswered("cut")
SHIPMENT = Shipment(shipment_order_id="S-1", tracking_numbers=("FAR1",))
SELLERS = DomesticParcel(tracking_number="SF1", company="SF", sent_at=None)


@dataclass
class Warehouse:
    """Answers each booking with the next of these; `renders` has the render id of each
    that was sent.
    """

    answers: list[XportcnError | Shipment] = field(default_factory=list)
    renders: list[str] = field(default_factory=list)
    services: list[FreightService] = field(default_factory=list)
    meanwhile: Callable[[], None] = lambda: None

    async def book(
        self,
        client: Any,
        claim: Any,
        order: Any,
        order_id: str,
        quote: FreightQuote,
        service: FreightService,
    ) -> Shipment:
        self.renders.append(quote.render_id)
        self.services.append(service)
        self.meanwhile()
        if isinstance(answer := self.answers[len(self.renders) - 1], XportcnError):
            raise answer
        return answer


@dataclass
class Shop(FakeChannel):
    events: list[TrackingEvent] = field(default_factory=list)

    async def trace(self, shown: object) -> list[TrackingEvent]:
        return self.events


@dataclass
class Scene:
    runs: Sequence[Resources]
    channel: Shop
    warehouse: Warehouse
    clock: MovableClock

    def said(self, is_so: str) -> None:
        for run in self.runs:
            run.client.settings = XportcnSettings.model_validate(
                {"booking_repeated": is_so}
            )

    async def books(
        self,
        render_id: str,
        run: int = 0,
        *services: FreightService,
        unsent: Sequence[int] = (),
    ) -> None:
        """Book the first of these services, without the `unsent` lines."""
        order = now(self.runs[run])
        services = services or (FREIGHT,)
        if order.state is OrderState.PAID:
            quote = FreightQuote(render_id=render_id, services=services)
            lines = frozenset(unsent)
            chosen = {
                "A-1": ChosenFreight(
                    quote=quote, service=services[0], read_at=self.clock(), unsent=lines
                )
            }
            await call_in(
                self.runs[run],
                book_shipments,
                step_of({"A-1": order}),
                chosen,
                label="1 of 1",
            )

    async def night(
        self, render_id: str, *services: FreightService, unsent: Sequence[int] = ()
    ) -> None:
        """A run of another process, when nothing can arrive any more."""
        self.clock.advance(10_000)
        await settle_open(self.runs[1], ["A-1"])
        await self.books(render_id, 1, *services, unsent=unsent)

    @property
    def end(self) -> tuple[str, str, list[str]]:
        run = self.runs[1]
        (effect,) = [
            one for one in run.ledger.effects_of(["A-1"]) if one.action is Action.BOOK
        ]
        return str(now(run).state), str(effect.status), self.warehouse.renders


@pytest.fixture
def scene(
    resources: Resources,
    next_run: Resources,
    clock: MovableClock,
    monkeypatch: pytest.MonkeyPatch,
) -> Scene:
    channel = Shop()
    warehouse = Warehouse()
    for run in (resources, next_run):
        run.offerings[Marketplace.TAOBAO] = Offering(
            cast(Any, channel), cast(Any, None)
        )
    monkeypatch.setattr("tasks.effects.book.book", warehouse.book)
    paid(resources)
    channel.show("77", ServiceStatus.PAID, paid=Money(100))
    return Scene((resources, next_run), channel, warehouse, clock)


@pytest.mark.parametrize(
    ("is_so", "second"), [("render_refused", "r-1"), ("order_refused", "r-2")]
)
async def test_it_is_booked_by_a_second_call_under_the_render_that_the_service_refuses_twice(
    scene: Scene, is_so: str, second: str
) -> None:
    """Under the first render where one render is booked once; under a new one where an
    order is.
    """
    scene.said(is_so)
    scene.warehouse.answers = [LOST, SHIPMENT]
    await scene.books("r-1")
    await scene.night("r-2")
    assert scene.end == ("booked", "done", ["r-1", second])


@pytest.mark.parametrize(
    "shipments",
    [(SHIPMENT,), (SHIPMENT, Shipment(shipment_order_id="S-2", tracking_numbers=()))],
)
async def test_one_whose_answer_was_lost_costs_what_it_was_sent_with(
    scene: Scene, shipments: tuple[Shipment, ...]
) -> None:
    """The order shows its shipment, and not what that costs; no other answer does."""
    scene.warehouse.answers = [LOST]
    scene.warehouse.meanwhile = lambda: scene.channel.show(
        "77", ServiceStatus.PAID, paid=Money(100), shipments=shipments
    )
    await scene.books("r-1")
    await scene.night("r-2")
    order = now(scene.runs[1])
    assert (order.shipment_order_id, len(scene.warehouse.renders)) == ("S-1", 1)
    assert (order.freight_service, order.freight_minor, order.freight_currency) == (
        "s",
        500,
        "USD",
    )


CHEAP = replace(FREIGHT, service_id="s-2", price=Money(400, "USD"))


async def test_a_repetition_that_is_refused_leaves_the_price_of_the_first(
    scene: Scene,
) -> None:
    """The first one was booked, at its own price and with its own service."""
    scene.said("order_refused")
    scene.warehouse.answers = [LOST, TWICE]
    await scene.books("r-1")
    scene.warehouse.meanwhile = lambda: scene.channel.show(
        "77", ServiceStatus.PAID, paid=Money(100), shipments=(SHIPMENT,)
    )
    await scene.night("r-2", CHEAP)
    order = now(scene.runs[1])
    assert (scene.end, order.freight_service) == (
        ("booked", "done", ["r-1", "r-2"]),
        "s",
    )
    assert (order.freight_minor, order.freight_currency) == (500, "USD")


@pytest.mark.parametrize(
    ("is_so", "offered", "sent"),
    [
        ("render_refused", (CHEAP, FREIGHT), ["s"]),
        ("render_refused", (CHEAP, replace(FREIGHT, price=Money(499, "USD"))), ["s"]),
        ("render_refused", (CHEAP,), ["s"]),
        ("order_refused", (CHEAP, FREIGHT), ["s", "s-2"]),
    ],
)
async def test_another_service_of_a_new_render_is_not_booked_under_the_first(
    scene: Scene, is_so: str, offered: tuple[FreightService, ...], sent: list[str]
) -> None:
    """Its price in the first render is not known, and may be above what was approved: a
    person is asked.
    """
    scene.said(is_so)
    scene.warehouse.answers = [LOST, SHIPMENT]
    await scene.books("r-1")
    await scene.night("r-2", *offered)
    assert [one.service_id for one in scene.warehouse.services] == sent
    assert scene.end[:2] == (
        ("booked", "done") if len(sent) == 2 else ("unknown", "unknown")
    )


@pytest.mark.parametrize(
    ("is_so", "before", "sent"),
    [("render_refused", (), 1), ("render_refused", (2,), 2), ("order_refused", (), 2)],
)
async def test_other_lines_are_not_booked_under_the_first_render(
    scene: Scene, is_so: str, before: Sequence[int], sent: int
) -> None:
    """One came back since: the first booking, if it arrived, has it, at a price that is
    the same by a flat tariff.
    """
    scene.said(is_so)
    scene.warehouse.answers = [LOST, SHIPMENT]
    await scene.books("r-1", unsent=before)
    await scene.night("r-2", unsent=(2,))
    assert len(scene.warehouse.renders) == sent


@pytest.mark.parametrize("is_so", ["unknown", "booked"])
async def test_it_is_never_sent_again_where_a_second_one_may_be_charged(
    scene: Scene, is_so: str
) -> None:
    scene.said(is_so)
    scene.warehouse.answers = [LOST]
    await scene.books("r-1")
    for night in range(3):
        await scene.night(f"r-{night}")
    assert scene.end == ("unknown", "unknown", ["r-1"])


async def test_nothing_is_sent_again_while_the_first_may_arrive(scene: Scene) -> None:
    scene.said("order_refused")
    scene.warehouse.answers = [LOST]
    await scene.books("r-1")
    scene.clock.advance(100)
    await settle_open(scene.runs[1], ["A-1"])
    await scene.books("r-2", run=1)
    assert scene.end == ("unknown", "unknown", ["r-1"])
    why = now(scene.runs[1]).why
    assert why is not None
    assert why.code is ReasonCode.NO_ANSWER  # and no question


@pytest.mark.parametrize(
    "no", [TWICE, Refused("render r-1 does not exist or has expired", code="40403")]
)
@pytest.mark.parametrize("is_so", ["render_refused", "order_refused"])
async def test_a_refused_second_call_books_nothing_more_and_asks_for_the_first(
    scene: Scene, is_so: str, no: Refused
) -> None:
    """Whatever the words: a render that has expired, say, shows nothing of the first
    call.
    """
    scene.said(is_so)
    scene.warehouse.answers = [LOST, no]
    await scene.books("r-1")
    for night in range(2, 5):
        await scene.night(f"r-{night}")
        scene.clock.advance(100)
        await settle_open(scene.runs[1], ["A-1"])
        assert (
            "booked SHIPMENT_ORDER_ID" in now(scene.runs[1]).reason
        )  # at once, and from then on
    assert (scene.end[:2], len(scene.warehouse.renders)) == (("unknown", "unknown"), 2)


async def test_a_refused_second_call_is_done_where_the_order_shows_the_shipment_then(
    scene: Scene,
) -> None:
    """The first arrived between the reading and the second call."""
    scene.said("order_refused")
    scene.warehouse.answers = [LOST, TWICE]
    await scene.books("r-1")
    scene.warehouse.meanwhile = lambda: scene.channel.show(
        "77", ServiceStatus.PAID, shipments=(SHIPMENT,)
    )
    await scene.night("r-2")
    assert scene.end[:2] == ("booked", "done")
    assert now(scene.runs[1]).shipment_order_id == "S-1"


async def test_two_calls_without_an_answer_are_a_question(scene: Scene) -> None:
    scene.said("order_refused")
    scene.warehouse.answers = [LOST, LOST]
    await scene.books("r-1")
    for night in range(2, 6):
        await scene.night(f"r-{night}")
    assert scene.end == ("unknown", "unknown", ["r-1", "r-2"])
    assert "sent 2 times without an answer" in now(scene.runs[1]).reason


async def test_a_second_call_that_is_turned_away_stays_a_second_call(
    scene: Scene,
) -> None:
    """Its render is the first one's all the same."""
    scene.said("render_refused")
    scene.warehouse.answers = [LOST, *[NotSent("no connection")] * 6, SHIPMENT]
    await scene.books("r-1")
    await scene.night("r-2")
    await scene.night("r-3")
    assert set(scene.warehouse.renders) == {"r-1"}
    assert scene.end[:2] == ("booked", "done")


@pytest.mark.parametrize("then", ["unknown", "booked"])
async def test_a_setting_that_was_taken_back_sends_nothing(
    scene: Scene, then: str
) -> None:
    """Between the reading that let it be repeated and the call."""
    scene.said("render_refused")
    scene.warehouse.answers = [LOST]
    await scene.books("r-1")
    scene.clock.advance(10_000)
    await settle_open(scene.runs[1], ["A-1"])
    assert scene.end == ("paid", "unsent", ["r-1"])
    cancel = Intent(order_ref="A-1", action=Action.CANCEL, amount=None, request_hash="")
    assert (
        scene.runs[1].ledger.claim([cancel], lease=scene.runs[1].lease).won == {}
    )  # it may be booked
    scene.said(then)
    await scene.books("r-2", run=1)
    assert scene.end == ("unknown", "unknown", ["r-1"])


@pytest.mark.parametrize("is_so", ["unknown", "order_refused"])
async def test_a_parcel_abroad_proves_the_first_call(
    scene: Scene, clock: MovableClock, is_so: str
) -> None:
    """Though the order shows no shipment: nothing is sent again, and the question names
    the parcel.
    """
    scene.said(is_so)
    scene.warehouse.answers = [LOST]
    await scene.books("r-1")
    scene.channel.show("77", ServiceStatus.PAID, paid=Money(100), parcels=(SELLERS,))
    scene.channel.events = [
        TrackingEvent(
            tracking_number=number,
            occurred_at=clock(),
            status=TraceStatus.OTHER,
            description="",
        )
        for number in ("SF1", "FAR1")
    ]
    for night in range(2, 4):
        await scene.night(f"r-{night}")
    assert scene.end == ("unknown", "unknown", ["r-1"])
    assert "shows a parcel of it on its way as FAR1" in now(scene.runs[1]).reason


@pytest.mark.parametrize("is_so", ["render_refused", "order_refused"])
async def test_a_first_call_that_is_refused_unclearly_is_a_question(
    scene: Scene, is_so: str
) -> None:
    scene.said(is_so)
    scene.warehouse.answers = [Refused("系统异常", code="41234")]
    await scene.books("r-1")
    for night in range(2, 4):
        await scene.night(f"r-{night}")
    assert scene.end == ("unknown", "unknown", ["r-1"])
