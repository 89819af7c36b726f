"""The reference has all that the code has, in words; hand-written pages name nothing
that is not there.
"""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.core import TyperGroup
from typer.main import get_command

from cli.main import app
from connectors.settings import SourcingSettings, variable_of
from connectors.xportcn.settings import XportcnSettings
from tests.reference_page import PAGE, page
from tests.running import COLUMNS, ROOT
from tests.test_vocabulary import PRODUCT

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
    """An option, an argument, a setting or a deployment without a description is not
    documented.
    """
    rows = [line for line in REFERENCE.splitlines() if line.startswith("| `")]
    cells = {row: row.removesuffix(" |").rsplit(" | ", 1) for row in rows}
    assert [
        row for row, (_, *text) in cells.items() if not text or not text[0].strip()
    ] == []


@pytest.mark.parametrize("settings", [XportcnSettings, SourcingSettings])
def test_every_setting_has_a_description(
    settings: type[XportcnSettings | SourcingSettings],
) -> None:
    fields = settings.model_fields
    assert [
        variable_of(settings, name)
        for name, field in fields.items()
        if not field.description
    ] == []


@pytest.mark.parametrize("column", COLUMNS)
def test_every_column_is_in_the_page_of_request_files(column: str) -> None:
    """A column of the request file stands in the table of columns."""
    page_of_files = (ROOT / "docs/request-files.md").read_text(encoding="utf-8")
    assert re.search(rf"^\| [^|]*`{column}`[^|]*\|", page_of_files, re.MULTILINE)


PAGES = [*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md")]
GENERATED = ("reference.md", "data-dictionary.md", "reasons.md")
FOLDERS = (*PRODUCT, "benchmarks", "examples", "tests")


def anchors(text: str) -> set[str]:
    """The anchors of a page's headings, as GitHub makes them."""
    headings = re.findall(
        r"^#+ (.+)$",
        re.sub(r"^```.*?^```", "", text, flags=re.MULTILINE | re.DOTALL),
        re.MULTILINE,
    )
    return {
        re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-")
        for heading in headings
    }


@pytest.mark.parametrize("written", PAGES, ids=lambda path: path.name)
def test_every_link_of_a_page_leads_somewhere(written: Path) -> None:
    """Files exist, and anchors are headings of the page that they name."""
    for link in re.findall(
        r"\]\((?!https?:)([^)\s]+)\)", written.read_text(encoding="utf-8")
    ):
        file, _, anchor = link.partition("#")
        target = written.parent / file if file else written
        assert target.exists(), link
        assert not anchor or anchor in anchors(target.read_text(encoding="utf-8")), link


@pytest.mark.parametrize("written", PAGES, ids=lambda path: path.name)
def test_modules_that_a_page_names_exist(written: Path) -> None:
    """A page follows when a module is renamed."""
    modules = {
        f"/{path.relative_to(ROOT)}"
        for folder in FOLDERS
        for path in (ROOT / folder).rglob("*.py")
    }
    named = set(re.findall(r"`([\w/]+\.py)`", written.read_text(encoding="utf-8")))
    assert [
        name
        for name in sorted(named)
        if not any(module.endswith(f"/{name}") for module in modules)
    ] == []


def test_prefects_own_command_is_told_where_the_server_of_the_installation_is() -> None:
    """Else it asks one of its own, which knows no deployment."""
    text = "\n".join(path.read_text(encoding="utf-8") for path in PAGES)
    lines = [line for line in text.splitlines() if "bin/prefect deployment " in line]
    assert lines
    assert [line for line in lines if "PREFECT_API_URL=" not in line] == []


def test_what_a_newcomer_reads_stays_short() -> None:
    """Words of the pages that are written by hand; the contract has its own measure."""
    written = [
        path
        for path in PAGES
        if path.name not in GENERATED and path.parent == ROOT / "docs"
    ]
    text = {
        path.name: len(path.read_text(encoding="utf-8").split()) for path in written
    }
    assert len((ROOT / "README.md").read_text(encoding="utf-8").split()) <= 1200
    assert text["architecture.md"] <= 1200
    assert text["safety.md"] <= 1800
    assert sum(text.values()) <= 18_000
