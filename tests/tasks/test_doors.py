"""Whatever settles an effect or a refund leaves the tables as the ledger has it: each
door, in any order.
"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Awaitable, Callable, Iterator, Sequence
from contextlib import asynccontextmanager, contextmanager, suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, cast
from unittest.mock import patch

import pyarrow as pa
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connectors.ledger.order_update import OrderUpdate
from connectors.ledger.records import OrderChange
from connectors.ledger.schema import to_json
from connectors.ledger.store import Ledger
from connectors.marketplaces import Offering
from connectors.snapshots.frames import Snapshots
from connectors.snapshots.reader import sql
from connectors.snapshots.tables import TABLES
from connectors.xportcn.errors import Unanswered
from domain.absence import Reading
from domain.after_sale import RefundKind, RefundState
from domain.effects import Resolution, ResolutionKind, ResolutionRefused
from domain.marketplace import Marketplace
from domain.money import Money
from domain.reasons import ReasonCode, because
from domain.service_orders import (
    ServiceOrder,
    ServiceStatus,
    TraceStatus,
    TrackingEvent,
)
from domain.states import OrderState
from flows.after_sale import (
    follow_after_sale,
    request_refund,
)
from flows.answers.dropping import dropped
from flows.answers.resolve import resolve
from flows.batch.follow_up import FromLedger
from flows.batch.opening import moves_written
from flows.batch.run import BatchRun
from flows.callbacks import read_again
from flows.cancel_orders import cancel_orders, foresee_cancel
from flows.reconcile import reconcile
from flows.sync_tracking import track
from tasks import snapshot
from tasks.effects.kinds import settle_open
from tasks.engine.resources import Resources, as_current
from tasks.refund import RefundWish, ask_refund
from tests.clock import MovableClock
from tests.domain.test_after_sale import refund
from tests.everyday import examples
from tests.flows.plans import planned
from tests.notified import newly_told
from tests.tasks.conftest import resources_on
from tests.tasks.test_callback_handling import (
    CountingChannel,
    ordered,
)
from tests.tasks.test_refund import FakeAfterSale

BATCH = "batch"
REF = "B-1"
ORDER_ID = "71"


@dataclass
class Channel(CountingChannel):
    scans: list[TrackingEvent] = field(default_factory=list)

    async def list_orders(self, *, since: datetime) -> Reading:
        return Reading(found={}, listed=[*self.orders.values()], ended=True)

    async def trace(self, shown: ServiceOrder) -> list[TrackingEvent]:
        return self.scans


@dataclass
class Shop:
    """A paid order of which money is asked back, and one that is held, at a marketplace
    that tests move.
    """

    resources: Resources
    clock: MovableClock
    channel: Channel
    service: FakeAfterSale

    async def ask(self) -> None:
        """The answer is lost, and the seller gets it later than this run looks."""
        self.service.failures = [Unanswered("no answer")]
        await ask_refund(REF, RefundWish(kind=RefundKind.REFUND, reason="101"))
        self.service.land()
        self.clock.advance(3600)

    def becomes(self, state: RefundState) -> None:
        """What the seller does with the refund."""
        for refund_id, shown in self.service.refunds.items():
            back = Money(500) if state is RefundState.REFUNDED else Money(0)
            self.service.refunds[refund_id] = replace(shown, state=state, refunded=back)

    def scan(self) -> None:
        at = self.clock()
        self.channel.show(
            ORDER_ID, ServiceStatus.SHIPPED, reference=REF, paid=Money(1000)
        )
        scan = TrackingEvent(
            tracking_number="FAR1",
            occurred_at=at,
            status=TraceStatus.ACCEPT,
            description="taken",
        )
        self.channel.scans.append(scan)

    def lacking(self) -> dict[str, list[str]]:
        """The rows that either the tables or the ledger have alone."""
        ledger = self.resources.ledger
        tables = Snapshots(self.resources.settings.snapshot_root)
        refs = [REF, "B-2"]
        wrong = dict[str, list[str]]()
        known = next(iter(snapshot._parts(ledger, (), refs)))
        for name, rows in known.items():
            columns = [
                one
                for one in TABLES[name].columns
                if one not in ("snapshot_id", "snapshot_at")
            ]
            true = pa.Table.from_pylist(
                rows, pa.schema([TABLES[name].schema.field(one) for one in columns])
            )
            told, wanted = (
                {*map(repr, one.to_pylist())}
                for one in (tables.arrow(name, columns=columns), true)
            )
            if told != wanted:
                wrong[name] = sorted(told ^ wanted)
        return wrong


@contextmanager
def opened_shop(folder: Path) -> Iterator[Shop]:
    clock = MovableClock()
    channel = Channel()
    service = FakeAfterSale()

    @asynccontextmanager
    async def opened(**_: Any) -> Any:
        async with moves_written(resources):
            yield resources

    url = f"sqlite:///{folder / 'ledger.db'}"
    tasks = {
        "flows.after_sale.opened": opened,
        "flows.cancel_orders.opened": opened,
    }
    with Ledger(url, clock=clock, owner="run") as ledger:
        ledger.start_batch(BATCH, "file.csv")
        resources = resources_on(ledger, folder, clock)
        of_taobao = Offering(
            cast(Any, channel), cast(Any, None), after_sale=cast(Any, service)
        )
        resources.offerings[Marketplace.TAOBAO] = of_taobao
        ordered(resources, REF, ORDER_ID, OrderState.PAID, OrderState.BOOKED)
        ledger.put_plans([planned("B-2")], BATCH)
        channel.show(ORDER_ID, ServiceStatus.PAID, reference=REF, paid=Money(1000))
        asyncio.run(snapshot.write_tables(resources, "moved"))
        clock.advance(1)
        patches = [patch(name, made) for name, made in tasks.items()]
        for one in patches:
            one.start()
        try:
            with as_current(resources):
                yield Shop(resources, clock, channel, service)
        finally:
            for one in patches:
                one.stop()


async def by_run(shop: Shop) -> None:
    shop.resources.ledger.start_batch(BATCH, "file.csv")
    source = FromLedger(shop.resources.ledger, BATCH)
    async with moves_written(shop.resources):
        await BatchRun(shop.resources, BATCH, source).buy(ask=False)


async def by_callback(shop: Shop) -> None:
    async with moves_written(shop.resources):
        await read_again(shop.resources, [ORDER_ID])


async def by_after_sale(_shop: Shop) -> None:
    await follow_after_sale.fn()


async def by_resolve(shop: Shop) -> None:
    with suppress(ResolutionRefused):  # another door was first
        answer = Resolution(
            kind=ResolutionKind.REFUND_ASKED, value=[*shop.service.refunds][-1]
        )
        await resolve(shop.resources, REF, answer, by="mei")


async def by_reconcile(shop: Shop) -> None:
    await reconcile(shop.resources, 7, [Marketplace.TAOBAO])


async def by_track(shop: Shop) -> None:
    await track(shop.resources)


async def by_dry_run(_shop: Shop) -> None:
    await cancel_orders.fn([REF], only_show=True)


async def by_drop(shop: Shop) -> None:
    await dropped(shop.resources, ["B-2"], "", by="mei", why="")


async def by_failing(shop: Shop) -> None:
    with suppress(ZeroDivisionError):
        async with moves_written(shop.resources):
            await settle_open(shop.resources, [REF])
            raise ZeroDivisionError


Door = Callable[[Shop], Awaitable[None]]
SETTLING: Sequence[Door] = (
    by_run, by_callback, by_after_sale, by_resolve, by_reconcile, by_track, by_dry_run, by_failing
)  # fmt: skip


@pytest.mark.parametrize("door", SETTLING, ids=[door.__name__ for door in SETTLING])
def test_a_refund_without_an_answer_reaches_the_tables_by_whatever_door_it_is_found(
    tmp_path: Path, door: Door
) -> None:
    """The seller has paid it by then."""
    with opened_shop(tmp_path) as shop:
        asyncio.run(shop.ask())
        shop.becomes(RefundState.REFUNDED)
        asyncio.run(cast(Any, door(shop)))
        assert shop.lacking() == {}
        told = sql(
            shop.resources.settings.snapshot_root,
            "select state, refunded_minor from refunds",
        ).rows
        assert told == (("refunded", 500),)


def test_each_remedy_tells_of_each_order_what_it_did_or_why_not(tmp_path: Path) -> None:
    """A second one says that it was done, or that there is no such order."""
    with opened_shop(tmp_path) as shop:
        told = list[tuple[dict[str, str], dict[str, str]]]()
        shop.service.most = Money(1000)
        for number, remedy in enumerate(
            (
                request_refund.fn(REF, reason="101", only_show=False),
                cancel_orders.fn([REF, "B-9"], only_show=False),
            )
        ):
            shop.resources.ledger.owner = f"run {number}"
            ended: Any = asyncio.run(cast(Any, remedy))
            report = getattr(ended, "data", ended)
            troubles = {one.order_ref: str(one.why) for one in report.troubles}
            told.append(({**report.did}, troubles))
        asked, again = told
    freight = "its freight is booked: ask the warehouse to cancel it"
    assert asked == ({REF: "asked the seller for 10.00 CNY back"}, {REF: freight})
    unheard = "no such order in the ledger; see all with: sourcing status"
    assert again == ({REF: "nothing: it was done before"}, {"B-9": unheard})


def test_an_order_of_which_a_part_is_asked_back_is_not_cancelled_by_that(
    tmp_path: Path,
) -> None:
    """3.00 CNY of 10.00 are: its approval falls; the rest is asked for, and while it
    can't be that is told.
    """
    with opened_shop(tmp_path) as shop:
        ledger = shop.resources.ledger
        told = list[dict[str, str]]()
        ledger.change(
            [OrderChange(order_ref=REF, writes=OrderUpdate.plan_approved("hash"))]
        )
        shop.service.least, shop.service.most = Money(1), Money(1000)
        partly = request_refund.fn(
            REF, reason="101", amount_cny="3.00", only_show=False
        )
        for number, remedy in enumerate(
            (partly, *(cancel_orders.fn([REF], only_show=False) for _ in range(3)))
        ):
            if number == 2:
                shop.becomes(RefundState.CLOSED)
            assert ledger.orders([REF])[REF].plan_hash == (
                None if number > 0 else "hash"
            )
            ledger.owner = f"run {number}"
            ended: Any = asyncio.run(cast(Any, remedy))
            report = getattr(ended, "data", ended)
            told.append(
                {
                    **report.did,
                    **{one.order_ref: str(one.why) for one in report.troubles},
                }
            )
    waits = "refund of 3.00 CNY (不想要了) waits for the seller's answer"
    assert [one[REF] for one in told] == [
        "asked the seller for 3.00 CNY back",
        f"not cancelled: a refund is under way already: {waits}",
        "asked the seller for 10.00 CNY back",
        "nothing: it was done before",
    ]
    assert (shop.service.asked, shop.service.refunds["R2"].asked) == (
        ["B-1:refund:all.1", "B-1:refund:all.2"],
        Money(1000),
    )


def test_what_cancelling_can_t_ask_for_beside_the_rest_is_told_at_once(
    tmp_path: Path,
) -> None:
    """Line 1 was given back for 3.00 CNY, which the seller agreed to: the others are
    asked for, and 2.00 are not.
    """
    with opened_shop(tmp_path) as shop:
        ledger = shop.resources.ledger
        lines = [
            replace(one, line_no=no)
            for one in ledger.orders([REF])[REF].lines
            for no in (1, 2)
        ]
        ledger.change(
            [
                OrderChange(
                    order_ref=REF, writes=OrderUpdate({"lines": [*map(to_json, lines)]})
                )
            ]
        )
        shop.service.least = Money(1)
        asyncio.run(
            cast(
                Any,
                request_refund.fn(
                    REF, reason="101", amount_cny="3.00", lines=[1], only_show=False
                ),
            )
        )
        shop.becomes(RefundState.AGREED)
        ledger.owner = "run 2"
        would = asyncio.run(foresee_cancel(shop.resources, [REF], "101"))
        ended: Any = asyncio.run(cast(Any, cancel_orders.fn([REF], only_show=False)))
    left = (
        "not cancelled: only 5.00 CNY of 10.00 CNY can be asked for now: refund of 3.00 CNY (不想要了) is agreed; the "
        "money is on its way"
    )
    assert would == {REF: f"ask the seller for 5.00 CNY back; {left}"}
    assert ended.data.did == {REF: "asked the seller for 5.00 CNY back"}
    assert [str(one.why) for one in ended.data.troubles] == [left]


def test_what_was_settled_since_is_read_before_an_order_is_cancelled(
    tmp_path: Path,
) -> None:
    """It was closed without money: all is asked for again, and was not done before."""
    with opened_shop(tmp_path) as shop:
        ledger = shop.resources.ledger
        told = list[dict[str, str]]()
        shop.service.most = Money(1000)
        for number in range(2):
            ledger.owner = f"run {number}"
            ended: Any = asyncio.run(
                cast(Any, cancel_orders.fn([REF], only_show=False))
            )
            told.append(dict(getattr(ended, "data", ended).did))
            shop.becomes(RefundState.CLOSED)
    assert told == [{REF: "asked the seller for 10.00 CNY back"}] * 2
    assert shop.service.asked == ["B-1:refund:all.1", "B-1:refund:all.2"]


def test_what_cancelling_would_ask_for_is_checked_as_it_is_asked_for(
    tmp_path: Path,
) -> None:
    """Of 10.00 CNY 3.00 came back already; then 2.00 of it are asked for."""
    with opened_shop(tmp_path) as shop:
        came = {
            "key": f"{REF}:all.1",
            "order_ref": REF,
            "lines": (1,),
            "refunded": Money(300),
        }
        shop.resources.ledger.refunds.put(refund(RefundState.REFUNDED, **came))
        shop.service.least, shop.service.most = Money(1), Money(700)

        def told(reason: str) -> str:
            would = asyncio.run(foresee_cancel(shop.resources, [REF], reason))
            return str(would[REF])

        assert told("101") == "ask the seller for 7.00 CNY back"
        assert told("102") == "not cancelled: no reason matches '102': 101 不想要了"
        asyncio.run(
            cast(
                Any,
                request_refund.fn(
                    REF, reason="101", amount_cny="2.00", only_show=False
                ),
            )
        )
        assert told("101").startswith(
            "not cancelled: a refund is under way already: refund of 2.00 CNY"
        )


def test_a_sum_that_another_run_asked_for_meanwhile_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A run that is retried takes it for its own; a person who meant another damage
    sees that nothing was asked for.
    """
    with opened_shop(tmp_path) as shop:
        ledger = shop.resources.ledger
        told = list[dict[str, str]]()
        pressed_at = ledger.clock()
        monkeypatch.setattr("flows.after_sale.planned_at", lambda _: pressed_at)
        for owner in ("run 1", "run 2"):
            ledger.owner = owner
            ended: Any = asyncio.run(
                cast(
                    Any,
                    request_refund.fn(
                        REF, amount_cny="5.00", reason="101", only_show=False
                    ),
                )
            )
            told.append(getattr(ended, "data", ended).did)
    assert told == [
        {REF: "asked the seller for 5.00 CNY back"},
        {REF: "nothing: it was done before"},
    ]


