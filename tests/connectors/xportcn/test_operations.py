"""The catalogue agrees with the contract's lists of operations."""

from __future__ import annotations

import csv
import re
import subprocess
import sys
from collections import Counter
from pathlib import Path

from connectors.xportcn.operations import catalogue
from connectors.xportcn.operations.operation import (
    Callback,
    EffectCall,
    Operation,
    Provenance,
    ReadCall,
)
from tests.in_turn import in_turn

ROOT = Path(__file__).parents[3]
CONTRACT = ROOT / "docs" / "contract"
LISTED = {
    row["nav"]: row
    for row in csv.DictReader(
        (CONTRACT / "endpoints.csv").read_text(encoding="utf-8").splitlines()
    )
}
MAIN_JOB = re.findall(
    r"^\| (\d+|–) \| [^|]+ \| `(GET|POST) ([^`?]+)",
    (CONTRACT / "assumed.md").read_text(encoding="utf-8"),
    re.MULTILINE,
)
_, ALL_OPERATIONS = (
    (CONTRACT / "assumed-all.md")
    .read_text(encoding="utf-8")
    .split("\n## 7. All operations\n")
)
ALL_OPERATIONS = ALL_OPERATIONS.partition("\n## ")[0]
TOLD = [
    tuple(cell.strip() for cell in line.strip("|").split("|"))
    for line in ALL_OPERATIONS.splitlines()
    if re.match(r"\| (\d+|–) \|", line)
]
NUMBERED = [entry for entry in catalogue() if entry.nav]


def test_the_catalogue_is_what_the_contract_s_table_lists() -> None:
    """Every row of assumed-all.md, section 7, is there word for word, and nothing
    else.
    """
    own = [
        (str(entry.nav or "–"), entry.group, entry.title, entry.method, entry.path, str(entry.provenance),
         "yes" if entry.effect else "no")
        for entry in catalogue()
    ]  # fmt: skip
    assert sorted(own) == sorted(TOLD)
    assert len(own) == 102


def test_all_96_are_there_once() -> None:
    """nav runs from 1 to 96; six operations have no number."""
    assert sorted(entry.nav for entry in catalogue() if entry.nav is not None) == list(
        range(1, 97)
    )
    assert sum(entry.nav is None for entry in catalogue()) == 6


def test_no_two_share_a_method_and_path() -> None:
    """An operation is told by what is called."""
    assert len({(entry.method, entry.path) for entry in catalogue()}) == 102


def test_the_main_job_s_page_says_the_same() -> None:
    """Where assumed.md lists an operation, number, method and path are the
    catalogue's.
    """
    own = {(str(entry.nav or "–"), entry.method, entry.path) for entry in catalogue()}
    assert set(MAIN_JOB) <= own
    assert len(MAIN_JOB) == 23


@in_turn("entry", NUMBERED)
def test_group_title_method_and_path_are_the_list_s(entry: Operation) -> None:
    """Texts are copied from endpoints.csv; where the list knows method or path, ours
    are the same.
    """
    row = LISTED[str(entry.nav)]
    assert (entry.group, entry.title) == (row["group"], row["title"])
    assert row["method"] in ("", entry.method)
    # nav 90's path is the warehouse's report to the platform; what reaches us comes to
    # our own URL.
    assert row["path"] in ("", entry.path) or entry.nav == 90


@in_turn("entry", [entry for entry in NUMBERED if not isinstance(entry, Callback)])
def test_provenance_says_how_well_the_path_is_known(entry: Operation) -> None:
    """A path that no page shows is assumed or the upstream's, a sibling's is sibling,
    the service's own confirmed.
    """
    row = LISTED[str(entry.nav)]
    if not row["path"]:
        assert entry.provenance in (Provenance.ASSUMED, Provenance.UPSTREAM)
    elif "CONFIRMED" in row["mark"] and "path SIBLING" not in row["mark"]:
        assert entry.provenance is Provenance.CONFIRMED
    else:
        assert entry.provenance is Provenance.SIBLING


def test_callbacks_are_told_from_calls() -> None:
    """Seven rows are what the service posts to us; none of them is an effect of
    ours.
    """
    callbacks = [entry for entry in catalogue() if isinstance(entry, Callback)]
    assert [entry.nav for entry in callbacks] == [35, 36, 37, 66, 67, 68, 90]
    assert not any(entry.effect for entry in callbacks)


def test_effects_that_are_a_get() -> None:
    """Two operations change something although their method says otherwise."""
    assert [
        entry.nav for entry in catalogue() if entry.effect and entry.method == "GET"
    ] == [29, 55]


def test_an_effect_is_declared_as_one() -> None:
    """Each entry is a read, an effect with its action, or a message of the service."""
    assert Counter(type(entry) for entry in catalogue()) == {
        ReadCall: 61,
        EffectCall: 34,
        Callback: 7,
    }
    assert all(entry.effect == isinstance(entry, EffectCall) for entry in catalogue())


def test_names_are_unique() -> None:
    """Errors and logs name one operation."""
    assert len({entry.name for entry in catalogue()}) == len(catalogue())


def test_errors_import_nothing_heavy() -> None:
    """Telling errors apart waits for neither pydantic nor an HTTP library."""
    script = "import connectors.xportcn.errors, sys; print(*{'pydantic', 'httpx', 'aiohttp', 'prefect'} & set(sys.modules))"
    ran = subprocess.run(
        [sys.executable, "-c", script],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert ran.stdout.strip() == ""


def test_only_the_sandbox_knows_aiohttp() -> None:
    """The product speaks HTTP by httpx; the sandbox's server is aiohttp's."""
    folders = ("cli", "connectors", "deployments", "domain", "flows", "tasks")
    importing = re.compile(r"^ *(?:import|from) aiohttp\b", re.MULTILINE)
    assert not [
        path
        for folder in folders
        for path in (ROOT / folder).rglob("*.py")
        if importing.search(path.read_text(encoding="utf-8"))
    ]
