"""A new ledger on each kind of database."""

from __future__ import annotations

import pytest

from tests.postgres import Postgres


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for a new ledger on each kind of database."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"SOURCING_LEDGER_URL": server.new_ledger()}
