"""What some tests need beside Python: where it is missing they are left out, and the
run's end says what gives it.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Sequence
from typing import NoReturn

import pytest

DEMANDED = "TESTS_DEMAND"
"""Environment: names of needs, such as `PostgreSQL Chromium`, whose tests fail instead
of being left out.
"""


def leave_out(needed: str, remedy: str) -> NoReturn:
    """End the running test without a result, since this machine has not what it
    needs.
    """
    message = f"{needed}: {remedy}"
    if needed in os.environ.get(DEMANDED, "").split():
        pytest.fail(f"{DEMANDED} demands {message}", pytrace=False)
    pytest.skip(message)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    for line in left_out(terminalreporter.stats.get("skipped", [])):
        terminalreporter.write_line(line)


def left_out(skipped: Sequence[pytest.TestReport]) -> list[str]:
    """A line for each need, with the number of tests."""
    counts = Counter(_reason(report) for report in skipped)
    if not counts:
        return []
    return [
        f"left out {counts.total()} of the tests; what they need, and how to have it:",
        *(f"{count:6}  {reason}" for reason, count in counts.most_common()),
    ]


def _reason(report: pytest.TestReport) -> str:
    where = report.longrepr
    return str(where[2] if isinstance(where, tuple) else where).removeprefix(
        "Skipped: "
    )
