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
    for words, part in WHOLE.items():
        if any(words in frame for frame in frames):
            return part
    own = (
        name for frame in reversed(frames) for name in [_named(frame, PARTS)] if name
    )
    others = (
        name
        for frame in reversed(frames)
        for name in [_named(frame, LIBRARIES)]
        if name
    )
    return next(own, None) or next(others, "other")


def _named(frame: str, parts: dict[str, str]) -> str:
    path = frame.partition("(")[2]
    return next((name for folder, name in parts.items() if path.startswith(folder)), "")


def shares(lines: Iterable[str]) -> Counter[str]:
    """Samples by part; a line is a stack and how often it was seen."""
    told: Counter[str] = Counter()
    for line in lines:
        stack, _, times = line.rpartition(" ")
        told[part_of(stack)] += int(times)
    return told


if __name__ == "__main__":
    found = shares(Path(sys.argv[1]).read_text().splitlines())
    for name, samples in found.most_common():
        print(f"| {name} | {samples / found.total():.0%} |")
