"""An empty database of Prefect, kept with the installation, since Prefect's migrations take five seconds to make one.

It is a cache as compiled modules are, of this version of Prefect alone: where it can't be written or read, or is
damaged, Prefect makes its database as ever. A server that starts migrates whatever it finds.
"""

from __future__ import annotations

import os
import sqlite3
import sys
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path

KEPT = ("alembic_version", "block_type", "block_schema", "block_schema_reference")
"""The tables of a new database with rows; all others are emptied before it is kept."""


def template_path() -> Path:
    return Path(sys.prefix, "var", "sourcing", f"prefect-{version('prefect')}.db")


def copy_template(records: Path) -> None:
    """Begin a database of Prefect with the empty one, if there is one."""
    unborn = records.with_name(f".{records.name}.{os.getpid()}")
    with suppress(OSError, sqlite3.Error):
        try:
            if template_path().exists():
                _copy(template_path(), unborn)
                os.rename(unborn, records)
        finally:
            unborn.unlink(missing_ok=True)


def save_template(records: Path) -> None:
    """Keep a server's new database for the next ones, without what it has recorded since."""
    kept = template_path()
    unborn = kept.with_name(f".{kept.name}.{os.getpid()}")
    with suppress(OSError, sqlite3.Error):
        if kept.exists():
            return
        kept.parent.mkdir(parents=True, exist_ok=True)
        try:
            _copy(records, unborn)
            _empty(unborn)
            os.rename(unborn, kept)
        finally:
            unborn.unlink(missing_ok=True)


def _copy(source: Path, target: Path) -> None:
    """Raises `sqlite3.Error` for a damaged one."""
    with closing(sqlite3.connect(f"{source.absolute().as_uri()}?mode=ro", uri=True)) as old:
        if old.execute("PRAGMA quick_check(1)").fetchone() != ("ok",):
            raise sqlite3.DatabaseError(source)
        target.touch(mode=0o600)
        with closing(sqlite3.connect(target)) as new:
            old.backup(new)


def _empty(records: Path) -> None:
    with closing(sqlite3.connect(records)) as connection:
        connection.execute("PRAGMA journal_mode = DELETE")
        tables = connection.execute("SELECT name FROM sqlite_master WHERE type = 'table' AND name NOT LIKE 'sqlite_%'")
        with connection:
            for name in {name for (name,) in tables.fetchall()}.difference(KEPT):
                connection.execute(f'DELETE FROM "{name}"')
        connection.execute("VACUUM")
