"""Runs start in the program's folder, with the settings of the folder in which `sourcing serve` was started."""

from __future__ import annotations

from pathlib import Path

import pytest

from connectors.settings import SourcingSettings
from deployments import serving
from deployments.serving import environment_of_runs

SETTINGS = """SOURCING_BOOK=book.csv
SOURCING_RATES=tables/rates.csv
SOURCING_LEDGER_URL=sqlite:///books/ledger.db
"""
NAMES = [line.partition("=")[0] for line in SETTINGS.splitlines()]


def _environment(folder: Path, monkeypatch: pytest.MonkeyPatch, settings: str) -> dict[str, str]:
    monkeypatch.chdir(folder)
    (folder / ".env").write_text(settings)
    return environment_of_runs(SourcingSettings(), "http://127.0.0.1:4200/api")


def test_files_that_settings_name_are_those_of_the_folder_of_the_start(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = _environment(tmp_path, monkeypatch, SETTINGS)
    files = [f"{tmp_path}/book.csv", f"{tmp_path}/tables/rates.csv", f"sqlite:///{tmp_path}/books/ledger.db"]
    assert [found[name] for name in NAMES] == files


def test_an_address_is_handed_on_as_it_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    book, ledger = "https://sheets.example/pub?output=csv", "postgresql://db.example/sourcing"
    found = _environment(tmp_path, monkeypatch, f"SOURCING_BOOK={book}\nSOURCING_LEDGER_URL={ledger}\n")
    assert (found["SOURCING_BOOK"], found["SOURCING_LEDGER_URL"]) == (book, ledger)


def test_a_setting_in_small_letters_counts_for_runs_too(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As at the terminal: a limit of the day would else be none at night."""
    assert _environment(tmp_path, monkeypatch, "sourcing_day_limit_cny=500\n")["SOURCING_DAY_LIMIT_CNY"] == "500"


def test_in_the_programs_folder_runs_read_the_settings_themselves(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """So that a change of `.env` counts from the next run on."""
    monkeypatch.setattr(serving, "ROOT", tmp_path)
    assert not set(NAMES) & set(_environment(tmp_path, monkeypatch, SETTINGS))
