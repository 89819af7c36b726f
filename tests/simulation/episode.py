"""One episode: a drawn batch, drawn misfortune while runs come and go, then calm until
everything is explained.
"""

from __future__ import annotations

import asyncio
import hashlib
from collections.abc import Callable, Collection, Coroutine, Mapping, Sequence
from contextlib import suppress
from contextvars import Context
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import lru_cache, partial
from random import Random
from types import MappingProxyType, SimpleNamespace
from typing import TYPE_CHECKING, Any

from aiohttp import web

from connectors.ledger.engine import LedgerUnusable
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import XportcnError
from domain.effects import (
    MOST_DOUBTFUL_SENDS,
    OPEN,
    SPENDING,
    Action,
    Claim,
    EffectStatus,
    Resolution,
    ResolutionKind,
)
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, Receiver, RequestLine
from domain.states import REACHED_BOOKED, OrderState
from flows.answers.pausing import effects_leaving
from sandbox.app import Sandbox
from sandbox.auth import SignatureCheck
from sandbox.books import OPENING_FEN
from sandbox.control import books
from sandbox.dialects.known import dialects_named
from sandbox.fields import Fields
from sandbox.goods import Item
from tests.history import AllowedAmounts, Rule, Violation, violations
from tests.simulation.earlier import BATCH as EARLIER
from tests.simulation.earlier import place_earlier
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.lies import lied
from tests.simulation.loop import PROCESS, START, Deadlock, VirtualLoop
from tests.simulation.misfortune import LIES, Call, Fault, Kind, Misfortune
from tests.simulation.network import DrawnFaults, Incoming
from tests.simulation.process import Crash, Process, Shown
from tests.simulation.runs import (
    BATCH,
    CORRECTED,
    answer,
    answer_plan,
    cancel,
    follow_up,
    source,
    track,
)
from tests.simulation.stage import seed_everything

if TYPE_CHECKING:
    from tests.simulation.stage import Stage

MOST_RUNS = 4
SETTLE_S = 900
CALM_ROUNDS = 6
CORRECTIONS = 0.1
BOUGHT_BEFORE = 0.7
PLANS_FIRST = 0.4
"""The share of runs that end with a plan; a person mostly answers about each."""
ANSWERED_WITHIN_S = (60, 3_600, 100_000)
"""A plan that is older than a day is previewed again."""
FOLLOWED_UP_AT = 6
"""In each episode of so many, runs are followed by looks that ask nobody."""
NIGHTS_IN = 6
"""In each episode of so many, runs approved beforehand come among those in which a
person says no more often.
"""
DEBITS_NOT_KNOWN_IN = 7
"""In each episode of so many, nobody has said that a payment takes the money at
once.
"""
BOOKED_ONCE: Mapping[str, str] = MappingProxyType(
    {"booking-one-a-render": "render_refused", "booking-one-an-order": "order_refused"}
)
"""The value of `XPORTCN_BOOKING_REPEATED` for each dialect in which a second booking is
refused.
"""
SUBMISSION = "pay-is-submission"
FINANCE_S = 4 * 3600
"""The dialect in which a paid order shows as unpaid for hours."""
PAUSED_IN = 6
"""In each episode of so many, somebody stops all buying for a while."""
RECEIVER = Receiver(
    name="Jane Doe",
    phone="5083326888",
    email="jane@example.com",
    country="US",
    state="California",
    city="VALLEY VLG",
    zip="91607",
    address="5818 WHITSETT AVE 401",
)
FINAL = REACHED_BOOKED | {
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
}
ASKED = {
    Action.BOOK: "booked",
    Action.CREATE: "ordered",
    Action.PAY: "paid",
    Action.CANCEL: "cancelled",
}
"""What may end as a question, and the answer that it asks for."""
NO_QUERY = Fields({})


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """What the service is like: the dialects it speaks, and the one marketplace that is
    bought at, or any.
    """

    dialects: tuple[str, ...] = ()
    marketplace: Marketplace | None = None


AS_WRITTEN = Service()


