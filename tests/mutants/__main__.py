"""Break the project on purpose; the simulation or a test is to find each breakage."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, RULES, Mutant
from tests.running import ROOT

EPISODES = 4000
"""So many the simulation plays at most for a mutant."""


def main() -> int:
    """Try mutants, rule by rule. Return 1 when one was not found."""
    names = {mutant.name for mutant in MUTANTS}
    parser = argparse.ArgumentParser("python -m tests.mutants", description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help="a mutant; else all")
    chosen = {*parser.parse_args().names} or names
    if unknown := chosen - names:
        parser.error(f"no mutant {', '.join(sorted(unknown))}")
    missed = 0
    for rule in RULES:
        mutants = [mutant for mutant in rule.mutants if mutant.name in chosen]
        if mutants:
            print(f"{rule.promise}:", flush=True)
        for mutant in mutants:
            started = time.monotonic()
            violation = hunt(mutant)
            missed += violation is None
            took = f"{time.monotonic() - started:6.1f} s"
            print(f"  {mutant.name:45} {took}  {violation or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


def hunt(mutant: Mutant) -> str | None:
    """Return the seed and what it violates, or the failed test; None for neither.

    A simulation that does not run and a test that is not there find nothing.
    """
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mutant"
        shutil.copytree(ROOT, copy, ignore=shutil.ignore_patterns(".*", "__pycache__"))
        for change in mutant.changes:
            change.apply(copy)
        command = (
            f"tests.simulation --workers=1 --until-violation --episodes={EPISODES}"
        )
        if mutant.found_by:
            command = f"pytest -x -p no:cacheprovider {mutant.found_by}"
        ended = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
        lines = ended.stdout.splitlines()
        return next(
            (line for line in lines if line.startswith(("seed ", "FAILED"))), None
        )


if __name__ == "__main__":
    sys.exit(main())