def test_an_accepted_cancellation_was_not_done_before_its_order_closed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tasks.after_sale.CONFIRM_PAUSES_S", (0.0,))
    with opened_shop(tmp_path) as shop:
        ledger = shop.resources.ledger
        told = list[dict[str, str]]()
        ordered(shop.resources, "C-3", "73")
        accepted = because(ReasonCode.CANCEL_ACCEPTED)
        ledger.change(
            [OrderChange(order_ref="C-3", state=OrderState.CANCELLED, why=accepted)]
        )
        for status, paid in (
            (ServiceStatus.UNPAID, None),
            (ServiceStatus.PAID, Money(1000)),
        ):
            shop.channel.show("73", status, reference="C-3", paid=paid)
            ended: Any = asyncio.run(
                cast(Any, cancel_orders.fn(["C-3"], only_show=False))
            )
            told.append({one.order_ref: str(one.why) for one in ended.data.troubles})
            assert (ended.name, ended.data.did) == ("To be checked", {})
    waits = "the service has accepted the cancellation and not yet closed the order; look again: sourcing cancel"
    bought = (
        "the order was paid before it closed; ask for 10.00 CNY back: sourcing refund C-3 --kind refund; if it came "
        "back by itself (0: none will): sourcing resolve ORDER_REF came-back AMOUNT_CNY"
    )
    assert told == [{"C-3": waits}, {"C-3": bought}]


