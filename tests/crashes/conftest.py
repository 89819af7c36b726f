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


def in_turn(actions: Sequence[str], *databases: str) -> list[Any]:
    """Each action on one of the two databases, and in endurance on the other as well."""
    return [
        pytest.param(action, name, marks=() if place % 2 == turn % 2 else pytest.mark.endurance)
        for place, action in enumerate(actions)
        for turn, name in enumerate(databases)
    ]
