"""The sandbox behind a deviation: what is asked of it, what it tells, and what it does
may be another.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from aiohttp import web

from sandbox.app import Sandbox
from sandbox.auth import SignatureCheck
from sandbox.world import World
from tests.hostile.values import as_json
from tests.simulation.deviations.payments import Pays
from tests.simulation.deviations.wire import ROLES, ROWS, Role
from tests.simulation.network import DrawnFaults, Incoming


class Group(StrEnum):
    """What a deviation is about."""

    NUMBERS = "numbers and ids"
    AMOUNTS = "amounts"
    NAMES = "names"
    NOTHING = "nothing"
    TIMES = "times"
    TOTALS = "totals of lists"
    PAGES = "pages"
    ROWS = "rows"
    FILTERS = "filters"
    LAG = "lag"
    REFERENCES = "references"
    ENVELOPE = "envelope"
    STATES = "states"
    BOOLEANS = "booleans"
    TEXT = "text"
    PAYMENTS = "payments"


class Outcome(StrEnum):
    """What became of a batch: as with the contract, nothing ordered, at most a canary,
    all paid, or anything else.
    """

    THROUGH = "through"
    PAID = "paid"
    ONE = "one"
    STOPPED = "stops"
    OTHER = "other"


THROUGH = frozenset({Outcome.THROUGH})
STOPS = frozenset({Outcome.STOPPED})
ONE = frozenset({Outcome.STOPPED, Outcome.ONE})
THROUGH_OR_ONE = THROUGH | ONE
PAID = frozenset({Outcome.THROUGH, Outcome.PAID})
SAFE = frozenset(Outcome)
"""Through, or waiting, or a question: whatever breaks no promise."""


@dataclass(slots=True)
class Told:
    """An answer on its way: the parsed envelope and its HTTP status."""

    path: str
    role: Role
    answer: Any
    status: int
    dice: Random

    @property
    def data(self) -> Any:
        return self.answer["data"]

    @data.setter
    def data(self, data: Any) -> None:
        self.answer["data"] = data

    @property
    def is_yes(self) -> bool:
        return 200 in (self.answer.get("code"), self.answer.get("errorCode"))

    @property
    def rows_name(self) -> str:
        """Where an order list has its rows."""
        return next(name for name in ROWS if isinstance(self.data.get(name), list))


Ask = Callable[[Role, dict[str, Any]], None]
Tell = Callable[[Told], None]
Within = Callable[[World, Role, Random], AbstractContextManager[Any]]


def _as_asked(_role: Role, _body: dict[str, Any]) -> None:
    pass


def _as_told(_told: Told) -> None:
    pass


def _as_it_is(_world: World, _role: Role, _dice: Random) -> AbstractContextManager[Any]:
    return nullcontext()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Deviation:
    """One form in which a service differs: `asks` changes requests, `tells` answers,
    `writes` the bytes of a body.

    `within` is what a call is carried out in, `pays` what a payment is. `resends` says
    that the account is known to debit at once; `refusals` that something is refused, so
    that it shows how.
    """

    name: str
    group: Group
    expected: frozenset[Outcome]
    asks: Ask = _as_asked
    tells: Tell = _as_told
    within: Within = _as_it_is
    writes: Callable[[bytes], bytes] | None = None
    pays: Pays | None = None
    resends: bool = False
    refusals: bool = False


def asked_of(deviation: Deviation, path: str, body: bytes) -> bytes:
    """The body of a request as it reaches the service."""
    calls = json.loads(body) if body else {}
    deviation.asks(ROLES.get(path, Role.OTHER), calls)
    return json.dumps(calls).encode() if calls else body


def told_by(deviation: Deviation, told: Told, body: bytes) -> bytes:
    """The body of an answer as it leaves the service; `told.status` goes with it."""
    told.answer = json.loads(body)
    deviation.tells(told)
    built = as_json(told.answer)
    return deviation.writes(built) if deviation.writes is not None else built


class DeviatingSandbox(Sandbox):
    """A sandbox that deviates while it is `on`. `changed` counts what was asked or told
    otherwise.
    """

    def __init__(
        self, world: World, breaker: SignatureCheck, deviation: Deviation, dice: Random
    ) -> None:
        super().__init__(world, breaker)
        self.deviation = deviation
        self.dice = dice
        self.faults = self.drawn = DrawnFaults()  # type: ignore[assignment]
        self.on = False
        self.changed = 0

    async def handle(self, request: web.BaseRequest) -> web.Response:
        if not self.on:
            return await super().handle(request)
        assert isinstance(request, Incoming)
        role = ROLES.get(request.path, Role.OTHER)
        before = request._body
        request._body = asked_of(self.deviation, request.path, request._body)
        self.changed += bool(before) and json.loads(before) != json.loads(request._body)
        pays = (
            self.deviation.pays(self.world, self.drawn, request)
            if self.deviation.pays and role is Role.PAY
            else None
        )
        with self.deviation.within(self.world, role, self.dice), pays or nullcontext():
            response = await super().handle(request)
        assert isinstance(response.body, bytes)
        if not response.body:  # the connection is cut
            return response
        notices = Told(request.path, role, None, response.status, self.dice)
        body = told_by(self.deviation, notices, response.body)
        self.changed += (
            body != as_json(json.loads(response.body))
            or notices.status != response.status
        )
        headers = {
            name: value
            for name, value in response.headers.items()
            if name == "Retry-After"
        }
        return web.Response(body=body, status=notices.status, headers=headers)
