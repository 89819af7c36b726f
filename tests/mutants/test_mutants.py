"""The mutants still fit the code that they break; `make mutants` shows that each is found."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.mutants.__main__ import break_it
from tests.mutants.catalogue import MUTANTS, Mutant
from tests.running import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_breaks_what_it_says(mutant: Mutant, tmp_path: Path) -> None:
    """Each edit finds its text exactly once, and what comes out is a program."""
    for edit in mutant.edits:
        (tmp_path / edit.file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / edit.file, tmp_path / edit.file)
    break_it(mutant, tmp_path)
    for edit in mutant.edits:
        changed = (tmp_path / edit.file).read_text(encoding="utf-8")
        assert ast.dump(ast.parse(changed)) != ast.dump(ast.parse((ROOT / edit.file).read_text(encoding="utf-8")))


@pytest.mark.parametrize("mutant", [one for one in MUTANTS if one.found_by], ids=lambda mutant: mutant.name)
def test_the_test_that_finds_a_mutant_is_there(mutant: Mutant) -> None:
    """It is named by its file and its function."""
    file, _, function = mutant.found_by.partition("::")
    assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")
