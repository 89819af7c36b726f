"""`python -m tests.simulation`: a soak, or one seed again to the letter."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tests.simulation.episode import Service


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.simulation", description=__doc__)
    parser.add_argument("--episodes", type=int, default=1000, help="how many seeds to play")
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument("--workers", type=int, default=1, help="processes that share the seeds")
    parser.add_argument("--failures", type=Path, default=Path("simulation-failures.tsv"), help="where failed seeds go")
    parser.add_argument("--until-violation", action="store_true", help="end with the first seed that fails")
    parser.add_argument("--seed", type=int, help="play only this one")
    parser.add_argument("--trace", action="store_true", help="with --seed: print what happened")
    parser.add_argument("--dialect", action="append", default=[], help="the sandbox speaks this dialect; repeatable")
    parser.add_argument("--marketplace", help="buy at this one only")
    options = parser.parse_args()
    from domain.marketplace import Marketplace
    from tests.simulation.episode import Service

    where = Marketplace(options.marketplace) if options.marketplace else None
    service = Service(dialects=tuple(options.dialect), marketplace=where)
    if options.seed is not None:
        return one(options.seed, service, trace=options.trace)
    from tests.simulation.soak import soak

    whole = soak(
        start=options.start,
        episodes=options.episodes,
        workers=options.workers,
        failures=options.failures,
        until_violation=options.until_violation,
        service=service,
    )
    return 1 if whole.failures or whole.episodes != options.episodes else 0


def one(seed: int, service: Service, *, trace: bool) -> int:
    """Play one seed; the hash of its trace says whether two runs were the same."""
    from tests.simulation.episode import play
    from tests.simulation.stage import stage

    with stage() as made:
        episode = play(seed, made, service)
    if trace:
        print("\n".join(episode.trace))
    print(f"seed {seed}: trace {episode.trace_hash}, {len(episode.trace)} steps")
    for what in episode.found:
        print(f"BROKEN {what}")
    return 1 if episode.found else 0


if __name__ == "__main__":
    if os.environ.get("PYTHONHASHSEED") != "0":  # the order of sets is part of what is replayed
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
