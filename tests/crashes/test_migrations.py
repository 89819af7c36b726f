"""A ledger that dies half-way through a migration is the old ledger, whole; and every version gets to the newest."""

from __future__ import annotations

from itertools import product
from pathlib import Path

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Engine, create_engine, text

from connectors.ledger.engine import MIGRATIONS, open_engine
from connectors.ledger.schema import SCHEMA_VERSION, metadata
from tests.crashes.books import assert_books_are_exact
from tests.crashes.conftest import in_endurance
from tests.crashes.leads import IS_EVERY
from tests.crashes.light import Job, killed, run, states
from tests.postgres import Postgres
from tests.running import RunningSandbox, single_line_orders, write_csv

VERSIONS = sorted(script.revision for script in ScriptDirectory(str(MIGRATIONS)).walk_revisions())
IN_TEST = {*((version, "sqlite") for version in VERSIONS[::3]), *((VERSIONS[end], "postgresql") for end in (0, -1))}
OLDER = [
    pytest.param(*case, marks=() if case in IN_TEST else pytest.mark.endurance)
    for case in product(VERSIONS, ("sqlite", "postgresql"))
]
ROW = "INSERT INTO batches (batch_id, source, created_at) VALUES ('old', 'file.csv', '2026-01-01 00:00:00+00:00')"


@pytest.fixture(params=["sqlite", *in_endurance("postgresql")])
def ledger_settings(request: pytest.FixtureRequest) -> dict[str, str]:
    """The settings for a database of each kind that is empty."""
    if request.param == "sqlite":
        return {}
    server: Postgres = request.getfixturevalue("postgres")
    return {"SOURCING_LEDGER_URL": server.new_database()}


@pytest.fixture
def url(tmp_path: Path, ledger_settings: dict[str, str]) -> str:
    (tmp_path / "data").mkdir()
    return ledger_settings.get("SOURCING_LEDGER_URL") or f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"


def engine_of(url: str) -> Engine:
    """The bare database: nothing is migrated."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def make_ledger(url: str, version: str) -> None:
    """A ledger of an older version with one batch in it."""
    engine = engine_of(url)
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, version)
        connection.execute(text(ROW))
    engine.dispose()


def version_and_batches(url: str) -> tuple[str | None, list[str]]:
    """What is in the database now, without migrating it."""
    engine = engine_of(url)
    with engine.connect() as connection:
        context = MigrationContext.configure(connection)
        version = context.get_current_revision()
        rows = list(connection.execute(text("SELECT batch_id FROM batches")).scalars()) if version else []
    engine.dispose()
    return version, rows


def test_the_newest_version_is_the_programs() -> None:
    assert VERSIONS[-1] == SCHEMA_VERSION


@pytest.mark.parametrize(("version", "ledger_settings"), OLDER, indirect=["ledger_settings"])
def test_every_older_ledger_gets_to_the_newest(url: str, version: str) -> None:
    """Its rows are kept, and its tables are those that the code expects, on both databases."""
    make_ledger(url, version)
    engine = open_engine(url)
    with engine.connect() as connection:
        assert compare_metadata(MigrationContext.configure(connection), metadata) == []
    engine.dispose()
    assert version_and_batches(url) == (SCHEMA_VERSION, ["old"])


def test_a_migration_that_dies_anywhere_changes_nothing(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str], url: str
) -> None:
    """Killed after revisions in turn (each in endurance): the old tables stand; the next run migrates and buys."""
    make_ledger(url, "0001")
    rows = single_line_orders(sandbox, {"taobao": 1, "1688": 1})
    file = write_csv(tmp_path / "requests.csv", rows)
    job = Job(url=sandbox.url, folder=tmp_path, file=file, settings=ledger_settings)
    versions = VERSIONS[1:] if IS_EVERY else VERSIONS[1 :: len(VERSIONS) // 3]
    for version in versions:
        killed(job, f"after-revision:{version}")
        assert version_and_batches(url) == ("0001", ["old"])
    assert states(run(job)) == {"taobao-000": "booked", "1688-000": "booked"}
    assert version_and_batches(url)[0] == SCHEMA_VERSION
    assert_books_are_exact(sandbox, job)


def test_a_first_ledger_that_dies_on_its_way_is_made_anew(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str], url: str
) -> None:
    """After its very first revision there is no table at all."""
    rows = single_line_orders(sandbox, {"1688": 1})
    file = write_csv(tmp_path / "requests.csv", rows)
    job = Job(url=sandbox.url, folder=tmp_path, file=file, settings=ledger_settings)
    killed(job, "after-revision:0001")
    assert version_and_batches(url) == (None, [])
    assert states(run(job)) == {"1688-000": "booked"}
