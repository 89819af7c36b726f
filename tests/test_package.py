"""What a wheel holds, and what `sourcing` is to a program that has installed it (`make
endurance PART=wheel`).
"""

from __future__ import annotations

import ast
import inspect
import sys
import tomllib
from pathlib import Path, PurePosixPath
from types import ModuleType

import pytest
import yaml
from hatchling.builders.wheel import WheelBuilder
from typer.testing import CliRunner

import sourcing
from cli.main import app
from connectors.credentials_block import XportcnCredentials
from connectors.ledger import engine
from connectors.snapshots import Snapshots
from sourcing import command
from sourcing.blocks import XportcnCredentials as InstalledBlock
from sourcing.version import from_description
from tests.running import ROOT

SITE = PurePosixPath("sourcing/site")


@pytest.fixture(scope="module")
def wheel() -> set[str]:
    return {
        file.distribution_path
        for file in WheelBuilder(str(ROOT)).recurse_included_files()
    }


def test_nothing_but_sourcing_lies_at_the_top_of_an_installation(
    wheel: set[str],
) -> None:
    assert {PurePosixPath(name).parts[0] for name in wheel} == {"sourcing"}


def test_the_deployments_of_an_installation_find_their_flows(wheel: set[str]) -> None:
    deployments = yaml.safe_load((ROOT / "prefect.yaml").read_text())["deployments"]
    entrypoints = {
        str(SITE / deployment["entrypoint"].partition(":")[0])
        for deployment in deployments
    }
    assert entrypoints | {"sourcing/site/prefect.yaml"} <= wheel


@pytest.mark.parametrize(
    "folder",
    ["cli", "connectors", "deployments", "domain", "flows", "sandbox", "tasks"],
)
def test_every_file_of_the_product_is_in_an_installation_also_those_that_are_no_module(
    folder: str, wheel: set[str]
) -> None:
    present = {
        path.relative_to(ROOT).as_posix()
        for path in (ROOT / folder).rglob("*")
        if path.is_file()
    }
    assert {
        str(SITE / name) for name in present if "__pycache__" not in name
    } - wheel == set()


def test_an_installation_has_the_example_and_says_that_it_is_typed(
    wheel: set[str],
) -> None:
    assert {"sourcing/py.typed", "sourcing/site/examples/requests.csv"} <= wheel
    assert [
        name
        for name in wheel
        if name.startswith(("sourcing/site/tests", "sourcing/site/docs"))
    ] == []


def test_time_zones_come_with_an_installation_whatever_its_python() -> None:
    """A small container has none of its own, and not even UTC is known then."""
    for lock in ("requirements.lock", "development.lock"):
        (tzdata,) = [
            line
            for line in (ROOT / lock).read_text().splitlines()
            if line.startswith("tzdata==")
        ]
        assert ";" not in tzdata, lock


@pytest.mark.parametrize(
    ("described", "version"),
    [
        ("v1.1.0-0-g1a2b3c4", "1.1.0"),
        ("v1.1.0-5-g1a2b3c4", "1.1.0.post5+g1a2b3c4"),
        ("v1.0.0rc1-0-g1a2b3c4", "1.0.0rc1"),
        ("1a2b3c4", "1.0.0.dev0+g1a2b3c4"),
    ],
)
def test_the_version_is_the_last_tag_and_the_commit_between_releases(
    described: str, version: str
) -> None:
    assert from_description(described) == version


def test_the_command_shows_its_version() -> None:
    output = CliRunner().invoke(app, ["--version"])
    assert (output.exit_code, output.stdout) == (
        0,
        f"sourcing {sourcing.__version__}\n",
    )


def test_the_package_has_the_snapshots_and_what_prefect_looks_for() -> None:
    entry_points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"][
        "entry-points"
    ]
    assert entry_points == {"prefect.collections": {"sourcing": "sourcing.blocks"}}
    result: tuple[object, ...] = (sourcing.Snapshots, InstalledBlock, sourcing.SITE)
    assert result == (Snapshots, XportcnCredentials, ROOT)


def test_the_stub_has_the_methods_of_the_class_and_their_parameters() -> None:
    stub = ast.parse((ROOT / "sourcing" / "__init__.pyi").read_text())
    (declared,) = [node for node in stub.body if isinstance(node, ast.ClassDef)]
    methods = [
        node
        for node in declared.body
        if isinstance(node, ast.FunctionDef) and not node.decorator_list
    ]
    stubbed = {
        method.name: [arg.arg for arg in (*method.args.args, *method.args.kwonlyargs)]
        for method in methods
    }
    assert stubbed == {
        name: [*inspect.signature(getattr(Snapshots, name)).parameters]
        for name in stubbed
    }
    public = {
        name
        for name, item in vars(Snapshots).items()
        if inspect.isfunction(item) and not name.startswith("_")
    }
    assert public == {name for name in stubbed if not name.startswith("_")}


def test_a_program_with_a_package_of_the_same_name_is_told_so(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    own = ModuleType("connectors.snapshots")
    own.__file__ = str(Path("/srv/shop/connectors/snapshots.py"))
    monkeypatch.setitem(sys.modules, "connectors.snapshots", own)
    with pytest.raises(
        ImportError,
        match=r"connectors is not the one of sourcing but /srv/shop/connectors",
    ):
        _ = sourcing.Snapshots


def test_elsewhere_than_on_linux_the_command_says_where_it_runs(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "argv", ["sourcing", "--version"])
    monkeypatch.setattr(sys, "path", [*sys.path])
    monkeypatch.setenv("PYTHONPATH", "")
    monkeypatch.setattr(sys, "platform", "win32")
    with pytest.raises(
        SystemExit,
        match="runs on Linux, and its commands on macOS; on Windows use it in WSL",
    ):
        command.main()
    monkeypatch.setattr(sys, "platform", "darwin")
    with pytest.raises(SystemExit, match="0"):
        command.main()
    assert "none was tried there" in capsys.readouterr().err


def test_without_an_extra_its_address_says_what_to_install(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(engine, "find_spec", lambda _: None)
    with pytest.raises(
        engine.LedgerUnusable,
        match=r"needs psycopg: pip install 'psycopg\[binary\]'. Nothing was sent",
    ):
        engine.address_of("postgres://shop@db/ledger")
