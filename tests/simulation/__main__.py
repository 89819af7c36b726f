"""`python -m tests.simulation`: a soak, or one seed again to the letter."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from domain.marketplace import Marketplace
    from tests.simulation.episode import Service


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation", description=__doc__
    )
    parser.add_argument(
        "--episodes", type=int, default=1000, help="how many seeds to play"
    )
    parser.add_argument("--start", type=int, default=0, help="the first seed")
    parser.add_argument(
        "--workers", type=int, default=1, help="processes that share the seeds"
    )
    parser.add_argument(
        "--failures",
        type=Path,
        default=Path("simulation-failures.tsv"),
        help="where failed seeds go",
    )
    parser.add_argument(
        "--until-violation",
        action="store_true",
        help="end with the first seed that fails",
    )
    parser.add_argument("--seed", type=int, help="play only this one")
    parser.add_argument(
        "--trace", action="store_true", help="with --seed: print what happened"
    )
    parser.add_argument(
        "--dialect",
        action="append",
        default=[],
        help="the sandbox speaks this dialect; repeatable",
    )
    parser.add_argument("--marketplace", help="buy at this one only")
    parser.add_argument(
        "--deviation",
        help="one cell of the deviations: with --marketplace, --world and --seed",
    )
    parser.add_argument(
        "--world", default="calm", help="of a deviation: calm, crash or put-back"
    )
    options = parser.parse_args()
    from domain.marketplace import Marketplace
    from tests.simulation.episode import Service

    where = Marketplace(options.marketplace) if options.marketplace else None
    if options.deviation:
        return deviating(
            options.deviation,
            where,
            options.world,
            options.seed or 0,
            trace=options.trace,
        )
    service = Service(dialects=tuple(options.dialect), marketplace=where)
    if options.seed is not None:
        return one(options.seed, service, trace=options.trace)
    from tests.simulation.soak import soak

    total = soak(
        start=options.start,
        episodes=options.episodes,
        workers=options.workers,
        failures=options.failures,
        until_violation=options.until_violation,
        service=service,
    )
    return 1 if total.failures or total.episodes != options.episodes else 0


def deviating(
    name: str, marketplace: Marketplace | None, world: str, seed: int, *, trace: bool
) -> int:
    """Play one cell of the deviations."""
    from domain.marketplace import Marketplace
    from tests.simulation.deviations.catalogue import BY_NAME
    from tests.simulation.deviations.open import why_open
    from tests.simulation.deviations.player import judged, played_out
    from tests.simulation.deviations.scenes import Cell, Setting
    from tests.simulation.stage import stage

    where = marketplace or Marketplace.TAOBAO
    cell = Cell(
        deviation=BY_NAME[name], marketplace=where, setting=Setting(world), seed=seed
    )
    with stage() as open_stage:
        episode = played_out(open_stage, cell)
        steps = list(episode.trace)
        played = judged(open_stage, episode)
    if trace:
        print("\n".join(steps))
    print(f"{cell}: {played.outcome}{' (open)' if why_open(cell) else ''}")
    for text in played.said:
        print(f"SAID {text}")
    for label in played.faults:
        print(f"BROKEN {label}")
    return 1 if played.faults else 0


def one(seed: int, service: Service, *, trace: bool) -> int:
    """Play one seed; the hash of its trace says whether two runs were the same."""
    from tests.simulation.episode import play
    from tests.simulation.stage import stage

    with stage() as open_stage:
        episode = play(seed, open_stage, service)
    if trace:
        print("\n".join(episode.trace))
    print(f"seed {seed}: trace {episode.trace_hash}, {len(episode.trace)} steps")
    for label in episode.found:
        print(f"BROKEN {label}")
    return 1 if episode.found else 0


if __name__ == "__main__":
    if (
        os.environ.get("PYTHONHASHSEED") != "0"
    ):  # the order of sets is part of what is replayed
        os.execve(
            sys.executable,
            [sys.executable, "-m", "tests.simulation", *sys.argv[1:]],
            {**os.environ, "PYTHONHASHSEED": "0"},
        )
    sys.exit(main())
