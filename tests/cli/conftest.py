"""The `sourcing` command in this process, with settings and a data folder of its own."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app

Sourcing = Callable[..., Result]


@pytest.fixture
def sourcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sourcing:
    """Runs a command in an empty folder. Its service address leads nowhere, so a command that asks it fails."""
    for name in list(os.environ):
        if name.startswith(("XPORTCN_", "SOURCING_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XPORTCN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run
