"""What is left out where something is missing, and what the end of a run says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import pytest

from tests import postgres
from tests.needs import DEMANDED, leave_out, left_out


def report(reason: str) -> pytest.TestReport:
    return pytest.TestReport(
        nodeid="tests/test_it.py::test_it",
        location=("tests/test_it.py", 1, "test_it"),
        keywords={},
        outcome="skipped",
        longrepr=("tests/test_it.py", 1, f"Skipped: {reason}"),
        when="setup",
    )


def test_a_test_is_left_out_unless_what_it_needs_is_demanded(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv(DEMANDED, "PostgreSQL Chromium")
    with pytest.raises(
        pytest.skip.Exception, match=r"^Redis: apt-get install redis-server$"
    ):
        leave_out("Redis", "apt-get install redis-server")
    with pytest.raises(
        pytest.fail.Exception, match="demands Chromium: apt-get install chromium"
    ):
        leave_out("Chromium", "apt-get install chromium")


def test_the_end_tells_each_need_once_and_how_to_have_it() -> None:
    redis = report("Redis: apt-get install redis-server")
    chromium = report("Chromium: apt-get install chromium")
    assert left_out([redis, chromium, chromium]) == [
        "left out 3 of the tests; what they need, and how to have it:",
        "     2  Chromium: apt-get install chromium",
        "     1  Redis: apt-get install redis-server",
    ]
    assert left_out([]) == []


def test_only_a_postgresql_that_runs_and_is_new_enough_is_taken(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    record = {
        "/old": "9.6.24",
        "/new": "15.18 (Debian 15.18-0+deb12u1)",
        "/newest": "18.6",
    }

    def answer(command: Sequence[Path]) -> str:
        if command[0].parent == Path("/none"):
            raise PermissionError
        return f"initdb (PostgreSQL) {record[str(command[0].parent)]}\n"

    monkeypatch.setattr(postgres, "_as_owner", answer)
    monkeypatch.setattr(
        postgres, "_places", lambda: map(Path, ("/none", "/old", "/new", "/newest"))
    )
    assert postgres.binaries.__wrapped__() == Path("/new")
