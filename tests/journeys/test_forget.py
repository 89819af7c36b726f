"""A receiver who asks to be forgotten: no file names them any more, and nothing is
bought for them again.
"""

from __future__ import annotations

import asyncio
import csv
import io
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from unittest.mock import patch
from urllib.request import Request, urlopen

import openpyxl
import pyarrow.parquet as pq
import pytest
from pyarrow import parquet

from connectors.inbox import delete_old
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from deployments.local_server import prefect_server
from flows.reconcile import end_personal_data
from tasks.engine.resources import utc_now
from tests.running import (
    COLUMNS,
    PATIENCE_S,
    ROOT,
    Merchant,
    RunningSandbox,
    single_line_orders,
    write_csv,
)

DAY_S = 86_400
QUENTIN = {
    "receiver_name": "王小明 Quentin Zylberstein",
    "receiver_phone": "5085550199",
    "receiver_email": "quentin.z@zylber.example",
    "state": "Oregonia",
    "city": "Xenopolis",
    "zip": "97999",
    "address": "77 Quixote Lane 四号楼",
}
PARTS = (
    "王小明",
    "Zylberstein",
    "5085550199",
    "zylber.example",
    "Oregonia",
    "Xenopolis",
    "77 Quixote",
    "四号楼",
)
POINTS = ("during-forget:ledger", "before-marks", "during-forget:runs")
"""Some of those of `make test`; `snapshots` and `finished` were tried too."""


def forms(text: str) -> Iterator[bytes]:
    yield from (text.encode(), text.encode("utf-16-le"), text.encode("utf-16-be"))
    yield from (
        json.dumps(text)[1:-1].encode(),
        json.dumps(text)[1:-1].upper().encode(),
    )


def contents(path: Path) -> Iterator[bytes]:
    """A file as it lies there, and unpacked."""
    yield path.read_bytes()
    if path.suffix == ".parquet":
        yield repr(pq.read_table(path, partitioning=None).to_pylist()).encode()
    if path.suffix == ".xlsx":
        sheets = openpyxl.load_workbook(path).worksheets
        yield repr(
            [[str(cell) for cell in row] for sheet in sheets for row in sheet.values]
        ).encode()


def found(folder: Path) -> list[tuple[str, str]]:
    """Every part of the receiver that stands in any file."""
    files = [path for path in folder.rglob("*") if path.is_file()]
    assert files
    return [
        (str(path.relative_to(folder)), part)
        for path in files
        for content in contents(path)
        for part in PARTS
        if any(form in content for form in forms(part))
    ]


def rows_of(sandbox: RunningSandbox) -> list[dict[str, object]]:
    """Two orders, and the first one's receiver is Quentin."""
    first, second = single_line_orders(sandbox, {"taobao": 1, "1688": 1})
    return [{**first, **QUENTIN, "note": "for 王小明"}, second]


def keep_copies(merchant: Merchant, file: Path) -> None:
    """What nights, backups and logs leave in the data folder."""
    data = merchant.folder / "data"
    done = data / "inbox" / "done"
    failed = data / "inbox" / "failed"
    for folder in (done, failed):
        folder.mkdir(parents=True)
    shutil.copy(file, done / "monday.csv")
    (failed / "monday.csv").write_bytes(
        file.read_text().replace("2", "zwei").encode("utf-16")
    )
    (failed / "monday.csv.result.json").write_text(
        json.dumps({"faults": [QUENTIN["receiver_name"]]})
    )
    assert merchant.sourcing("ledger", "backup", data).exit_code == 0
    (data / "prefect").mkdir(exist_ok=True)
    (data / "prefect" / "worker.log").write_text(
        f"asked for {QUENTIN['receiver_email']}\nwell\n"
    )


def later(merchant: Merchant, days: int) -> None:
    """What a night deletes so many days later."""
    with patch.dict(os.environ, merchant.environment, clear=True):
        delete_old(SourcingSettings(), datetime.now(UTC) + timedelta(days=days))


