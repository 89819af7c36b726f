"""Ledgers as earlier programs left them, and a schema in a form that is the same
whichever way it was made.
"""

from __future__ import annotations

import re
import sqlite3
import tarfile
from contextlib import closing
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

from sqlalchemy import Connection, MetaData, insert, inspect, select, text

from connectors.ledger.schema import metadata

ARCHIVES = Path(__file__).parents[2] / "upgrade"
CATALOGUE = (
    "SELECT table_name, column_name, data_type, character_maximum_length, is_nullable, column_default "
    "FROM information_schema.columns WHERE table_schema = current_schema()",
    "SELECT conname, pg_get_constraintdef(oid) FROM pg_constraint WHERE connamespace = current_schema()::regnamespace",
    "SELECT indexname, indexdef FROM pg_indexes WHERE schemaname = current_schema()",
)


@cache
def statements(version: str) -> list[str]:
    """What made the ledger that an earlier program left, as SQLite keeps it."""
    with (
        TemporaryDirectory() as folder,
        tarfile.open(ARCHIVES / f"data-{version}.tar.xz") as archive,
    ):
        for name in ("ledger.db", "ledger.db-wal"):
            archive.extract(f"data/{name}", folder, filter="data")
        with closing(sqlite3.connect(Path(folder) / "data" / "ledger.db")) as ledger:
            return [
                sql
                for (sql,) in ledger.execute(
                    "SELECT sql FROM sqlite_schema WHERE sql > '' ORDER BY rowid"
                )
            ]


def make(connection: Connection, version: str) -> None:
    """The tables of a ledger of an older version, without rows, in an empty
    database.
    """
    for statement in statements(version):
        connection.exec_driver_sql(
            statement
            if connection.dialect.name == "sqlite"
            else _of_postgresql(statement)
        )
    connection.execute(
        text("INSERT INTO alembic_version VALUES (:version)"), {"version": version}
    )


def _of_postgresql(statement: str) -> str:
    numbered = re.sub(r"\b(id|one) INTEGER", r"\1 SERIAL", statement)
    return numbered.replace(" DATETIME", " TIMESTAMP WITH TIME ZONE")


def take_back(connection: Connection, version: str) -> None:
    """The ledger under the schema of an older version: what its tables have no room for
    is gone.
    """
    rows = {
        table: connection.execute(select(table)).mappings().all()
        for table in metadata.sorted_tables
    }
    there = MetaData()
    there.reflect(connection)
    there.drop_all(connection)
    make(connection, version)
    by_table = inspect(connection).get_multi_columns()
    kept = {
        name: [column["name"] for column in columns]
        for (_, name), columns in by_table.items()
    }
    for table, all_of_it in rows.items():
        names = {*kept.get(table.name, ())} - {"id"}
        for row in all_of_it if names else ():
            values = {
                name: value
                for name, value in row.items()
                if name in names and value is not None
            }
            connection.execute(insert(table).values(values))


def schema_of(connection: Connection) -> set[tuple[object, ...]]:
    """Columns, keys, rules and indexes, in no order."""
    if connection.dialect.name == "postgresql":
        return {
            tuple(row) for query in CATALOGUE for row in connection.execute(text(query))
        }
    found = connection.execute(
        text("SELECT name, sql FROM sqlite_schema WHERE sql > ''")
    )
    return {
        (name, part) for name, sql in found for part in _parts(" ".join(sql.split()))
    }


def _parts(sql: str) -> list[str]:
    """What stands between the outermost parentheses of a table's statement, and that of
    an index as it is.
    """
    if not sql.startswith("CREATE TABLE"):
        return [sql]
    inner = sql[sql.index("(") + 1 : sql.rindex(")")]
    depth, parts = 0, [""]
    for character in inner:
        depth += {"(": 1, ")": -1}.get(character, 0)
        parts = (
            [*parts, ""]
            if character == "," and not depth
            else [*parts[:-1], parts[-1] + character]
        )
    return [part.strip() for part in parts]
