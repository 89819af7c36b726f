"""The matrix: every deviation at every marketplace, in every setting and for every
seed.
"""

from __future__ import annotations

import gc
import multiprocessing
from collections import defaultdict
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from itertools import product

from domain.marketplace import Marketplace
from tests.simulation.deviations.catalogue import BY_NAME, DEVIATIONS
from tests.simulation.deviations.player import Played, play
from tests.simulation.deviations.scenes import Cell, Setting
from tests.simulation.deviations.service import Deviation
from tests.simulation.stage import stage

SEEDS = 5
TOLD_EVERY = 20


@dataclass(frozen=True, slots=True)
class Line:
    """What one cell came to, as it travels between processes."""

    deviation: str
    marketplace: Marketplace
    setting: Setting
    seed: int
    outcome: str
    faults: tuple[str, ...]
    said: tuple[str, ...]
    deviated: bool
    from_start: bool

    @property
    def key(self) -> tuple[str, Marketplace, Setting, int]:
        return self.deviation, self.marketplace, self.setting, self.seed


def line_of(played: Played) -> Line:
    cell = played.cell
    return Line(
        cell.deviation.name,
        cell.marketplace,
        cell.setting,
        cell.seed,
        str(played.outcome),
        played.faults,
        played.said,
        played.deviated,
        cell.from_start,
    )


def cells(
    deviations: Sequence[Deviation] = DEVIATIONS,
    *,
    settings: Iterable[Setting] = Setting,
    seeds: Iterable[int] = range(SEEDS),
) -> list[Cell]:
    """All cells of these deviations, one marketplace after the other."""
    return [
        Cell(deviation=deviation, marketplace=marketplace, setting=setting, seed=seed)
        for deviation, marketplace, setting, seed in product(
            deviations, Marketplace, settings, seeds
        )
    ]


def lines(chosen: Sequence[Cell], workers: int = 1) -> Iterator[Line]:
    """Play these cells, in several processes; one after the other as they end."""
    if workers == 1:
        yield from _played(chosen)
        return
    named = [
        (cell.deviation.name, cell.marketplace, cell.setting, cell.seed)
        for cell in chosen
    ]
    context = multiprocessing.get_context("spawn")
    pieces = [
        named[start : start + TOLD_EVERY] for start in range(0, len(named), TOLD_EVERY)
    ]
    with context.Pool(
        workers, maxtasksperchild=25
    ) as pool:  # a process that played thousands holds gigabytes
        for line in pool.imap(_part, pieces):
            yield from line


def _part(named: Sequence[tuple[str, Marketplace, Setting, int]]) -> list[Line]:
    return list(
        _played(
            [
                Cell(deviation=BY_NAME[name], marketplace=m, setting=s, seed=n)
                for name, m, s, n in named
            ]
        )
    )


def _played(chosen: Iterable[Cell]) -> Iterator[Line]:
    with stage() as open_stage:
        for number, cell in enumerate(chosen):
            yield line_of(play(open_stage, cell))
            if number % TOLD_EVERY == TOLD_EVERY - 1:
                gc.collect()


def table(told: Iterable[Line]) -> Iterator[str]:
    """A line a deviation: what it comes to in calm at each marketplace; behind it what
    breaks.
    """
    by_deviation: defaultdict[str, list[Line]] = defaultdict(list)
    for line in told:
        by_deviation[line.deviation].append(line)
    yield f"{'deviation':44} " + " ".join(f"{name:13}" for name in Marketplace)
    for name, listed in by_deviation.items():
        yield f"{name:44} " + " ".join(
            f"{_cell(listed, marketplace):13}" for marketplace in Marketplace
        )


def _cell(listed: Sequence[Line], marketplace: str) -> str:
    lines = [line for line in listed if line.marketplace == marketplace]
    if not lines:
        return ""
    calm = dict.fromkeys(
        line.outcome
        for line in lines
        if line.setting == Setting.CALM and line.from_start
    )
    text = "/".join(calm) if any(line.deviated for line in lines) else "-"
    broken = sum(bool(line.faults) for line in lines)
    return f"{text}{f' !{broken}' if broken else ''}"
