"""Inner names of other programs: each stands in one table with its reason, and what to
do on the day it goes.

`PRIVATE` is compared both ways without starting or importing any of them: their
installed source has the name, and the product touches no inner name that is not listed.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import NamedTuple

import pytest
from prefect import settings

from tests.running import ROOT
from tests.test_vocabulary import PRODUCT


class Private(NamedTuple):
    """`name` stands in the product's file `at`; the file `of` of an installed package
    must have the text `has`.
    """

    name: str
    at: str
    of: str
    has: str
    why: str
    on_that_day: str


PRIVATE = (
    Private(
        "prefect.server.concurrency.lease_storage.filesystem",
        "deployments/serving.py",
        "prefect/server/concurrency/lease_storage/filesystem.py",
        "class ConcurrencyLeaseStorage(",
        "the server's limits outlive its restart; the documented module keeps them in memory",
        "Take the setting out, or name the module that keeps leases on disk.",
    ),
    Private(
        "PREFECT_SERVER_ENCRYPTION_KEY",
        "deployments/local_server.py",
        "prefect/server/utilities/encryption.py",
        '"PREFECT_SERVER_ENCRYPTION_KEY"',
        "the key of Prefect's secrets stands beside the database, not in it; no documented setting has it",
        "Find the setting that holds the key now, or existing secrets can't be read.",
    ),
    Private(
        "PREFECT__FLOW_RUN_ID",
        "connectors/process_locks.py",
        "prefect/runtime/flow_run.py",
        'os.getenv("PREFECT__FLOW_RUN_ID")',
        "the lock of a run is held before Prefect is imported; `prefect.runtime` reads the same",
        "Read prefect.runtime.flow_run.id in deployed_run, or the new variable.",
    ),
    *(
        Private(
            name,
            "connectors/ui_pages.py",
            "prefect/server/ui-v2/assets/index-*.js",
            has,
            "messages and reports lead to the page where something is to be done; Prefect documents no addresses",
            "Open the page in the UI, and write its new address into ui_pages.py.",
        )
        for name, has in (
            ("runs/flow-run/{run_id}", "/runs/flow-run/$id"),
            (
                "deployments/deployment/{deployment_id}/run",
                "/deployments/deployment/$id/run",
            ),
            ("artifacts/key/{key}", "/artifacts/key/$key"),
        )
    ),
    *(
        Private(
            name,
            "connectors/request_files/xlsx_sheet.py",
            "openpyxl/worksheet/_reader.py",
            "class WorkSheetParser",
            "openpyxl's sheets tell no formula without a value, and fail over a part that no row needs",
            "Read the cells of a row's element by hand: the texts, the numbers, and those that are refused.",
        )
        for name in ("_reader", "openpyxl.worksheet._reader")
    ),
)
"""Everything of Prefect, uvicorn and others that is used though their
documentation does not offer it.
"""

DOCUMENTED = {"_asdict", "_exit", "_replace", "_value_"}
"""Names with an underscore that Python's own documentation offers."""

IMPORT = re.compile(
    r"^ *(?:from ([\w.]+) import (\([^)]*\)|[^\n]*)|import ([\w.]+))", re.MULTILINE
)
INNER = re.compile(
    r"prefect\.(?:cli|client\.base|engine|events\.(?:clients|related)|flow_engine|input\.run_input|main|runner|server"
    r"|task_engine|workers)(?:\..+)?"
    r"|(?:aiohttp|apprise|click|duckdb|httpx|httpx2|typer|uvicorn)\..+|(?:.+\.)?_[a-z].*|unittest\.mock"
)
"""Modules, and names of modules, that are no part of what their package offers."""
OF_AN_OBJECT = re.compile(r"\._(?<=[\w)\]]\._)(?<!\bself\._)(?<!\bcls\._)([a-z]\w*)")
OF_ITSELF = re.compile(r"\b(?:self|cls)\.(_[a-z]\w*)")
STORED = re.compile(r"^ *((?:self|cls)\._[^=\n]*)=", re.MULTILINE)
DEFINED = re.compile(
    r"(?:def|class) (_\w+)|^ *(_\w+)(?:: |, | =)|\"(_\w+)\"", re.MULTILINE
)
IN_A_TEXT = re.compile(r"prefect\.server\.[a-z][\w.]+|PREFECT__\w+")
PROSE = re.compile(r'"""[\s\S]*?"""|#[^\n]*')


@cache
def product() -> dict[str, str]:
    """The product's files without docstrings and comments."""
    python = [path for folder in PRODUCT for path in (ROOT / folder).rglob("*.py")]
    settings = [
        path
        for ext in ("env", "service", "yaml")
        for path in (ROOT / "deployments").rglob(f"*.{ext}")
    ]
    texts = {
        path: PROSE.sub("", path.read_text())
        for path in [*python, *settings, ROOT / "prefect.yaml"]
    }
    return {str(path.relative_to(ROOT)): text for path, text in texts.items()}


def imported(text: str) -> Iterator[str]:
    """The modules that a text imports, and what it imports of modules where that may be
    inner.
    """
    for module, names, plain in IMPORT.findall(text):
        yield module or plain
        yield from (
            f"{module}.{name}"
            for name in re.findall(r"\w+", names)
            if module == "prefect" or name[0] == "_"
        )


def touched() -> set[tuple[str, str]]:
    """Inner names of others in the product, with their files."""
    own = {
        name
        for text in product().values()
        for names in DEFINED.findall(text)
        for name in names
    }
    stored = {line for text in product().values() for line in STORED.findall(text)}
    own |= {name for line in stored for name in OF_ITSELF.findall(line)}
    findings = set()
    for at, text in product().items():
        names = {f"_{name}" for name in OF_AN_OBJECT.findall(text)}
        names |= {*filter(INNER.fullmatch, imported(text)), *IN_A_TEXT.findall(text)}
        names |= set(OF_ITSELF.findall(text)) - own
        findings |= {(name, at) for name in names - DOCUMENTED}
    return findings


@cache
def installed(of: str) -> str:
    """The source of a file of an installed package; empty where it has gone."""
    spec = find_spec(of.partition("/")[0])
    assert spec is not None
    paths = Path(spec.origin or "").parent.parent.glob(of)
    return "".join(path.read_text() for path in paths)


@pytest.mark.parametrize("one", PRIVATE, ids=lambda item: f"{item.name} in {item.at}")
def test_an_inner_name_is_still_there(one: Private) -> None:
    assert one.has in installed(one.of), (
        f"{one.of} has no {one.has!r} any more. {one.on_that_day}"
    )
    assert one.name in product()[one.at], (
        f"{one.at} does without {one.name} now: take it out of the table"
    )


def test_settings_of_prefect_exist() -> None:
    """Prefect ignores an unknown one."""
    named = {
        name
        for text in product().values()
        for name in re.findall(r"\bPREFECT_[A-Z]\w*[A-Z]\b", text)
    }
    neighbours = {item.name for item in PRIVATE}
    assert (
        sorted(name for name in named - neighbours if not hasattr(settings, name)) == []
    )


def test_no_other_inner_name_is_touched() -> None:
    """What is new has a public way, or gets a row with its reason."""
    assert sorted(touched() - {(item.name, item.at) for item in PRIVATE}) == []
