"""A batch of one order at each of some marketplaces, with planned faults."""

from __future__ import annotations

from collections.abc import Callable, Coroutine, Mapping, Sequence
from random import Random
from types import MappingProxyType
from typing import Any

from aiohttp import web

from connectors.ledger.marks import Note, note
from connectors.process_locks import program
from domain.marketplace import Marketplace
from sandbox.control import books
from tests.hostile.batch import _order
from tests.simulation.episode import NO_QUERY, Episode, Scenario, _settings
from tests.simulation.misfortune import Call, Fault, Misfortune, calls
from tests.simulation.network import Incoming
from tests.simulation.process import Crash, Process
from tests.simulation.stage import Stage

Play = Callable[["Shop"], Coroutine[Any, Any, None]]


class Planned(Misfortune):
    """What befalls each call of a sort, in turn, and nothing else."""

    def __init__(self, faults: Mapping[Call, Sequence[Fault | None]]) -> None:
        super().__init__(dice=Random(1), calm=True)
        self.planned = {call: list(listed) for call, listed in faults.items()}

    def fault(self, call: Call) -> Fault | None:
        return listed.pop(0) if (listed := self.planned.get(call)) else None


class Shop(Episode):
    """A batch of one order at each of these marketplaces; while it is `odd` the service
    tells other references.
    """

    def __init__(
        self,
        made: Stage,
        *marketplaces: Marketplace,
        chunk_size: int = 50,
        faults: Mapping[Call, Sequence[Fault | None]] = MappingProxyType({}),
    ) -> None:
        scenario = Scenario(
            requests=tuple(
                _order(
                    f"R-{n}", marketplace, made.on_sale[marketplace][n], by_words=False
                )[0]
                for n, marketplace in enumerate(marketplaces, start=1)
            ),
            budget=None,
            settings=_settings(made, 120, 4, 0, chunk_size),
            day_limit_fen=None,
            hides_bookings=False,
        )
        super().__init__(seed=1, stage=made, given=scenario)
        self.misfortune = Planned(faults)
        self.odd = False
        self.calls = 0
        self.dies_after = ""

    def told(
        self,
        call: Call,
        fault: Fault | None,
        incoming: Incoming,
        response: web.Response,
    ) -> web.Response:
        self.calls += 1
        if self.odd and isinstance(response.body, bytes):
            return web.Response(
                body=response.body.replace(b'"R-', b'"r-'), status=response.status
            )
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
        return [
            order["reference"] for order in books(self.sandbox, NO_QUERY, b"")["orders"]
        ]

    @property
    def sent(self) -> list[str]:
        return [line.split()[-1] for line in self.trace if " sends " in line]

    def reads_between(self, first: str, second: str) -> bool:
        """Whether an order was read between these two creates."""
        started, ended = (
            next(
                n for n, line in enumerate(self.trace) if line.endswith(f"sends {item}")
            )
            for item in (first, second)
        )
        return any(
            calls(line.split()[2], effect=False) is Call.READ
            for line in self.trace[started:ended]
            if " fine -> " in line
        )

    def know(self, marketplaces: Sequence[Marketplace]) -> None:
        """The ledger knows that this program has bought there, and that prices
        agree.
        """
        clock = self.clock()
        with self.database.connection.begin():
            for marketplace in marketplaces:
                for name, text in (
                    (Note.CANARY, program()),
                    (Note.PRICES, ""),
                ):
                    note(
                        self.database.connection,
                        name.at(marketplace),
                        text,
                        by="a run",
                        at=clock,
                    )
