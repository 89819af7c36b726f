"""The reference has all that the code has, in words; hand-written pages name nothing that is not there."""

from __future__ import annotations

import re

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app
from cli.reference import PAGE, page, variable_of
from connectors.settings import SourcingSettings, XportcnSettings
from tests.running import COLUMNS, ROOT

README = (ROOT / "README.md").read_text(encoding="utf-8")
REFERENCE = PAGE.read_text(encoding="utf-8")


def commands() -> set[str]:
    group = get_command(app)
    assert isinstance(group, TyperGroup)
    return set(group.commands)


def test_the_reference_is_what_the_code_says() -> None:
    assert page() == REFERENCE, "make reference"


def test_the_readme_names_every_command_and_no_other() -> None:
    """The README lists every command, and every command that it names can be typed."""
    assert set(re.findall(r"`sourcing ([a-z]\w+)", README)) == commands()


def test_everything_in_the_reference_has_words() -> None:
    """An option, an argument, a setting or a deployment without a description is not documented."""
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]
    cells = {row: row.removesuffix(" |").rsplit(" | ", 1) for row in rows}
    assert [row for row, (_, *words) in cells.items() if not words or not words[0].strip()] == []


@pytest.mark.parametrize("settings", [XportcnSettings, SourcingSettings])
def test_every_setting_has_a_description(settings: type[XportcnSettings | SourcingSettings]) -> None:
    fields = settings.model_fields
    assert [variable_of(settings, name) for name, field in fields.items() if not field.description] == []


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_in_the_page_of_request_files(column: str) -> None:
    """A column of the request file stands in the table of columns."""
    page_of_files = (ROOT / "docs/request-files.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| [^|]*`{column}`[^|]*\|", page_of_files, re.MULTILINE)
