"""What a Prefect server of several processes stands on: one PostgreSQL, with the ledger
in it too, and Redis.

Prefect and the ledger have a schema each in PostgreSQL. Redis passes events, leases and
background work, as Prefect documents it; messaging.env has the settings for servers
that `sourcing serve` does not start. An API without services and a server with them
must not share a Redis: the first takes background work that it does not know, and drops
it for good.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from threading import Event, Thread

from sqlalchemy import create_engine, func, select, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError, DBAPIError

from connectors.durable import put
from connectors.foreign import words_of
from connectors.ledger.engine import SILENCE, address_of
from connectors.settings import SourcingSettings

PREFECT_SCHEMA = "prefect"
LEDGER_SCHEMA = "sourcing"
SERVE_LOCK = 7_307_432
UNTIL_GONE = "-c idle_session_timeout=0 -c tcp_keepalives_idle=15 -c tcp_keepalives_interval=5 -c tcp_keepalives_count=3"
LOCKED_AGAIN_S = 30.0
"""A database server that was started anew has forgotten its locks."""
REFUSED_AT_MOST = 3
"""After a cut the server still has the lock of the session before, for a while."""


class DatabaseUnusable(Exception):
    """The PostgreSQL database can't be reached or prepared; the message names the
    remedy.
    """


def prepare(url: str) -> None:
    """Create the two schemas where they are missing. Raises `DatabaseUnusable`."""
    if find_spec("psycopg") is None:
        raise DatabaseUnusable(
            "--postgres needs psycopg: pip install 'psycopg[binary]'"
        )
    engine = create_engine(_parsed(url).set(drivername="postgresql+psycopg"))
    with _blaming(url), engine.begin() as connection:
        for schema in (PREFECT_SCHEMA, LEDGER_SCHEMA):
            connection.execute(text(f"CREATE SCHEMA IF NOT EXISTS {schema}"))
    engine.dispose()


@contextmanager
def _blaming(url: str) -> Iterator[None]:
    try:
        yield
    except DBAPIError as error:
        raise DatabaseUnusable(
            f"PostgreSQL at {shown(url)} can't be used: {words_of(error)}. Check that it runs and that the user may "
            "create schemas in the database; if its address has changed, give the new one with --postgres"
        ) from error


@contextmanager
def only_serve(url: str) -> Iterator[Callable[[], None]]:
    """Let one `sourcing serve` work with this database, and no other meanwhile. Raises
    `DatabaseUnusable`.

    Each registers its own folders, and its worker takes any run: another's files would
    not be bought, or by it. A machine that is gone holds the database for half a
    minute; what is yielded raises once another one has taken it.
    """
    address, ended = _parsed(url).set(drivername="postgresql+psycopg"), Event()
    engine = create_engine(
        address,
        isolation_level="AUTOCOMMIT",
        connect_args={**SILENCE, "options": UNTIL_GONE},
    )
    with _blaming(url):
        connection = engine.connect()
    refused = 0

    def lock() -> object:
        connection.rollback()
        return connection.scalar(select(func.pg_try_advisory_lock(SERVE_LOCK)))

    def keep() -> None:
        nonlocal refused
        while not ended.wait(LOCKED_AGAIN_S):
            with suppress(DBAPIError):
                refused = 0 if lock() else refused + 1

    def require_alone() -> None:
        if refused >= REFUSED_AT_MOST:
            raise DatabaseUnusable(
                f"another sourcing serve works with {shown(url)}: one serve a database. End that one first, or give "
                "this one a database of its own"
            )

    keeper = Thread(target=keep, daemon=True)
    try:
        with _blaming(url):
            refused = 0 if lock() else REFUSED_AT_MOST
        require_alone()
        keeper.start()
        try:
            yield require_alone
        finally:
            ended.set()
            keeper.join(LOCKED_AGAIN_S)
    finally:
        connection.invalidate()  # also where the server is gone meanwhile
        engine.dispose()


def postgres_settings(url: str) -> dict[str, str]:
    """The settings with which Prefect's server keeps its records there."""
    return {
        "PREFECT_SERVER_DATABASE_CONNECTION_URL": _shown(
            _parsed(url).set(drivername="postgresql+asyncpg")
        ),
        "PREFECT_SERVER_DATABASE_SQLALCHEMY_CONNECT_ARGS_SEARCH_PATH": f"{PREFECT_SCHEMA},public",
    }