def test_an_order_that_is_laid_aside_is_so_in_the_tables(tmp_path: Path) -> None:
    with opened_shop(tmp_path) as shop:
        asyncio.run(by_drop(shop))
        assert shop.lacking() == {}
        dropped_now = sql(
            shop.resources.settings.snapshot_root,
            "select state from orders where order_ref = 'B-2'",
        )
        assert dropped_now.rows == (("cancelled",),)


def test_what_a_killed_run_moved_without_its_rows_is_written_by_the_next_reconciliation(
    tmp_path: Path,
) -> None:
    with opened_shop(tmp_path) as shop:
        asyncio.run(shop.ask())
        shop.scan()
        asyncio.run(settle_open(shop.resources, [REF]))
        events = {REF: shop.channel.scans}
        shop.resources.ledger.tracking.add(events)
        shop.clock.advance(60)
        assert shop.lacking().keys() == {
            "orders",
            "outcomes",
            "refunds",
            "tracking_events",
        }
        asyncio.run(by_reconcile(shop))
        assert shop.lacking() == {}


def test_a_return_that_a_message_of_the_seller_finds_agreed_is_told_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with opened_shop(tmp_path) as shop:
        asyncio.run(shop.ask())
        shop.becomes(RefundState.TO_RETURN)
        asyncio.run(by_callback(shop))
        (told,) = newly_told(shop.resources.ledger)
        assert told.subject == "Batch batch: 1 return to send"
        assert newly_told(shop.resources.ledger) == []


EVENTS: Sequence[Callable[[Shop], object]] = (
    Shop.scan,
    *(
        lambda shop, state=state: shop.becomes(state)
        for state in (RefundState.TO_RETURN, RefundState.REFUSED)
    ),
    lambda shop: shop.becomes(RefundState.REFUNDED),
)


@settings(max_examples=examples(6), deadline=None)
@given(st.lists(st.sampled_from([*SETTLING, by_drop, *EVENTS]), min_size=2, max_size=6))
def test_tables_and_ledger_agree_after_any_doors_in_any_order(steps: list[Any]) -> None:
    with tempfile.TemporaryDirectory() as folder, opened_shop(Path(folder)) as shop:
        asyncio.run(shop.ask())
        for step in steps:
            shop.clock.advance(timedelta(hours=1).total_seconds())
            if step in EVENTS:
                step(shop)
            else:
                asyncio.run(step(shop))
                assert shop.lacking() == {}
