"""A scripted episode: what is asked for, what the service tells otherwise, what people
do; and the reasons it gives.
"""

from __future__ import annotations

import json
from collections import deque
from collections.abc import Awaitable, Callable, Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, fields, is_dataclass, replace
from types import MappingProxyType
from typing import Any

from aiohttp import web

from connectors.ledger.plans import plan_hash
from domain.effects import Claim, Resolution, ResolutionKind
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import ADDRESS, OrderRequest, RequestLine
from domain.reasons import Reason, ReasonCode
from flows.approval.request import ApprovalRequest, approver
from flows.batch.plan_sources import PlanSource
from flows.batch.run import BatchRun
from sandbox.app import Sandbox
from sandbox.auth import SignatureCheck
from tasks.engine.resources import Resources, open_resources
from tests.history import Rule, Violation
from tests.simulation.deviations.wire import ROLES, changed
from tests.simulation.ledgers import WatchedLedger, codes_of
from tests.simulation.loop import START
from tests.simulation.misfortune import Call, Fault, Outage
from tests.simulation.process import Crash, Process, Shown, current, in_the_ui
from tests.simulation.runs import (
    BATCH,
    XPORTCN,
    Judged,
    answer,
    answer_plan,
    show_plan,
)
from tests.simulation.shop import Shop
from tests.simulation.stage import Stage

TWICE = (Rule.PAID_AGAIN, Rule.PAID_TWICE, Rule.SHIPPED_TWICE)
NO_FAULTS: Mapping[Call, Sequence[Fault | None]] = MappingProxyType({})
DAY_S = 86_400
ALWAYS = 10**6


@dataclass(frozen=True, kw_only=True, eq=False)
class Odd:
    """Answers that are not as the books have it: of calls in a `role`, or to a path.

    The first `skip` of them are as they should be, `times` are not. `instead`: the call
    is not carried out; with a `status` a gateway's page comes.
    """

    at: str
    tells: Callable[[Any], Any]
    skip: int = 0
    times: int = ALWAYS
    instead: bool = False
    status: int = 200

    def is_of(self, path: str) -> bool:
        return self.at in (path, ROLES.get(path))


def tells(
    at: str, change: Callable[[str, Any], Any] | None = None, **options: Any
) -> Odd:
    """Data in which each value is as `change` makes it of the field's name and the
    value; or `fields` are these.
    """
    times = {name: options.pop(name) for name in ("skip", "times") if name in options}

    def told(name: str, value: Any) -> Any:
        return change(name, value) if change else options.get(name, value)

    return Odd(
        at=at,
        tells=lambda answer: {**answer, "data": changed(answer["data"], told)},
        **times,
    )


def refuses(
    at: str, code: object, words: str, *, instead: bool = True, **times: int
) -> Odd:
    """A refusal; the call is carried out all the same unless it is made `instead`."""
    record = {
        "code": code,
        "msg": words,
        "errorCode": code,
        "errorMsg": words,
        "success": False,
        "data": None,
    }
    return Odd(at=at, tells=lambda _: record, instead=instead, **times)


class OddSandbox(Sandbox):
    """A sandbox that answers some calls otherwise."""

    odd: dict[Odd, int] = {}  # noqa: RUF012 - replaced, never changed as it is
    """How often a call of each has come."""

    def _struck_by(self, path: str) -> Odd | None:
        for odd, met in self.odd.items():
            if odd.is_of(path):
                self.odd[odd] += 1
                if odd.skip <= met < odd.skip + odd.times:
                    return odd
        return None

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if (odd := self._struck_by(request.path)) is None:
            return await super().handle(request)
        if odd.status != 200:
            return web.Response(status=odd.status, text="<html>")
        if odd.instead:
            return web.json_response(odd.tells(None))
        response = await super().handle(request)
        assert isinstance(response.body, bytes)
        return (
            web.json_response(
                odd.tells(json.loads(response.body)), status=response.status
            )
            if response.body
            else response
        )


