"""`sourcing pause` and `resume`: what is said, and that every command that shows how
things stand begins with it.
"""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from cli.terminal import person
from connectors.ledger.store import Ledger
from tests.cli.conftest import Sourcing

TOLD = "It goes on after resume-buying in the Prefect UI, or: sourcing resume"


def test_a_pause_stands_at_the_head_of_everything_until_it_is_resumed(
    sourcing: Sourcing, empty_ledger: Path
) -> None:
    """It needs neither service nor Prefect; who asked and why is told, in one line
    each.
    """
    done = sourcing("pause", "--why", "prices\nlook wrong.")
    assert (done.exit_code, done.stderr.count("\n")) == (0, 1)
    assert done.stderr.strip().endswith(f" UTC by {person()}: prices look wrong")
    assert done.stdout.splitlines() == [
        "Nothing that was begun before can leave any more: nothing is created, paid or booked. "
        + TOLD,
        f"Paused in the ledger sqlite:///{empty_ledger}",
    ]
    for command in ("status", "todo"):
        assert sourcing(command).stdout.startswith("Buying is paused since ")
    result = json.loads(sourcing("doctor", "--json").stdout)
    (buying,) = [item for item in result if item["check"] == "buying"]
    assert (buying["ok"], buying["remedy"]) == (True, "to go on: sourcing resume")
    done = sourcing("resume")
    assert (
        done.exit_code,
        done.stdout.startswith("Buying is allowed again; it was paused since"),
    ) == (0, True)
    assert sourcing("status").stdout == "No orders yet. Begin with: sourcing run FILE\n"


@pytest.mark.usefixtures("empty_ledger")
def test_a_second_resume_says_that_nothing_was_paused(sourcing: Sourcing) -> None:
    assert sourcing("pause").exit_code == 0
    assert sourcing("resume").exit_code == 0
    assert sourcing("resume").stdout == "Buying was not paused\n"


@pytest.mark.usefixtures("empty_ledger")
def test_a_pause_that_was_resumed_meanwhile_is_none(
    sourcing: Sourcing, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Neither the exit code nor a line says that buying is paused."""
    monkeypatch.setattr(Ledger, "buying_paused", lambda _: None)
    done = sourcing("pause")
    assert (done.exit_code, done.stdout) == (
        3,
        "buying was resumed meanwhile, and is not paused; to pause it, say so again\n",
    )


@pytest.mark.parametrize(
    "command", ["pause", "resume", "status", "todo", "confirm taobao"]
)
def test_in_a_wrong_folder_nothing_is_paused_and_no_ledger_made(
    command: str, sourcing: Sourcing, tmp_path: Path
) -> None:
    """A new one would be paused, and the installation's go on buying."""
    done = sourcing(*command.split())
    assert (done.exit_code, done.stdout) == (1, "")
    assert done.stderr == (
        f"sourcing: there is no ledger at sqlite:///{tmp_path}/data/ledger.db: go to the folder of the installation, "
        "or name its data with SOURCING_DATA_DIR. sourcing run FILE begins a ledger\n"
    )
    assert list(tmp_path.iterdir()) == []
