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
        pieces = [(index, every) for index in range(_slices(every))]
        for count, findings in pool.imap_unordered(_play_slice, pieces):
            played += count
            for case, label in findings:
                broke[_without_names(label)].append(case)
            print(
                f"hostile: {played} cases, {sum(map(len, broke.values()))} broken",
                flush=True,
            )
    for label, cases in sorted(broke.items(), key=lambda item: -len(item[1])):
        print(f"{len(cases):6} {label}")
        for listing in cases[:SHOWN]:
            print(f"         {listing}")
    print(
        f"hostile: {played} cases in {time.monotonic() - began:.0f} s, {sum(map(len, broke.values()))} broken"
    )
    return not broke


def _slices(every: int) -> int:
    with stage() as open_stage:
        return -(-len(cases_of(open_stage)[::every]) // SLICE)


def _play_slice(expected: tuple[int, int]) -> tuple[int, list[tuple[str, str]]]:
    index, every = expected
    with stage() as open_stage:
        total = cases_of(open_stage)[::every]
        # far apart in the table, so that a batch has orders of all marketplaces
        step = -(-len(total) // SLICE)
        cases = total[index::step]
        return len(cases), [
            (str(case), label)
            for broken in play(open_stage, cases)
            for case, label in broken.items()
        ]


def _without_names(label: str) -> str:
    """Without what differs from order to order."""
    shorter = re.sub(
        r"(taobao|1688|big_major|international|poizon)-\w+", "ORDER", label
    )
    return re.sub(r"-?\d{3,}|'[^']*'", "…", shorter)[:200]
