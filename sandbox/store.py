"""The sandbox's state: in memory, or in a SQLite file that survives a kill of the
process.
"""

from __future__ import annotations

import sqlite3
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import orjson

APPLICATION_ID = 0x5842_4F58
SCHEMA = "CREATE TABLE IF NOT EXISTS entity (kind TEXT, key TEXT, body BLOB, PRIMARY KEY (kind, key)) WITHOUT ROWID"


class StateError(Exception):
    """The state file cannot be used; the message says why and what to do."""


class Store:
    """Keeps nothing: a sandbox in memory."""

    def put(self, kind: str, key: str, body: object) -> None:
        """Keep the entity as it is at the next flush."""

    def drop(self, kind: str, key: str) -> None:
        """Forget the entity at the next flush."""

    def flush(self) -> None:
        """Make everything since the last flush safe against a kill; called before each
        answer.
        """

    def read(self, kind: str) -> Iterator[Any]:
        """Entities of a kind in the order of their keys."""
        del kind
        return iter(())

    def clear(self) -> None:
        """Forget everything but the seed."""

    def close(self) -> None:
        """Let go of the file."""


class FileStore(Store):
    """One row per entity, its body as JSON. Another process that opens the same file is
    turned away.
    """

    def __init__(self, path: Path, seed: int) -> None:
        self._path = path
        self._changed: dict[tuple[str, str], object] = {}
        self._dropped: set[tuple[str, str]] = set()
        self._database = self._open()
        self._check_seed(seed)

    def _open(self) -> sqlite3.Connection:
        try:
            self._path.parent.mkdir(parents=True, exist_ok=True)
            database = sqlite3.connect(self._path, timeout=0, isolation_level=None)
        except (sqlite3.OperationalError, OSError) as error:
            raise StateError(
                f"cannot open {self._path} ({error}). Check that its folder can be written."
            ) from error
        try:
            self._prepare(database)
        except sqlite3.DatabaseError as error:
            database.close()
            raise self._explained(error) from error
        except StateError:
            database.close()
            raise
        return database

    def _prepare(self, database: sqlite3.Connection) -> None:
        database.execute(
            "PRAGMA locking_mode=EXCLUSIVE"
        )  # held until the process ends, however it ends
        tables = database.execute("SELECT count(*) FROM sqlite_master").fetchone()[0]
        if (
            tables
            and database.execute("PRAGMA application_id").fetchone()[0]
            != APPLICATION_ID
        ):
            raise StateError(
                f"{self._path} belongs to another program. Name another file with --state."
            )
        database.execute("PRAGMA journal_mode=WAL")
        database.execute(
            "PRAGMA synchronous=OFF"
        )  # a killed process loses nothing; only a dead machine would
        database.execute("BEGIN IMMEDIATE")
        database.execute(f"PRAGMA application_id={APPLICATION_ID}")
        database.execute(SCHEMA)
        database.execute("COMMIT")

    def _explained(self, error: sqlite3.DatabaseError) -> StateError:
        if "locked" in str(error):
            return StateError(
                f"another sandbox is using {self._path}. Stop it, or give this one its own file with --state."
            )
        return StateError(
            f"{self._path} is not a sandbox state file or is damaged ({error}). "
            "Move it away or name another file with --state."
        )

    def _check_seed(self, seed: int) -> None:
        known = next(self.read("seed"), None)
        if known is None:
            self.put("seed", "seed", seed)
            self.flush()
        elif known != seed:
            self.close()
            raise StateError(
                f"{self._path} was made with seed {known}, not {seed}. "
                f"Start with --seed {known}, or name another file with --state."
            )

    def put(self, kind: str, key: str, body: object) -> None:
        self._dropped.discard((kind, key))
        self._changed[kind, key] = body

    def drop(self, kind: str, key: str) -> None:
        self._changed.pop((kind, key), None)
        self._dropped.add((kind, key))

    def flush(self) -> None:
        if not self._changed and not self._dropped:
            return
        rows = [
            (kind, key, orjson.dumps(body))
            for (kind, key), body in self._changed.items()
        ]
        with self._database:
            self._database.execute("BEGIN IMMEDIATE")
            self._database.executemany(
                "INSERT OR REPLACE INTO entity VALUES (?, ?, ?)", rows
            )
            self._database.executemany(
                "DELETE FROM entity WHERE kind = ? AND key = ?", list(self._dropped)
            )
        self._changed.clear()
        self._dropped.clear()

    def read(self, kind: str) -> Iterator[Any]:
        try:
            for (body,) in self._database.execute(
                "SELECT body FROM entity WHERE kind = ? ORDER BY key", (kind,)
            ):
                yield orjson.loads(body)
        except (sqlite3.DatabaseError, orjson.JSONDecodeError) as error:
            raise StateError(
                f"{self._path} is damaged ({error}). Move it away or name another file with --state."
            ) from error

    def clear(self) -> None:
        self._changed.clear()
        self._dropped.clear()
        self._database.execute("DELETE FROM entity WHERE kind != 'seed'")

    def close(self) -> None:
        self._database.close()
