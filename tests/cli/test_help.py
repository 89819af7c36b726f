"""`sourcing --help`: every command, at once."""

from __future__ import annotations

import json
import subprocess
import sys

from tests.cli.conftest import Sourcing
from tests.cli.test_documented import commands
from tests.running import ROOT

HEAVY = [
    "prefect",
    "pandas",
    "duckdb",
    "pyarrow",
    "sqlalchemy",
    "httpx",
    "aiohttp",
    "openpyxl",
    "jinja2",
]
LOADED_BY_HELP = """
import json, sys
from typer.testing import CliRunner
from cli.main import app
assert CliRunner().invoke(app, ["--help"]).exit_code == 0
print(json.dumps(sorted(sys.modules)))
"""


def test_help_lists_every_command(sourcing: Sourcing) -> None:
    """Each command stands in the list with a line on what it does."""
    done = sourcing("--help")
    assert done.exit_code == 0
    listed = [
        line.split(maxsplit=1)
        for line in done.stdout.split("Commands:")[1].splitlines()
        if line.strip()
    ]
    assert {name for name, _ in listed} == commands()
    assert listed[0][0] == "run"
    assert all(message[0].isupper() for _, message in listed)


def test_every_command_has_help_of_its_own(sourcing: Sourcing) -> None:
    """`sourcing COMMAND --help` answers for each of them."""
    for command in commands():
        done = sourcing(command, "--help")
        assert (done.exit_code, f"Usage: sourcing {command}" in done.stdout) == (
            0,
            True,
        ), command


def test_help_imports_nothing_heavy() -> None:
    """It answers before Prefect, pandas, DuckDB and their like are loaded, so it
    answers at once.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOADED_BY_HELP],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)).isdisjoint(HEAVY)


def test_only_modules_are_loaded_late() -> None:
    """A package would load what it imports a second time: two classes of one name, and
    one of them is not caught.
    """
    delayed = (
        "import sys, cli.main; from importlib.util import _LazyModule as Late; "
        "found = {name: object.__getattribute__(one, '__dict__') for name, one in sys.modules.items() "
        "if type(one) is Late}; "
        "assert 'cli.terminal' in found, found; assert not [name for name in found if '__path__' in found[name]], found"
    )
    subprocess.run([sys.executable, "-c", delayed], cwd=ROOT, check=True)


def test_looking_loads_neither_prefect_nor_arrow() -> None:
    """`status`, `todo` and the reading of a request file, which a person waits for, and
    what serves.
    """
    looking = (
        "import json, sys, cli.status, deployments.serving, flows.answers.todo; from pathlib import Path; "
        "from connectors import request_files; request_files.read_request_file(Path('examples/requests.csv')); "
        "print(json.dumps(sorted(sys.modules)))"
    )
    done = subprocess.run(
        [sys.executable, "-c", looking],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert set(json.loads(done.stdout)).isdisjoint(
        {"prefect", "pandas", "pyarrow", "openpyxl", "duckdb"}
    )


def test_no_command_is_a_question_for_help(sourcing: Sourcing) -> None:
    """`sourcing` alone shows the help instead of an error that says nothing."""
    assert "Commands:" in sourcing().output


def test_an_unknown_command_is_bad_usage(sourcing: Sourcing) -> None:
    """Exit code 2, and the word is named."""
    done = sourcing("byu")
    assert (done.exit_code, "byu" in done.output) == (2, True)
