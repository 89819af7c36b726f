"""Each dialect alone, and seeded combinations: what a journey comes to at each
marketplace, and its faults.
"""

from __future__ import annotations

import multiprocessing
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from random import Random
from typing import Any

from domain.marketplace import Marketplace
from domain.states import OrderState
from sandbox.dialects.known import DIALECTS
from sandbox.dialects.pay_refused_by_finance import PAY_REFUSED_BY_FINANCE
from tests.simulation.dialects.journey import End, Journey
from tests.simulation.stage import Stage, stage

COMBINATIONS = 40
UNPAID_ENDS = (OrderState.HELD, OrderState.REFUSED, OrderState.CANCELLED)
PLAYED_AT_ONCE = 5


class Word(StrEnum):
    """What became of a marketplace's orders: as written; none begun; the first one
    waits; all close unpaid; or else.
    """

    THROUGH = "through"
    STOPS = "stops"
    ONE = "one"
    CLOSES = "closes"
    WAITS = "waits"


REMEDIES: Mapping[str, Mapping[str, Any]] = {
    "refuses-unknown-fields": {"out_order_id": False},
    "freight-distribution-ids": {"freight_ids": "distribution"},
    "receiver-china": {"taobao_receiver": "warehouse"},
    "pages-from-0": {"first_page": 0},
    "time-compact": {"compact_times": True},
    "taobao-yuan": {"units": "taobao.detail=yuan"},
    "search-yuan-text": {"units": "taobao.search=yuan"},
    "taobao-yuan-everywhere": {"units": "taobao=yuan"},
}
"""The settings (`XPORTCN_`) that let a batch through, by dialect; without an entry none
has to be set.
"""
UNSET: Mapping[str, Mapping[str, Any]] = {
    "freight-distribution-ids": {"freight_ids": ""},
    "receiver-china": {"taobao_receiver": ""},
}
"""What nobody has asked the service about, by dialect, while it is not mended."""
NEVER_MENDED = {"pay-refused-by-finance", "pay-by-credit"}
OPPOSITES = (
    {"booking-one-a-render", "booking-one-an-order"},
    {"detail-without-reference", "create-before-number"},
)
"""Pairs that are not drawn together: they contradict each other, or leave no way to see
an order, as the last one.
"""


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
    """What a trip came to. `faults` are broken promises, and orders that wait without a
    named assumption.
    """

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
        while any(pair <= {*chosen} for pair in OPPOSITES):
            chosen = dice.sample(names, len(chosen))
        trips.append(
            Trip(
                dialects=tuple(sorted(chosen, key=names.index)),
                seed=seed,
                mended=seed % 2 == 1,
            )
        )
    return trips


def played(made: Stage, trip: Trip) -> Journey:
    """The journey of a trip, at its end; always the same."""
    settings: dict[str, Any] = {}
    for name in trip.dialects:
        remedy = (REMEDIES if trip.mended else UNSET).get(name, {})
        units = ", ".join(
            str(setting["units"])
            for setting in (settings, remedy)
            if "units" in setting
        )
        settings |= {**remedy, "units": units} if units else remedy
    journey = Journey(made, trip.dialects, seed=trip.seed, settings=settings)
    journey.run()
    return journey


def judged(journey: Journey, trip: Trip) -> Result:
    text = {}
    faults = list(journey.found)
    goes_through = trip.mended and not NEVER_MENDED & {*trip.dialects}
    for marketplace in Marketplace:
        ends = [end for end in journey.all_ends if end.marketplace is marketplace]
        text[str(marketplace)] = word = _word(ends, trip.dialects)
        if word is Word.WAITS or (word is not Word.THROUGH and goes_through):
            end = next(end for end in ends if not end.is_as_written)
            faults.append(
                f"{marketplace} {word}: {end.order_ref} is {end.state}: {end.reason}"
            )
    return Result(trip=trip, words=text, faults=tuple(faults))


def _word(ends: Sequence[End], dialects: Sequence[str]) -> Word:
    remaining = [end for end in ends if not end.is_as_written]
    if not remaining:
        return Word.THROUGH
    started = [end for end in remaining if end.is_begun]
    explained = all(
        end.names_an_assumption for end in remaining if not end.is_begun
    ) and all(end.reason for end in started)
    if explained and len(started) <= 1:
        return Word.ONE if any(end.is_begun for end in ends) else Word.STOPS
    unpaid = all(end.state in UNPAID_ENDS and end.reason for end in remaining)
    return (
        Word.CLOSES
        if unpaid and PAY_REFUSED_BY_FINANCE.name in dialects
        else Word.WAITS
    )


def results(trips: Sequence[Trip], workers: int = 1) -> Iterator[Result]:
    """Play these trips, in several processes; in their order."""
    if workers == 1:
        yield from _part(trips)
        return
    pieces = [
        trips[start : start + PLAYED_AT_ONCE]
        for start in range(0, len(trips), PLAYED_AT_ONCE)
    ]
    with multiprocessing.get_context("spawn").Pool(workers) as pool:
        for piece in pool.imap(_part, pieces):
            yield from piece


def _part(trips: Sequence[Trip]) -> list[Result]:
    with stage() as open_stage:
        return [judged(played(open_stage, trip), trip) for trip in trips]
