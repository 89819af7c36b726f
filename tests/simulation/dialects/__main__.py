"""`python -m tests.simulation.dialects`: all journeys, and the page of them; or one
again, with what happened in it.
"""

from __future__ import annotations

import argparse
import logging
import os
import sys
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING

from tests.running import ROOT

if TYPE_CHECKING:
    from tests.simulation.dialects.table import Result, Trip

PAGE = ROOT / "docs" / "contract" / "dialects.md"
HEAD = """# Dialects of the service

Public evidence makes these deviations of the service from the written contract likely. The sandbox speaks each of them
(`sourcing sandbox --dialect NAME`), and the simulation plays a batch through them, alone and in seeded combinations:
three orders at each of the five marketplaces under a budget, with a limit on each line, from the plan to the door, one
of them cancelled before it is paid and one after. Nothing is ordered, paid or booked twice there, and nothing above
what was approved, counted in the sandbox's own fen.

*Through*: all orders end as with the contract. *Stops*: nothing is ordered, and each order names the assumption and the
setting. *One*: the first order is placed, and the others wait with the assumption named. *Closes*: all are ordered
and close unpaid, with the reason. A person answers the question about a first payment by the console (`sourcing
confirm`). Marks: **C** the service itself, **U** the marketplace behind it, **R** a reseller or third party, **I**
inferred. The last column has the settings that let a batch through; a journey with them was seen to go through.

Generated: `python -m tests.simulation.dialects`. `make endurance PART=dialects` plays all, `make test` some;
`python -m tests.simulation.dialects --dialect NAME --trace` plays one again.
"""


def page(played: Sequence[Result]) -> Iterator[str]:
    """The page's lines."""
    from domain.marketplace import Marketplace
    from sandbox.dialects.known import DIALECTS
    from tests.simulation.dialects.table import REMEDIES

    by_name = {item.trip.dialects: item for item in played if not item.trip.mended}
    yield HEAD
    yield f"| dialect | the service | mark | {' | '.join(Marketplace)} | set |"
    yield f"|---|---|---|{'---|' * len(Marketplace)}---|"
    for dialect in DIALECTS:
        text = by_name[(dialect.name,)].words
        output = [
            f"`XPORTCN_{name.upper()}={str(instant).lower()}`"
            for name, instant in REMEDIES.get(dialect.name, {}).items()
        ]
        cells = " | ".join(text[marketplace] for marketplace in Marketplace)
        yield f"| {dialect.name} | {dialect.sentence} | {dialect.mark} | {cells} | {', '.join(output) or '–'} |"
    yield "\n## Sources\n"
    for dialect in DIALECTS:
        yield f"- {dialect.name}: {dialect.source}"


def main() -> int:
    parser = argparse.ArgumentParser(
        prog="python -m tests.simulation.dialects", description=__doc__
    )
    parser.add_argument(
        "--dialect",
        action="append",
        default=[],
        help="play only one journey, through these",
    )
    parser.add_argument(
        "--seed", type=int, default=0, help="its goods, and the order of things in it"
    )
    parser.add_argument(
        "--mended", action="store_true", help="with what its dialects need"
    )
    parser.add_argument("--trace", action="store_true", help="print what happened")
    parser.add_argument(
        "--combinations", type=int, default=0, help="so many seeded combinations beside"
    )
    options = parser.parse_args()
    from tests.simulation.dialects.table import Trip, alone, combined, results

    logging.disable()
    if options.dialect or options.trace:
        trip = Trip(
            dialects=tuple(options.dialect), seed=options.seed, mended=options.mended
        )
        return one(trip, trace=options.trace)
    played = list(
        results([*alone(), *combined(range(options.combinations))], workers=2)
    )
    PAGE.write_text("\n".join(page(played)) + "\n", encoding="utf-8")
    for result in played:
        for fault in result.faults:
            print(f"{result.trip}\n  {fault}")
    return 1 if any(result.faults for result in played) else 0


def one(trip: Trip, *, trace: bool) -> int:
    from tests.simulation.dialects.table import judged, played
    from tests.simulation.stage import stage

    with stage() as open_stage:
        journey = played(open_stage, trip)
        result = judged(journey, trip)
    if trace:
        print("\n".join(journey.trace))
    for end in journey.all_ends:
        print(f"{end.order_ref} {end.state}: {end.reason}")
    print("; ".join(f"{location} {text}" for location, text in result.words.items()))
    for fault in result.faults:
        print(f"BROKEN {fault}")
    return 1 if result.faults else 0


if __name__ == "__main__":
    if (
        os.environ.get("PYTHONHASHSEED") != "0"
    ):  # the order of sets is part of what is replayed
        again = [sys.executable, "-m", "tests.simulation.dialects", *sys.argv[1:]]
        os.execve(sys.executable, again, {**os.environ, "PYTHONHASHSEED": "0"})
    sys.exit(main())