def at_night(merchant: Merchant) -> None:
    with patch.dict(os.environ, merchant.environment, clear=True):
        end_personal_data()


@pytest.fixture
def bought(merchant: Merchant) -> Path:
    """A file whose orders are booked and on their way, tracked once."""
    file = write_csv(merchant.folder / "requests.csv", rows_of(merchant.sandbox))
    assert merchant.report("run", file, "--yes")["counts"] == {"booked": 2}
    merchant.sandbox.advance(3 * DAY_S)
    assert merchant.sourcing("track").exit_code == 0
    return file


def test_no_file_names_them_and_all_else_goes_on(
    merchant: Merchant, bought: Path
) -> None:
    """Copies end by the day that is told; the same file, tracking and reconciling bring
    nothing back.
    """
    data = merchant.folder / "data"
    books = merchant.sandbox.books()
    keep_copies(merchant, bought)
    assert len({part for _, part in found(data)}) == len(PARTS)
    told = json.loads(
        (done := merchant.sourcing("forget", "taobao-000", "--yes", "--json")).stdout
    )
    assert (done.exit_code, told["orders"], told["left"]) == (0, ["taobao-000"], [])
    (copy,) = data.glob("ledger-*Z.db")
    assert told["elsewhere"] == [
        f"{copy}: a backup; delete it, or forget again after a restore",
        f"{bought}: your own file may still have the order's lines; take them out",
    ]
    day = f"{datetime.now(UTC) + timedelta(days=90):%Y-%m-%d}"
    assert told["ends"] == {
        "processed request files, fetched files, ledgers set aside": day,
        "states, logs and events of Prefect's runs": day,
    }
    copy.unlink()
    assert {file for file, _ in found(data)} == {
        *(
            "inbox/done/monday.csv",
            "inbox/failed/monday.csv",
            "inbox/failed/monday.csv.result.json",
        ),
    }
    later(merchant, 89)
    assert len(list(data.glob("inbox/*/monday.*"))) == 3
    later(merchant, 91)
    assert found(data) == []
    assert [*map(parquet.read_table, (data / "snapshots").rglob("*.parquet"))]
    assert (
        data / "prefect" / "worker.log"
    ).read_text() == f"asked for {'x' * 24}\nwell\n"
    again = merchant.report("run", bought, "--yes")
    assert (again["counts"], again["bought_this_run"]) == (
        {"in_transit": 2},
        0,
    ) or again["bought_this_run"] == 0
    assert (
        "still has the data of receivers who were forgotten (taobao-000)"
        in json.dumps(again["warnings"])
    )
    assert merchant.sandbox.books()["orders"] == books["orders"]
    merchant.sandbox.advance(40 * DAY_S)
    assert merchant.sourcing("track").exit_code == 0
    assert merchant.sourcing("reconcile").exit_code == 0
    assert merchant.sourcing("run", bought, "--dry-run").exit_code == 0
    changed = write_csv(
        merchant.folder / "changed.csv",
        [{**rows_of(merchant.sandbox)[0], "city": "Elsewhere"}],
    )
    refused = merchant.report("run", changed, "--yes")["orders"][0]
    assert (refused["state"], "was forgotten on" in refused["reason"]) == (
        "refused",
        True,
    )
    assert found(data) == []
    orders = merchant.report(
        "sql", "select order_ref, state, paid_minor > 0 as paid from orders order by 1"
    )
    assert orders[1] == {"order_ref": "taobao-000", "state": "delivered", "paid": True}
    assert merchant.sourcing("ledger", "verify").exit_code == 0
    assert merchant.sourcing("forget", "taobao-000", "--yes").exit_code == 0


