"""The Prefect server of a data folder, before it starts."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployments import local_server
from deployments.local_server import ServerFailed, prefect_server, presence, require_room, server_folder, start_server
from deployments.server_process import at_work, put


def has_free(monkeypatch: pytest.MonkeyPatch, *, free: int) -> None:
    monkeypatch.setattr(shutil, "disk_usage", lambda _folder: SimpleNamespace(free=free))


def test_on_a_full_disk_nothing_is_started(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The message names the folder and the remedy at once; the server's log would be on that disk."""
    has_free(monkeypatch, free=0)
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    monkeypatch.setattr(subprocess, "Popen", lambda *_args, **_options: pytest.fail("started"))
    words = rf"^the disk of {tmp_path} is full \(0 MB free; .* 20\): free some space; nothing was sent$"
    with pytest.raises(ServerFailed, match=words), prefect_server(tmp_path):
        pass
    assert not (tmp_path / "prefect" / "encryption.key").exists()  # it would be an empty one


def test_little_room_is_enough(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A small disk is not refused."""
    has_free(monkeypatch, free=21_000_000)
    require_room(tmp_path)


def test_a_long_log_is_laid_aside(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Without its database the server writes tracebacks for days, on the disk of the ledger."""
    monkeypatch.setattr(local_server, "LOG_LIMIT_BYTES", 4)
    started: list[str] = []
    monkeypatch.setattr(subprocess, "Popen", lambda *_args, stdout, **_options: started.append(stdout.name))
    for content in ("long", "longer"):
        (tmp_path / "server.log").write_text(content)
        start_server(tmp_path, settings={})
    assert (tmp_path / "server.old.log").read_text() == "longer"
    assert (tmp_path / "server.log").read_text() == ""
    assert started == [str(tmp_path / "server.log")] * 2


def test_a_file_that_is_made_once_needs_no_hard_links(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A memory stick or a shared folder has none; the first content stays."""

    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_link)
    for content in ("first", "second"):
        put(tmp_path / "key", content, instead=False)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["first"]


class NoNeed(Exception):
    """What the command reads first tells that it can do nothing."""


def test_a_command_that_turns_out_to_need_no_server_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file has faults, or it is interrupted: the server that was starting meanwhile ends with it."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    started: list[int | None] = []

    def read_file() -> None:
        while not (pid := at_work(tmp_path / "prefect")):
            time.sleep(0.01)
        started.append(pid)
        raise NoNeed

    with pytest.raises(NoNeed), prefect_server(tmp_path, read_file):
        pass
    assert len(started) == 1
    assert at_work(tmp_path / "prefect") is None


def test_a_server_that_another_command_waits_for_goes_on(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each command holds a lock on one file; whoever started the server looks whether somebody else does."""
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    folder = server_folder(tmp_path)

    def read_file() -> None:
        while not at_work(folder):
            time.sleep(0.01)
        raise NoNeed

    with presence(folder):
        with pytest.raises(NoNeed), prefect_server(tmp_path, read_file):
            pass
        pid = at_work(folder)
        assert pid
        os.kill(pid, signal.SIGKILL)
