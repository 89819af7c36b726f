"""Runs start in the program's folder, with the settings of the folder in which
`sourcing serve` was started.
"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import pytest

from connectors.settings import SourcingSettings
from deployments.serving import environment_of_runs
from tests.running import ROOT

SETTINGS = """SOURCING_BOOK=book.csv
SOURCING_RATES=tables/rates.csv
SOURCING_LEDGER_URL=sqlite:///books/ledger.db
SOURCING_SNAPSHOTS=tables/days
"""
NAMES = [line.partition("=")[0] for line in SETTINGS.splitlines()]


def _environment(
    folder: Path, monkeypatch: pytest.MonkeyPatch, settings: str
) -> dict[str, str]:
    monkeypatch.chdir(folder)
    (folder / ".env").write_text(settings)
    return environment_of_runs(SourcingSettings(), "http://127.0.0.1:4200/api")


def _of_a_run(environment: dict[str, str], program: Path, *names: str) -> list[object]:
    """The settings that a run reads: a process of its own, in the program's folder."""
    code = (
        "import sys; from connectors.settings import *; from connectors.xportcn.settings import *; enter_folder(); "
        "print([str(getattr(XportcnSettings(), name, None) or getattr(SourcingSettings(), name, None)) "
        "for name in sys.argv[1:]])"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *names],
        cwd=program,
        env={**environment, "PYTHONPATH": str(ROOT)},
        check=True,
        capture_output=True,
        text=True,
    )
    return list(ast.literal_eval(done.stdout))


@pytest.fixture
def program(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The folder of the program, in which another installation has its live account."""
    for name in [
        name for name in os.environ if name.startswith(("SOURCING_", "XPORTCN_"))
    ]:
        monkeypatch.delenv(name)
    folder = tmp_path / "program"
    folder.mkdir()
    (folder / ".env").write_text(
        "XPORTCN_BASE_URL=https://live.example/api\nXPORTCN_ACCESS_KEY=live\nXPORTCN_PAY_IS=debit\n"
    )
    return folder


def test_what_the_folder_of_the_start_leaves_out_is_not_taken_from_the_programs(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A try-out would buy for real, and a second account pay as the first one may."""
    monkeypatch.chdir(tmp_path)
    environment = environment_of_runs(SourcingSettings(), "http://127.0.0.1:4200/api")
    read = _of_a_run(environment, program, "base_url", "access_key", "pay_is")
    assert read == ["http://127.0.0.1:8790", "sandbox-access-key", "unknown"]


def test_runs_read_the_file_as_it_is_by_then_in_small_letters_too(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As at the terminal: a limit of the day would else be none at night."""
    environment = _environment(tmp_path, monkeypatch, "")
    (tmp_path / ".env").write_text(
        "sourcing_day_limit_cny=500\nSOURCING_TIMEZONE=Asia/Shanghai\n"
    )
    assert _of_a_run(environment, program, "day_limit_cny", "timezone") == [
        "500",
        "Asia/Shanghai",
    ]


def test_files_that_settings_name_are_those_of_the_folder_of_the_start(
    program: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Also as `.env` names them by then."""
    environment = _environment(tmp_path, monkeypatch, "")
    (tmp_path / ".env").write_text(SETTINGS)
    read = _of_a_run(environment, program, "inbox", "snapshot_root", "rates")
    assert read == [f"{tmp_path}/data/inbox", "tables/days", "tables/rates.csv"]