@pytest.mark.endurance
def test_snapshots_that_were_put_back_are_erased_by_the_next_night(
    merchant: Merchant, bought: Path
) -> None:
    """The current state and the history; and what a killed call has left."""
    data = merchant.folder / "data"
    shutil.copytree(data / "snapshots", merchant.folder / "saved")
    assert merchant.sourcing("forget", "taobao-000", "--yes").exit_code == 0
    shutil.rmtree(data / "snapshots")
    shutil.copytree(merchant.folder / "saved", data / "snapshots")
    assert {
        file.split("/")[1] for file, part in found(data) if part == "Xenopolis"
    } == {"history", "requests"}
    at_night(merchant)
    assert found(data) == []
    assert merchant.report("sql", "select city, country from requests order by 1")[
        0
    ] == {"city": "", "country": "US"}
    assert [*map(parquet.read_table, (data / "snapshots").rglob("*.parquet"))]


@pytest.mark.endurance
def test_pasted_lines_go_from_the_runs_that_have_ended(
    merchant: Merchant, prefect_url: str
) -> None:
    """On a server elsewhere; what has not ended is told and left, with exit code 3."""
    file = write_csv(merchant.folder / "requests.csv", rows_of(merchant.sandbox))
    paste(merchant, file.read_text())
    file.unlink()
    waiting = planned_run(
        prefect_url, {"requests": {"lines": pasted_of(merchant)}, "batch": ""}
    )
    shown = [{"to": QUENTIN["address"], "id": 1}]
    artifact = {
        "key": "told",
        "type": "table",
        "data": json.dumps(shown),
        "description": QUENTIN["receiver_email"],
    }
    artifact_id = asked(prefect_url, "artifacts/", artifact)["id"]
    done = merchant.sourcing("forget", "taobao-000", "--yes", "--json")
    assert done.exit_code == 3
    (told,) = [
        one
        for one in asked(prefect_url, "artifacts/filter", {})
        if one["id"] == artifact_id
    ]
    assert (json.loads(told["data"]), told["description"]) == (
        [{"to": "[forgotten]", "id": 1}],
        "[forgotten]",
    )
    assert json.loads(done.stdout)["left"] == [
        f"run {waiting}: it is scheduled with the order's lines; give the same command again when it has ended"
    ]
    runs = [
        run["parameters"]
        for run in asked(prefect_url, "flow_runs/filter", {})
        if run["name"] != waiting
    ]
    told = json.dumps(runs, ensure_ascii=False)
    assert not [part for part in PARTS if part in told]
    assert found(merchant.folder / "data") == []

    end(prefect_url, waiting)
    assert merchant.sourcing("forget", "taobao-000", "--yes").exit_code == 0
    told = json.dumps(asked(prefect_url, "flow_runs/filter", {}), ensure_ascii=False)
    assert not [part for part in PARTS if part in told]


@pytest.mark.endurance
def test_the_folders_own_server_is_started_and_its_database_names_nobody(
    merchant: Merchant,
) -> None:
    """Parameters and inputs of a run that the ledger does not know; two orders at once,
    and one unknown.
    """
    data = merchant.folder / "data"
    lines = pasted_of(merchant)
    data.mkdir(exist_ok=True)
    Ledger(f"sqlite:///{data}/ledger.db", clock=utc_now, owner="test").close()
    local = {"PREFECT_API_URL": ""}
    with (
        patch.dict(os.environ, merchant.environment | local, clear=True),
        prefect_server(data) as url,
    ):
        name = planned_run(url, {"requests": {"lines": lines}, "batch": ""})
        (run,) = asked(url, "flow_runs/filter", {})
        said = {
            "key": "keyset-response",
            "value": json.dumps({"remark": QUENTIN["receiver_phone"]}),
        }
        asked(url, f"flow_runs/{run['id']}/input", said)
        end(url, name)
    assert (
        merchant.sourcing(
            "forget", "taobao-000", "nobody-1", "--yes", **local
        ).exit_code
        == 1
    )
    assert {part for _, part in found(data)} == {*PARTS}
    done = merchant.sourcing(
        "forget", "1688-000", "taobao-000", "--yes", "--json", **local
    )
    assert done.stdout, done.stderr
    told = json.loads(done.stdout)
    assert (done.exit_code, told["orders"], told["erased"]) == (
        0,
        ["1688-000", "taobao-000"],
        [f"run {name}"],
    )
    assert found(data) == []


