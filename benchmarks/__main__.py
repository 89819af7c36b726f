"""`python -m benchmarks [NAME...]`: all benchmarks, or those named; prints a table in
Markdown.

`python -m benchmarks orders` compares whole runs, `writers` how many processes share
one ledger, `aged` an old installation with a young one: they take minutes, and have
options of their own.
"""

from __future__ import annotations

import argparse
import os
import platform
import sys
from importlib import import_module

from benchmarks.measuring import Comparison

NAMES = (
    "connector",
    "request_files",
    "effects",
    "callbacks",
    "pace",
    "snapshots",
    "frames",
    "start_up",
)


def main() -> None:
    if sys.argv[1:2] in (["aged"], ["orders"], ["writers"]):
        import_module(f"benchmarks.{sys.argv[1]}").main(sys.argv[2:])
        return
    parser = argparse.ArgumentParser(prog="python -m benchmarks", description=__doc__)
    parser.add_argument(
        "names",
        nargs="*",
        metavar="NAME",
        help=f"one of {', '.join(NAMES)}; without a name, all",
    )
    names = parser.parse_args().names
    if unknown := [name for name in names if name not in NAMES]:
        parser.error(f"unknown: {', '.join(unknown)}; there are {', '.join(NAMES)}")
    print(
        f"Python {platform.python_version()}, {platform.machine()}, {os.cpu_count()} cores\n"
    )
    print("| benchmark | work | ours | rival | the rival's | times as fast |")
    print("|---|---|---|---|---|---|")
    for name in names or NAMES:
        for comparison in import_module(f"benchmarks.{name}").run():
            print(row(name, comparison), flush=True)


def row(name: str, seen: Comparison) -> str:
    cells = (
        name,
        seen.work,
        rate(seen, seen.our_s),
        seen.rival,
        rate(seen, seen.rival_s),
        f"{seen.times_as_fast:.2f}",
    )
    return f"| {' | '.join(cells)} |"


def rate(seen: Comparison, seconds: float) -> str:
    """Things a second; for a single thing its milliseconds."""
    return (
        f"{seconds * 1000:.0f} ms"
        if seen.amount == 1
        else f"{seen.amount / seconds:,.0f} {seen.things}/s"
    )


if __name__ == "__main__":
    main()
