"""Erases receivers from Prefect's records of runs, by its API: pasted lines, inputs and artifacts.

States, logs and events can't be changed there: they end with the server's retention.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from connectors.foreign import words_of
from connectors.request_files.without_order import NO_PARTS, without_orders
from deployments.local_server import ServerFailed, without_password
from domain.forgetting import FORGOTTEN, Erased
from domain.shop_files import Profile

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

ENDED = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
LINES = "lines"
PAGE = 200


@dataclass(frozen=True, slots=True)
class PastedRun:
    """A run with pasted lines of some orders, and its `parameters` without them."""

    id: str
    name: str
    state: str
    order_refs: frozenset[str]
    parameters: Any


def without_lines(
    parameters: Any,
    order_refs: Collection[str],
    wholes: Mapping[str, str] = NO_PARTS,
    profiles: Sequence[Profile] | None = None,
) -> tuple[Any, set[str]]:
    """Parameters without the orders' rows in any pasted lines, and which orders these had.

    A run that is started again with them is still the same batch.
    """
    had: set[str] = set()

    def walk(value: Any, name: str = "") -> Any:
        if isinstance(value, str) and name == LINES:
            kept, found = without_orders(value, order_refs, wholes, profiles)
            had.update(found)
            return kept
        if isinstance(value, dict):
            return {key: walk(one, key) for key, one in value.items()}
        return [walk(one) for one in value] if isinstance(value, list) else value

    kept = walk(parameters)
    if had and isinstance(kept, dict) and kept.get("batch") == "":
        kept["batch"] = _batch_of(parameters)
    return kept, had


def _batch_of(parameters: Mapping[str, Any]) -> str:
    """The batch of a run of pasted lines, named by its content."""
    from flows.batch.request_batches import PASTED, batch_id_of  # loads Prefect

    lines = (parameters.get("requests") or {}).get(LINES) or ""
    return batch_id_of(PASTED, lines.strip().encode())


def runs_with(
    url: str, order_refs: Collection[str], wholes: Mapping[str, str], profiles: Sequence[Profile]
) -> list[PastedRun]:
    """All runs of a server with pasted lines of these orders, in one reading. Raises `ServerFailed`."""
    found = []
    with _asking(url) as client:
        for run in _pages(client, "/flow_runs/filter"):
            kept, had = without_lines(run["parameters"], order_refs, wholes, profiles)
            if had:
                found.append(PastedRun(run["id"], run["name"], str(run["state_type"]), frozenset(had), kept))
    return found


def erase_runs(url: str, runs: Sequence[PastedRun], texts: Collection[str], told: Erased) -> None:
    """Erase these orders' lines from runs that have ended, with all their inputs, and these texts from all artifacts.

    Raises `ServerFailed`.
    """
    with _asking(url) as client:
        for run in runs:
            if run.state not in ENDED:
                words = f"run {run.name}: it is {run.state.lower()} with the order's lines"
                told.left.append(f"{words}; give the same command again when it has ended")
                continue
            _send(client, "PATCH", f"/flow_runs/{run.id}", {"parameters": run.parameters})
            for one in _send(client, "POST", f"/flow_runs/{run.id}/input/filter", {"prefix": "", "limit": PAGE}).json():
                _send(client, "DELETE", f"/flow_runs/{run.id}/input/{one['key']}")
            told.erased.append(f"parameters of run {run.name}")
        for artifact in list(_pages(client, "/artifacts/filter")) if texts else ():
            told_there = {name: artifact[name] for name in ("data", "description")}
            kept = {name: _without(value, texts) for name, value in told_there.items()}
            if kept != told_there:
                _send(client, "PATCH", f"/artifacts/{artifact['id']}", kept)
                told.erased.append(f"artifact {artifact['key']}")


def _without(value: Any, texts: Iterable[str]) -> Any:
    """A value without some texts: of JSON, also JSON within a text as tables have it, the values alone."""
    if isinstance(value, str):
        try:
            within = json.loads(value) if value[:1] in ("[", "{") else None
        except ValueError:
            within = None
        if within is not None:
            kept = _without(within, texts)
            return value if kept == within else json.dumps(kept, ensure_ascii=False)
        for text in texts:
            value = value.replace(text, FORGOTTEN)
    elif isinstance(value, dict):
        return {key: _without(one, texts) for key, one in value.items()}
    elif isinstance(value, list):
        return [_without(one, texts) for one in value]
    return value


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
            "see its log, and give the same command again"
        ) from error


def _send(client: SyncPrefectClient, method: Any, path: Any, body: object = None) -> Any:
    return client.request(method, path, json=body).raise_for_status()


def _pages(client: SyncPrefectClient, path: str) -> Iterator[dict[str, Any]]:
    """All that a server answers, page by page."""
    offset = 0
    while page := _send(client, "POST", path, {"limit": PAGE, "offset": offset, "sort": "ID_DESC"}).json():
        yield from page
        offset += len(page)