@dataclass(frozen=True, slots=True, kw_only=True)
class Scenario:
    """What is bought, and under which settings."""

    requests: tuple[OrderRequest, ...]
    budget: Money | None
    settings: SourcingSettings
    day_limit_fen: int | None
    hides_bookings: bool

    @classmethod
    def drawn(cls, dice: Random, made: Stage, service: Service) -> Scenario:
        limited = dice.choices(("nothing", "batch", "day"), (6, 3, 1))[0]
        count = dice.choices(
            (1, 2, 3, 4), (20, 5, 1, 1) if limited == "nothing" else (0, 6, 2, 0)
        )[0]
        requests = []
        totals = []
        for number in range(1, count + 1):
            request, about_fen = _request(
                dice, made, f"R-{number}", service.marketplace
            )
            requests.append(request)
            totals.append(about_fen)
        tight_fen = round(
            max(
                max(totals) * dice.uniform(1.0, 1.3),
                sum(totals) * dice.uniform(0.4, 1.1),
            )
        )
        return cls(
            requests=tuple(requests),
            budget=Money(tight_fen) if limited == "batch" else None,
            settings=_settings(
                made,
                dice.choice((20, 60, 120)),
                dice.choice((1, 4)),
                tight_fen * (limited == "day"),
                dice.choice((1, 2, 50)),
            ),
            day_limit_fen=tight_fen if limited == "day" else None,
            hides_bookings=dice.random() < 0.2,
        )


def _request(
    dice: Random, built: Stage, order_ref: str, marketplace: Marketplace | None = None
) -> tuple[OrderRequest, int]:
    marketplace = marketplace or dice.choice(tuple(Marketplace))
    item: Item = dice.choice(built.on_sale[marketplace])
    sku = max(item.skus, key=lambda item: item.stock)
    quantity = item.min_quantity
    unit_fen = item.unit_fen(sku, quantity)
    limit = Money(unit_fen) if dice.random() < 0.2 else None
    line = RequestLine(
        row=2, item=item.id, sku=sku.id, quantity=quantity, max_unit_price=limit
    )
    request = OrderRequest(
        order_ref=order_ref,
        marketplace=marketplace,
        receiver=RECEIVER,
        freight="cheapest",
        lines=(line,),
    )
    return request, unit_fen * quantity + item.seller.postage(unit_fen * quantity)


def one_order(made: Stage, marketplace: Marketplace) -> Scenario:
    """One order of one item, without limits, under the default lease."""
    request, _ = _request(Random(marketplace), made, "R-1", marketplace)
    return Scenario(
        requests=(request,),
        budget=None,
        settings=_settings(made, 120, 4, 0),
        day_limit_fen=None,
        hides_bookings=False,
    )


def _settings(
    built: Stage,
    lease_s: int,
    concurrency: int,
    day_limit_fen: int,
    chunk_size: int = 50,
) -> SourcingSettings:
    day_limit = str(Money(day_limit_fen).minor / 100) if day_limit_fen else ""
    return _known_settings(built, lease_s, concurrency, day_limit, chunk_size)


@lru_cache(maxsize=100)
def _known_settings(
    built: Stage, lease_s: int, concurrency: int, day_limit: str, chunk_size: int
) -> SourcingSettings:
    return SourcingSettings(
        data_dir=built.folder,
        lease_s=lease_s,
        settle_s=SETTLE_S,
        concurrency=concurrency,
        chunk_size=chunk_size,
        day_limit_cny=day_limit,
        timezone="UTC",
    )


