"""A new data folder gets a copy of an empty database of Prefect, without anything that another folder recorded."""

from __future__ import annotations

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from deployments import prefect_patches
from deployments.prefect_patches import copy_template, save_template


@pytest.fixture
def kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    path = tmp_path / "var" / "empty.db"
    monkeypatch.setattr(prefect_patches, "template_path", lambda: path)
    return path


def records_of_a_run(path: Path) -> Path:
    with closing(sqlite3.connect(path)) as connection, connection:
        connection.execute("PRAGMA journal_mode = WAL")
        for table in ("alembic_version", "block_type", "flow_run"):
            connection.execute(f"CREATE TABLE {table} (name)")
            connection.execute(f"INSERT INTO {table} VALUES ('{table}')")
    return path


def rows(path: Path, table: str) -> int:
    with closing(sqlite3.connect(path)) as connection:
        (count,) = connection.execute(f"SELECT count(*) FROM {table}").fetchone()
    return int(count)


def test_a_new_folder_begins_with_an_empty_database(kept: Path, tmp_path: Path) -> None:
    """Its version and the types of blocks are there, runs are not."""
    save_template(records_of_a_run(tmp_path / "first.db"))
    copy_template(tmp_path / "second.db")
    assert [rows(tmp_path / "second.db", table) for table in ("alembic_version", "block_type", "flow_run")] == [1, 1, 0]
    assert rows(tmp_path / "first.db", "flow_run") == 1


@pytest.mark.parametrize("content", [None, b"no database at all, but long enough to be taken for one"])
def test_without_a_sound_one_prefect_makes_its_own(kept: Path, tmp_path: Path, content: bytes | None) -> None:
    """What is not there, or damaged, is not taken."""
    if content is not None:
        kept.parent.mkdir()
        kept.write_bytes(content)
    copy_template(tmp_path / "new.db")
    assert [path.name for path in tmp_path.iterdir() if path.is_file()] == []


def test_where_it_can_not_be_written_nothing_is_kept(kept: Path, tmp_path: Path) -> None:
    """An installation may belong to somebody else."""
    kept.parent.write_text("a file where the folder would be")
    save_template(records_of_a_run(tmp_path / "first.db"))
    assert not kept.exists()
