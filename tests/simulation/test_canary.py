"""The first order at a marketplace goes alone until it is read back; where it is not, the others are not created."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Iterator, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any, ClassVar, cast

import pytest
from aiohttp import web

from connectors.ledger.marks import _canary
from connectors.ledger.schema import marks
from connectors.program import program
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.orders import OrderRequest
from domain.plan import PlanSummary
from flows.batch_run import BatchRun
from flows.canary import Canaries
from flows.shown.events import EventFeed
from sandbox.control import books
from tests.hostile.batch import _order
from tests.simulation.episode import NO_QUERY, Episode, Scenario, _settings
from tests.simulation.misfortune import Call, Fault, Kind, Misfortune, calls
from tests.simulation.network import Incoming
from tests.simulation.process import Crash, Process
from tests.simulation.stage import Stage, stage

TAOBAO, ALIBABA, INTERNATIONAL = Marketplace.TAOBAO, Marketplace.ALIBABA_1688, Marketplace.INTERNATIONAL
SOLD_OUT = Fault(Kind.OUT_OF_STOCK)
Play = Callable[["Shop"], Coroutine[Any, Any, None]]


@pytest.fixture(scope="module")
def made() -> Iterator[Stage]:
    with stage() as one:
        yield one


class Planned(Misfortune):
    """What befalls each call of a sort, in turn, and nothing else."""

    def __init__(self, faults: Mapping[Call, Sequence[Fault | None]]) -> None:
        super().__init__(dice=Random(1), calm=True)
        self.planned = {call: list(listed) for call, listed in faults.items()}

    def fault(self, call: Call) -> Fault | None:
        return listed.pop(0) if (listed := self.planned.get(call)) else None


class Shop(Episode):
    """A batch of one order at each of these marketplaces; while it is `odd` the service tells other references."""

    def __init__(
        self,
        made: Stage,
        *marketplaces: Marketplace,
        chunk_size: int = 50,
        faults: Mapping[Call, Sequence[Fault | None]] = MappingProxyType({}),
    ) -> None:
        given = Scenario(
            requests=tuple(
                _order(f"R-{n}", one, made.on_sale[one][n], by_words=False)[0]
                for n, one in enumerate(marketplaces, start=1)
            ),
            budget=None,
            settings=_settings(made, 120, 4, 0),
            chunk_size=chunk_size,
            day_limit_fen=None,
            hides_bookings=False,
        )
        super().__init__(seed=1, stage=made, given=given)
        self.misfortune = Planned(faults)
        self.odd = False
        self.calls = 0
        self.dies_after = ""

    def told(self, call: Call, fault: Fault | None, incoming: Incoming, response: web.Response) -> web.Response:
        self.calls += 1
        if self.odd and isinstance(response.body, bytes):
            return web.Response(body=response.body.replace(b'"R-', b'"r-'), status=response.status)
        return response

    def befalls(self, process: Process, point: str) -> Crash | float | None:
        is_now = point == "read: before the first byte" and self.dies_after in self.sent
        return Crash(point) if is_now else None

    def died(self, process: Process, point: str) -> None:
        self.dies_after = ""

    def plays(self, script: Play) -> Shop:
        self.run(script(self))
        assert self.found == []
        return self

    @property
    def states(self) -> dict[str, str]:
        return {ref: str(order.state) for ref, order in self.database.orders().items()}

    def reason(self, order_ref: str) -> str:
        return str(self.database.orders()[order_ref].reason)

    @property
    def ordered(self) -> list[str]:
        return [order["reference"] for order in books(self.sandbox, NO_QUERY, b"")["orders"]]

    @property
    def sent(self) -> list[str]:
        return [line.split()[-1] for line in self.trace if " sends " in line]

    def reads_between(self, first: str, second: str) -> bool:
        """Whether an order was read between these two creates."""
        begun, ended = (
            next(n for n, line in enumerate(self.trace) if line.endswith(f"sends {one}")) for one in (first, second)
        )
        return any(
            calls(line.split()[2], effect=False) is Call.READ for line in self.trace[begun:ended] if " fine -> " in line
        )

    def know(self, marketplaces: Sequence[Marketplace]) -> None:
        """The ledger knows that this program has bought there."""
        with self.database.connection.begin():
            for one in marketplaces:
                row = {
                    "name": _canary(one),
                    "words": program(),
                    "at": self.clock(),
                    "by": "a run",
                    "ended_at": self.clock(),
                }
                self.database.connection.execute(marks.insert().values(row))


async def one_run(shop: Shop) -> None:
    await shop.start("source")


@pytest.mark.parametrize("marketplace", list(Marketplace))
@pytest.mark.parametrize("chunk_size", [1, 50])
def test_one_order_is_created_where_it_can_not_be_read_back(
    made: Stage, marketplace: Marketplace, chunk_size: int
) -> None:
    """Of five; the others name it, in each further run. Once the service tells what it should, all are bought."""

    async def script(shop: Shop) -> None:
        shop.odd = True
        await shop.start("source")
        assert f"not ordered yet: R-1 goes first at {marketplace} and was not read back" in shop.reason("R-5")
        await shop.later()
        await shop.start("source")
        assert shop.ordered == ["R-1"]
        assert {shop.states[f"R-{n}"] for n in (2, 3, 4, 5)} <= {"planned", "held"}
        shop.odd = False
        await shop.start("source")

    assert set(Shop(made, *[marketplace] * 5, chunk_size=chunk_size).plays(script).states.values()) == {"booked"}


@pytest.mark.parametrize("chunk_size", [1, 50])
def test_the_others_are_created_once_the_first_is_read_back(made: Stage, chunk_size: int) -> None:
    """Before it is booked; its reading, payment and look at what was taken are not shared with others', no more calls.

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
    known = Shop(made, *at, chunk_size=chunk_size).plays(without_canaries)
    assert not known.reads_between("R-1:create", "R-2:create")
    assert known.calls <= shop.calls <= known.calls + 3 * 2