@dataclass(eq=False)
class Episode:
    """Everything of one seed. `found` are the breaches, the first one first."""

    seed: int
    stage: Stage
    found: list[str] = field(default_factory=list)
    trace: list[str] = field(default_factory=list)
    ends: list[str] = field(default_factory=list)
    snapshots: dict[str, tuple[datetime, list[Any]]] = field(default_factory=dict)
    given: Scenario | None = None
    speaks: Service = AS_WRITTEN

    def __post_init__(self) -> None:
        self.dice = Random(f"{self.seed}:fate")
        self.ids = Random(f"{self.seed}:ids")
        self.files = Random(f"{self.seed}:files")
        self.follow_ups = Random(f"{self.seed}:looks")
        self.has_follow_ups = self.seed % FOLLOWED_UP_AT == 3
        self.pay_is = "unknown" if self.seed % DEBITS_NOT_KNOWN_IN == 5 else "debit"
        if submits := SUBMISSION in self.speaks.dialects:
            self.pay_is = ("unknown", "submission")[self.seed % 2]
        episode = [
            BOOKED_ONCE[dialect]
            for dialect in self.speaks.dialects
            if dialect in BOOKED_ONCE
        ]
        self.booking_repeated = episode[0] if episode else "unknown"
        self.shown_within_s = FINANCE_S if submits else 0
        self.asks_first = False
        self.pauses = Random(f"{self.seed}:pauses")
        self.to_be_sent = self.pauses.choice((0, 1, 1, 2, 2, 3))
        self.is_paused = self.none_leaves = False
        self.batch = BATCH
        self.misfortune = Misfortune.drawn(
            self.dice, Random(f"{self.seed}:lies"), Random(f"{self.seed}:outages")
        )
        self.misfortune.carries_out_once = submits
        self.scenario = self.given or Scenario.drawn(self.dice, self.stage, self.speaks)
        seed_everything(self.seed)
        self.loop = VirtualLoop(self.misfortune.disk_s)
        self.loop.set_exception_handler(lambda _loop, _context: None)
        self.stage.clear(self)
        self.world = self.stage.world
        self.world.dialects.replace(dialects_named(self.speaks.dialects))
        self.faults = DrawnFaults()
        self.sandbox = Sandbox(self.world, SignatureCheck(wall_clock=self.now))
        self.sandbox.faults = self.faults  # type: ignore[assignment]
        self.database = self.stage.database
        self.limits = AllowedAmounts(
            as_paid=True,
            batches=dict.fromkeys((BATCH, CORRECTED), self.scenario.budget.minor)
            if self.scenario.budget
            else {},
            day=self.scenario.day_limit_fen,
        )
        self.processes: list[Process] = []
        self.runs_to_come = 0
        self.runs_at_work = 0
        self.all_ended: asyncio.Future[None] | None = None
        self.taken_back: list[str] = []
        self.refused = set[str]()
        self.questions: list[Shown] = []
        self.forms = Random(f"{self.seed}:forms")
        self.nights = (
            Random(f"{self.seed}:nights") if self.seed % NIGHTS_IN == 1 else None
        )
        if self.scenario.hides_bookings:
            self.hide_bookings()

    # the world

    def now(self) -> float:
        return self.loop.time()

    def wall_ns(self) -> int:
        return int(self.loop.time() * 1_000_000_000)

    def clock(self) -> datetime:
        return datetime.fromtimestamp(self.loop.time(), UTC)

    def bought_before(self) -> None:
        """There is an older order of ours at each marketplace: without one, not seeing
        an order proves nothing.
        """
        marketplaces = sorted(
            {request.marketplace for request in self.scenario.requests}
        )
        place_earlier(self.world, self.database, marketplaces, at=self.clock())

    def hide_bookings(self) -> None:
        """The service does not show a booking on its order, which the contract leaves
        open.
        """
        books = self.world.books

        def add(shipment: Any) -> None:
            books.shipments[shipment.id] = shipment

        self.world.books.add_shipment = add  # type: ignore[method-assign]

    def land(self) -> None:
        """Let late effects happen whose moment has come."""
        delayed = self.sandbox.late
        before = delayed.landed
        self.world.agenda.catch_up()
        if delayed.landed != before:
            self.note("a late effect lands")
            self.check("a late effect")

    # what is told

    def told(
        self,
        call: Call,
        fault: Fault | None,
        incoming: Incoming,
        response: web.Response,
    ) -> web.Response:
        """What arrives of an answer; the connection may be cut instead."""
        if (
            fault is None
            or fault.kind not in LIES
            or not isinstance(response.body, bytes)
        ):
            return response
        body, label = lied(
            fault.kind,
            self.misfortune.lies,
            response.body,
            self.world.books.every_order(),
        )
        if label:
            self.misfortune.count(fault.kind)
            self.note(f"{incoming.path} lies: {label}")
        return web.Response(body=body, status=response.status)

    def kept(self, tables: Mapping[str, Sequence[Any]]) -> None:
        """Rows of a snapshot were written."""

    def note(self, text: str) -> None:
        self.trace.append(f"{self.loop.time() - START:11.4f} {text}")

    @property
    def trace_hash(self) -> str:
        return hashlib.blake2b(
            "\n".join(self.trace).encode(), digest_size=8
        ).hexdigest()

    def broken(self, what: str) -> None:
        self.note(f"BROKEN {what}")
        self.found.append(what)

    # what befalls processes

    def befalls(self, process: Process, point: str) -> Crash | float | None:
        fate = self.misfortune.befalls(point)
        if isinstance(fate, float):
            self.note(f"{process.name} stopped for {fate:.1f} s at {point}")
            self._start_later(self.misfortune.until_next_run_s(fate))
        return fate

    def died(self, process: Process, point: str) -> None:
        self.note(f"{process.name} dies at {point}")
        Context().run(self.check, f"a crash at {point}")
        self._start_later(self.misfortune.until_next_run_s())

    def tried(self, process: Process, task: str, in_hand: Collection[str]) -> None:
        """A try of a task is over: nothing that its run has begun is left to itself.

        Other tasks may have theirs in hand, or settle what they have taken over from a
        run that died.
        """
        if not process.alive:
            return
        for row in self.database.effects():
            is_in_hand = {row.key, row.key.rpartition(":")[0]} & {
                *in_hand
            }  # with or without the number of the attempt
            if (
                row.status is EffectStatus.SENDING
                and row.owner == row.sender == process.owner
                and not is_in_hand
            ):
                self.broken(f"left sending by a try of {task}: {row.key}")

    def is_alive(self, owner: str) -> bool:
        return any(
            process.alive and process.owner == owner for process in self.processes
        )

    def leaves(self, process: Process, claim: Claim) -> None:
        """The first byte of an effect is about to leave: what must be in the ledger by
        now?
        """
        Context().run(self._judge_leaving, process, claim)

    def _judge_leaving(self, process: Process, claim: Claim) -> None:
        self.note(f"{process.name} sends {claim.key}")
        record = {row.key: row for row in self.database.effects()}.get(claim.key)
        order = self.database.orders().get(claim.order_ref)
        if record is None or record.status not in OPEN:
            self.broken(f"sent without an intent in the ledger: {claim.key}")
        elif record.fence != claim.fence:
            self.broken(f"sent with an old fence: {claim.key}")
        elif self.clock() >= claim.lease_until:
            self.broken(f"sent after the lease ran out: {claim.key}")
        elif (
            record.doubtful_sends > MOST_DOUBTFUL_SENDS
            and claim.action is not Action.NOTIFY
        ):
            self.broken(f"sent {record.doubtful_sends} times in doubt: {claim.key}")
        self.to_be_sent = max(0, self.to_be_sent - 1)
        if self.none_leaves and claim.action in SPENDING:
            self.broken(f"sent after pause had returned: {claim.key}")
        if claim.action is Action.CREATE and (
            order is None or not self._is_approved(process, order)
        ):
            self.broken(f"ordered without approval of this plan: {claim.order_ref}")
        if (
            claim.action is Action.CREATE
            and order is not None
            and order.batch_id != process.batch
        ):
            self.broken(
                f"ordered for {process.batch}, counted in {order.batch_id}: {claim.order_ref}"
            )

    def _is_approved(self, process: Process, order: SimpleNamespace) -> bool:
        """Whether somebody said yes to the plan; a no of another run, between claim and
        send, comes too late.
        """
        yes = self._said_yes_to(process, order.order_ref) - {None}
        return order.plan_hash in yes or (order.plan_hash is None and bool(yes))

    def _said_yes_to(self, process: Process, order_ref: str) -> set[str | None]:
        """Plans of an order that somebody approved for the run's batch: in this run, or
        before a look, as which a run goes on after a person's answer.
        """
        goes_on = process.name.startswith(("look", "answer"))
        asking = self.processes if goes_on else [process]
        return {
            item.approved.get(order_ref)
            for item in asking
            if item.batch == process.batch
        }

    def watched(self, ledger: WatchedLedger) -> WatchedLedger:
        """A ledger on this episode's database that tells of breaches."""
        ledger.database = self.database
        ledger.breached = self.broken
        ledger.is_alive = self.is_alive
        ledger.is_paused = lambda: self.is_paused
        return ledger

    # runs

    def run(self, script: Coroutine[Any, Any, None] | None = None) -> Episode:
        """Play it to its end, or a script in its place."""
        try:
            self.loop.run_until_complete(script or self._play())
        except Deadlock as error:
            self.broken(f"deadlock: {error}")
        finally:
            self.loop.close()
            if self.scenario.hides_bookings:
                del self.world.books.add_shipment
        return self

    async def _play(self) -> None:
        if Random(f"{self.seed}:earlier").random() < BOUGHT_BEFORE:
            self.bought_before()
        await self._rough()
        await self._calm()

    def _interrupt(self) -> None:
        """A person presses Ctrl-C in one of the runs, or a task is cancelled."""
        if at_work := [
            process
            for process in self.processes
            if process.alive and not process.stopped
        ]:
            process = self.misfortune.outages.choice(at_work)
            self.misfortune.count("interrupt")
            self.note(f"{process.name} is told to end")
            process.interrupt()

    async def _rough(self) -> None:
        if (after_s := self.misfortune.interrupts_after_s) is not None:
            self.loop.outside(after_s, self._interrupt)
        self.all_ended = self.loop.create_future()
        for _ in range(self.dice.choices((1, 2, 3), (12, 7, 1))[0]):
            self._start_later(
                self.dice.choice(
                    (0.0, self.dice.uniform(0, 1), self.dice.uniform(0, 200))
                )
            )
        pausing = (
            self.loop.create_task(self._pause(), context=Context())
            if self.seed % PAUSED_IN == 4
            else None
        )
        await self.all_ended
        if pausing:
            await pausing

    async def _pause(self) -> None:
        """A person stops all buying once some effects have left, waits until none can,
        and resumes some time later.
        """
        while self.to_be_sent and self.runs_at_work + self.runs_to_come:  # noqa: ASYNC110 - effects count it down
            await asyncio.sleep(0.05)
        await asyncio.sleep(
            self.pauses.choice(
                (0.0, self.pauses.uniform(0, 0.5), self.pauses.uniform(0, 300))
            )
        )
        settings = self.scenario.settings
        ledger = self.watched(
            WatchedLedger(settings.ledger_url, clock=self.clock, owner="mei")
        )
        ledger.pause_buying("mei", "prices look wrong")
        self.is_paused = True
        self.note("buying is paused")
        self.misfortune.count("pauses")
        while effects_leaving(ledger, settings, call_s=0):  # noqa: ASYNC110 - others write it
            await asyncio.sleep(1)
        self.none_leaves = True
        self.note("nothing can leave any more")
        await asyncio.sleep(
            self.pauses.choice(
                (0.0, self.pauses.uniform(0, 60), self.pauses.uniform(0, 2000))
            )
        )
        self.is_paused = self.none_leaves = False
        ledger.resume_buying("mei")
        self.note("buying goes on")

    def _start_later(self, delay_s: float) -> None:
        if (
            len(self.processes) + self.runs_to_come < MOST_RUNS
            and not self.misfortune.calm
        ):
            self.runs_to_come += 1
            self.loop.outside(delay_s, self._start_drawn)

    def _start_drawn(self) -> None:
        self.runs_to_come -= 1
        kind = self.dice.choices(("source", "track", "cancel"), (90, 6, 4))[0]
        if kind == "cancel" and not self.processes:
            kind = "source"
        if (
            kind == "source"
            and self.processes
            and self.has_follow_ups
            and self.follow_ups.random() < 0.5
        ):
            kind = "look"
        if kind == "source" and self.forms.random() < PLANS_FIRST:
            kind = "plan"
        if self.dice.random() < 0.25 and self.processes:
            self._raise_a_price()
        says_yes = self.dice.random() < 0.95
        self.start(
            kind, says_yes=self.nights.random() < 0.5 if self.nights else says_yes
        )

    def _answer_plan(self) -> None:
        self.runs_to_come -= 1
        if self.forms.random() < 0.2:
            self._raise_a_price()
        self.start("answer", says_yes=self.forms.random() < 0.8)

    def _raise_a_price(self) -> None:
        """A seller asks more from now on, for what is not ordered yet."""
        request = self.dice.choice(self.scenario.requests)
        item = self.world.catalogue.shelf(request.marketplace).by_id[
            request.lines[0].item
        ]
        self.world.catalogue.raise_prices([item])
        self.misfortune.count("price_rises_between_runs")
        self.note(f"{item.id} costs more")

    def start(self, kind: str, *, says_yes: bool = True) -> asyncio.Task[None]:
        """Start a run: `source`, `plan`, `answer`, `look`, `track` or `cancel`."""
        return self._start(kind, lambda process: self._work(process, kind, says_yes))

    def _start(
        self, kind: str, work: Callable[[Process], Coroutine[Any, Any, None]]
    ) -> asyncio.Task[None]:
        if not self.misfortune.calm and self.files.random() < CORRECTIONS:
            self.batch = CORRECTED
        process = Process(
            name=f"{kind}-{len(self.processes) + 1}",
            batch=self.batch,
            fate=self,
            loop=self.loop,
        )
        self.processes.append(process)
        self.runs_at_work += 1
        self.note(f"{process.name} starts")
        context = Context()
        context.run(PROCESS.set, process)
        process.main = self.loop.create_task(
            self._guarded(process, work(process)), context=context
        )
        process.main.add_done_callback(
            lambda _: self._ended(process), context=Context()
        )
        return process.main

    def _work(
        self,
        process: Process,
        kind: str,
        says_yes: bool,  # noqa: FBT001
    ) -> Coroutine[Any, Any, None]:
        scenario = self.scenario
        if kind == "look":
            return follow_up(
                process, scenario.settings, self.clock, budget=scenario.budget
            )
        if kind == "track":
            return track(scenario.settings, self.clock)
        if kind == "cancel":
            if not self.misfortune.calm:
                self.taken_back.append(self.dice.choice(scenario.requests).order_ref)
            return cancel(scenario.settings, self.clock, self.taken_back)
        if kind == "answer":
            return self._answered(process, says_yes=says_yes)
        return source(
            process,
            scenario.settings,
            self.clock,
            scenario.requests,
            budget=scenario.budget,
            says_yes=says_yes,
            beforehand=bool(
                self.nights and not self.misfortune.calm and self.nights.random() < 0.5
            ),
            waits=kind == "plan",
        )

    def _answered(
        self, process: Process, *, says_yes: bool
    ) -> Coroutine[Any, Any, None]:
        """A person answers about the plan that was shown last, or about an older one,
        and leaves out an order now and then.
        """
        newest = self.questions[-1]
        choice = self.forms.choice([newest, newest, *self.questions])
        refs = sorted(choice.plans)
        if len(refs) > 1 and self.forms.random() < 0.3:
            refs.remove(self.forms.choice(refs))
        process.batch = choice.batch
        return answer_plan(
            process,
            self.scenario.settings,
            self.clock,
            choice,
            approved=refs if says_yes else (),
            budget=self.scenario.budget,
        )

    async def _guarded(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        try:
            await work
            self.note(f"{process.name} ends")
        except (XportcnError, LedgerUnusable) as error:
            self.note(f"{process.name} gives up: {type(error).__name__}")
        except Crash:  # its task was cancelled too, and awaits nothing any more
            with suppress(asyncio.CancelledError):
                await asyncio.sleep(0)
        except asyncio.CancelledError:
            if process.interrupted:
                self.note(f"{process.name} is interrupted")
                self._start_later(self.misfortune.until_next_run_s())
            elif process.alive:
                self.broken(f"{process.name} was cancelled while alive")
        except Exception as error:  # noqa: BLE001 - whatever a run did not expect is a finding
            if process.alive:
                self.broken(f"{process.name} failed: {type(error).__name__}: {error}")

    def _ended(self, process: Process) -> None:
        self.runs_at_work -= 1
        process.alive = False
        self.check(f"the end of {process.name}")
        if process.name.startswith("plan") and self.questions:
            for _ in range(self.forms.choice((0, 1, 1, 2))):  # two may answer at once
                self.runs_to_come += 1
                within_s = self.forms.choice(ANSWERED_WITHIN_S)
                delay_s = self.forms.uniform(0, within_s)
                self.loop.outside(delay_s, self._answer_plan)
        if (
            not self.runs_at_work
            and not self.runs_to_come
            and self.all_ended
            and not self.all_ended.done()
        ):
            self.all_ended.set_result(None)

    async def _calm(self) -> None:
        """Nothing goes wrong any more: runs follow each other until every order is
        explained.
        """
        self.misfortune.calm = True
        self.note("calm")
        self.world.books.set_balance(max(self.world.books.balance_fen, OPENING_FEN))
        for _ in range(CALM_ROUNDS if self._may_change() else 0):
            await self.later()
            if self.taken_back:
                await self.start("cancel", says_yes=True)
            if self.has_follow_ups:
                await self.start("look")
            await self.start("source", says_yes=True)
            if (
                not self.found and self._unexplained()
            ):  # an order of the corrected file, which is not run again
                await self.start("track", says_yes=True)
            if self.found or not self._unexplained():
                break
        await self._person_answers()
        for _ in range(
            MOST_RUNS if self.shown_within_s else 0
        ):  # what was paid in the last round shows hours later
            if self.found or not (self._unexplained() or self._not_shown()):
                break
            await self.later()
            await self.start("source", says_yes=True)
        for label in self._unexplained():
            self.broken(label)
        self.check("the end", at_rest=True)
        self._tell_ends()

    async def _person_answers(self) -> None:
        """Whoever is asked about an order looks it up in the console, and says so; then
        a run goes on with it.
        """
        open_ones = [
            effect for effect in self.database.effects() if _is_answered(effect)
        ]
        if not open_ones or self.found:
            return
        await self.later()
        for open_one in open_ones:
            await self._start(
                "answer", partial(self._answer, open_one.order_ref, open_one.action)
            )
        await self.start("source", says_yes=True)

    def _answer(
        self, ref: str, action: Action, _: Process
    ) -> Coroutine[Any, Any, None]:
        present = [
            order for order in self.world.books.every_order() if order.reference == ref
        ]
        if action is Action.PAY:
            paid_fen = sum(order.paid_fen for order in present)
            kind = ResolutionKind.PAID if paid_fen else ResolutionKind.NOT_PAID
            output = Resolution(kind=kind, amount=Money(paid_fen) if paid_fen else None)
        else:
            kind = ResolutionKind.ORDERED if present else ResolutionKind.NOT_ORDERED
            output = Resolution(
                kind=kind, value="".join(order.id for order in present[:1])
            )
        return answer(self.scenario.settings, self.clock, ref, output)

    def _may_change(self) -> bool:
        """Whether a further run has something to do; of those that have not, every
        third is made all the same.
        """
        died = any(name.startswith("crash") for name in self.misfortune.struck)
        return (
            died
            or bool(self._unexplained())
            or not any(
                snapshot.startswith(f"{self.batch}-") for snapshot in self.snapshots
            )
            or self.dice.random() < 0.35
        )

    async def later(self) -> None:
        """Wait until whatever was sent before has arrived or never will."""
        await asyncio.sleep(
            self.scenario.settings.lease_s + SETTLE_S + 1 + self.shown_within_s
        )
        self.land()

    # judgement

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """The promises hold at this moment."""
        if self.found:
            return
        orders, effects = self._ledger_now()
        notices = violations(
            books(self.sandbox, NO_QUERY, b""),
            orders,
            effects,
            limits=self.limits,
            at_rest=at_rest,
            snapshot=self._newest_rows() if at_rest and self.snapshots else None,
        )
        for violation in notices:
            if not self._can_t_be_told(violation, at_rest=at_rest):
                self.broken(f"{violation} (after {after})")
        for ref in self.database.refused_and_allowed():
            self.broken(
                f"allowed beforehand after a person's no: {ref} (after {after})"
            )
        for ref in self.database.withdrawn_unsaid():
            self.broken(
                f"an approval was withdrawn, and no no is written down: {ref} (after {after})"
            )

    def _can_t_be_told(self, violation: Violation, *, at_rest: bool) -> bool:
        """What nothing shows to be untrue: a payment told at another order's amount,
        sensible by itself; and, until the order is read before it is paid, a create
        that names an id of another marketplace.
        """
        struck = self.misfortune.struck
        if violation.rule is Rule.FORGOTTEN_ORDER:
            return Kind.FOREIGN_ID in struck and not at_rest
        return (
            violation.rule in (Rule.OTHER_AMOUNT, Rule.NOT_IN_SNAPSHOT)
            and Kind.SWAPPED_AMOUNT in struck
        )

    def _newest_rows(self) -> list[Any]:
        """The newest row of each order, as `sourcing sql` shows it."""
        oldest_first = sorted(
            self.snapshots.items(), key=lambda item: (item[1][0], item[0])
        )
        return list(
            {
                row["order_ref"]: row for _, (_, rows) in oldest_first for row in rows
            }.values()
        )

    def _ledger_now(self) -> tuple[dict[str, Any], list[Any]]:
        return self.database.orders(), self.database.effects()

    def _unexplained(self) -> list[str]:
        orders, effects = self._ledger_now()
        open_ones = {e.order_ref: e.action for e in effects if e.status in OPEN}
        notices = []
        for request in self.scenario.requests:
            ref = request.order_ref
            order = orders.get(ref)
            if order is None:
                notices.append(f"not explained: {ref} is not in the ledger")
            elif not _is_explained(order, open_ones.get(ref)):
                notices.append(
                    f"not explained: {ref} is {order.state}, {open_ones.get(ref)} is open: {order.reason}"
                )
        return notices

    def _not_shown(self) -> bool:
        """Whether a payment was made that the ledger has not seen yet, such as of an
        order that a lie has held.
        """
        orders = self.database.orders()
        paid = [
            effect
            for effect in self.database.effects()
            if effect.action is Action.PAY and effect.status is EffectStatus.DONE
        ]
        return any(orders[item.order_ref].paid_minor is None for item in paid)

    def _tell_ends(self) -> None:
        orders, effects = self._ledger_now()
        for ref, order in sorted(orders.items()):
            if order.batch_id == EARLIER:
                continue
            self.ends.append(str(order.state))
            self.note(f"{ref} ends {order.state}: {order.reason}")
        for effect in sorted(effects, key=lambda item: item.key):
            self.note(f"{effect.key} ends {effect.status}")


def _is_answered(effect: Any) -> bool:
    return effect.action in (Action.CREATE, Action.PAY) and effect.status in OPEN


def _is_explained(order: Any, open_action: Action | None) -> bool:
    if order.state is OrderState.UNKNOWN:
        return any(
            open_action is action
            and f"sourcing resolve {order.order_ref} {answer}" in order.reason
            for action, answer in ASKED.items()
        )
    if open_action not in (None, Action.NOTIFY):
        return False
    return order.state in FINAL or (
        order.state in (OrderState.HELD, OrderState.REFUSED) and order.reason != ""
    )


def play(seed: int, made: Stage, service: Service = AS_WRITTEN) -> Episode:
    """The episode of a seed, always the same."""
    return Episode(seed=seed, stage=made, speaks=service).run()
