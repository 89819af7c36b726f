"""All that `make test` plays a part of: every kind of effect killed at every point."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.running import ROOT


def every_kind_dies_everywhere() -> bool:
    """A hundred and more real processes; whether all ends well."""
    command = [
        sys.executable,
        "-m",
        "pytest",
        "tests/crashes",
        "-m",
        "",
        "--numprocesses",
        "2",
    ]
    return (
        subprocess.run(
            command, cwd=ROOT, env={**os.environ, "EVERY_CRASH": "1"}, check=False
        ).returncode
        == 0
    )
