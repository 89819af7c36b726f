"""A real PostgreSQL for the tests that need one, and request files small enough for a crash in each test."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests import postgres
from tests.postgres import Postgres, running_postgres


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[Postgres]:
    if postgres.binaries() is None:
        pytest.skip(postgres.MISSING)
    with running_postgres(durable=False) as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def ledger_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for a new ledger on each kind of database."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres_server")
    return {"SOURCING_LEDGER_URL": server.new_database()}
