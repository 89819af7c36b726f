"""Systemd unit, compose file and image are well-formed and run `sourcing serve`."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import yaml
from prefect.workers.process import ProcessJobConfiguration, ProcessWorker

from tests.deployments.served import Served
from tests.needs import leave_out
from tests.running import ROOT

FOLDER = ROOT / "deployments"
VERSION = "prefecthq/prefect:3.9.1-python3.11"


async def test_a_process_run_gets_the_folder_and_variables_of_its_deployment(
    served: Served,
) -> None:
    values = {"working_dir": "/tmp", "env": {"SOURCING_DAY_LIMIT_CNY": "100"}}
    process_job_configuration: ProcessJobConfiguration = (
        await ProcessJobConfiguration.from_template_and_values(
            ProcessWorker.get_default_base_job_template(), values
        )
    )
    assert (
        str(process_job_configuration.working_dir),
        process_job_configuration.env,
        process_job_configuration.command,
    ) == (
        "/tmp",
        {"SOURCING_DAY_LIMIT_CNY": "100"},
        None,
    )


def test_systemd_accepts_the_unit(tmp_path: Path) -> None:
    if shutil.which("systemd-analyze") is None:
        leave_out("systemd-analyze", "apt-get install systemd")
    units = sorted((FOLDER / "systemd").glob("*.service"))
    assert [unit.stem for unit in units] == ["sourcing"]
    paths = [tmp_path / unit.name for unit in units]
    for unit, copy in zip(units, paths, strict=True):
        copy.write_text(
            unit.read_text().replace("/opt/sourcing/.venv/bin/", "/usr/bin/env ")
        )
    done = subprocess.run(
        ["systemd-analyze", "verify", "--man=no", *map(str, paths)],
        capture_output=True,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


def test_commands_have_the_account_settings_and_ledger_of_the_units(
    tmp_path: Path,
) -> None:
    """Another ledger would know neither orders nor limits, and a pause of it stop
    nothing.
    """
    (tmp_path / "systemd-run").write_text('#!/bin/sh\nprintf "%s\\n" "$@"\n')
    (tmp_path / "systemd-run").chmod(0o755)
    script = [str(FOLDER / "systemd" / "sourcing"), "run", "a file.csv"]
    done = subprocess.run(
        script,
        env={"PATH": f"{tmp_path}:/bin"},
        check=True,
        capture_output=True,
        text=True,
    )
    unit = (FOLDER / "systemd" / "sourcing.service").read_text().splitlines()
    inputs = done.stdout.splitlines()
    for line in unit:
        name, _, value = line.partition("=")
        if name == "Environment":
            assert f"--setenv={value}" in inputs
        if name in ("User", "Group"):
            assert f"--{name[0].lower()}id={value}" in inputs
        if name in ("EnvironmentFile", "UMask"):
            assert f"--property={line}" in inputs
    assert inputs[-3:] == ["/opt/sourcing/.venv/bin/sourcing", "run", "a file.csv"]


def test_each_unit_keeps_compiled_modules_where_it_may_write() -> None:
    """Else each run's process compiles two thousand modules anew: the program's folder
    is root's.
    """
    for unit in (FOLDER / "systemd").glob("*.service"):
        (state,) = [
            line
            for line in unit.read_text().splitlines()
            if line.startswith("StateDirectory=")
        ]
        prefix = f"Environment=PYTHONPYCACHEPREFIX=/var/lib/{state.partition('=')[2]}/pycache"
        assert prefix in unit.read_text().splitlines()


def test_every_variable_of_the_compose_file_has_a_default_or_is_demanded() -> None:
    text = (FOLDER / "container" / "compose.yaml").read_text()
    variables = [piece.split("}")[0] for piece in text.split("${")[1:]]
    assert variables
    assert all(":-" in variable or variable.endswith(":?") for variable in variables)


def test_the_container_runs_serve_on_the_prefect_that_is_tested() -> None:
    containerfile = (FOLDER / "container" / "Containerfile").read_text()
    assert f"FROM {VERSION}\n" in containerfile
    assert 'CMD ["sourcing", "serve", "--no-sandbox"]' in containerfile
    compose = yaml.safe_load((FOLDER / "container" / "compose.yaml").read_text())
    assert compose["services"]["sourcing"]["image"] == "sourcing:latest"


def test_the_image_holds_every_package() -> None:
    containerfile = (FOLDER / "container" / "Containerfile").read_text()
    for package in (
        "cli",
        "connectors",
        "deployments",
        "domain",
        "flows",
        "sandbox",
        "sourcing",
        "tasks",
    ):
        assert f"COPY {package} {package}\n" in containerfile
    assert "prefect.yaml" in containerfile
