"""One PostgreSQL database for Prefect and the ledger."""

from __future__ import annotations

import re
from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import create_engine, text
from typer.testing import CliRunner

import connectors.durable
from cli.main import app
from connectors.ledger.store import Ledger
from connectors.settings import BadSetting, SourcingSettings
from deployments import databases
from deployments.databases import (
    DatabaseUnusable,
    ledger_url,
    noted,
    only_serve,
    postgres_settings,
    prepare,
    settle_ledger,
)
from deployments.serving import Installation, watch
from tests.deployments.served import wait_for
from tests.postgres import Postgres, free_port
from tests.running import ROOT

URL = "postgresql://merchant:p%40ss@db.example:5433/shop"


def test_the_server_gets_its_own_schema_and_driver() -> None:
    assert postgres_settings(URL) == {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://merchant:p%40ss@db.example:5433/shop",
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH": "prefect,public",
    }


def test_the_ledger_gets_its_own_schema_and_driver() -> None:
    assert ledger_url(URL) == (
        "postgresql+psycopg://merchant:p%40ss@db.example:5433/shop?options=-csearch_path%3Dsourcing"
    )


@pytest.mark.parametrize(
    "address",
    ["db.example", "mysql://root@db/shop", "postgresql://merchant@db.example"],
)
def test_an_address_that_is_none_is_refused_with_an_example(address: str) -> None:
    with pytest.raises(
        DatabaseUnusable, match="such as postgresql://user:password@host/database"
    ):
        prepare(address)


def test_a_database_that_does_not_answer_is_named_without_its_password() -> None:
    with pytest.raises(
        DatabaseUnusable,
        match=r"PostgreSQL at postgresql://merchant:\*\*\*@127.0.0.1:9/shop",
    ) as raised:
        prepare("postgresql://merchant:p4ss@127.0.0.1:9/shop")
    assert "p4ss" not in str(raised.value)


