"""Every kind of effect killed at every point, at every marketplace that knows it: a hundred and more real processes."""

from __future__ import annotations

import os
import subprocess
import sys

from tests.running import ROOT

TESTS = "tests/crashes"


def every_kind_dies_everywhere() -> bool:
    """Plays what `make test` plays a part of; whether all ends well."""
    command = [sys.executable, "-m", "pytest", TESTS, "--numprocesses", "2"]
    return subprocess.run(command, cwd=ROOT, env={**os.environ, "EVERY_CRASH": "1"}, check=False).returncode == 0
