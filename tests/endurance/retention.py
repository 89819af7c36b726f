"""What is older than Prefect's server is to keep goes, and its room is used again: the
file does not grow for ever.
"""

from __future__ import annotations

import json
import sqlite3
import tempfile
import time
import uuid
from collections.abc import Iterator, Mapping
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

from deployments import local_server
from deployments.serving import COMPLETE_SERVER
from tests.postgres import free_port

SWEEPS_OFTEN = {
    "PREFECT_SERVER_SERVICES_DB_VACUUM_LOOP_SECONDS": "10",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ORPHAN_CLEANUP_LOOP_SECONDS": "10",
}
"""Instead of once an hour and once a day. What a locked database kept from being
deleted with its run is an orphan.
"""

GONE_WITHIN_S = 3600
LOGS_A_RUN = 20
HEARTBEAT = "prefect.flow-run.heartbeat"
PAID = "sourcing.order.paid"
Row = dict[str, Any]


def asked(
    api: str, path: str, body: object = None, *, method: str | None = None
) -> Any:
    """The answer of a Prefect server that keeps its records in SQLite."""
    content = None if body is None else json.dumps(body).encode()
    request = Request(
        f"{api}/{path}", content, {"Content-Type": "application/json"}, method=method
    )
    for _ in range(30):
        try:
            with urlopen(request, timeout=60) as answer:
                text = answer.read()
                return json.loads(text) if text else None
        except HTTPError as error:
            if error.code != 503:
                raise AssertionError(
                    f"{path}: {error.code} {error.read()!r}"
                ) from error
            time.sleep(1)  # SQLite is busy: Prefect's own clients ask again too
    raise AssertionError(f"{path}: 503 again and again")


@dataclass(frozen=True)
class Records:
    """The database of a server that runs."""

    path: Path
    api: str

    def ask(self, path: str, body: object) -> Any:
        return asked(self.api, path, body)

    @contextmanager
    def opened(self) -> Iterator[sqlite3.Connection]:
        with closing(sqlite3.connect(self.path, timeout=120)) as connection, connection:
            connection.row_factory = sqlite3.Row
            yield connection

    def has(self, table: str, where: str) -> bool:
        with self.opened() as connection:
            return (
                connection.execute(
                    f"SELECT 1 FROM {table} WHERE {where} LIMIT 1"
                ).fetchone()
                is not None
            )

    def row(self, table: str, where: str) -> Row:
        with self.opened() as connection:
            return dict(
                connection.execute(f"SELECT * FROM {table} WHERE {where}").fetchone()
            )

    def megabytes(self) -> float:
        """The file's size with all that its journal holds."""
        with self.opened() as connection:
            pages, size = (
                connection.execute(f"PRAGMA {label}").fetchone()[0]
                for label in ("page_count", "page_size")
            )
        return float(pages * size) / 1e6


def file_does_not_grow(
    *, runs: int = 2_000, events: int = 200_000, times: int = 2
) -> bool:
    """Filled again and again with what is too old, the file is as large as after the
    first time.
    """
    sizes: list[float] = []
    with tempfile.TemporaryDirectory(prefix="endurance-retention-") as location:
        folder = Path(location)
        with _server(folder) as records:
            example = examples(records)
        for number in range(1, times + 1):
            began = time.monotonic()
            fill(records, example, runs=runs, events=events)
            sizes.append(records.megabytes())
            filled = time.monotonic()
            with _server(folder):
                removed = old_records_go(records, example)
            how = "gone" if removed else "NOT gone"
            print(
                f"retention  {number}: {runs} runs, {events} events: {sizes[-1]:.1f} MB after {filled - began:.0f} s; "
                f"{how} {time.monotonic() - filled:.0f} s after the start of a server",
                flush=True,
            )
            if not removed:
                return False
    grown = max(sizes) / sizes[0] - 1
    print(
        f"retention  {sizes[0]:.1f} MB when filled first, {grown:.1%} more later",
        flush=True,
    )
    return grown <= 0.02


def old_records_go(
    records: Records, example: Mapping[str, Row], *, within_s: float = GONE_WITHIN_S
) -> bool:
    """Whether all that is too old is gone in time, and the examples, which are young,
    are not.
    """
    deadline = time.monotonic() + within_s
    while any(records.has(table, where) for table, where in TOO_OLD.items()):
        if time.monotonic() > deadline:
            return False
        time.sleep(1)
    young = {
        "flow_run": [example["flow_run"]],
        "events": [example[HEARTBEAT], example[PAID]],
    }
    return all(
        records.has(table, f"id = '{row['id']}'")
        for table, rows in young.items()
        for row in rows
    )


@contextmanager
def _server(folder: Path) -> Iterator[Records]:
    port = free_port()
    api = f"http://127.0.0.1:{port}/api"
    environment = local_server.environment_of_server(folder, COMPLETE_SERVER)
    server = local_server.start(
        local_server.server_command("127.0.0.1", port),
        folder / "server.log",
        {**environment, **SWEEPS_OFTEN},
    )
    try:
        while not local_server.is_healthy(api):
            assert server.poll() is None
            time.sleep(0.2)
        yield Records(folder / "prefect.db", api)
    finally:
        local_server.end(server)


