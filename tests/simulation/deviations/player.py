"""One cell: a batch at one marketplace behind a deviation, and the judgement of what
became of it.
"""

from __future__ import annotations

import asyncio
from collections.abc import Coroutine, Iterator
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from connectors.ledger.engine import LedgerUnusable
from connectors.xportcn.errors import XportcnError
from domain.effects import ResolutionRefused
from domain.money import Money
from domain.states import REACHED_BOOKED
from sandbox.auth import SignatureCheck
from sandbox.control import books
from tests.history import AllowedAmounts, Rule, Violation, violations
from tests.simulation.deviations.earlier import place_orders_of_others
from tests.simulation.deviations.scenes import (
    ORDERS,
    Cell,
    Setting,
    misfortune_of,
    scenario_of,
)
from tests.simulation.deviations.service import (
    DeviatingSandbox,
    Deviation,
    Group,
    Outcome,
)
from tests.simulation.episode import NO_QUERY, Episode
from tests.simulation.ledgers import WatchedLedger
from tests.simulation.misfortune import Call
from tests.simulation.process import Crash, Process
from tests.simulation.runs import BATCH
from tests.simulation.stage import Stage

FORGOTTEN = (
    Rule.FORGOTTEN_ORDER,
    Rule.FORGOTTEN_PAYMENT,
    Rule.FORGOTTEN_SHIPMENT,
    Rule.NOT_IN_SNAPSHOT,
)
SUBMISSION = "payment is a submission"
LATER_S = 6 * 3600
MOST_CANARIES = 4
MOST_RUNS = 3


@dataclass(frozen=True, slots=True, kw_only=True)
class Played:
    """What a cell came to. `said` are the sentences about its orders; `deviated` that
    the service told otherwise.
    """

    cell: Cell
    outcome: Outcome
    broken: tuple[str, ...]
    said: tuple[str, ...]
    deviated: bool

    @property
    def faults(self) -> tuple[str, ...]:
        """Broken promises, and an outcome that is not one of those that are
        expected.
        """
        expected = self.cell.deviation.expected if self.deviated else {Outcome.THROUGH}
        if (
            self.cell.setting is Setting.CALM
            and self.cell.from_start
            and self.outcome not in expected
        ):
            wanted = " or ".join(sorted(expected))
            return (
                *self.broken,
                f"ends as {self.outcome!r}, not {wanted}: {'; '.join(self.said[:2])}",
            )
        return self.broken


