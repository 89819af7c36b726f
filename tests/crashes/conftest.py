"""A new ledger on each kind of database, or on both in turn."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import pytest

from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for a new ledger on each kind of database."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"SOURCING_LEDGER_URL": server.new_ledger()}


def in_endurance(*cases: object) -> list[Any]:
    """Cases that `make test` has no time for."""
    return [pytest.param(case, marks=pytest.mark.endurance) for case in cases]


def one_of(actions: Sequence[str], chosen: str, *databases: str) -> list[Any]:
    """One action on the first database, and in endurance each on all of them."""
    return [
        pytest.param(
            action,
            name,
            marks=()
            if (action, name) == (chosen, databases[0])
            else pytest.mark.endurance,
        )
        for action in actions
        for name in databases
    ]
