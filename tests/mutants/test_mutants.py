"""The mutants still fit the code that they break; `make mutants` has each found."""

from __future__ import annotations

import ast
import shutil
from pathlib import Path

import pytest

from tests.mutants.catalogue import MUTANTS, RULES, Mutant, Rule
from tests.mutants.changes import Change, never
from tests.running import ROOT


@pytest.mark.parametrize("mutant", MUTANTS, ids=lambda mutant: mutant.name)
def test_a_mutant_still_breaks_what_it_says(mutant: Mutant, tmp_path: Path) -> None:
    """Each change finds its place and its one node, and a program comes out."""
    files = {change.file for change in mutant.changes}
    for file in files:
        (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / file, tmp_path / file)
    for change in mutant.changes:
        change.apply(tmp_path)
    for file in files:
        assert _tree(tmp_path / file) != _tree(ROOT / file)


def _tree(path: Path) -> str:
    """Return the tree of a file that compiles, which is more than to be parsed."""
    text = path.read_text(encoding="utf-8")
    compile(text, path, "exec", dont_inherit=True)
    return ast.dump(ast.parse(text))


@pytest.mark.parametrize(
    "mutant",
    [mutant for mutant in MUTANTS if mutant.found_by],
    ids=lambda mutant: mutant.name,
)
def test_the_test_that_finds_a_mutant_is_there(mutant: Mutant) -> None:
    """It is named by its file and its function."""
    file, _, function = mutant.found_by.partition("::")
    assert f"def {function}(" in (ROOT / file).read_text(encoding="utf-8")


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.promise)
def test_a_rule_has_a_mutant(rule: Rule) -> None:
    """A rewrite that takes a rule's last mutant away owes it another."""
    assert rule.mutants


def test_a_mutant_has_a_name_of_its_own() -> None:
    """The command line picks it by that name."""
    assert len({mutant.name for mutant in MUTANTS}) == len(MUTANTS)


@pytest.mark.parametrize(
    ("change", "error"),
    [
        (never("code.py::pay", "paid"), "'paid' matches nothing"),
        (never("code.py::book", "due"), "there is no book"),
        (never("code.py::pay", "due"), "'due' matches late > due; due > late"),
    ],
)
def test_a_change_breaks_nothing_that_it_does_not_mean(
    change: Change, error: str, tmp_path: Path
) -> None:
    """Where not one node matches, the error says which do."""
    code = "def pay(due, late):\n    return late > due or due > late\n"
    (tmp_path / "code.py").write_text(code, encoding="utf-8")
    with pytest.raises(ValueError, match=f"{error}$"):
        change.apply(tmp_path)
