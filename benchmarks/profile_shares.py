"""`python -m benchmarks.profile_shares STACKS`: what py-spy sampled (`--format raw`),
as shares of the product's parts.

A sample belongs to the innermost frame that is ours or Prefect's: what a library does,
it does for its caller. Whatever happens inside an import, or while Prefect walks
through parameters, is theirs.
"""

from __future__ import annotations

import sys
from collections import Counter
from collections.abc import Iterable
from pathlib import Path

WHOLE = {
    "importlib._bootstrap": "imports",
    "visit_collection (prefect/": "Prefect, walking what tasks are given",
}
PARTS = {
    "prefect/": "Prefect",
    "connectors/ledger/": "ledger",
    "connectors/xportcn/": "connector, HTTP and models",
    "connectors/snapshots/": "snapshots",
    "tasks/snapshot": "snapshots",
    "tasks/": "flows and tasks",
    "flows/": "flows and tasks",
    "connectors/": "flows and tasks",
    "domain/": "flows and tasks",
    "cli/": "flows and tasks",
}
LIBRARIES = {
    "aiohttp/": "connector, HTTP and models",
    "sqlalchemy/": "ledger",
    "sqlite": "ledger",
    "asyncio/": "event loop",
}


def part_of(stack: str) -> str:
    """The part that a stack, outermost frame first and separated by `;`, is counted
    for.
    """
    frames = stack.split(";")
    for message, piece in WHOLE.items():
        if any(message in frame for frame in frames):
            return piece
    own = (
        name for frame in reversed(frames) for name in [_named(frame, PARTS)] if name
    )
    neighbours = (
        name
        for frame in reversed(frames)
        for name in [_named(frame, LIBRARIES)]
        if name
    )
    return next(own, None) or next(neighbours, "other")


def _named(frame: str, pieces: dict[str, str]) -> str:
    path = frame.partition("(")[2]
    return next(
        (name for folder, name in pieces.items() if path.startswith(folder)), ""
    )


def shares(lines: Iterable[str]) -> Counter[str]:
    """Samples by part; a line is a stack and how often it was seen."""
    notices: Counter[str] = Counter()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        notices[part_of(stack)] += int(times)
    return notices


if __name__ == "__main__":
    found = shares(Path(sys.argv[1]).read_text().splitlines())
    for name, samples in found.most_common():
        print(f"| {name} | {samples / found.total():.0%} |")
