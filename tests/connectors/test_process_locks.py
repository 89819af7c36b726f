"""A run holds its file as long as its process lives, and not a moment longer."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from connectors.process_locks import KEPT_S, has_died, hold, prune
from tests.running import ROOT

RUN = "0198c0de-0000-7000-8000-000000000001"


@contextmanager
def process(data_dir: Path) -> Iterator[subprocess.Popen[str]]:
    """One that loads a flow as a worker's run does, says so, and is killed."""
    code = "import flows, time; print('loaded', flush=True); time.sleep(60)"
    with subprocess.Popen(
        [sys.executable, "-c", code],
        cwd=ROOT,
        env={
            **os.environ,
            "PREFECT__FLOW_RUN_ID": RUN,
            "SOURCING_DATA_DIR": str(data_dir),
        },
        stdout=subprocess.PIPE,
        text=True,
    ) as started:
        assert started.stdout
        assert started.stdout.readline() == "loaded\n"
        yield started
        started.kill()


def test_a_killed_run_is_known_to_be_dead_and_a_living_one_is_not(
    tmp_path: Path,
) -> None:
    """From the moment that it has loaded its flow; a second attempt takes the file
    over.
    """
    folder = tmp_path / "runs"
    for _attempt in range(2):
        with process(tmp_path):
            assert not has_died(folder, RUN)
        assert has_died(folder, RUN)


def test_a_run_that_never_lived_here_is_not_known_to_be_dead(tmp_path: Path) -> None:
    """It may live on another machine."""
    assert not has_died(tmp_path, RUN)


def test_of_two_processes_of_a_run_one_that_lives_is_enough(tmp_path: Path) -> None:
    """A worker was killed, its run lives on, and the run is started again."""
    first, second = hold(tmp_path, RUN), hold(tmp_path, RUN)
    os.close(first)
    assert not has_died(tmp_path, RUN)
    os.close(second)
    assert has_died(tmp_path, RUN)


def test_a_disk_without_hard_links_tells_the_dead_too(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Else what a dead run had claimed would wait for the end of its lease."""

    def link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr(os, "link", link)
    first, second = hold(tmp_path, RUN), hold(tmp_path, RUN)
    os.close(first)
    assert not has_died(tmp_path, RUN)
    os.close(second)
    assert has_died(tmp_path, RUN)
    assert [path.name for path in tmp_path.iterdir()] == [RUN]


def test_files_of_the_dead_are_kept_for_a_week(tmp_path: Path) -> None:
    """And those of the living for ever."""
    old = time.time() - KEPT_S - 60
    for name, is_old, goes_on in [
        ("new", False, False),
        ("old", True, False),
        ("long", True, True),
    ]:
        held = hold(tmp_path, name)
        if not goes_on:
            os.close(held)
        if is_old:
            os.utime(tmp_path / name, (old, old))
    prune(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["long", "new"]
    os.close(held)
