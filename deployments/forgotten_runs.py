"""Erases a receiver from Prefect's records of runs: pasted lines of those that have ended, and words anywhere else.

The data folder's own database is written to directly, which needs no server and reaches all of it. A server elsewhere
is asked for what its API can change: parameters, and the content of artifacts.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors.foreign import words_of
from connectors.kept_files import Left
from connectors.request_files.without_order import text_without_order
from connectors.sqlite_files import NotScrubbed, scrub
from deployments.local_server import ServerFailed, without_password
from domain.forgetting import FORGOTTEN, Receiver
from domain.wording import pluralize

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
LINES = "lines"
WAIT_S = 60.0
PAGE = 200
SAID: Mapping[str, Sequence[str]] = {
    "flow_run": ("parameters",),
    "flow_run_state": ("message", "data"),
    "task_run_state": ("message", "data"),
    "flow_run_input": ("value",),
    "log": ("message",),
    "artifact": ("data", "description"),
    "artifact_collection": ("data", "description"),
    "events": ("resource", "related", "payload"),
    "event_resources": ("resource",),
}
"""The columns in which words about an order may stand. No others: a name may also be one of Prefect's own words."""

MADE_BY_PEOPLE = ("deployment", "deployment_schedule", "variable")
"""Set up by a person: changing it would change what runs, so it is reported."""


@dataclass(frozen=True, slots=True)
class Struck:
    """Parameters without an order, and the receivers that stood there; none where they had no such lines."""

    parameters: Any
    receivers: tuple[Receiver, ...]


def without_lines(parameters: Any, order_ref: str) -> Struck:
    """Leave an order's rows out of all pasted lines. A run that is started again with them is still the same batch."""
    receivers: list[Receiver] = []

    def walk(value: Any, name: str = "") -> Any:
        if isinstance(value, str) and name == LINES:
            kept, found = text_without_order(value, order_ref)
            receivers.extend(found)
            return kept
        if isinstance(value, dict):
            return {key: walk(one, key) for key, one in value.items()}
        return [walk(one) for one in value] if isinstance(value, list) else value

    kept = walk(parameters)
    if receivers and isinstance(kept, dict) and kept.get("batch") == "":
        kept["batch"] = _batch_of(parameters)
    return Struck(kept, tuple(receivers))


def _batch_of(parameters: Mapping[str, Any]) -> str:
    """The batch of a run of pasted lines, named by its content."""
    from flows.batch.request_batches import PASTED, batch_id_of  # loads Prefect

    lines = (parameters.get("requests") or {}).get(LINES) or ""
    return batch_id_of(PASTED, lines.strip().encode())


def receivers_in_records(records: Path, order_ref: str) -> list[Receiver]:
    """The receivers of an order in the pasted lines of every run that a Prefect database has."""
    if not records.is_file():
        return []
    with closing(sqlite3.connect(records.absolute().as_uri() + "?mode=ro", uri=True, timeout=WAIT_S)) as database:
        rows = database.execute("SELECT parameters FROM flow_run WHERE instr(parameters, ?)", (order_ref,))
        return [one for (told,) in rows for one in without_lines(json.loads(told or "{}"), order_ref).receivers]


def strike_records(records: Path, order_ref: str, telling: Iterable[str], told: Left) -> None:
    """Erase a receiver from a Prefect database, also while its server runs. What has not ended is reported and left."""
    if not records.is_file():
        return
    try:
        with closing(sqlite3.connect(records, timeout=WAIT_S, isolation_level=None)) as database:
            database.execute("BEGIN IMMEDIATE")
            runs = list(_strike_parameters(database, order_ref, told))
            words = sum(_strike_words(database, text, told) for text in telling)
            database.execute("COMMIT")
    except sqlite3.Error as error:
        told.left.append(
            f"{records}: Prefect's database can't be changed ({words_of(error)}); give the same command again"
        )
        return
    told.struck += [f"parameters of run {name}" for name in runs]
    told.struck += [f"{pluralize(words, 'text')} of {records.name}"] if words else []
    try:
        scrub(records)
    except NotScrubbed as error:
        told.left.append(str(error))


def _strike_parameters(database: sqlite3.Connection, order_ref: str, told: Left) -> Iterator[str]:
    query = "SELECT id, name, state_type, parameters FROM flow_run WHERE instr(parameters, ?)"
    for run_id, name, state, parameters in database.execute(query, (order_ref,)).fetchall():
        struck = without_lines(json.loads(parameters), order_ref)
        if not struck.receivers:
            continue
        if state not in ENDED:
            told.left.append(_not_ended(name, state))
            continue
        kept = json.dumps(struck.parameters, ensure_ascii=False)
        database.execute("UPDATE flow_run SET parameters = ? WHERE id = ?", (kept, run_id))
        yield name


def _not_ended(name: str, state: str | None) -> str:
    return (
        f"run {name}: it is {str(state).lower()} with the order's lines; give the same command again when it has ended"
    )