@pytest.fixture
def settings(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> SourcingSettings:
    monkeypatch.delenv("SOURCING_LEDGER_URL", raising=False)
    return SourcingSettings(data_dir=tmp_path)


def test_every_command_of_the_folder_finds_the_ledger_there(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    settle_ledger(settings, URL)
    assert SourcingSettings(data_dir=tmp_path).ledger_url == ledger_url(URL)
    assert settings.ledger_note.stat().st_mode & 0o777 == 0o600
    settle_ledger(SourcingSettings(data_dir=tmp_path), URL)  # the next start


def test_a_later_start_finds_prefect_s_records_there_without_the_option(
    settings: SourcingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also with a ledger that was copied there.

    In the folder are older ones, whose schedules may be on that a person has switched
    off since.
    """
    assert noted(settings) == ""
    (tmp_path / "ledger.db").touch()
    monkeypatch.setenv("SOURCING_LEDGER_URL", ledger_url(URL))
    settle_ledger(moved := SourcingSettings(data_dir=tmp_path), URL)
    assert (noted(moved), moved.server_note.stat().st_mode & 0o777) == (URL, 0o600)
    away = URL.replace("db.example:5433", "127.0.0.1:9")
    moved.server_note.write_text(away)
    assert (
        "PostgreSQL at postgresql://merchant:***@127.0.0.1:9/shop can't be used"
        in begun(tmp_path)
    )


def begun(data_dir: Path, *options: str, **settings: str) -> str:
    """What `sourcing serve` ends with."""
    command = ["serve", "--no-sandbox", "--port", str(free_port()), *options]
    ended = CliRunner().invoke(
        app,
        command,
        env={"SOURCING_DATA_DIR": str(data_dir), "SOURCING_LEDGER_URL": "", **settings},
    )
    assert ended.exit_code == 1
    return " ".join(ended.stderr.split())


def test_the_note_is_whole_or_absent_and_an_empty_one_stands_for_no_ledger(
    settings: SourcingSettings, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """SQLite in its place would buy a second time."""

    def cut(_: Path) -> None:
        raise OSError("no power")

    with monkeypatch.context() as patch:
        patch.setattr(connectors.durable, "sync", cut)
        with pytest.raises(OSError, match="no power"):
            settle_ledger(settings, URL)
    assert not settings.ledger_note.exists()
    settings.ledger_note.touch()
    with pytest.raises(BadSetting, match=r"ledger\.url is empty"):
        _ = SourcingSettings(data_dir=tmp_path).ledger_url


def test_a_folder_with_a_ledger_does_not_get_a_second_one(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    (tmp_path / "ledger.db").touch()
    with pytest.raises(
        DatabaseUnusable,
        match=r"sourcing ledger copy --to 'postgresql\+psycopg://merchant:\*\*\*@db",
    ):
        settle_ledger(settings, URL)
    assert not settings.ledger_note.exists()


def test_a_ledger_that_was_moved_there_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    (tmp_path / "ledger.db").touch()
    monkeypatch.setenv("SOURCING_LEDGER_URL", ledger_url(URL))
    settle_ledger(SourcingSettings(data_dir=tmp_path), URL)


def test_what_the_page_of_the_ledger_says_of_a_move_is_accepted(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """Another schema of the database would be refused, with a second copy as the
    remedy.
    """
    page = (ROOT / "docs/ledger.md").read_text()
    [(to, database)] = re.findall(
        r"ledger copy --to '(\S+)'[\s\S]*`serve --postgres (\S+)`", page
    )
    monkeypatch.setenv("SOURCING_LEDGER_URL", to)
    settle_ledger(SourcingSettings(data_dir=tmp_path), database)


def test_two_addresses_for_one_ledger_are_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("SOURCING_LEDGER_URL", ledger_url(URL.replace("shop", "other")))
    with pytest.raises(DatabaseUnusable, match="leave out --postgres"):
        settle_ledger(SourcingSettings(data_dir=tmp_path), URL)


@pytest.mark.parametrize(
    ("old", "new"), [("p%40ss", "another"), ("db.example:5433", "db2.example")]
)
def test_a_changed_password_or_host_can_be_told(
    settings: SourcingSettings,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    old: str,
    new: str,
) -> None:
    """By a person alone: it may be another ledger, with which the folder would buy
    everything again.
    """
    settle_ledger(settings, URL)
    now = URL.replace(old, new)
    with pytest.raises(
        DatabaseUnusable,
        match="If only its address or password has changed: begin once with SOURCING_LEDGER_URL=",
    ):
        settle_ledger(SourcingSettings(data_dir=tmp_path), now)
    with monkeypatch.context() as patch:
        patch.setenv("SOURCING_LEDGER_URL", ledger_url(now))
        settle_ledger(SourcingSettings(data_dir=tmp_path), now)
    later = SourcingSettings(data_dir=tmp_path)
    assert (later.ledger_url, noted(later)) == (ledger_url(now), now)


def test_ledger_and_prefect_have_tables_of_their_own(postgres: Postgres) -> None:
    """In one database."""
    url = postgres.new_database()
    prepare(url)
    prepare(url)
    with Ledger(
        ledger_url(url), clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        assert ledger.orders(["US-1"]) == {}
    engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
    with engine.connect() as connection:
        tables = connection.execute(
            text(
                "SELECT schemaname FROM pg_tables WHERE tablename IN ('ledger_schema', 'orders', 'effects')"
            )
        ).scalars()
        assert set(tables) == {"sourcing"}
    engine.dispose()


def test_a_second_serve_of_a_database_is_refused(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It would take over the deployments of the first, and either worker the other's
    runs.

    Also once the database's server was started anew; one that has ended lets go.
    """
    monkeypatch.setattr(databases, "LOCKED_AGAIN_S", 0.1)
    url = postgres.new_database()
    with only_serve(url):
        assert (
            f"another sourcing serve works with {url}: one serve a database"
            in begun(tmp_path, "--postgres", url)
        )
        assert not (tmp_path / "ledger.url").exists()
        engine = create_engine(url.replace("postgresql:", "postgresql+psycopg:"))
        with engine.connect() as connection:
            holder = text("SELECT pid FROM pg_locks WHERE locktype = 'advisory'")
            first = connection.scalar(holder)
            connection.execute(
                text("SELECT pg_terminate_backend(:pid)"), {"pid": first}
            )
            assert wait_for(lambda: connection.scalar(holder) not in (None, first))
        engine.dispose()
    with only_serve(url):
        pass


def test_a_serve_ends_when_another_took_its_database_meanwhile(
    postgres: Postgres, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A laptop that slept: its server and worker would go on with the other's records.
    Once refused is no proof.
    """
    monkeypatch.setattr(databases, "LOCKED_AGAIN_S", 0.3)
    engine = create_engine(
        (url := postgres.new_database()).replace("postgresql:", "postgresql+psycopg:")
    )
    place = Installation(url="", folder=tmp_path, data_dir=tmp_path, environment={})
    with only_serve(url) as place.require_alone, engine.connect() as other:
        place.require_alone()
        other.execute(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks WHERE locktype = 'advisory'"
            )
        )
        assert other.scalar(
            text(f"SELECT pg_try_advisory_lock({databases.SERVE_LOCK})")
        )
        with pytest.raises(DatabaseUnusable, match="another sourcing serve works with"):
            watch(place, say=print)
    engine.dispose()


def test_a_database_that_lets_no_serve_lock_it_is_named() -> None:
    with (
        pytest.raises(
            DatabaseUnusable,
            match=r"PostgreSQL at postgresql://merchant@127.0.0.1:9/shop can't be used",
        ),
        only_serve("postgresql://merchant@127.0.0.1:9/shop"),
    ):
        pass


def test_a_serve_of_another_account_ends_before_it_registers_anything(
    postgres: Postgres, tmp_path: Path
) -> None:
    url = postgres.new_database()
    prepare(url)
    with Ledger(
        ledger_url(url), clock=lambda: datetime.now(UTC), owner="test"
    ) as ledger:
        ledger.belong_to("user 1 at real.example")
    other = {"XPORTCN_BASE_URL": "https://real.example/api", "XPORTCN_USER_ID": "2"}
    said = begun(
        tmp_path, "--postgres", url, SOURCING_CALLBACKS_PORT=str(free_port()), **other
    )
    assert (
        "holds orders of user 1 at real.example, the settings say user 2 at real.example"
        in said
    )
    assert "its own SOURCING_DATA_DIR, and in PostgreSQL its own database" in said
    assert not (tmp_path / "prefect" / "register.log").exists()
    assert not (
        tmp_path / "ledger.url"
    ).exists()  # it would open, and `ledger copy` move away, the other's
    assert not (tmp_path / "prefect" / "database.url").exists()
