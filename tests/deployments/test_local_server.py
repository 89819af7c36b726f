"""The Prefect server of a data folder, before it starts."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from http.server import BaseHTTPRequestHandler
from pathlib import Path

import pytest
from prefect.settings import Settings

from connectors.durable import put_once
from deployments.local_server import (
    environment_of_server,
    prefect_server,
    presence,
    server_at_work,
    server_folder,
)
from deployments.serving import COMPLETE_SERVER
from tests.http_server import serving
from tests.running import ROOT

FOREIGN = {
    "PREFECT_SERVER_DATABASE_CONNECTION_URL": "postgresql+asyncpg://company.example/prefect",
    "PREFECT_API_DATABASE_CONNECTION_URL": "postgresql+asyncpg://company.example/prefect",
    "prefect_server_database_driver": "postgresql+asyncpg",
    "PREFECT_SERVER_DATABASE_MIGRATE_ON_START": "false",
    "PREFECT_SERVER_DOCKET_URL": "redis://company.example:6379/0",
    "PREFECT_SERVER_UI_API_URL": "https://company.example/api",
    "PREFECT_PROFILES_PATH": "/home/of/another/profiles.toml",
}


def test_settings_of_another_prefect_server_are_not_inherited(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its database this server would migrate it, and delete the history of runs
    after 90 days.
    """
    stored = {
        "PREFECT_API_AUTH_STRING": "me:word",
        "PREFECT_SERVER_SERVICES_DB_VACUUM_RETENTION_PERIOD": "7200",
    }
    for name, value in {**FOREIGN, **stored}.items():
        monkeypatch.setenv(name, value)
    environment = environment_of_server(tmp_path, COMPLETE_SERVER)
    for name in FOREIGN:
        monkeypatch.delenv(name)
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    server = Settings().server
    url = server.database.connection_url
    vacuum = server.services.db_vacuum
    assert url
    assert url.get_secret_value() == f"sqlite+aiosqlite:///{tmp_path}/prefect.db"
    assert (server.database.driver, server.database.migrate_on_start) == (None, True)
    assert (server.docket.url, server.ui.api_url) == ("memory://", "/api")
    assert vacuum.retention_period.total_seconds() == 7200
    assert environment["PREFECT_API_AUTH_STRING"] == "me:word"
    assert "PREFECT_PROFILES_PATH" not in environment


class Healthy(BaseHTTPRequestHandler):
    def do_GET(self) -> None:
        self.send_response(200)
        self.end_headers()


PROXIES = {
    "": "127.0.0.1,localhost",
    "shop.example": "shop.example,127.0.0.1,localhost",
    "127.0.0.1,localhost": "127.0.0.1,localhost",
    "*": "*",
}


@pytest.mark.parametrize("given", PROXIES)
def test_a_server_of_this_machine_is_not_asked_through_a_proxy(given: str) -> None:
    """A company's proxy knows no 127.0.0.1: the first command would wait five minutes
    for a server that runs.
    """
    script = (
        "import os, sys; from deployments.local_server import is_healthy; "
        "print(is_healthy(sys.argv[1]), os.environ['NO_PROXY'])"
    )
    proxy = {
        "http_proxy": "http://127.0.0.1:9",
        "NO_PROXY": given,
        "PYTHONPATH": str(ROOT),
    }
    with serving(Healthy) as port:
        command = [sys.executable, "-c", script, f"http://127.0.0.1:{port}"]
        done = subprocess.run(
            command, env=proxy, capture_output=True, text=True, check=True
        )
    assert done.stdout == f"True {PROXIES[given]}\n"


def test_a_file_that_is_made_once_needs_no_hard_links(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A memory stick or a shared folder has none; the first content stays."""

    def no_link(*_: object) -> None:
        raise PermissionError(1, "Operation not permitted")

    monkeypatch.setattr("os.link", no_link)
    for content in (b"first", b"second"):
        put_once(tmp_path / "key", content)
    assert [path.read_text() for path in tmp_path.iterdir()] == ["first"]


class NoNeed(Exception):
    """What the command reads first tells that it can do nothing."""


def test_a_command_that_turns_out_to_need_no_server_leaves_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Its file has faults, or it is interrupted: the server that was starting meanwhile
    ends with it.
    """
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    started: list[int] = []

    def read_file() -> None:
        while not (server := server_at_work(tmp_path / "prefect")):
            time.sleep(0.01)
        started.append(server.pid)
        raise NoNeed

    with pytest.raises(NoNeed), prefect_server(tmp_path, read_file):
        pass
    assert len(started) == 1
    assert server_at_work(tmp_path / "prefect") is None


def test_a_server_that_another_command_waits_for_goes_on(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Each command holds a lock on one file; whoever started the server looks whether
    somebody else does.
    """
    monkeypatch.delenv("PREFECT_API_URL", raising=False)
    folder = server_folder(tmp_path)

    def read_file() -> None:
        while not server_at_work(folder):
            time.sleep(0.01)
        raise NoNeed

    with presence(folder):
        with pytest.raises(NoNeed), prefect_server(tmp_path, read_file):
            pass
        server = server_at_work(folder)
        assert server
        os.kill(server.pid, signal.SIGKILL)