def test_a_canary_of_which_nobody_knows_keeps_its_marketplace_waiting(made: Stage) -> None:
    """It lands five minutes late. Elsewhere all is bought, and the run that finds it goes on."""

    async def script(shop: Shop) -> None:
        for _ in range(2):
            await shop.start("source")
            assert [shop.states[f"R-{n}"] for n in range(1, 6)] == ["unknown", "planned", "planned", "booked", "booked"]
            assert "R-1 goes first at poizon and was not read back as ordered (no answer to create" in shop.reason(
                "R-3"
            )
            assert "sourcing status R-1; a run after that goes on" in shop.reason("R-3")
        await shop.later()
        await shop.start("source")

    late = {Call.CREATE: [Fault(Kind.LATE_EFFECT, delay_s=300), None]}
    shop = Shop(made, *[Marketplace.POIZON] * 3, INTERNATIONAL, INTERNATIONAL, faults=late).plays(script)
    assert set(shop.states.values()) == {"booked"}
    assert sorted(shop.ordered) == [f"R-{n}" for n in range(1, 6)]


def test_a_canary_whose_answer_was_cut_off_is_bought_by_later_runs(made: Stage) -> None:
    """It never arrived. Where only references can be asked for, the next one is the younger order that proves it."""

    async def script(shop: Shop) -> None:
        shop.bought_before()
        for _ in range(4):
            await shop.start("source")
            await shop.later()

    each = list(Marketplace)
    faults = {Call.CREATE: [Fault(Kind.DROP_BEFORE)] * len(each)}
    shop = Shop(made, *[one for one in each for _ in range(3)], faults=faults).plays(script)
    assert {ref: state for ref, state in shop.states.items() if state != "booked" and ref.startswith("R-")} == {}


def test_a_canary_that_is_sold_out_hands_over_to_the_next(made: Stage) -> None:
    shop = Shop(made, *[TAOBAO] * 5, faults={Call.CREATE: [SOLD_OUT] * 3}).plays(one_run)
    assert shop.states == {f"R-{n}": "refused" if n <= 3 else "booked" for n in range(1, 6)}


@pytest.mark.parametrize("chunk_size", [1, 50])
def test_after_four_of_them_the_others_are_held(made: Stage, chunk_size: int) -> None:
    shop = Shop(made, *[TAOBAO] * 6, faults={Call.CREATE: [SOLD_OUT] * 6}, chunk_size=chunk_size).plays(one_run)
    assert shop.states == {f"R-{n}": "refused" if n <= 4 else "held" for n in range(1, 7)}
    assert "none of the first 4 orders at taobao could be bought (R-1, R-2, R-3, R-4; the last: not" in shop.reason(
        "R-6"
    )


