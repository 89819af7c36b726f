"""What is registered with Prefect's server."""

from __future__ import annotations

import sys
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

from deployments import as_left
from deployments.registration import deploy
from tests.deployments.test_prefect_yaml import DEPLOYMENTS


def test_each_deployment_of_the_file_is_registered_and_noted(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    deployed = list[list[str]]()

    def prefect() -> None:
        assert sys.argv[1:5] == ["--no-prompt", "deploy", "--all", "--prefect-file"]
        content = yaml.safe_load(Path(sys.argv[5]).read_text())
        deployed.append([one["name"] for one in content["deployments"]])
        raise SystemExit(0)

    noted = list[object]()
    monkeypatch.setattr(
        as_left,
        "keep_changes",
        lambda listed, _site: ([one["name"] for one in listed], {}),
    )
    monkeypatch.setattr(as_left, "note", noted.append)
    monkeypatch.setitem(sys.modules, "prefect.cli", SimpleNamespace(app=prefect))
    monkeypatch.setattr(sys, "argv", ["deployments"])
    monkeypatch.setenv("SOURCING_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    deploy()
    assert deployed == noted == [list(DEPLOYMENTS)]
