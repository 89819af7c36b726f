"""Each dialect alone, and seeded combinations: what a journey comes to at each marketplace, and its faults."""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from random import Random
from typing import Any

from domain.marketplace import Marketplace
from sandbox.dialects.known import DIALECTS
from tests.simulation.dialects.journey import End, Journey
from tests.simulation.stage import Stage, stage

COMBINATIONS = 40
PLAYED_AT_ONCE = 5
FINANCE_REFUSES = "pay-refused-by-finance"


class Word(StrEnum):
    """What became of a marketplace's orders: as written; none begun; the first one waits; each is closed
    unpaid, as where finance refuses every payment; or something else."""

    THROUGH = "through"
    STOPS = "stops"
    ONE = "one"
    CLOSED = "closed"
    WAITS = "waits"


@dataclass(frozen=True, slots=True, kw_only=True)
class Remedy:
    """What lets a batch through: settings of the service, and marketplaces that a person has confirmed."""

    settings: Mapping[str, Any] = field(default_factory=dict)
    confirmed: tuple[Marketplace, ...] = ()

    def __str__(self) -> str:
        said = [f"`XPORTCN_{name.upper()}={str(value).lower()}`" for name, value in self.settings.items()]
        return ", ".join([*said, *(f"`sourcing ledger confirm {one}`" for one in self.confirmed)])

    def __or__(self, other: Remedy) -> Remedy:
        units = ", ".join(str(one["units"]) for one in (self.settings, other.settings) if "units" in one)
        settings = {**self.settings, **other.settings} | ({"units": units} if units else {})
        return Remedy(settings=settings, confirmed=self.confirmed + other.confirmed)


NOTHING = Remedy()
REMEDIES: Mapping[str, Remedy] = {
    "refuses-unknown-fields": Remedy(settings={"out_order_id": False}),
    "taobao-yuan": Remedy(settings={"units": "taobao.detail=yuan"}),
    "search-yuan-text": Remedy(settings={"units": "taobao.search=yuan"}),
    "taobao-yuan-everywhere": Remedy(settings={"units": "taobao=yuan"}),
}
"""By dialect; without an entry nothing has to be set."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Trip:
    """One journey to play: `mended` with the remedies of its dialects."""

    dialects: tuple[str, ...]
    seed: int = 0
    mended: bool = False

    def __str__(self) -> str:
        names = " ".join(f"--dialect {name}" for name in self.dialects)
        return f"python -m tests.simulation.dialects {names} --seed {self.seed}{' --mended' if self.mended else ''}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a trip came to. `faults` are broken promises, and orders that wait without a named assumption."""

    trip: Trip
    words: Mapping[str, Word]
    faults: tuple[str, ...]


def alone() -> list[Trip]:
    """Each dialect, and where it has a remedy, with that."""
    trips = [Trip(dialects=(dialect.name,)) for dialect in DIALECTS]
    return trips + [Trip(dialects=(name,), mended=True) for name in REMEDIES]


def combined(seeds: Iterable[int]) -> list[Trip]:
    """Two or three dialects of each seed; half of them with their remedies."""
    names = [dialect.name for dialect in DIALECTS]
    trips = []
    for seed in seeds:
        dice = Random(f"{seed}:dialects")
        chosen = dice.sample(names, dice.choice((2, 3)))
        trips.append(Trip(dialects=tuple(sorted(chosen, key=names.index)), seed=seed, mended=seed % 2 == 1))
    return trips


def played(made: Stage, trip: Trip) -> Journey:
    """The journey of a trip, at its end; always the same."""
    remedy = NOTHING
    for name in trip.dialects if trip.mended else ():
        remedy |= REMEDIES.get(name, NOTHING)
    journey = Journey(made, trip.dialects, seed=trip.seed, settings=remedy.settings, confirmed=remedy.confirmed)
    journey.run()
    return journey


def judged(journey: Journey, trip: Trip) -> Result:
    words, faults = {}, list(journey.found)
    for marketplace in Marketplace:
        ends = [end for end in journey.all_ends if end.marketplace is marketplace]
        word = _word(ends)
        if FINANCE_REFUSES in trip.dialects and word is Word.WAITS and all(end.is_closed for end in ends):
            word = Word.CLOSED
        words[str(marketplace)] = word
        if word is Word.WAITS or (word is not Word.THROUGH and trip.mended):
            left = next(end for end in ends if not end.is_as_written)
            faults.append(f"{marketplace} {word}: {left.order_ref} is {left.state}: {left.reason}")
    return Result(trip=trip, words=words, faults=tuple(faults))


def _word(ends: Sequence[End]) -> Word:
    left = [end for end in ends if not end.is_as_written]
    if not left:
        return Word.THROUGH
    begun = [end for end in left if end.is_begun]
    explained = all(end.names_an_assumption for end in left if not end.is_begun) and all(end.reason for end in begun)
    if len(begun) > 1 or not explained:
        return Word.WAITS
    return Word.ONE if begun else Word.STOPS


def results(trips: Sequence[Trip], workers: int = 1) -> Iterator[Result]:
    """Play these trips, in several processes; in their order."""
    if workers == 1:
        yield from _part(trips)
        return
    parts = [trips[start : start + PLAYED_AT_ONCE] for start in range(0, len(trips), PLAYED_AT_ONCE)]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for part in pool.imap(_part, parts):
            yield from part


def _part(trips: Sequence[Trip]) -> list[Result]:
    with stage() as made:
        return [judged(played(made, trip), trip) for trip in trips]
