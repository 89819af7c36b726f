"""Data folders that earlier versions left in the middle of everything: this version
opens and finishes them.

`python -m tests.upgrade` makes the next one; the name has the ledger's schema.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from prefect.utilities.schema_tools import validate

from connectors.ledger.schema import SCHEMA_VERSION
from connectors.ledger.store import Ledger
from connectors.snapshots.reader import sql
from flows.buy_from_file import buy_from_file
from tests.crashes.books import assert_books_are_exact, kept
from tests.crashes.light import Job, run, states
from tests.history import all_orders
from tests.running import ROOT, RunningSandbox, single_line_orders, write_csv
from tests.upgrade.__main__ import ASKED, CRASHES, HALF, PAUSED
from tests.upgrade.folder import EARLIER, unpacked

AS_IT_SHOULD = {
    **{name: {"booked"} for name in (*CRASHES, HALF)},
    "never-sent": {"unknown"},
    ASKED: {"unknown"},
}
"""Two wait for a person. Of a booking the service keeps neither key nor lookup. A
create whose send log is another machine's is absent only beside an order that is ten
minutes older, and that folder was made in seconds.
"""

IN_TURN = [
    *(pytest.param(one, marks=pytest.mark.endurance) for one in EARLIER[:-1]),
    EARLIER[-1],
]


@pytest.fixture(
    params=IN_TURN, ids=lambda archive: archive.name.removesuffix(".tar.xz")
)
def folder(request: pytest.FixtureRequest, tmp_path: Path) -> Path:
    return unpacked(request.param, tmp_path)


@contextmanager
def its_sandbox(folder: Path) -> Iterator[RunningSandbox]:
    """The service with the books of that time."""
    command = [
        sys.executable,
        "-m",
        "sandbox",
        "--port",
        "0",
        "--state",
        str(folder / "data" / "sandbox.db"),
    ]
    with subprocess.Popen(
        command, cwd=ROOT, stdout=subprocess.PIPE, text=True
    ) as process:
        assert process.stdout
        words = process.stdout.readline().split()
        try:
            yield RunningSandbox(words[words.index("on") + 1])
        finally:
            process.terminate()


def requests(
    sandbox: RunningSandbox, folder: Path, name: str, counts: Mapping[str, int]
) -> Path:
    rows = [
        {**row, "order_ref": f"{name}-{row['order_ref']}"}
        for row in single_line_orders(sandbox, counts)
    ]
    return write_csv(folder / f"{name}.csv", rows)


def finished(sandbox: RunningSandbox, folder: Path) -> dict[str, set[str]]:
    """Run each batch of that time once more; answers the states that its orders end
    in.
    """
    counts: dict[str, dict[str, int]] = {
        name: {place: 1} for name, (place, _) in CRASHES.items()
    }
    counts |= {HALF: {"taobao": 4, "1688": 3}, ASKED: {"taobao": 1}}
    ended = {}
    for name, orders in counts.items():
        file = requests(sandbox, folder, name, orders)
        ended[name] = set(
            states(
                run(Job(url=sandbox.url, folder=folder, file=file, batch=name))
            ).values()
        )
    return ended


def test_what_was_open_is_settled_and_what_was_half_done_is_finished(
    folder: Path,
) -> None:
    """Effects that a kill left open, a batch half paid, and the one question that only
    a person can answer.
    """
    with its_sandbox(folder) as sandbox:
        assert finished(sandbox, folder) == AS_IT_SHOULD
        assert_books_are_exact(sandbox, Job(url=sandbox.url, folder=folder))
        found = {
            (e.action, e.status) for e in kept(Job(url=sandbox.url, folder=folder))[1]
        }
    assert {(str(action), str(status)) for action, status in found} >= {
        ("create", "done"),
        ("book", "unknown"),
    }
    known = sql(
        folder / "data" / "snapshots", "SELECT DISTINCT batch_id FROM orders"
    ).rows
    assert {str(batch) for (batch,) in known} == set(AS_IT_SHOULD)


def test_the_ledger_is_brought_up_to_date_and_forgets_nothing(folder: Path) -> None:
    """Every order and effect of that time is there, under this version's schema."""
    with closing(sqlite3.connect(folder / "data" / "ledger.db")) as earlier:
        before = [
            earlier.execute(f"SELECT count(*) FROM {table}").fetchone()[0]
            for table in ("orders", "effects")
        ]
    with Ledger(
        f"sqlite:///{folder / 'data' / 'ledger.db'}",
        clock=lambda: datetime.now(UTC),
        owner="test",
    ) as ledger:
        orders = all_orders(ledger)
        assert [len(orders), len(ledger.effects_of(orders))] == before
    with closing(sqlite3.connect(folder / "data" / "ledger.db")) as now:
        assert now.execute("SELECT version_num FROM alembic_version").fetchone() == (
            SCHEMA_VERSION,
        )


def test_a_run_that_waits_for_its_approval_fits_the_form_of_this_version(
    folder: Path,
) -> None:
    """Its parameters are checked anew when it goes on, and its question is asked
    anew.
    """
    (parameters,) = paused_runs(folder)
    assert parameters["batch"] == PAUSED
    validate(parameters, buy_from_file.parameters.model_dump(), raise_on_error=True)
    buy_from_file.validate_parameters(parameters)


def paused_runs(folder: Path) -> list[dict[str, Any]]:
    with closing(
        sqlite3.connect(folder / "data" / "prefect" / "prefect.db")
    ) as database:
        rows = database.execute(
            "SELECT parameters FROM flow_run WHERE state_name = 'Paused'"
        ).fetchall()
    return [json.loads(text) for (text,) in rows]