class Scene(Shop):
    """One order at each of some marketplaces, and what becomes of it. `reasons` has the
    codes of every moment.
    """

    def __init__(
        self,
        made: Stage,
        *at: Marketplace,
        faults: Mapping[Call, Sequence[Fault | None]] = NO_FAULTS,
        **settings: Any,
    ) -> None:
        super().__init__(made, *(at or (Marketplace.TAOBAO,)), faults=faults)
        self.misfortune.patience_s, pay_is = (
            settings.pop("patience_s", 0),
            settings.pop("pay_is", "debit"),
        )
        self.asks_first = settings.pop("asks_first", False)
        self.booking_repeated = settings.pop("booking_repeated", "unknown")
        self.scenario = replace(
            self.scenario, settings=self.scenario.settings.model_copy(update=settings)
        )
        self.service = OddSandbox(self.world, SignatureCheck(wall_clock=self.now))
        self.sandbox = self.service
        self.pay_is = pay_is
        self.service.faults = self.faults  # type: ignore[assignment]
        self.reasons = set[str]()
        self.when_sent: Callable[[str], object] = lambda _: None
        self.fate: Callable[[Process, str], Crash | float | None] = (
            lambda _process, _point: None
        )

    def hears(self, *answers: Odd) -> None:
        """From now on these answers, and no others, are not as they should be."""
        self.service.odd = dict.fromkeys(answers, 0)

    def goes_away(self, for_s: float, in_s: float = 0) -> None:
        """The service can't be reached, from a moment on and for some time."""
        begins = self.now() - START + in_s
        self.misfortune.calm, self.misfortune.outage = (
            False,
            Outage(begins, begins + for_s, throttled=False),
        )

    def leaves(self, process: Process, claim: Claim) -> None:
        super().leaves(process, claim)
        self.when_sent(claim.key)

    def meets(self, *told: object) -> None:
        """Reasons that stand neither in the ledger nor in a report."""
        self.reasons |= {*reasons_in(told)}

    def dies_once_sent(self, key: str) -> None:
        """The process that sends an effect is killed once it is recorded, before it
        reads anything.
        """
        self.fate = lambda _, instant: (
            Crash(instant)
            if key in self.sent and instant == "read: before the first byte"
            else None
        )

    def dies_at(self, point: str) -> None:
        """The next process that gets there is killed."""
        self.fate = lambda _, instant: Crash(instant) if instant == point else None

    def wants(self, **wishes: Any) -> None:
        """Ask for something else: fields of the line, of the receiver or of the
        request.
        """
        self.scenario = replace(
            self.scenario,
            requests=tuple(
                wishing(request, wishes) for request in self.scenario.requests
            ),
        )

    # what is watched

    def befalls(self, process: Process, point: str) -> Crash | float | None:
        return self.fate(process, point)

    def died(self, process: Process, point: str) -> None:
        """Nothing befalls the runs that follow."""
        self.fate = lambda _process, _point: None

    def _ended(self, process: Process) -> None:
        self.reasons |= self.database.reason_codes()
        super()._ended(process)

    def _can_t_be_told(self, violation: Violation, *, at_rest: bool) -> bool:
        """A service that tells amounts and ids that are not so is believed; nothing is
        paid or booked twice.
        """
        return violation.rule not in TWICE

    # what is done

    @property
    def ledger(self) -> WatchedLedger:
        return self.watched(
            WatchedLedger(
                self.scenario.settings.ledger_url, clock=self.clock, owner="mei"
            )
        )

    async def does(self, work: Callable[[Resources], Awaitable[object]]) -> None:
        """A run of its own. Reasons in what it answers count too: not all stand in the
        ledger.
        """

        async def run(_: Process) -> None:
            async with open_resources(
                self.scenario.settings, XPORTCN, clock=self.clock
            ) as resources:
                await resources.addresses()
                self.reasons |= {*reasons_in(await work(resources))}

        await self._start("run", run)

    async def buys(
        self,
        source: PlanSource | None = None,
        *,
        yes: bool | Callable[[], object] | None = True,
        budget: Money | None = None,
        ask: bool = True,
        begun: Callable[[], object] = lambda: None,
        waits: bool = False,
    ) -> None:
        """A run of the batch. `yes` is what a person says, or does before a yes; None
        where no person can be asked. One that `waits` ends with the plan to be shown.
        """

        def person(question: ApprovalRequest) -> bool:
            if callable(yes):
                yes()
            if (process := current()) is not None and yes:
                process.approved |= {
                    plan.order_ref: plan_hash(plan) for plan in question.all
                }
            return bool(yes)

        async def buy(resources: Resources) -> object:
            begun()
            in_the_ui.set(waits)
            if yes is not None:
                approver.set(person)
            process = current()
            assert process
            plans = source or Judged(self.scenario.requests, process)
            report = await BatchRun(resources, BATCH, plans, budget=budget).buy(ask=ask)
            if waits:
                show_plan(process, resources)
            return report

        await self.does(buy)

    async def answers_plan(self, shown: Shown, approved: Collection[str]) -> None:
        """A person's answer about a plan, in a run of its own that goes on to buy."""
        await self._start(
            "answer",
            lambda process: answer_plan(
                process,
                self.scenario.settings,
                self.clock,
                shown,
                approved=[ref for ref in approved if ref in shown.plans],
                budget=None,
            ),
        )

    async def answers(self, kind: ResolutionKind, **said: Any) -> None:
        """`sourcing resolve R-1`."""
        resolution = Resolution(kind=kind, **said)
        await self._start(
            "answer",
            lambda _: answer(self.scenario.settings, self.clock, "R-1", resolution),
        )


def reasons_in(told: object) -> Iterator[str]:
    """The codes of the reasons that a report, or whatever else, has somewhere."""
    if isinstance(told, Reason):
        yield from codes_of({"code": str(told.code), "facts": told.facts})
    elif isinstance(told, ReasonCode):
        yield str(told)
    elif is_dataclass(told):
        yield from reasons_in([getattr(told, field.name) for field in fields(told)])
    elif isinstance(told, Mapping | list | tuple | deque):
        for item in told.values() if isinstance(told, Mapping) else told:
            yield from reasons_in(item)


def wishing(request: OrderRequest, wishes: Mapping[str, Any]) -> OrderRequest:
    line = {
        name: value
        for name, value in wishes.items()
        if name in RequestLine.__dataclass_fields__
    }
    receiver = {name: value for name, value in wishes.items() if name in ADDRESS}
    remainder = {
        name: value for name, value in wishes.items() if name not in line | receiver
    }
    lines = tuple(replace(item, **line) for item in request.lines)
    return replace(
        request,
        **{
            "lines": lines,
            "receiver": replace(request.receiver, **receiver),
            **remainder,
        },
    )