class DeviationEpisode(Episode):
    """An episode whose service deviates; promises are judged against the sandbox's own
    books.
    """

    def __init__(self, made: Stage, cell: Cell) -> None:
        super().__init__(seed=cell.seed, stage=made, given=scenario_of(made, cell))
        self.cell = cell
        self.misfortune = misfortune_of(cell)
        self.service = DeviatingSandbox(
            self.world,
            SignatureCheck(wall_clock=self.now),
            cell.deviation,
            Random(f"{cell.seed}:service"),
        )
        self.sandbox = self.service
        self.faults = self.service.drawn
        budget = self.scenario.budget
        self.limits = AllowedAmounts(
            as_paid=True, batches={BATCH: budget.minor} if budget else {}
        )
        self.refs = [request.order_ref for request in self.scenario.requests]
        self.gave_up: list[str] = []
        self.effects_left = 0
        fate = Random(f"{cell.seed}:{cell.marketplace}:fate")
        self.deviates_after = (
            0
            if cell.from_start
            else fate.choice((1, 2, ORDERS, ORDERS + 1, 2 * ORDERS))
        )
        self.copied_after = (
            0,
            1,
            fate.randint(2, ORDERS),
            ORDERS + 1,
            ORDERS + fate.randint(2, ORDERS),
        )[cell.seed]
        self.has_died = self.has_failed = False
        debits = cell.deviation.resends or (
            cell.setting is Setting.CRASH and cell.seed % 2 == 1
        )
        self.pay_is = (
            "debit" if debits and cell.deviation.name != SUBMISSION else "unknown"
        )

    # what is watched

    def befalls(self, process: Process, point: str) -> Crash | float | None:
        if (
            self.cell.setting is Setting.PUT_BACK
            and self.effects_left <= self.copied_after
        ):
            if (
                point.endswith("after the commit")
                and self.effects_left == self.copied_after
            ):
                self.database.keep_copy()
            return None
        return super().befalls(process, point)

    def leaves(self, process: Process, claim: Any) -> None:
        super().leaves(process, claim)
        self.effects_left += 1
        if (
            self.cell.setting is not Setting.PUT_BACK
            and self.effects_left == self.deviates_after
        ):
            self._deviate()

    def _deviate(self) -> None:
        self.service.on = True
        self.note("the service deviates from now on")

    def died(self, process: Process, point: str) -> None:
        """The next run is the script's matter."""
        self.has_died = True
        self.note(f"{process.name} dies at {point}")

    async def _guarded(self, process: Process, work: Coroutine[Any, Any, None]) -> None:
        async def told() -> None:
            try:
                await work
            except (XportcnError, LedgerUnusable) as error:
                self.gave_up.append(str(error))
                raise
            except ResolutionRefused as error:
                self.note(f"{process.name} is not believed: {error}")

        await super()._guarded(process, told())

    # the play

    async def _play(self) -> None:
        place_orders_of_others(self, younger=False)
        if not self.deviates_after:
            self._deviate()
        if self.cell.setting is Setting.PUT_BACK:
            await self._put_back()
        else:
            await self._bought()
        self.misfortune.calm = True
        await self._calm_runs()

    async def _bought(self) -> None:
        """As long as a run dies, another one follows."""
        await self._source()
        while self.has_died and len(self.processes) < MOST_RUNS:
            await asyncio.sleep(self.misfortune.dice.choice((1, 30, 1500)))
            self.land()
            await self._source()

    async def _source(self) -> None:
        self.has_died, before = False, len(self.gave_up)
        await asyncio.wait([self.start("source")])
        self.has_failed = len(self.gave_up) > before

    async def _put_back(self) -> None:
        self.database.keep_copy()
        await self._source()
        place_orders_of_others(self, younger=True)
        self.database.put_copy_back()
        ledger = self.watched(
            WatchedLedger(
                self.scenario.settings.ledger_url, clock=self.clock, owner="mei"
            )
        )
        if (
            self.cell.seed % 2 == 0
        ):  # by the command; else by hand, and the next run notices
            ledger.marks.put_back("was restored", by="mei")
        self.note("an older ledger is put back")
        self._deviate()
        self.misfortune.calm = True
        await asyncio.sleep(self.misfortune.dice.choice((1, 30)))
        await self._source()
        within = self.scenario.settings.listed_within
        ledger.marks.confirm_restored(by="mei", listed_within=within, last_sent=None)
        await self._source()
        await asyncio.sleep(within.total_seconds())

    async def _calm_runs(self) -> None:
        for _ in range(2):
            await self.later()
            await self._source()
            if not self.found and self._all_final():
                break
        if (
            self.cell.deviation.name != SUBMISSION
        ):  # whose console shows for hours what is not so
            await self._person_answers()
        if self.cell.deviation.group in (Group.PAYMENTS, Group.LAG, Group.STATES):
            await asyncio.sleep(LATER_S)
            self.land()
            await self.start("track")
            await self._source()
        for label in self._unexplained():
            self.broken(label)
        self.check("the end", at_rest=True)
        self._tell_ends()

    def _all_final(self) -> bool:
        orders = self.database.orders()
        return all(
            ref in orders and orders[ref].state in REACHED_BOOKED for ref in self.refs
        )

    # judgement

    def check(self, after: str, *, at_rest: bool = False) -> None:
        """Once a run instead of after each effect: there are many orders of others."""
        if self.found or after.partition(" of ")[0] in set(Call):
            return
        orders, effects = self._ledger_now()
        notices = books(self.sandbox, NO_QUERY, b"")
        notices["orders"] = [
            order for order in notices["orders"] if order["reference"] in self.refs
        ]
        snapshot = self._newest_rows() if at_rest and self.snapshots else None
        findings = violations(
            notices,
            orders,
            effects,
            limits=self.limits,
            at_rest=at_rest,
            snapshot=snapshot,
        )
        for violation in findings:
            if not self._is_told(violation, orders, at_rest=at_rest):
                self.broken(f"{violation} (after {after})")
        for label in self._above_a_line_s_limit(notices["orders"]):
            self.broken(label)

    def _is_told(self, violation: Violation, orders: Any, *, at_rest: bool) -> bool:
        """Whether a person reads of the difference: it names what was paid, or the
        order that was forgotten.
        """
        ref, _, amounts = violation.what.partition(": ")
        order = orders.get(ref)
        reason = order.reason if order is not None else ""
        if violation.rule in (
            Rule.OTHER_AMOUNT,
            Rule.NOT_IN_SNAPSHOT,
        ) and amounts.startswith("paid "):
            paid = Money(int(amounts.removeprefix("paid ").partition(",")[0]))
            if str(paid) in reason:
                return True
        if violation.rule is Rule.FORGOTTEN_ORDER and not at_rest:
            return True  # until an order is read back its id is what the create's answer said
        if (
            self.cell.setting is Setting.PUT_BACK
            and violation.rule is Rule.ABOVE_APPROVED
        ):
            return amounts.endswith(
                "approved 0"
            )  # in a ledger that this one has forgotten
        if violation.rule not in FORGOTTEN:
            return False
        if not at_rest:
            return self.cell.setting is Setting.PUT_BACK
        return self.has_failed or (
            bool(reason) and order is not None and order.state not in REACHED_BOOKED
        )

    def _above_a_line_s_limit(self, ordered: list[dict[str, Any]]) -> Iterator[str]:
        limits = {
            request.order_ref: request.lines[0] for request in self.scenario.requests
        }
        for order in ordered:
            line = limits[order["reference"]]
            if line.max_unit_price is None or not order["paid_times"]:
                continue
            if (goods := order["items"][0]["unit_fen"]) > line.max_unit_price.minor:
                yield f"above its limit: {order['reference']} costs {goods} fen a piece, limit {line.max_unit_price}"

    def _unexplained(self) -> list[str]:
        orders = self.database.orders()
        return [
            f"not explained: {ref} is {orders[ref].state if ref in orders else 'nowhere'}"
            for ref in self.refs
            if not self._is_explained(orders.get(ref))
        ]

    def _is_explained(self, order: Any) -> bool:
        """Nothing can be read back from a service of which each run fails: the run's
        error says so.
        """
        return self.has_failed or (
            order is not None and (order.state in REACHED_BOOKED or bool(order.reason))
        )

    def outcome(self, contract: tuple[str, ...]) -> Outcome:
        """What became of the batch, `contract` being how its orders end with a service
        as it is written down.
        """
        if self.states() == contract:
            return Outcome.THROUGH
        ordered = [
            order
            for order in books(self.sandbox, NO_QUERY, b"")["orders"]
            if order["reference"] in self.refs
        ]
        if not ordered:
            return Outcome.STOPPED
        orders = self.database.orders()
        if all(
            ref in orders and orders[ref].paid_minor is not None for ref in self.refs
        ):
            return Outcome.PAID
        return Outcome.ONE if len(ordered) <= MOST_CANARIES else Outcome.OTHER

    def states(self) -> tuple[str, ...]:
        orders = self.database.orders()
        return tuple(
            str(orders[ref].state) if ref in orders else "nowhere" for ref in self.refs
        )

    def said(self) -> tuple[str, ...]:
        orders = self.database.orders()
        reasons = [
            orders[ref].reason
            for ref in self.refs
            if ref in orders and orders[ref].reason
        ]
        return tuple(dict.fromkeys([*reasons, *self.gave_up]))


