"""Break the project on purpose and see that the simulation or a test finds it: `python -m tests.mutants [NAME ...]`."""

from __future__ import annotations

import argparse
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from tests.mutants.catalogue import MUTANTS, Mutant
from tests.running import ROOT

COPIED = ("cli", "connectors", "deployments", "domain", "flows", "sandbox", "sourcing", "tasks", "tests")


def main() -> int:
    """Try each mutant; answers 1 when one was not found."""
    names = [mutant.name for mutant in MUTANTS]
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"one of {', '.join(names)}; without any, all")
    parser.add_argument("--episodes", type=int, default=4000, help="episodes at most for each")
    arguments = parser.parse_args()
    if unknown := set(arguments.names) - set(names):
        parser.error(f"no mutant {', '.join(sorted(unknown))}")
    missed = 0
    for mutant in MUTANTS:
        if arguments.names and mutant.name not in arguments.names:
            continue
        started = time.monotonic()
        found = hunt(mutant, arguments.episodes)
        missed += found is None
        print(f"{mutant.name:36} {time.monotonic() - started:6.1f} s  {found or 'NOT FOUND'}", flush=True)
    return 1 if missed else 0


def hunt(mutant: Mutant, episodes: int) -> str | None:
    """What is said of the mutant: the seed and the first violation, or the test that fails; None for nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mutant"
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        shutil.copy(ROOT / "pyproject.toml", copy)
        break_it(mutant, copy)
        if mutant.found_by:
            return _failing_test(copy, mutant.found_by)
        return _failing_seed(copy, episodes)


def _failing_seed(copy: Path, episodes: int) -> str | None:
    """Only a violation counts: a simulation that does not run finds nothing."""
    options = ["--episodes", str(episodes), "--until-violation", "--workers", "1"]
    done = _run(copy, "tests.simulation", *options)
    return next((line for line in done.stdout.splitlines() if line.startswith("seed ")), None)


def _failing_test(copy: Path, test: str) -> str | None:
    """Only a test that ran and failed counts (exit 1): one that is not there finds nothing."""
    done = _run(copy, "pytest", "-x", "-p", "no:cacheprovider", test)
    return next((line for line in done.stdout.splitlines() if line.startswith("FAILED")), None)


def _run(copy: Path, module: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", module, *arguments]
    return subprocess.run(command, cwd=copy, capture_output=True, text=True, check=False)


def break_it(mutant: Mutant, root: Path) -> None:
    """Carry out the edits in a copy of the project. Raises `ValueError` when the code they break has changed."""
    for edit in mutant.edits:
        path = root / edit.file
        text = path.read_text(encoding="utf-8")
        if text.count(edit.old) != 1:
            raise ValueError(f"{mutant.name}: {edit.file} has {text.count(edit.old)} times, not once: {edit.old}")
        path.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


if __name__ == "__main__":
    sys.exit(main())
