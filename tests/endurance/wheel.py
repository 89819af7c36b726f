"""The wheel in a bare environment: the example bought in a folder with a `flows` of its
own, and `sourcing serve`.

`python -m tests.endurance.wheel` does so with each named Prefect, on each Python that
is here.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tests.deployments.conftest import free_port
from tests.deployments.served import wait_for
from tests.endurance.retention import asked
from tests.running import ROOT

MOST_MB = 520
LEAST_BOOKED = 18
OF_PREFECT = "import sys, sourcing.blocks; print({'pandas', 'pyarrow', 'sqlalchemy'} & {*sys.modules})"
RUNS_ON = "import sys, prefect; print(f'Python {sys.version.split()[0]}, Prefect {prefect.__version__}')"
PYTHONS = ("python3.11", "python3.12", "python3.13", "python3.14")
ALLOWED = re.compile(r'"(prefect>=([\d.]+),<[\d.]+)"')
TABLE = "from sourcing import Snapshots; print(len(Snapshots('data/snapshots').table('orders')))"
EXAMPLE = (ROOT / "examples" / "requests.csv").read_text(encoding="utf-8")
ORDER = re.compile("order_ref|DE-2001")
ENDS_WITHIN_S = 300


def wheel_works(python: str, *, prefect: str = "") -> bool:
    """Print what is wrong with an installation for this Python, of this Prefect or the
    newest; whether nothing is.
    """
    with tempfile.TemporaryDirectory() as location:
        wrong = list(_faults(Path(location), python, prefect))
    print(f"wheel      {'; '.join(wrong) or '0 violations'}", flush=True)
    return not wrong


def prefect_versions_work() -> bool:
    """The same with the oldest and the newest Prefect that `pyproject.toml` allows, on
    each Python that is here.
    """
    expected, oldest = ALLOWED.findall(
        (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    )[0]
    calls = (
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--quiet",
        "--no-deps",
        "--ignore-installed",
        "--report",
        "-",
        expected,
    )
    newest = json.loads(_do(ROOT, sys.executable, *calls))["install"][0]["metadata"][
        "version"
    ]
    findings = {
        name: python
        for name in PYTHONS
        if (python := next(filter(_answers, _called(name)), ""))
    }
    print(
        f"wheel      {expected}: {oldest}, {newest}; without {', '.join({*PYTHONS} - {*findings}) or 'none'}",
        flush=True,
    )
    return all(
        [
            wheel_works(python, prefect=item)
            for python in findings.values()
            for item in sorted({oldest, newest})
        ]
    )


def _called(name: str) -> Iterator[str]:
    return (
        path
        for folder in os.get_exec_path()
        if (path := shutil.which(name, path=folder))
    )


def _answers(python: str) -> bool:
    """A name may also be that of a version that is not there."""
    return (
        subprocess.run(
            [python, "--version"], capture_output=True, check=False
        ).returncode
        == 0
    )


def _faults(folder: Path, python: str, prefect: str) -> Iterator[str]:
    bin_ = folder / "venv" / "bin"
    _do(
        folder,
        sys.executable,
        "-m",
        "pip",
        "wheel",
        "--quiet",
        "--no-deps",
        "--no-build-isolation",
        ROOT,
        "-w",
        "out",
    )
    _do(folder, python, "-m", "venv", "venv")
    pip = (bin_ / "python", "-m", "pip", "install", "--quiet", "--no-compile")
    before = _top(folder)
    bare = _size(folder)
    (wheel,) = (folder / "out").glob("*.whl")
    _do(folder, *pip, "--no-deps", wheel)
    if strange := {
        name for name in _top(folder) - before if not name.startswith("sourcing")
    }:
        yield f"at the top of site-packages: {strange}"
    _do(folder, *pip, wheel, *([f"prefect=={prefect}"] if prefect else []))
    size = _size(folder) - bare
    version = _do(folder, bin_ / "sourcing", "--version").strip()
    runs_on = _do(folder, bin_ / "python", "-c", RUNS_ON).strip()
    print(f"wheel      {wheel.name}: {version}, {size} MB with {runs_on}", flush=True)
    if size > MOST_MB:
        yield f"{size} MB"
    work = folder / "shop"
    for own in ("flows", "tasks", "domain/nothing"):
        (work / own).mkdir(parents=True)
        (work / own / "__init__.py").write_text(
            "raise ImportError('the merchant has a module of this name')\n"
        )
    if (loaded := _do(work, bin_ / "python", "-c", OF_PREFECT).strip()) != "set()":
        yield f"the block loads {loaded}"
    with _sandbox(work, bin_) as url:
        environment = {**_clean(), "XPORTCN_BASE_URL": url}
        site = next((folder / "venv").glob("lib/*/site-packages/sourcing/site"))
        command = [
            str(bin_ / "sourcing"),
            "run",
            str(site / "examples" / "requests.csv"),
            "--yes",
            "--json",
        ]
        run = subprocess.run(
            command,
            cwd=work,
            env=environment,
            capture_output=True,
            text=True,
            check=False,
        )
        states = Counter(
            line["state"]
            for line in json.loads(run.stdout or '{"orders": []}')["orders"]
        )
        print(
            f"wheel      the example: {dict(states)}, exit code {run.returncode}",
            flush=True,
        )
        if states["booked"] < LEAST_BOOKED:
            yield f"the example ended with {dict(states)}: {run.stderr[-500:]}"
        rows = _do(work, bin_ / "python", "-c", TABLE).strip()
        if rows != str(states.total()):
            yield f"Snapshots shows {rows} orders"
        yield from _served(work, bin_, environment)


def _served(work: Path, bin_: Path, environment: dict[str, str]) -> Iterator[str]:
    """`sourcing serve`, and a run by the form of `buy-from-file`."""
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    with (work / "serve.txt").open("w") as output:
        command = [str(bin_ / "sourcing"), "serve", "--port", str(port)]
        serve = subprocess.Popen(
            command, cwd=work, env=environment, stdout=output, stderr=output
        )
    try:
        wait_for(
            lambda: (
                "Ctrl-C" in (work / "serve.txt").read_text() or serve.poll() is not None
            ),
            seconds=300,
        )
        wait_for(lambda: is_registered(api), seconds=300)
        lines = "\n".join(
            line.replace("DE-2001", "FORM-1")
            for line in EXAMPLE.splitlines()
            if ORDER.match(line)
        )
        bought = {
            "requests": {"lines": lines},
            "dry_run": False,
            "yes": True,
            "batch": "form",
        }
        yield from _ends_well(api, "buy-from-file/buy-from-file", bought)
        yield from _ends_well(
            api, "export-tables/export-tables", {"tables": ["orders"]}
        )
        if not (work / "data" / "exports" / "orders.xlsx").exists():
            yield "the form export has written nothing"
    finally:
        serve.send_signal(signal.SIGINT)
        serve.wait(120)


def is_registered(api: str) -> bool:
    try:
        return len(asked(api, "deployments/filter", {})) >= 7
    except OSError:
        return False


def start(api: str, deployment: str, parameters: object) -> str:
    result = asked(api, f"deployments/name/{deployment}")
    path = f"deployments/{result['id']}/create_flow_run"
    return str(asked(api, path, {"parameters": parameters})["id"])


def _ends_well(api: str, deployment: str, parameters: object) -> Iterator[str]:
    run_id = start(api, deployment, parameters)
    deadline = time.monotonic() + ENDS_WITHIN_S
    while (run := asked(api, f"flow_runs/{run_id}"))["state_name"] not in (
        "Completed",
        "Failed",
        "Crashed",
    ):
        if time.monotonic() > deadline:
            break
        time.sleep(1)
    print(f"wheel      {deployment}: {run['state_name']}, {run['name']}", flush=True)
    if run["state_name"] != "Completed":
        yield f"{deployment} is {run['state_name']}: {run['state']['message']}"


@contextmanager
def _sandbox(work: Path, bin_: Path) -> Iterator[str]:
    environment = {**_clean(), "PYTHONUNBUFFERED": "1"}
    command = [str(bin_ / "sourcing"), "sandbox", "--port", "0"]
    with subprocess.Popen(
        command, cwd=work, env=environment, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        text = process.stdout.readline().split()
        try:
            yield text[text.index("on") + 1]
        finally:
            process.terminate()


def _size(folder: Path) -> int:
    """In megabytes, without compiled modules."""
    return int(_do(folder, "du", "-sm", "--exclude=*.pyc", "venv").split()[0])


def _top(folder: Path) -> set[str]:
    return {
        path.name
        for path in next((folder / "venv").glob("lib/*/site-packages")).iterdir()
    }


def _do(folder: Path, *command: str | Path) -> str:
    return subprocess.run(
        command, cwd=folder, env=_clean(), stdout=subprocess.PIPE, text=True, check=True
    ).stdout


def _clean() -> dict[str, str]:
    own = ("PREFECT_", "SOURCING_", "XPORTCN_", "PYTHON", "VIRTUAL_ENV")
    return {
        name: value for name, value in os.environ.items() if not name.startswith(own)
    }


if __name__ == "__main__":
    sys.exit(0 if prefect_versions_work() else 1)