def _strike_words(database: sqlite3.Connection, text: str, told: Left) -> int:
    """Put `FORGOTTEN` in place of a text in the records of runs; answers how many values had it."""
    for table in MADE_BY_PEOPLE:
        for (one,) in _rows_with(database, "id", table, "parameters" if "deployment" in table else "value", text):
            told.left.append(f"{table.replace('_', ' ')} {one} in Prefect names the receiver: change it there")
    changed = 0
    for table, columns in SAID.items():
        for column in columns:
            for row_id, value in _rows_with(database, f'rowid, "{column}"', table, column, text):
                new = said_without(value, [text])
                database.execute(f'UPDATE "{table}" SET "{column}" = ? WHERE rowid = ?', (new, row_id))
                changed += new != value
    return changed


def _rows_with(database: sqlite3.Connection, what: str, table: str, column: str, text: str) -> list[Any]:
    """The rows of which a column has a text, plain or within JSON; none where this Prefect has no such column."""
    if not any(found[1] == column for found in database.execute(f'PRAGMA table_info("{table}")')):
        return []
    forms = (text, *(json.dumps(text, ensure_ascii=ascii_only)[1:-1] for ascii_only in (True, False)))
    ended = f" AND state_type IN {ENDED}" if table == "flow_run" else ""
    where = " OR ".join(f'instr("{column}", ?)' for _ in forms)
    return database.execute(f'SELECT {what} FROM "{table}" WHERE ({where}){ended}', forms).fetchall()


def said_without(value: str, telling: Iterable[str]) -> str:
    """A text without some texts; of JSON its values alone, so that it stays what it is."""
    try:
        told = json.loads(value)
    except ValueError:
        return _replaced(value, telling)
    texts = list(telling)
    return json.dumps(_values_without(told, texts), ensure_ascii=False)


def _values_without(value: Any, telling: Sequence[str], name: str = "") -> Any:
    if isinstance(value, str):
        return value if name.endswith((".id", "_id")) or name == "id" else _replaced(value, telling)
    if isinstance(value, dict):
        return {key: _values_without(one, telling, key) for key, one in value.items()}
    return [_values_without(one, telling, name) for one in value] if isinstance(value, list) else value


def _replaced(text: str, telling: Iterable[str]) -> str:
    for one in telling:
        text = text.replace(one, FORGOTTEN)
    return text


def receivers_on_server(url: str, order_ref: str) -> list[Receiver]:
    """The receivers of an order in the pasted lines of every run that a server has. Raises `ServerFailed`."""
    with _asking(url) as client:
        runs = _pages(client, "/flow_runs/filter")
        return [one for run in runs for one in without_lines(run["parameters"], order_ref).receivers]


def strike_on_server(url: str, order_ref: str, telling: Iterable[str], told: Left) -> None:
    """Erase a receiver on a Prefect server, as far as its API goes. Raises `ServerFailed`."""
    with _asking(url) as client:
        for run in list(_pages(client, "/flow_runs/filter")):
            struck = without_lines(run["parameters"], order_ref)
            if struck.receivers and run["state_type"] not in ENDED:
                told.left.append(_not_ended(run["name"], run["state_type"]))
            elif struck.receivers:
                _change(client, "/flow_runs/{id}", run["id"], {"parameters": struck.parameters})
                told.struck.append(f"parameters of run {run['name']}")
        for artifact in list(_pages(client, "/artifacts/filter")):
            content = artifact["data"]
            # an artifact's table is JSON within a text, which is the data
            kept = said_without(content, telling) if isinstance(content, str) else _values_without(content, [*telling])
            if kept != content and _is_told(content, telling):
                _change(client, "/artifacts/{id}", artifact["id"], {"data": kept})
                told.struck.append(f"artifact {artifact['key']}")


@contextmanager
def _asking(url: str) -> Iterator[SyncPrefectClient]:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    try:
        with temporary_settings({PREFECT_API_URL: url}), get_client(sync_client=True) as client:
            yield client
    except Exception as error:
        if not type(error).__module__.startswith(("httpx", "prefect")):
            raise
        raise ServerFailed(
            f"the Prefect server at {without_password(url)} did not do what was asked ({words_of(error)}): "
            "look at its log, and give the same command again"
        ) from error


def _is_told(content: Any, telling: Iterable[str]) -> bool:
    told = json.dumps(content, ensure_ascii=False)
    return any(json.dumps(text, ensure_ascii=False)[1:-1] in told for text in telling)


def _change(client: SyncPrefectClient, path: Any, its_id: str, body: object) -> None:
    client.request("PATCH", path, path_params={"id": its_id}, json=body).raise_for_status()


def _pages(client: SyncPrefectClient, path: Any) -> Iterator[dict[str, Any]]:
    """All that a server answers, page by page."""
    offset = 0
    while page := client.request("POST", path, json={"limit": PAGE, "offset": offset, "sort": SORT[path]}).json():
        yield from page
        offset += len(page)


SORT = {"/flow_runs/filter": "ID_DESC", "/artifacts/filter": "ID_DESC"}
