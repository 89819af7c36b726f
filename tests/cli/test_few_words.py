"""What a merchant has to learn may only become fewer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import typer
import yaml

from cli.main import app
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from deployments import ROOT
from domain.reasons import ReasonCode

COMMANDS = 38
OPTIONS = 113
DEPLOYMENTS = 19
SETTINGS = 42
REASONS = 127


def _commands(command: Any) -> Iterator[Any]:
    """The commands below one, and a group that does something by itself."""
    below = getattr(command, "commands", {})
    for name in below:
        yield from _commands(below[name])
    if not below or command.invoke_without_command:
        yield command


def test_commands_and_options_are_few() -> None:
    commands = list(_commands(typer.main.get_command(app)))
    options = [
        option
        for command in commands
        for option in command.params
        if option.param_type_name == "option"
    ]
    assert len(commands) <= COMMANDS
    assert len(options) <= OPTIONS


def test_deployments_are_few() -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    assert len(deployments) <= DEPLOYMENTS


def test_settings_are_few() -> None:
    settings = SourcingSettings.model_fields | XportcnSettings.model_fields
    assert len(settings) <= SETTINGS


def test_reasons_are_few() -> None:
    assert len(ReasonCode) <= REASONS
