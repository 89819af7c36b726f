"""What `make test` leaves out: tests marked `endurance`, and examples of property tests
that are drawn anew.
"""

from __future__ import annotations

import subprocess
import sys

from tests.running import ROOT


def marked_tests_pass() -> bool:
    return _passes("tests", "endurance")


def new_examples_are_right(seeds: range) -> bool:
    """Each seed is a run of every property test; its examples are others than those of
    `make test`.
    """
    return all(
        [_passes(f"seed {seed}", "hypothesis", *_search(seed)) for seed in seeds]
    )


def _search(seed: int) -> tuple[str, ...]:
    return "--hypothesis-profile=search", f"--hypothesis-seed={seed}"


def _passes(label: str, mark: str, *options: str) -> bool:
    command = [
        sys.executable,
        "-m",
        "pytest",
        "-m",
        mark,
        "--numprocesses",
        "2",
        "--dist",
        "worksteal",
        *options,
    ]
    done = subprocess.run(
        command, cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = done.stdout.splitlines()
    notices = [line for line in lines if line.startswith(("FAILED", "ERROR"))] + lines[
        -1:
    ]
    print(f"{label:10} {'; '.join(notices)}", flush=True)
    return done.returncode == 0
