"""A new data folder gets a copy of an empty database of Prefect, without anything that
another folder recorded.
"""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from starlette.types import Message, Receive, Scope, Send

from deployments import prefect_patches
from deployments.prefect_patches import copy_database, saving_template


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "var" / "empty.db"
    monkeypatch.setattr(prefect_patches, "template_path", lambda: path)
    return path


def record(path: Path, table: str) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute(f'CREATE TABLE "{table}" (name)')
    return path


def tables(path: Path) -> list[str]:
    with closing(sqlite3.connect(path)) as connection:
        return [
            name
            for (name,) in connection.execute(
                "SELECT name FROM sqlite_master ORDER BY name"
            )
        ]


async def receive() -> Message:
    raise AssertionError


async def test_a_new_folder_begins_with_a_database_as_it_was_before_the_first_request(
    kept: Path, tmp_path: Path
) -> None:
    """Its version is there, runs are not."""
    records = tmp_path / "first.db"

    async def server(_scope: Scope, _receive: Receive, send: Send) -> None:
        record(records, "alembic_version")
        await send({"type": "lifespan.startup.complete"})

    async def noted(message: Message) -> None:
        record(records, message["type"])

    await saving_template(server, records)({"type": "lifespan"}, receive, noted)
    copy_database(kept, tmp_path / "second.db")
    assert tables(records) == ["alembic_version", "lifespan.startup.complete"]
    assert tables(tmp_path / "second.db") == ["alembic_version"]


@pytest.mark.parametrize(
    "content", [None, b"no database at all, but long enough to be taken for one"]
)
def test_without_a_sound_one_prefect_makes_its_own(
    kept: Path, tmp_path: Path, content: bytes | None
) -> None:
    """What is not there, or damaged, is not taken."""
    if content is not None:
        kept.parent.mkdir()
        kept.write_bytes(content)
    copy_database(kept, tmp_path / "new.db")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_where_it_can_not_be_written_nothing_is_kept(
    kept: Path, tmp_path: Path
) -> None:
    """An installation may belong to somebody else."""
    kept.parent.write_text("a file where the folder would be")
    copy_database(record(tmp_path / "first.db", "flow_run"), kept)
    assert not kept.exists()