def paste(merchant: Merchant, text: str) -> None:
    """A run of pasted lines, as the form starts it."""
    from flows.buy_from_file import buy_from_file
    from flows.prefect_ui.parameters import Requests

    with patch.dict(os.environ, merchant.environment, clear=True):
        report = asyncio.run(
            buy_from_file(Requests(lines=text), dry_run=False, yes=True)
        )
    assert report.counts == {"booked": 2}


def pasted_of(merchant: Merchant) -> str:
    out = io.StringIO()
    writer = csv.DictWriter(out, COLUMNS, delimiter="\t")
    writer.writeheader()
    writer.writerows(rows_of(merchant.sandbox))
    return out.getvalue()


def asked(url: str, path: str, body: object) -> Any:
    headers = {"Content-Type": "application/json"}
    with urlopen(
        Request(f"{url}/{path}", json.dumps(body).encode(), headers), timeout=PATIENCE_S
    ) as answer:
        return json.loads(answer.read() or "null")


def planned_run(url: str, parameters: object) -> str:
    """A run that has not begun, with these parameters; answers its name."""
    flow = asked(url, "flows/", {"name": "buy-from-file"})["id"]
    run = asked(
        url,
        "flow_runs/",
        {"flow_id": flow, "parameters": parameters, "state": {"type": "SCHEDULED"}},
    )
    return str(run["name"])


def end(url: str, name: str) -> None:
    (run,) = [one for one in asked(url, "flow_runs/filter", {}) if one["name"] == name]
    asked(
        url,
        f"flow_runs/{run['id']}/set_state",
        {"state": {"type": "CANCELLED"}, "force": True},
    )


@pytest.mark.endurance
def test_killed_anywhere_the_second_call_finishes(
    merchant: Merchant, bought: Path
) -> None:
    """A real `kill -9` after each part, and within a snapshot: snapshots stay readable,
    and at last nothing is left.
    """
    data = merchant.folder / "data"
    saved = merchant.folder / "saved"
    shutil.copytree(data, saved)
    for point in POINTS:
        shutil.rmtree(data)
        shutil.copytree(saved, data)
        command = [sys.executable, "-m", "cli.main", "forget", "taobao-000", "--yes"]
        environment = {**merchant.environment, "SOURCING_CRASH_AT": point}
        killed = subprocess.run(
            command, cwd=ROOT, env=environment, check=False, capture_output=True
        )
        assert killed.returncode == -9, killed.stderr
        assert len(merchant.report("sql", "select * from requests")) == 2
        assert merchant.sourcing("forget", "taobao-000", "--yes").exit_code == 0
        assert found(data) == [], point


@pytest.mark.endurance
def test_while_another_run_buys_with_the_same_ledger(
    merchant: Merchant, bought: Path
) -> None:
    """That run buys all it was asked for; the receiver is erased, and the run at work
    is told.
    """
    rows = [
        {**row, "order_ref": f"more-{at}"}
        for at, row in enumerate(single_line_orders(merchant.sandbox, {"taobao": 4}))
    ]
    more = write_csv(merchant.folder / "more.csv", rows)
    run = merchant.start(
        "run", more, "--yes", "--json", SOURCING_CRASH_AT="stop@after-intent:pay"
    )
    wait_until_stopped(run)
    forgotten = merchant.sourcing("forget", "taobao-000", "--yes", "--json")
    os.kill(run.pid, 18)
    out, errors = run.communicate(timeout=PATIENCE_S)
    assert json.loads(out)["counts"] == {"booked": 4}, errors
    assert forgotten.exit_code == 3
    assert [words[:16] for words in json.loads(forgotten.stdout)["left"]] == [
        "a run is at work"
    ]
    assert merchant.sourcing("forget", "taobao-000", "--yes").exit_code == 0
    assert found(merchant.folder / "data") == []


def wait_until_stopped(process: subprocess.Popen[str]) -> None:
    _, status = os.waitpid(process.pid, os.WUNTRACED)
    assert os.WIFSTOPPED(status)
