"""What is the same for each test of a process is made once: tables, compiled
statements, settings, certificates.
"""

from __future__ import annotations

import ssl
from contextlib import AbstractContextManager
from functools import cache
from typing import TYPE_CHECKING, Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from connectors.ledger import engine
from deployments import local_server

if TYPE_CHECKING:
    from prefect.settings import Settings


class SameDialect(SQLiteDialect_pysqlite):
    """The dialect is a part of the key of a compiled statement; that of each ledger is
    the same.
    """

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is SameDialect

    def __hash__(self) -> int:
        return hash(SameDialect)


def share_statements() -> None:
    """From now on, in this process: compiling a statement anew for each ledger took a
    sixth of a test's time.
    """
    compiled: LRUCache[Any, Any] = LRUCache(3_000)

    def created(address: Any, **options: Any) -> Engine:
        built = create_engine(address, **options)
        if built.dialect.name == "sqlite" and engine.JSON.items() <= options.items():
            built.dialect.__class__ = SameDialect
            built.update_execution_options(compiled_cache=compiled)
        return built

    vars(engine)["create_engine"] = created


def share_certificates() -> None:
    """From now on, in this process: each HTTP client reads the system's certificates, a
    tenth of a command.
    """
    vars(ssl)["create_default_context"] = cache(ssl.create_default_context)


def copy_new_ledgers() -> None:
    """From now on, in this process: the tables are the same each time, and take four
    times as long as a copy.

    """
    built: list[str] = []
    create_tables = engine.create_tables

    def copied(connection: Connection) -> None:
        if connection.dialect.name != "sqlite":
            create_tables(connection)
        elif built:
            for statement in built:
                connection.exec_driver_sql(statement)
        else:
            create_tables(connection)
            new: Any = connection.connection.driver_connection
            built.extend(
                item
                for item in new.iterdump()
                if item not in ("BEGIN TRANSACTION;", "COMMIT;")
            )

    engine.create_tables = copied


def share_prefect_settings() -> None:
    """From now on, in this process: reading all of Prefect's settings for an address
    takes a tenth of a command.
    """
    built: dict[str, tuple[Settings, Settings]] = {}
    read = local_server._server_address_set

    def shared(url: str) -> AbstractContextManager[object]:
        from prefect.context import SettingsContext, get_settings_context
        from prefect.settings import get_current_settings

        settings = get_current_settings()
        base, present = built.get(url, (None, settings))
        if base is not settings:
            with read(url):
                present = get_current_settings()
            built[url] = settings, present
        return SettingsContext(profile=get_settings_context().profile, settings=present)

    local_server._server_address_set = shared