EVENT_TABLES = (("events", "id"), ("event_resources", "event_id"))


def examples(records: Records) -> Mapping[str, Row]:
    """A run with all that hangs on it and an event of each kind, made by the server;
    both young, so they stay.
    """
    flow = records.ask("flows/", {"name": "buy-from-file"})
    run = records.ask(
        "flow_runs/",
        {"flow_id": flow["id"], "tags": ["sourcing"], "state": {"type": "PENDING"}},
    )
    instant = datetime.now(UTC).isoformat()
    for kind in ("RUNNING", "COMPLETED"):
        records.ask(
            f"flow_runs/{run['id']}/set_state", {"state": {"type": kind}, "force": True}
        )
    line = {
        "name": "prefect.flow_runs",
        "level": 20,
        "flow_run_id": run["id"],
        "timestamp": instant,
    }
    records.ask("logs/", [{**line, "message": "Orders 1–50 of 1,000: 50 booked"}])
    records.ask(
        "artifacts/",
        {"key": "outcome", "type": "table", "data": "[]", "flow_run_id": run["id"]},
    )
    roles = ("flow", "deployment", "work-pool", "tag")
    related = [
        {"prefect.resource.id": f"prefect.{role}.1", "prefect.resource.role": role}
        for role in roles
    ]
    ids = {name: str(uuid.uuid4()) for name in (HEARTBEAT, PAID)}
    for name, event_id in ids.items():
        resource = {"prefect.resource.id": f"prefect.flow-run.{run['id']}"}
        event = {
            "event": name,
            "resource": resource,
            "related": related,
            "occurred": instant,
            "id": event_id,
        }
        records.ask("events", [event])
    deadline = time.monotonic() + 60
    expected = [
        (table, f"{key} = '{text}'")
        for text in ids.values()
        for table, key in EVENT_TABLES
    ]
    expected.append(("log", f"flow_run_id = '{run['id']}'"))
    while not all(records.has(table, where) for table, where in expected):
        assert time.monotonic() < deadline, "the examples are not written"
        time.sleep(0.2)
    where = {
        "flow_run": f"id = '{run['id']}'",
        **dict.fromkeys(
            ("flow_run_state", "log", "artifact"), f"flow_run_id = '{run['id']}'"
        ),
        "event_resources": f"event_id = '{ids[PAID]}'",
    }
    return {
        **{table: records.row(table, its) for table, its in where.items()},
        **{
            name: records.row("events", f"id = '{event_id}'")
            for name, event_id in ids.items()
        },
    }


def fill(
    records: Records, example: Mapping[str, Row], *, runs: int, events: int
) -> None:
    """Copies of the examples, a day too old; one event of ten is ours."""
    with records.opened() as connection:
        for number in range(runs):
            _copy_run(connection, example, number)
        for number in range(events):
            _copy_event(connection, example, PAID if number % 10 == 0 else HEARTBEAT)


def _copy_run(
    connection: sqlite3.Connection, example: Mapping[str, Row], number: int
) -> None:
    too_old = _before(local_server.RUNS_KEPT_FOR + timedelta(days=1))
    run = str(uuid.uuid4())
    state = str(uuid.uuid4())
    own = {
        "id": run,
        "end_time": too_old,
        "start_time": too_old,
        "idempotency_key": run,
        "state_id": state,
    }
    _insert(connection, "flow_run", {**example["flow_run"], **own})
    of_run = {"flow_run_id": run, "timestamp": too_old}
    _insert(
        connection,
        "flow_run_state",
        {**example["flow_run_state"], **of_run, "id": state},
    )
    _insert(connection, "log", {**example["log"], **of_run}, times=LOGS_A_RUN)
    _insert(
        connection,
        "artifact",
        {**example["artifact"], "flow_run_id": run, "key": f"old-outcome-{number}"},
        times=1,
    )


def _copy_event(
    connection: sqlite3.Connection, example: Mapping[str, Row], name: str
) -> None:
    too_old = _before(local_server.RUNS_KEPT_FOR + timedelta(days=1))
    event = str(uuid.uuid4())
    _insert(connection, "events", {**example[name], "id": event, "occurred": too_old})
    _insert(
        connection,
        "event_resources",
        {**example["event_resources"], "event_id": event, "occurred": too_old},
        times=5,
    )


def _insert(
    connection: sqlite3.Connection, table: str, row: Row, *, times: int = 0
) -> None:
    """A row as it is, or so many of it with ids of their own."""
    rows = [[*{**row, "id": str(uuid.uuid4())}.values()] for _ in range(times)] or [
        [*row.values()]
    ]
    connection.executemany(
        f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join('?' * len(row))})",
        rows,
    )


def _before(age: timedelta) -> str:
    return f"{datetime.now(UTC) - age:%Y-%m-%d %H:%M:%S.%f}"


YESTERDAY = "datetime('now', '-1 day')"
TOO_OLD = {
    "flow_run": f"end_time < {YESTERDAY}",
    "flow_run_state": f"timestamp < {YESTERDAY}",
    "log": f"timestamp < {YESTERDAY}",
    "artifact": "key LIKE 'old-outcome-%'",
    "events": f"occurred < {YESTERDAY}",
    "event_resources": f"occurred < {YESTERDAY}",
}
