"""What is registered with Prefect's server: what can run here, and nothing that would stand there as not ready."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest

from deployments.registration import deploy
from tests.deployments.test_prefect_yaml import DEPLOYMENTS


@pytest.mark.parametrize(("url", "helps"), [("", 0), ("postgresql://shop:secret@db/ledger", 1)])
def test_helpers_are_registered_where_the_ledger_lets_runs_share(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, url: str, helps: int
) -> None:
    monkeypatch.setitem(sys.modules, "prefect.cli", SimpleNamespace(app=lambda: None))
    monkeypatch.setattr(sys, "argv", ["deployments"])
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.setenv("SOURCING_LEDGER_URL", url)
    monkeypatch.chdir(tmp_path)
    deploy()
    assert sys.argv[1:3] == ["--no-prompt", "deploy"]
    assert sys.argv.count("help-batch") == helps
    assert sys.argv.count("--name") == len(DEPLOYMENTS) - 1 + helps
