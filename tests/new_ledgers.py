"""A new SQLite ledger as a copy of one that was migrated before in this process.

Each migration is the same each time, and takes twenty times as long. Tests of migrations are about older ledgers, or
run in processes of their own: those are migrated.
"""

from __future__ import annotations

from typing import Any

from sqlalchemy import Connection

from connectors.ledger import engine


def copy_new_ledgers() -> None:
    """From now on, in this process."""
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
