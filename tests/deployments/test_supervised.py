"""A part of an installation that ends is started again, whatever that takes."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from deployments import serving
from deployments.serving import Part


@pytest.fixture(autouse=True)
def impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "RESTARTS_EVERY_S", 0)


def part(folder: Path) -> Part:
    """It ends by itself."""
    command = [sys.executable, "-c", ""]
    return Part(
        name="sandbox",
        command=command,
        environment=os.environ,
        log=folder / "sandbox.log",
    )


def test_one_that_ends_by_itself_is_started_again(tmp_path: Path) -> None:
    sandbox = part(tmp_path)
    sandbox.process.wait()
    first = sandbox.process
    message = f"sandbox had ended and was started again; see {tmp_path}/sandbox.log"
    assert sandbox.keep_running() == message
    assert sandbox.process is not first
    sandbox.process.wait()


def test_one_that_ends_again_and_again_is_not_started_all_the_time(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(serving, "RESTARTS_EVERY_S", 900)
    sandbox = part(tmp_path)
    sandbox.process.wait()
    assert sandbox.keep_running() == ""


def test_one_that_can_not_be_started_again_now_is_tried_until_it_can(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What fails for a minute must not end the other parts."""
    sandbox = part(tmp_path)
    sandbox.process.wait()

    def start(*_: object, **_options: object) -> None:
        raise OSError(12, "Cannot allocate memory")

    with monkeypatch.context() as full:
        full.setattr("deployments.local_server.start", start)
        for _ in range(2):
            message = "sandbox can't be started again now: Cannot allocate memory"
            assert sandbox.keep_running() == message
    assert "was started again" in sandbox.keep_running()
    sandbox.process.wait()
