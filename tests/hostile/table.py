"""The table of cases, found by walking real answers: a field that the service begins to
send is covered by itself.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from random import Random
from typing import Any

from aiohttp import web

from domain.marketplace import Marketplace
from tests.hostile.batch import Batch, HostileEpisode, batch_of
from tests.hostile.pointers import Pointer, Sort, general, places, sort_of
from tests.hostile.service import Case, When
from tests.hostile.values import odd_values
from tests.simulation.misfortune import Call, Fault
from tests.simulation.network import Incoming
from tests.simulation.stage import Stage

BATCH_SIZE = 100
SHARED = "shared"  # answers that concern every order of a run, such as the warehouse's address
Place = tuple[str, str, Pointer]
LOGISTICS = "/open/pp/logistics/"
READING = ("page", "detail", "list", "orderList")


NOTHING = Case(
    marketplace="",
    operation="",
    pointer=(),
    sort=Sort.OTHER,
    name="",
    value=None,
    when=When.BUYING,
)


class _Listening(HostileEpisode):
    """A batch that is told the truth, with every answer that it gets."""

    def __init__(self, made: Stage, batch: Batch) -> None:
        super().__init__(made, batch)
        self.heard: list[tuple[str, set[str], Any]] = []

    def told(
        self,
        call: Call,
        fault: Fault | None,
        incoming: Incoming,
        response: web.Response,
    ) -> web.Response:
        if self.service.on:
            assert isinstance(response.body, bytes)
            self.service.learn()
            self.heard.append(
                (incoming.path, self.service.asked(incoming), json.loads(response.body))
            )
        return super().told(call, fault, incoming, response)


def cases_of(made: Stage) -> list[Case]:
    """Every case, in an order of its own that never changes."""
    findings: dict[tuple[str, str, Pointer, When], Any] = {}
    for when in When:
        for location, real in _places_when(made, when).items():
            findings.setdefault((*location, when), real)
    return [
        case
        for location, real in findings.items()
        for case in _cases_at(*location, real)
    ]


def _cases_at(
    marketplace: str, operation: str, pointer: Pointer, when: When, real: Any
) -> Iterator[Case]:
    blank = Case(
        marketplace=marketplace,
        operation=operation,
        pointer=pointer,
        sort=sort_of(pointer, real),
        name="",
        value=None,
        when=when,
    )
    for name, value in odd_values(real).items():
        yield replace(blank, name=name, value=value)


def _places_when(built: Stage, when: When) -> dict[Place, Any]:
    """The places of all answers; after a lost answer only of those in which an order is
    looked for.
    """
    findings: dict[Place, Any] = {}
    freight: set[tuple[str, Pointer]] = set()
    for item in (1, 3) if when is When.BUYING else (1,):
        for operation, calls, marketplace, pointer, real in _heard(built, when, item):
            reading = (
                operation.rpartition("/")[2].startswith(READING)
                and "product" not in operation
            )
            if when not in (When.BUYING, When.TRACKING) and not reading:
                continue
            owner = marketplace
            if (
                LOGISTICS in operation
            ):  # one warehouse serves all marketplaces: each takes a part of it
                owner = tuple(Marketplace)[len(freight) % len(Marketplace)]
                if (operation, pointer) in freight:
                    continue
                freight.add((operation, pointer))
            elif (
                not calls
                and not reading
                and "preview" not in operation
                and "product" not in operation
            ):
                owner = SHARED
            findings.setdefault((owner, operation, pointer), real)
    return findings


def _heard(
    built: Stage, when: When, item: int
) -> Iterator[tuple[str, set[str], str, Pointer, Any]]:
    blank = [
        replace(NOTHING, marketplace=name, operation="" if n else "search", when=when)
        for name in Marketplace
        for n in range(item)
    ]
    episode = _Listening(built, batch_of(built, blank, alone=item == 1))
    episode.play_it()
    assert not episode.broken_things, episode.broken_things
    for operation, calls, answer in episode.heard:
        marketplace = _marketplace(operation, calls, episode)
        if marketplace is None:
            continue

        def is_row(
            row: Any, asked: set[str] = calls, marketplace: str = marketplace
        ) -> bool:
            rows = asked or {
                ref for ref in episode.asked.goods if ref.startswith(marketplace)
            }
            return any(episode.service.is_of(ref, row) for ref in rows)

        for pointer, real in places(answer, is_row):
            yield operation, calls, marketplace, general(pointer), real


MARKETPLACE_OF = {
    "/alibaba/ka/": "big_major",
    "/alibaba/international/": "international",
    "/poizon/": "poizon",
}


def _marketplace(operation: str, calls: set[str], episode: _Listening) -> str | None:
    """Whose answer it is; answers that concern all marketplaces stand for Taobao."""
    if calls:
        return min(calls).rpartition("-")[0]
    for start, name in MARKETPLACE_OF.items():
        if operation.startswith(start):
            return name
    return "1688" if "alibaba" in operation else "taobao"


def seeded(cases: Sequence[Case], count: int, seed: int) -> list[Case]:
    """That many cases, among them each amount and each id once, with a value that the
    seed draws.
    """
    dice = Random(seed)
    groups: dict[tuple[str, str, Pointer], list[Case]] = {}
    for case in cases:
        groups.setdefault((case.marketplace, case.operation, case.pointer), []).append(
            case
        )
    drawn = [
        dice.choice(group)
        for group in groups.values()
        if group[0].sort in (Sort.AMOUNT, Sort.ID)
    ]
    remainder = [
        dice.choice(group)
        for group in groups.values()
        if group[0].sort not in (Sort.AMOUNT, Sort.ID)
    ]
    return drawn + dice.sample(
        remainder, max(0, min(len(remainder), count - len(drawn)))
    )


def play(made: Stage, cases: Sequence[Case]) -> Iterator[dict[Case, str]]:
    """Play these cases, batch by batch: what each breaks. A hundred orders a batch,
    each with a case of its own.

    Cases that concern all orders of a marketplace are played with one order each.
    """
    tracking = [case for case in cases if case.when is When.TRACKING]
    neighbours = [case for case in cases if case.when is not When.TRACKING]
    for kind in (neighbours, tracking):
        shared = [
            replace(case, marketplace="taobao")
            for case in kind
            if case.marketplace == SHARED
        ]
        unwritten = []
        for batch in _hundreds([case for case in kind if case.marketplace != SHARED]):
            episode = HostileEpisode(made, batch_of(made, batch, alone=False)).play_it()
            unwritten += [
                case
                for ref, case in episode.service.cases.items()
                if ref not in episode.service.told
            ]
            yield _blamed(made, episode)
        for batch in [*_one_each(unwritten), *([case] for case in shared)]:
            yield _blamed(
                made, HostileEpisode(made, batch_of(made, batch, alone=True)).play_it()
            )


def _blamed(built: Stage, episode: HostileEpisode) -> dict[Case, str]:
    """Which case broke what; when something befell the whole run, each is played by
    itself to see.
    """
    cases = episode.asked.cases
    if any(fault.ref not in cases for fault in episode.broken_things):
        by_itself = dict(
            culprits(built, list(cases.values()), alone=episode.asked.alone)
        )
        return by_itself or {
            NOTHING: f"{episode.broken_things[0].what}, by {len(cases)} cases together"
        }
    broken: dict[Case, str] = {}
    for fault in episode.broken_things:
        case = cases[fault.ref]
        broken[case] = f"{broken[case]}; {fault.what}" if case in broken else fault.what
    return broken


def _hundreds(cases: Sequence[Case]) -> Iterator[list[Case]]:
    """Batches in which no marketplace has more orders than items."""
    by_marketplace = {
        name: [case for case in cases if case.marketplace == name]
        for name in Marketplace
    }
    share = BATCH_SIZE // len(Marketplace)
    while any(by_marketplace.values()):
        batch = [case for listed in by_marketplace.values() for case in listed[:share]]
        by_marketplace = {
            name: listed[share:] for name, listed in by_marketplace.items()
        }
        yield batch


def _one_each(cases: Iterable[Case]) -> Iterator[list[Case]]:
    waiting = list(cases)
    while waiting:
        batch = {case.marketplace: case for case in reversed(waiting)}
        waiting = [case for case in waiting if case is not batch[case.marketplace]]
        yield list(batch.values())


def culprits(
    made: Stage, cases: Sequence[Case], *, alone: bool
) -> Iterator[tuple[Case, str]]:
    """The cases that break something by themselves, each with what it breaks."""
    for case in cases:
        episode = HostileEpisode(made, batch_of(made, [case], alone=alone)).play_it()
        if episode.broken_things:
            yield (
                case,
                "; ".join(dict.fromkeys(fault.what for fault in episode.broken_things)),
            )
