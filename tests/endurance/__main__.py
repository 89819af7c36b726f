"""`python -m tests.endurance [storm|restarts|command ...]`: prints a line per repetition; exit 1 after a violation."""

from __future__ import annotations

import argparse
import shutil
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.endurance.storm import Repetition, repetition
from tests.postgres import Postgres, running_postgres
from tests.running import own_sandbox

HEAD = (
    f"{'database':10} {'seed':>5} {'kills':>5} {'stops':>5} {'seconds':>7} {'runs':>4} {'asked':>5}  states; violations"
)


def main() -> int:
    parser = argparse.ArgumentParser(prog="python -m tests.endurance", description=__doc__)
    parser.add_argument("--database", choices=["sqlite", "postgresql", "both"], default="both")
    parser.add_argument("--repetitions", type=int, default=20)
    parser.add_argument("--orders", type=int, default=500)
    parser.add_argument("--processes", type=int, default=4)
    parser.add_argument("--seed", type=int, default=1, help="of the first repetition; the next has the next")
    options = parser.parse_args()
    databases = ["sqlite", "postgresql"] if options.database == "both" else [options.database]
    return 0 if all([_storms(database, options) for database in databases]) else 1


def _storms(database: str, options: argparse.Namespace) -> bool:
    """All repetitions on one kind of database; whether none broke a promise."""
    print(HEAD, flush=True)
    right = 0
    with own_sandbox() as sandbox, _server(database) as server:
        for seed in range(options.seed, options.seed + options.repetitions):
            folder = Path(tempfile.mkdtemp(prefix=f"endurance-{seed}-"))
            done = repetition(
                sandbox,
                folder,
                seed=seed,
                orders=options.orders,
                processes=options.processes,
                ledger_url=server.new_database() if server else None,
            )
            print(_line(database, done), flush=True)
            if done.end.is_right and not done.failed:
                right += 1
                shutil.rmtree(folder)
            else:
                print(f"  kept for a look: {folder}", flush=True)
    print(f"{database}: {right} of {options.repetitions} repetitions exact", flush=True)
    return right == options.repetitions


@contextmanager
def _server(database: str) -> Iterator[Postgres | None]:
    if database == "sqlite":
        yield None
        return
    with running_postgres(durable=True) as server:
        yield server


def _line(database: str, one: Repetition) -> str:
    failed = f"; failed with {one.failed}" if one.failed else ""
    broken = "; ".join(one.end.violations[:5]) or "none"
    return (
        f"{database:10} {one.seed:5} {one.kills:5} {one.stops:5} {one.seconds:7.1f} {one.runs:4} {one.end.asked:5}  "
        f"{one.end.words}; {len(one.end.violations)} violations: {broken}{failed}"
    )


if __name__ == "__main__":
    sys.exit(main())
