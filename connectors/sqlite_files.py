"""Removes what SQLite leaves of deleted rows: free pages, and the write-ahead log."""

from __future__ import annotations

import sqlite3
import time
from contextlib import closing
from pathlib import Path

from connectors.foreign import words_of

PATIENCE_S = 20.0


class NotScrubbed(Exception):
    """A database still has remains of old rows; the message has the cause and the remedy."""


def scrub(file: Path) -> None:
    """Write a database anew without its free pages, and empty its write-ahead log, while it is in use.

    Raises `NotScrubbed`.
    """
    try:
        with closing(sqlite3.connect(file, timeout=PATIENCE_S, isolation_level=None)) as database:
            database.execute("VACUUM")
            deadline = time.monotonic() + PATIENCE_S
            while _is_read(database):
                if time.monotonic() > deadline:
                    raise NotScrubbed(f"{file} is in use: old rows stay in it until this is done again without that")
                time.sleep(0.1)
    except sqlite3.Error as error:
        raise NotScrubbed(
            f"{file} keeps old rows ({words_of(error)}): free some disk space, or end what uses it"
        ) from error


def _is_read(database: sqlite3.Connection) -> bool:
    """Whether a reader still needs the write-ahead log, which therefore can't be emptied."""
    (is_busy, *_) = database.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()
    return bool(is_busy)
