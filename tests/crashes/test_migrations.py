"""A ledger that dies half-way through an upgrade is the old ledger, whole; and every
version gets to the newest.
"""

from __future__ import annotations

import re
from itertools import product
from pathlib import Path

import pytest
from sqlalchemy import Engine, create_engine, text

from connectors.ledger.engine import UPGRADED, open_engine, version_of
from connectors.ledger.schema import SCHEMA_VERSION
from connectors.ledger.upgrading import STEPS
from tests.connectors.ledger.older import make, schema_of
from tests.crashes.books import assert_books_are_exact
from tests.crashes.conftest import in_endurance
from tests.crashes.leads import IS_EVERY
from tests.crashes.light import Job, killed, run, states
from tests.postgres import Postgres
from tests.running import RunningSandbox, single_line_orders, write_csv

OLDEST = UPGRADED[0]
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
    return (
        ledger_settings.get("SOURCING_LEDGER_URL")
        or f"sqlite:///{tmp_path / 'data' / 'ledger.db'}"
    )


def engine_of(url: str) -> Engine:
    """The bare database: nothing is brought up to date."""
    return create_engine(url.replace("postgresql://", "postgresql+psycopg://"))


def make_ledger(url: str, version: str) -> None:
    """A ledger of an older version with one batch in it."""
    engine = engine_of(url)
    with engine.begin() as connection:
        make(connection, version)
        connection.execute(text(ROW))
    engine.dispose()


def version_and_batches(url: str) -> tuple[str | None, list[str]]:
    """What is in the database now, as it is."""
    engine = engine_of(url)
    with engine.connect() as connection:
        version = version_of(connection)
        rows = (
            list(connection.execute(text("SELECT batch_id FROM batches")).scalars())
            if version
            else []
        )
    engine.dispose()
    return version, rows


@pytest.mark.parametrize(
    ("version", "ledger_settings"),
    [*product(UPGRADED, ("sqlite", "postgresql"))],
    indirect=["ledger_settings"],
)
def test_every_older_ledger_becomes_what_a_new_one_is(
    request: pytest.FixtureRequest, tmp_path: Path, url: str, version: str
) -> None:
    """Its rows are kept. Columns, keys, rules and indexes are the same, in parts too,
    on both databases.
    """
    is_file = url.startswith("sqlite")
    new = (
        f"sqlite:///{tmp_path / 'new.db'}"
        if is_file
        else request.getfixturevalue("postgres").new_database()
    )
    make_ledger(url, version)
    found = []
    for one in (url, new):
        engine = open_engine(one)
        with engine.connect() as connection:
            found.append(schema_of(connection))
        engine.dispose()
    assert found[0] == found[1]
    assert {"ck_orders_payable", "ix_marks_standing", "uq_orders_order_id"} <= {
        *re.findall(r"\w+", str(found[0]))
    }
    assert version_and_batches(url) == (SCHEMA_VERSION, ["old"])


def test_an_upgrade_that_dies_anywhere_changes_nothing(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str], url: str
) -> None:
    """Killed after steps in turn (each in endurance): the old tables stand; the next
    run brings them up, and buys.
    """
    make_ledger(url, OLDEST)
    rows = single_line_orders(sandbox, {"taobao": 1, "1688": 1})
    file = write_csv(tmp_path / "requests.csv", rows)
    job = Job(url=sandbox.url, folder=tmp_path, file=file, settings=ledger_settings)
    versions = [*STEPS] if IS_EVERY else [*STEPS][:: len(STEPS) - 1]
    for version in versions:
        killed(job, f"after-revision:{version}")
        assert version_and_batches(url) == (OLDEST, ["old"])
    assert states(run(job)) == {"taobao-000": "booked", "1688-000": "booked"}
    assert version_and_batches(url)[0] == SCHEMA_VERSION
    assert_books_are_exact(sandbox, job)


def test_a_first_ledger_that_dies_on_its_way_is_made_anew(
    sandbox: RunningSandbox, tmp_path: Path, ledger_settings: dict[str, str], url: str
) -> None:
    """With all tables made, and the version not yet committed, there is no table at
    all.
    """
    rows = single_line_orders(sandbox, {"1688": 1})
    file = write_csv(tmp_path / "requests.csv", rows)
    job = Job(url=sandbox.url, folder=tmp_path, file=file, settings=ledger_settings)
    killed(job, f"after-revision:{SCHEMA_VERSION}")
    assert version_and_batches(url) == (None, [])
    assert states(run(job)) == {"1688-000": "booked"}
