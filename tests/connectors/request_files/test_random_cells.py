"""Seeded random cells; a million of them are part of `make endurance`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.connectors.request_files.random_cells import MAKERS, check_cells


@pytest.mark.parametrize("suffix", list(MAKERS))
def test_no_random_cell_changes_in_silence(tmp_path: Path, suffix: str) -> None:
    assert check_cells(tmp_path, suffix, cells=5_000, seed=1) >= 5_000
