"""The README names what the command has, and nothing that it does not have."""

from __future__ import annotations

import re

import pytest
from typer.core import TyperGroup, TyperOption
from typer.main import get_command

from cli.main import app
from connectors.settings import SourcingSettings, XportcnSettings
from tests.running import COLUMNS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")


def commands() -> dict[str, set[str]]:
    """The long options of every command, by its name."""
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return {
        name: {
            option
            for parameter in command.params
            if isinstance(parameter, TyperOption)
            for option in parameter.opts
            if option.startswith("--")
        }
        for name, command in group.commands.items()
    }


def documented() -> dict[str, set[str]]:
    """The long options that the README's table of commands names, by command."""
    rows = re.findall(r"^\| `sourcing (\w+)([^|`]*(?:\\\|[^|`]*)*)` \|", README, re.MULTILINE)
    return {name: set(re.findall(r"--[a-z-]+", usage)) for name, usage in rows}


def variables() -> set[str]:
    """The environment variables of all settings."""
    names: set[str] = set()
    for settings in (XportcnSettings, SourcingSettings):
        prefix = settings.model_config["env_prefix"]
        for name, field in settings.model_fields.items():
            names.add(str(field.validation_alias or f"{prefix}{name}".upper()))
    return names


@pytest.mark.parametrize("command", commands())
def test_every_command_and_option_is_in_the_readme(command: str) -> None:
    """The row of a command names all of its long options, and no other."""
    assert documented().get(command) == commands()[command]


def test_the_readme_names_no_command_that_is_not_there() -> None:
    """What the table promises can be typed."""
    assert set(documented()) == set(commands())


@pytest.mark.parametrize("variable", sorted(variables()))
def test_every_setting_is_in_the_readme(variable: str) -> None:
    """A variable that can be set is in the README, by its whole name."""
    assert f"`{variable}`" in README


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_in_the_readme(column: str) -> None:
    """A column of the request file stands in its table."""
    assert re.search(rf"^\| [^|]*`{column}`[^|]*\|", README, re.MULTILINE)
