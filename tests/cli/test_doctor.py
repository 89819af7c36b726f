"""`sourcing doctor` when the service can't be reached: one cause is told once, with a remedy that helps."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests.cli.conftest import Sourcing

UNREACHED = {
    "service": "http://127.0.0.1:9 can't be reached: [Errno 111] Connection refused",
    "account": "not checked, since the service can't be reached",
}


def told_of_service(sourcing: Sourcing) -> tuple[dict[str, str], list[str]]:
    """What is not well, by check, and the remedies."""
    done = sourcing("doctor", "--json")
    assert done.exit_code == 1
    unwell = [finding for finding in json.loads(done.stdout) if not finding["ok"]]
    remedies = [finding["remedy"] for finding in unwell if finding["remedy"]]
    return {finding["check"]: finding["found"] for finding in unwell}, remedies


def test_an_account_is_not_blamed_for_a_service_that_is_not_there(sourcing: Sourcing) -> None:
    """It could not be checked, which is said instead of a second remedy."""
    remedy = "start it with `sourcing sandbox`, or set XPORTCN_BASE_URL"
    assert told_of_service(sourcing) == (UNREACHED, [remedy])


def test_the_sandbox_is_to_be_started_with_the_books_of_the_try_out(sourcing: Sourcing, tmp_path: Path) -> None:
    """With empty ones every order of the ledger would be missing at the service."""
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "sandbox.db").touch()
    remedy = "start it with `sourcing sandbox --state data/sandbox.db`, or set XPORTCN_BASE_URL"
    assert told_of_service(sourcing) == (UNREACHED, [remedy])


def test_the_real_service_is_not_to_be_started(sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its remedy is the network and the address."""
    for name, value in {"BASE_URL": "http://sourcing.invalid/api", "ACCESS_KEY": "k", "ACCESS_SECRET": "s"}.items():
        monkeypatch.setenv(f"XPORTCN_{name}", value)
    monkeypatch.setenv("XPORTCN_USER_ID", "1")
    found, remedies = told_of_service(sourcing)
    assert found["account"] == UNREACHED["account"]
    assert remedies == ["check the network and the address, or set XPORTCN_BASE_URL"]
