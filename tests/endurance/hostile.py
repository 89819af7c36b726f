"""The whole table of odd answers, shared by two processes: what each case breaks, by
what it breaks.
"""

from __future__ import annotations

import multiprocessing
import re
import time
from collections import defaultdict

from tests.hostile.table import cases_of, play
from tests.simulation.stage import stage

SLICE = 500
SHOWN = 3


def odd_answers(*, every: int = 1, workers: int = 2) -> bool:
    """Play every `every`th case; print what broke, with some of the cases that broke
    it. True when nothing did.
    """
    began = time.monotonic()
    played = 0
    broke: defaultdict[str, list[str]] = defaultdict(list)
    context = multiprocessing.get_context("spawn")
    with context.Pool(workers) as pool:
        parts = [(place, every) for place in range(_slices(every))]
        for count, found in pool.imap_unordered(_play_slice, parts):
            played += count
            for case, what in found:
                broke[_without_names(what)].append(case)
            print(
                f"hostile: {played} cases, {sum(map(len, broke.values()))} broken",
                flush=True,
            )
    for what, cases in sorted(broke.items(), key=lambda one: -len(one[1])):
        print(f"{len(cases):6} {what}")
        for shown in cases[:SHOWN]:
            print(f"         {shown}")
    print(
        f"hostile: {played} cases in {time.monotonic() - began:.0f} s, {sum(map(len, broke.values()))} broken"
    )
    return not broke


def _slices(every: int) -> int:
    with stage() as made:
        return -(-len(cases_of(made)[::every]) // SLICE)


def _play_slice(wanted: tuple[int, int]) -> tuple[int, list[tuple[str, str]]]:
    place, every = wanted
    with stage() as made:
        whole = cases_of(made)[::every]
        # far apart in the table, so that a batch has orders of all marketplaces
        step = -(-len(whole) // SLICE)
        cases = whole[place::step]
        return len(cases), [
            (str(case), what)
            for broken in play(made, cases)
            for case, what in broken.items()
        ]


def _without_names(what: str) -> str:
    """Without what differs from order to order."""
    shorter = re.sub(r"(taobao|1688|big_major|international|poizon)-\w+", "ORDER", what)
    return re.sub(r"-?\d{3,}|'[^']*'", "…", shorter)[:200]
