"""DuckDB connections with a memory limit; beyond it they use a work folder, or fail without one."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from duckdb import DuckDBPyConnection

WORK_MB = 256
"""The memory of work on files: a run may be buying beside it."""


@contextmanager
def connected(*, memory_mb: int, work: Path | None = None) -> Iterator[DuckDBPyConnection]:
    """A connection to an empty database, whose times are UTC."""
    import duckdb

    spill = "" if work is None else str(work).replace("'", "''")
    with duckdb.connect(":memory:") as connection:
        connection.execute("SET enable_progress_bar = false")  # it would go to the terminal after two seconds
        connection.execute(f"SET TimeZone = 'UTC'; SET memory_limit = '{memory_mb}MB'; SET temp_directory = '{spill}'")
        if work is not None:
            connection.execute("SET threads = 2")
        yield connection