AS_WRITTEN = Deviation(
    name="as it is written", group=Group.NUMBERS, expected=frozenset({Outcome.THROUGH})
)
_ends_with_the_contract: dict[tuple[object, ...], tuple[str, ...]] = {}


def played_out(made: Stage, cell: Cell) -> DeviationEpisode:
    """The episode of a cell, at its end."""
    episode = DeviationEpisode(made, cell)
    episode.run()
    return episode


def play(made: Stage, cell: Cell) -> Played:
    """The cell, always the same."""
    return judged(made, played_out(made, cell))


def judged(made: Stage, episode: DeviationEpisode) -> Played:
    cell = episode.cell
    broken = tuple(episode.found)
    output = episode.said()
    states = episode.states()
    deviated = episode.service.changed > 0 or episode.cell.deviation.group in (
        Group.LAG,
        Group.PAYMENTS,
    )
    outcome = episode.outcome(())
    is_a_stop = (
        deviated
        and outcome is Outcome.STOPPED
        and Outcome.THROUGH not in cell.deviation.expected
    )
    if (
        cell.setting is Setting.CALM
        and not is_a_stop
        and states == _contract(made, cell)
    ):
        outcome = Outcome.THROUGH
    return Played(
        cell=cell, outcome=outcome, broken=broken, said=output, deviated=deviated
    )


def _contract(built: Stage, cell: Cell) -> tuple[str, ...]:
    """How the orders of a calm cell end with the contract."""
    limits = cell.seed if cell.deviation.group is Group.AMOUNTS else min(cell.seed, 1)
    key = cell.marketplace, limits, cell.deviation.refusals
    if key not in _ends_with_the_contract:
        plain = replace(
            AS_WRITTEN, group=cell.deviation.group, refusals=cell.deviation.refusals
        )
        written = DeviationEpisode(built, replace(cell, deviation=plain))
        written.run()
        assert not written.found, (cell, written.found)
        _ends_with_the_contract[key] = written.states()
    return _ends_with_the_contract[key]
