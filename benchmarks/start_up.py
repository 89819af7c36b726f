"""How soon the command answers, against the time that importing Prefect takes."""

from __future__ import annotations

import subprocess
import sys

from benchmarks.measuring import Comparison, compare


def run() -> list[Comparison]:
    return [
        compare(
            lambda: python("-m", "cli.main", "--help"),
            lambda: python("-c", "import prefect"),
            work="`sourcing --help`",
            rival='`python -c "import prefect"`',
            amount=1,
            things="start",
            repetitions=3,
        )
    ]


def python(*arguments: str) -> None:
    subprocess.run([sys.executable, *arguments], check=True, capture_output=True)
