"""The `sourcing` command in this process, with settings and a data folder of its
own.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from typer.testing import CliRunner, Result

from cli.main import app
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from tasks.engine.resources import utc_now

Sourcing = Callable[..., Result]


@pytest.fixture
def sourcing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Sourcing:
    """Runs a command in an empty folder. Its service address leads nowhere, so a
    command that asks it fails.
    """
    for name in list(os.environ):
        if name.startswith(("XPORTCN_", "SOURCING_", "PREFECT_")):
            monkeypatch.delenv(name)
    monkeypatch.setenv("XPORTCN_BASE_URL", "http://127.0.0.1:9")
    monkeypatch.chdir(tmp_path)

    def run(*arguments: str | Path) -> Result:
        return CliRunner().invoke(app, [str(argument) for argument in arguments])

    return run


@pytest.fixture
def empty_ledger(sourcing: Sourcing) -> Path:
    """The file of a ledger in that folder, without an order; a command that only looks
    or answers makes none.
    """
    Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="test").close()
    return Path("data/ledger.db").absolute()
