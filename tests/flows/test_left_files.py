"""Request files that no night takes."""

from __future__ import annotations

import os
from datetime import UTC, datetime, timedelta
from pathlib import Path

from flows.finish_open import of_left_files

NOW = datetime(2026, 12, 2, 12, tzinfo=UTC)


def test_a_file_that_lies_in_the_inbox_for_more_than_a_day_is_a_message(
    tmp_path: Path,
) -> None:
    for name, hours in (("old.csv", 27), ("new.csv", 25), ("notes.doc", 90)):
        file = tmp_path / name
        file.touch()
        at = (NOW - timedelta(hours=hours)).timestamp()
        os.utime(file, (at, at))
    (message,) = of_left_files(tmp_path, NOW)
    assert message.cause == f"left-files:{tmp_path}:2026-12-02"
    assert message.subject == "No night takes 1 request file"
    assert message.body.startswith(f"old.csv in {tmp_path}. What to do: ")


def test_an_inbox_that_is_not_there_has_no_file(tmp_path: Path) -> None:
    assert of_left_files(tmp_path / "none", NOW) == []