def test_a_canary_that_became_dearer_hands_over_to_the_next(made: Stage) -> None:
    """It is not paid, and the others are bought."""
    dearer = {Call.CREATE: [Fault(Kind.PRICE_RISES_AFTER)]}
    shop = Shop(made, *[TAOBAO] * 3, faults=dearer).plays(one_run)
    assert shop.states == {"R-1": "held", "R-2": "booked", "R-3": "booked"}


@pytest.mark.parametrize("is_odd", [False, True])
def test_a_run_after_a_crash_reads_the_canary_back_before_it_creates_another(made: Stage, *, is_odd: bool) -> None:
    """Killed right after it was ordered: the ledger has it, nobody has read it."""

    async def script(shop: Shop) -> None:
        shop.dies_after, shop.odd = "R-1:create", is_odd
        await shop.start("source")
        assert shop.ordered == ["R-1"]
        await shop.later()
        await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 4).plays(script)
    assert sorted(shop.ordered) == (["R-1"] if is_odd else [f"R-{n}" for n in range(1, 5)])


def test_two_runs_of_one_instant_have_one_canary_each(made: Stage) -> None:
    """At most, and no more than that where it can't be read back."""

    async def script(shop: Shop) -> None:
        shop.odd = True
        await asyncio.gather(shop.start("source"), shop.start("source"))

    assert len(Shop(made, *[TAOBAO] * 6).plays(script).ordered) <= 2


def test_what_was_bought_within_a_day_needs_no_canary(made: Stage) -> None:
    """Noted in the ledger, with those that went first: one in the first run, none an hour later, one a day later."""

    async def script(shop: Shop) -> None:
        requests = shop.scenario.requests
        for number, wait_s in enumerate((0, 3600, 24 * 3600)):
            await asyncio.sleep(wait_s)
            object.__setattr__(shop.scenario, "requests", requests[3 * number : 3 * number + 3])
            await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 9).plays(script)
    assert set(shop.states.values()) == {"booked"}
    went_first = shop.database.rows("SELECT words FROM marks WHERE name = 'first:taobao' ORDER BY id")
    assert [row.words for row in went_first] == ["R-1", "R-7"]


class SharedRun(BatchRun):
    """A run that hands its orders out once they are approved; a helper with canaries of its own buys them then."""

    handed_out: ClassVar[list[tuple[list[str], int]]] = []

    async def _planned(self, requests: Sequence[OrderRequest]) -> list[PlanSummary]:
        made = await super()._planned(requests)
        self.share = cast(Any, self)
        return made

    async def bought(self, refs: Sequence[str], *_: object) -> None:
        self.handed_out.append((list(refs), len(self.resources.ledger.effects_of(self.refs, Action.CREATE))))
        self.canaries = Canaries(self.resources)
        await self._execute(refs, None, EventFeed(self.resources.ledger, self.refs))


@pytest.mark.parametrize("is_odd", [False, True])
def test_a_batch_is_handed_to_helpers_once_its_canaries_are_read_back(
    made: Stage, monkeypatch: pytest.MonkeyPatch, *, is_odd: bool
) -> None:
    """Where one is not, the run keeps its marketplace to itself, and nobody sends another one there."""
    handed_out: list[tuple[list[str], int]] = []
    monkeypatch.setattr("tests.simulation.runs.BatchRun", SharedRun)
    monkeypatch.setattr(SharedRun, "handed_out", handed_out)

    async def script(shop: Shop) -> None:
        shop.odd = is_odd
        await shop.start("source")

    shop = Shop(made, *[TAOBAO] * 6, *[ALIBABA] * 5).plays(script)
    if is_odd:
        assert handed_out == [([], 2)]
        assert sorted(shop.ordered) == ["R-1", "R-7"]
    else:
        others = [f"R-{n}" for n in range(1, 12) if n not in (1, 7)]
        assert handed_out == [(others, 2)]
        assert set(shop.states.values()) == {"booked"}
