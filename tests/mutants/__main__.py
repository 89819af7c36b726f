"""Break the effect path on purpose and see that the simulation finds it: `python -m tests.mutants [NAME ...]`."""

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

COPIED = ("cli", "connectors", "deployments", "domain", "flows", "sandbox", "tasks", "tests")


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
    """What the simulation says of the mutant: the seed and the first violation; None when it notices nothing."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "mutant"
        for name in COPIED:
            shutil.copytree(ROOT / name, copy / name, ignore=shutil.ignore_patterns("__pycache__"))
        break_it(mutant, copy)
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "tests.simulation",
                "--episodes",
                str(episodes),
                "--until-violation",
                "--workers",
                "1",
            ],
            cwd=copy,
            capture_output=True,
            text=True,
            check=False,
        )
    if done.returncode == 0:
        return None
    return next((line for line in done.stdout.splitlines() if line.startswith("seed ")), done.stderr[-500:])


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
