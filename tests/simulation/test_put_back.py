"""A ledger that was put back by hand while something was on its way: nothing is paid or
booked a second time.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import pytest

from domain.marketplace import Marketplace
from sandbox.control import books
from tests.simulation.episode import NO_QUERY
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.misfortune import Call, Fault, Kind
from tests.simulation.process import Process
from tests.simulation.shop import Shop
from tests.simulation.stage import Stage, stage

TAOBAO = Marketplace.TAOBAO
LATE = {Call.PAY: [Fault(Kind.LATE_EFFECT, delay_s=600)]}


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as open_stage:
        yield open_stage


class PutBack(Shop):
    """An order that is bought; the ledger of when it was first in this state is put
    back then.
    """

    def __init__(
        self,
        made: Stage,
        state: str,
        faults: Mapping[Call, Sequence[Fault | None]],
        *,
        hides_bookings: bool = False,
    ) -> None:
        self.copied_at = state
        self.is_copied = False
        super().__init__(made, TAOBAO, TAOBAO, faults=faults)
        self.first, self.second = self.scenario.requests
        self.scenario = replace(
            self.scenario, requests=(self.first,), hides_bookings=hides_bookings
        )
        if hides_bookings:
            self.hide_bookings()

    def befalls(self, process: Process, point: str) -> None:
        if (
            not self.is_copied
            and "first byte" in point
            and self.states.get("R-1") == self.copied_at
        ):
            self.database.keep_copy()
            self.is_copied = True

    async def is_put_back(self) -> None:
        """After a run; the next one notices, and a person confirms at once."""
        await self.start("source")
        self.database.put_copy_back()
        await self.start("source")
        ledger = self.watched(
            WatchedLedger(
                self.scenario.settings.ledger_url, clock=self.clock, owner="mei"
            )
        )
        within = self.scenario.settings.listed_within
        assert ledger.marks.confirm_restored(
            by="mei", listed_within=within, last_sent=None
        )

    @property
    def counted(self) -> tuple[int, int]:
        """How often the first order was paid and booked, by the sandbox's books."""
        notices = books(self.sandbox, NO_QUERY, b"")
        (order_id,) = [
            order["order_id"]
            for order in notices["orders"]
            if order["reference"] == "R-1"
        ]
        return (
            sum(item["order_id"] == order_id for item in notices["payments"]),
            sum(item["tmall_order_id"] == order_id for item in notices["shipments"]),
        )


async def after_it_was_put_back(shop: PutBack) -> None:
    """A run right after the confirmation sends nothing; a later one goes on, with a
    further order.
    """
    await shop.is_put_back()
    sent = len(shop.sent)
    await shop.start("source")
    assert len(shop.sent) == sent
    assert any("gives up: StillArriving" in line for line in shop.trace)
    await asyncio.sleep(shop.scenario.settings.listed_within.total_seconds())
    shop.land()
    shop.scenario = replace(shop.scenario, requests=(shop.first, shop.second))
    await shop.start("source")


def test_a_payment_that_was_on_its_way_is_not_made_again(made: Stage) -> None:
    """It lands ten minutes later. Whether the order was booked since is asked; what is
    paid from then on is booked.
    """
    shop = PutBack(made, "ordered", LATE)
    shop.run(after_it_was_put_back(shop))
    assert (shop.counted, shop.states) == ((1, 0), {"R-1": "unknown", "R-2": "booked"})


def test_a_run_with_patience_waits_until_it_may_buy(made: Stage) -> None:
    """The one that is started right after the confirmation."""

    async def script(shop: PutBack) -> None:
        await shop.is_put_back()
        moment = shop.clock()
        sent = len(shop.sent)
        await shop.start("source")
        assert (shop.clock() - moment, len(shop.sent)) >= (
            shop.scenario.settings.listed_within,
            sent,
        )

    shop = PutBack(made, "ordered", LATE)
    patient = shop.scenario.settings.model_copy(update={"patience_s_setting": 3600})
    shop.scenario = replace(shop.scenario, settings=patient)
    shop.run(script(shop))
    assert (shop.counted, shop.states) == ((1, 0), {"R-1": "unknown"})


def test_what_was_booked_since_is_asked_about_where_its_order_does_not_show_it(
    made: Stage,
) -> None:
    """The service documents neither a key nor a way to look a booking up."""
    shop = PutBack(made, "paid", {}, hides_bookings=True)
    shop.run(after_it_was_put_back(shop))
    assert (shop.counted, shop.states) == ((1, 1), {"R-1": "unknown", "R-2": "booked"})
    assert "Does the warehouse console show a shipment for order" in shop.reason("R-1")
    assert "sourcing resolve R-1 booked SHIPMENT_ORDER_ID" in shop.reason("R-1")


def test_what_was_booked_since_is_taken_on_where_its_order_shows_it(
    made: Stage,
) -> None:
    shop = PutBack(made, "paid", {})
    shop.run(after_it_was_put_back(shop))
    assert (shop.counted, shop.states) == ((1, 1), {"R-1": "booked", "R-2": "booked"})


def test_a_payment_that_shows_only_hours_later_is_asked_about(made: Stage) -> None:
    """Where paying may be a submission, an unpaid order proves nothing about a run that
    the ledger has lost.
    """

    async def script(shop: PutBack) -> None:
        await after_it_was_put_back(shop)
        assert (shop.counted, shop.states) == (
            (0, 0),
            {"R-1": "unknown", "R-2": "booked"},
        )
        await asyncio.sleep(3600)
        await shop.start("source")
        assert "proves nothing where paying may be a submission" in shop.reason("R-1")
        await asyncio.sleep(4 * 3600)
        shop.land()
        await shop.start("source")

    shop = PutBack(
        made, "ordered", {Call.PAY: [Fault(Kind.LATE_EFFECT, delay_s=4 * 3600)]}
    )
    shop.pay_is = "unknown"
    shop.run(script(shop))
    assert (shop.counted, shop.states["R-1"]) == ((1, 1), "booked")
