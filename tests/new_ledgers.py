"""What is the same for each SQLite ledger that a process opens is made once: its tables, its compiled statements."""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection, Engine, create_engine
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from sqlalchemy.util import LRUCache

from connectors.ledger import engine


class SameDialect(SQLiteDialect_pysqlite):
    """The dialect is a part of the key of a compiled statement; that of each ledger is the same."""

    supports_statement_cache = True

    def __eq__(self, other: object) -> bool:
        return type(other) is SameDialect

    def __hash__(self) -> int:
        return hash(SameDialect)


def share_statements() -> None:
    """From now on, in this process: compiling a statement anew for each ledger took a sixth of a test's time."""
    compiled: LRUCache[Any, Any] = LRUCache(3_000)

    def created(address: Any, **options: Any) -> Engine:
        made = create_engine(address, **options)
        if made.dialect.name == "sqlite" and engine.JSON.items() <= options.items():
            made.dialect.__class__ = SameDialect
            made.update_execution_options(compiled_cache=compiled)
        return made

    vars(engine)["create_engine"] = created


def copy_new_ledgers() -> None:
    """From now on, in this process: a migration is the same each time, and takes twenty times as long as a copy.

    Tests of migrations are about older ledgers, or run in processes of their own: those are migrated.
    """
    migrated: list[str] = []
    upgrade = engine._upgrade

    def copied(connection: Connection) -> None:
        if connection.dialect.name != "sqlite" or engine.version_of(connection) is not None:
            upgrade(connection)
        elif migrated:
            for statement in migrated:
                connection.exec_driver_sql(statement)
        else:
            upgrade(connection)
            made: Any = connection.connection.driver_connection
            migrated.extend(one for one in made.iterdump() if one not in ("BEGIN TRANSACTION;", "COMMIT;"))

    engine._upgrade = copied