def ledger_url(url: str) -> str:
    """The ledger's address, for `SOURCING_LEDGER_URL`."""
    address = _parsed(url).set(drivername="postgresql+psycopg")
    return _shown(
        address.update_query_dict({"options": f"-csearch_path={LEDGER_SCHEMA}"})
    )


def settle_ledger(settings: SourcingSettings, url: str) -> None:
    """Note that the ledger of this data folder is there, for every command. Raises
    `DatabaseUnusable` if it is not.

    A folder has one ledger: with two, each would buy what the other has bought. And
    Prefect's records stay there, for each later start: older ones in the folder would
    let begin what a person has switched off since.
    """
    wanted = make_url(ledger_url(url))
    kept = address_of(settings.ledger_url)
    sqlite = settings.data_dir / "ledger.db"
    if kept != wanted and (
        settings.ledger_url_setting or settings.ledger_note.exists() or sqlite.exists()
    ):
        to = f"'{wanted.render_as_string()}' with the password for ***"
        renewed = f"If only its address or password has changed: begin once with SOURCING_LEDGER_URL={to}. "
        raise DatabaseUnusable(
            f"the ledger of {settings.data_dir.absolute()} is {kept.render_as_string()}. "
            f"{renewed if kept.database == wanted.database else ''}"
            f"To take it along: sourcing ledger copy --to {to}, then "
            "set SOURCING_LEDGER_URL to that address and start again. To stay with it: leave out --postgres"
        )
    put(settings.ledger_note, _shown(wanted).encode(), mode=0o600)
    put(settings.server_note, url.encode(), mode=0o600)


def noted(settings: SourcingSettings) -> str:
    """The address that `serve` was given before, in this data folder; empty for
    none.
    """
    note = settings.server_note
    return note.read_text() if note.exists() else ""


def shown(url: str) -> str:
    """The address without its password."""
    return _parsed(url).render_as_string()


def _parsed(url: str) -> URL:
    try:
        parsed = make_url(url)
    except (
        ArgumentError,
        ValueError,
    ):  # of a port that is no number; it may quote a password
        raise DatabaseUnusable(
            "--postgres wants an address such as postgresql://user:password@host/database"
        ) from None
    if "@" in (
        parsed.host or ""
    ):  # the part after the first @ of a password would be taken for the host
        raise DatabaseUnusable(
            "--postgres can't be read: an @ in the password is %40"
        ) from None
    if (
        parsed.get_backend_name() not in ("postgresql", "postgres")
        or not parsed.database
    ):
        raise DatabaseUnusable(
            "--postgres wants an address such as postgresql://user:password@host/database"
        )
    return parsed


def _shown(url: URL) -> str:
    return url.render_as_string(hide_password=False)


FILE = Path(__file__).with_name("messaging.env")


class MessagingUnusable(Exception):
    """Redis can't be reached, or Prefect can't use it; the message names the remedy."""


def require_messaging(url: str) -> None:
    """Raise `MessagingUnusable` unless Redis answers at this address and what Prefect
    needs for it is installed.
    """
    if find_spec("prefect_redis") is None:
        raise MessagingUnusable(
            "--redis needs prefect-redis: pip install prefect-redis"
        )
    from redis import Redis
    from redis.exceptions import RedisError

    try:
        with Redis.from_url(url, socket_connect_timeout=5, socket_timeout=5) as redis:
            redis.ping()
    except ValueError:  # it may quote a password
        raise MessagingUnusable(
            "--redis wants an address such as redis://user:password@host:6379/0"
        ) from None
    except RedisError as error:
        raise MessagingUnusable(
            f"no Redis answers at the address of --redis ({words_of(error)}): start it, or correct it"
        ) from None


def redis_settings(url: str) -> dict[str, str]:
    """The settings with which Prefect's server keeps its messages and its leases
    there.
    """
    fixed = dict(line.split("=", 1) for line in FILE.read_text().splitlines())
    return {
        **fixed,
        "PREFECT_REDIS_MESSAGING_URL": url,
        "PREFECT_SERVER_DOCKET_URL": url,
    }
