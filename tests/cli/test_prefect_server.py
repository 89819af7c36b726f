"""Commands that run flows do so on the Prefect server of their data folder, never on
one that Prefect starts itself.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
from typer.core import TyperArgument, TyperCommand, TyperGroup, TyperOption
from typer.main import get_command

from cli import after_sale
from cli.main import app
from tests.running import ROOT


def _typed(name: str, command: TyperCommand) -> list[str]:
    """The command with all that it needs. Without a reason `refund` lists them, without
    a flow.
    """
    arguments = ["A-1" for item in command.params if isinstance(item, TyperArgument)]
    needed = [
        f"--{item.name}=SF"
        for item in command.params
        if isinstance(item, TyperOption) and item.required
    ]
    return [
        name,
        *arguments,
        *needed,
        *(["--reason=broken"] if name == "refund" else []),
    ]


REMEDIES = get_command(after_sale.app)
assert isinstance(REMEDIES, TyperGroup)
FLOW_COMMANDS = [
    ["run", str(ROOT / "examples" / "requests.csv"), "--yes"],
    ["finish"],
    ["track"],
    ["costs"],
    ["reconcile"],
    ["catalog", "taobao", "--everything"],
    *(
        _typed(name, command)
        for name, command in REMEDIES.commands.items()
        if name != "drop" and isinstance(command, TyperCommand)
    ),
]
NO_FLOW = [
    *[
        "status",
        "resolve",
        "sql",
        "search",
        "endpoints",
        "call",
        "sandbox",
        "serve",
        "doctor",
        "ledger",
        "callbacks",
    ],
    *[
        "notify",
        "page",
        "confirm",
        "todo",
        "drop",
        "export",
        "pause",
        "resume",
        "page",
        "template",
        "report",
        "forget",
        "snapshot",
        "book",
    ],
]
LOADED_WHEN_ASKING = """
import json, sys
from typer.testing import CliRunner
import deployments.local_server
from cli.main import app
from connectors.foreign import Defect

def ask(_data_dir, _meanwhile):
    raise Defect("prefect" in sys.modules)

deployments.local_server.prefect_server = ask
done = [CliRunner().invoke(app, command).exception for command in json.loads(sys.argv[1])]
print(json.dumps([[type(error).__name__, *map(str, error.args)] for error in done]))
"""


def prefect_free(home: Path) -> dict[str, str]:
    """An environment with a home of its own, in which nothing says where a Prefect
    server is.
    """
    neighbours = {
        name: value
        for name, value in os.environ.items()
        if not name.startswith(("PREFECT_", "SOURCING_"))
    }
    return {**neighbours, "HOME": str(home), "SOURCING_DATA_DIR": str(home / "data")}


@pytest.mark.endurance
def test_the_server_is_asked_for_before_prefect_is_imported(tmp_path: Path) -> None:
    """Prefect reads the server's address as it is imported: afterwards it would start a
    server of its own.
    """
    done = subprocess.run(
        [sys.executable, "-c", LOADED_WHEN_ASKING, json.dumps(FLOW_COMMANDS)],
        check=True,
        capture_output=True,
        cwd=ROOT,
        env=prefect_free(tmp_path),
    )
    assert dict(
        zip(map(" ".join, FLOW_COMMANDS), json.loads(done.stdout), strict=True)
    ) == {" ".join(command): ["Defect", "False"] for command in FLOW_COMMANDS}


def test_every_command_is_known_to_run_a_flow_or_not() -> None:
    """A new command that runs a flow has to be listed above."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    assert {command[0] for command in FLOW_COMMANDS}.union(NO_FLOW) == set(
        group.commands
    )
