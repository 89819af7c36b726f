"""The Prefect server of a data folder, before it starts."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployments.local_server import ServerFailed, prefect_server, require_room


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
