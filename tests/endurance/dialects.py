"""Journeys through each dialect, and through combinations: `make endurance
PART=dialects`.
"""

from __future__ import annotations

import logging

from tests.simulation.dialects.table import COMBINATIONS, alone, combined, results

WORKERS = 2


def journeys_end_right(*, first_seed: int) -> bool:
    """Play all; tell those that break a promise, or whose orders wait without a named
    assumption.
    """
    logging.disable()
    trips = [*alone(), *combined(range(first_seed, first_seed + COMBINATIONS))]
    faulty = [item for item in results(trips, WORKERS) if item.faults]
    for item in faulty:
        print(f"{item.trip}: {item.faults[0]}")
    print(
        f"dialects   {len(trips) - len(faulty)} of {len(trips)} journeys end right",
        flush=True,
    )
    return not faulty
