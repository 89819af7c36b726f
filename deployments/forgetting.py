"""Erases receivers: at once from the ledger, snapshots, logs and Prefect's runs. Copies
end by a day that is named.

The ledger comes first: from then on no program writes the receiver into anything new.
It keeps the texts to look for until all is done, so a second call finishes what a
killed one began.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo

from connectors.callbacks import KEPT_FOR, are_received
from connectors.crash_points import DURING_FORGET, reach
from connectors.durable import NotScrubbed, scrub
from connectors.foreign import prefect_errors, words_of
from connectors.inbox import RESULT, Folder, last_end
from connectors.ledger.engine import sqlite_file
from connectors.ledger.forgetting import StillNeeded
from connectors.ledger.send_log import living
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.snapshots.writer import erase_orders, knows_order
from deployments.local_server import (
    RUNS_KEPT_FOR,
    ServerFailed,
    prefect_server,
    server_at_work,
    server_folder,
    without_password,
)
from domain.forgetting import FORGOTTEN, Erased, Mentions

if TYPE_CHECKING:
    from prefect.client.orchestration import SyncPrefectClient

AGAIN = "give the same command again"
SENDS = "sends"
UNFINISHED = (Folder.OPEN, Folder.WORKING)
MOST_BESIDE_A_RUN = 5_000_000
"""Bytes of a ledger that is written anew in as long as a claim of a hundred orders
takes (50 ms).
"""


def forget(
    settings: SourcingSettings, ledger: Ledger, order_refs: Sequence[str], *, by: str
) -> Erased:
    """Erase the receivers of these orders, and report what was erased, what is left,
    and what ends when.

    Raises `StillNeeded` for an order that needs its receiver yet, or that is unknown:
    none after it is erased. After `SnapshotError`, `LedgerUnusable` or `ServerFailed` a
    second call goes on.
    """
    erasure = Erased()
    records = server_folder(settings.data_dir) / "prefect.db"
    with _server(settings, records, erasure) as url:
        runs = (
            runs_with(url, order_refs, ledger.parts.wholes(order_refs)) if url else []
        )
        named = set[str]().union(*(run.order_refs for run in runs))
        for ref in order_refs:
            if ref not in named and not _is_known(settings, ledger, ref):
                raise StillNeeded(
                    f"nothing is known of an order {ref}; see all with: sourcing status"
                )
        mentions = {
            ref: Mentions.of(ledger.forgotten.receivers_of(ref)) for ref in order_refs
        }
        other_receivers = {
            ref: ledger.forgotten.others_with(
                ref, mentions[ref].identifying, besides=order_refs
            )
            for ref in order_refs
        }
        for ref in order_refs:
            ledger.forgotten.erase(ref, mentions[ref], by=by)
        reach(DURING_FORGET, "ledger")
        erasure.erased += [
            f"snapshot {erased_table}"
            for erased_table in erase_orders(settings.snapshot_root, order_refs)
        ]
        _write_tables(settings, ledger)
        reach(DURING_FORGET, "snapshots")
        texts = {
            text
            for ref in order_refs
            for text in mentions[ref].without(
                text
                for erased_table in other_receivers[ref].values()
                for text in erased_table.values()
            )
        }
        _erase_logs(settings.data_dir, texts, erasure)
        if url:
            erase_runs(url, runs, texts, erasure)
    reach(DURING_FORGET, "runs")
    for ref in order_refs:
        ledger.forgotten.finish(ref)
    reach(DURING_FORGET, "finished")
    _scrub(ledger, settings.data_dir / SENDS, records, erasure)
    _list_rest(settings, ledger, order_refs, other_receivers, erasure)
    return erasure


@contextmanager
def _server(
    settings: SourcingSettings, records: Path, erasure: Erased
) -> Iterator[str]:
    """The address of the Prefect server that has the runs, started if need be; empty
    where there are none.
    """
    is_there = os.environ.get("PREFECT_API_URL") or server_at_work(records.parent)
    if not is_there and not records.exists():
        yield ""
        return
    with prefect_server(settings.data_dir) as url:
        yield url


def _write_tables(settings: SourcingSettings, ledger: Ledger) -> None:
    from tasks.snapshot import write_now  # loads Prefect

    write_now(settings.snapshot_root, ledger, "forgotten", ledger.clock())


def _is_known(settings: SourcingSettings, ledger: Ledger, order_ref: str) -> bool:
    """Whether the ledger or, for a dry run, a snapshot has the order."""
    order = ledger.forgotten.of_order(order_ref) or ledger.forgotten.standing(order_ref)
    return order is not None or knows_order(settings.snapshot_root, order_ref)


def _erase_logs(data_dir: Path, texts: set[str], erasure: Erased) -> None:
    """Overwrite texts in the logs of processes in place: they are being appended to."""
    for path in data_dir.rglob("*.log"):
        if path.parent.name == SENDS or not os.access(path, os.W_OK):
            continue  # send logs have nothing but references, and prove what was never sent
        with path.open("r+b") as file:
            content = file.read()
            for text in {text.encode() for text in texts}:
                at = content.find(text)
                while at >= 0:
                    file.seek(at)
                    file.write(b"x" * len(text))
                    at = content.find(text, at + len(text))
                    erasure.erased.append(str(path))
    erasure.erased = list(dict.fromkeys(erasure.erased))


def _scrub(ledger: Ledger, send_logs: Path, records: Path, erasure: Erased) -> None:
    """Remove old rows from the files. A large ledger is not written anew beside a run,
    whose claims would wait.
    """
    try:
        file = sqlite_file(ledger.url)
        if file and file.stat().st_size > MOST_BESIDE_A_RUN and living(send_logs):
            raise NotScrubbed(
                f"{file} keeps old rows until no run is at work: to write it anew takes long"
            )
        ledger.forgotten.scrub()
        if records.exists():
            scrub(records)
    except NotScrubbed as error:
        erasure.left.append(f"{error}; {AGAIN}")


def _list_rest(
    settings: SourcingSettings,
    ledger: Ledger,
    order_refs: Sequence[str],
    other_receivers: Mapping[str, Mapping[str, object]],
    erasure: Erased,
) -> None:
    same = sorted(
        {other_text for receiver in other_receivers.values() for other_text in receiver}
    )
    erasure.left += [
        f"order {ref} names the same receiver: sourcing forget {ref}" for ref in same
    ]
    if runs := living(settings.data_dir / SENDS):
        erasure.left.append(
            f"a run is at work ({', '.join(runs)}), which may have read the order before; {AGAIN} afterwards"
        )
    zone = ZoneInfo(settings.timezone)
    if end := last_end(settings, settings.inbox):
        erasure.ends["processed request files, fetched files, ledgers set aside"] = (
            f"{end.astimezone(zone):%Y-%m-%d}"
        )
    season = f"{datetime.now(zone) + RUNS_KEPT_FOR:%Y-%m-%d}"
    erasure.ends["states, logs and events of Prefect's runs"] = season
    if are_received(ledger.url):
        erasure.ends[
            "messages of the service, which by its contract name no receiver"
        ] = f"{datetime.now(zone) + KEPT_FOR:%Y-%m-%d}"
    orders = ledger.orders(order_refs)
    sources = ledger.sources_of({order.batch_id for order in orders.values()})
    home = settings.data_dir.absolute()
    files = {
        path
        for source in sources.values()
        if (path := Path(source).absolute()).is_file() and home not in path.parents
    }
    files.update(
        *(
            _unfinished(Path(source), batch_id[-8:])
            for batch_id, source in sources.items()
        )
    )
    backups = sorted(
        settings.data_dir.glob(
            f"{(sqlite_file(ledger.url) or Path('ledger')).stem}-*Z.db"
        )
    )
    erasure.elsewhere += [
        f"{path}: a backup; delete it, or forget again after a restore"
        for path in backups
    ]
    erasure.elsewhere += [
        f"{path}: your own file may still have the order's lines; take them out"
        for path in sorted(files)
    ]


def _unfinished(source: Path, mark: str) -> set[Path]:
    """The files of an inbox that are not over and are called as this one, and what such
    ones keep: each may have it.
    """
    folders = (
        [source.parent.parent / folder for folder in UNFINISHED]
        if source.parent.name == Folder.WORKING
        else []
    )
    paths = [
        path
        for folder in folders
        if folder.is_dir()
        for path in folder.iterdir()
        if path.is_file()
    ]
    name = source.stem.removesuffix(f"-{mark}")
    return {
        path
        for path in paths
        if path.name.startswith(name) and not path.name.endswith(RESULT)
    }


ENDED = ("COMPLETED", "FAILED", "CANCELLED", "CRASHED")
PAGE = 200


@dataclass(frozen=True, slots=True)
class PastedRun:
    """A run whose pasted lines name some orders."""

    id: str
    name: str
    state: str
    order_refs: Collection[str]


def runs_with(
    url: str, order_refs: Collection[str], wholes: Mapping[str, str]
) -> list[PastedRun]:
    """All runs of a server whose pasted lines name these orders, in one reading. Raises
    `ServerFailed`.

    An order that was split from another has the lines of the whole, which `wholes`
    names.
    """
    pasted_runs = []
    with _asking(url) as client:
        for run in _pages(client, "/flow_runs/filter"):
            match run["parameters"]:
                case {"requests": {"lines": str(lines)}}:
                    named = [
                        ref
                        for ref in order_refs
                        if is_named(ref, lines) or is_named(wholes.get(ref, ref), lines)
                    ]
                    if named:
                        state = str(run["state_type"])
                        pasted_runs.append(
                            PastedRun(run["id"], run["name"], state, named)
                        )
    return pasted_runs


def is_named(order_ref: str, lines: str) -> bool:
    """Whether a text names this order, and not only one whose reference begins or ends
    so.
    """
    return bool(re.search(rf"(?<![\w.-]){re.escape(order_ref)}(?![\w.-])", lines))


def erase_runs(
    url: str, runs: Sequence[PastedRun], texts: Collection[str], erasure: Erased
) -> None:
    """Delete runs that have ended, with all their inputs, and erase these texts from
    all artifacts.

    Raises `ServerFailed`.
    """
    with _asking(url) as client:
        for run in runs:
            if run.state not in ENDED:
                message = (
                    f"run {run.name}: it is {run.state.lower()} with the order's lines"
                )
                erasure.left.append(
                    f"{message}; give the same command again when it has ended"
                )
                continue
            _send(client, "DELETE", f"/flow_runs/{run.id}")
            erasure.erased.append(f"run {run.name}")
        for artifact in list(_pages(client, "/artifacts/filter")) if texts else ():
            told_there = {name: artifact[name] for name in ("data", "description")}
            kept_text = {
                name: _without(value, texts) for name, value in told_there.items()
            }
            if kept_text != told_there:
                _send(client, "PATCH", f"/artifacts/{artifact['id']}", kept_text)
                erasure.erased.append(f"artifact {artifact['key']}")


def _without(value: Any, texts: Iterable[str]) -> Any:
    """A value without some texts: of JSON, also JSON within a text as tables have it,
    the values alone.
    """
    if isinstance(value, str):
        try:
            within = json.loads(value) if value[:1] in ("[", "{") else None
        except ValueError:
            within = None
        if within is not None:
            kept_text = _without(within, texts)
            return (
                value
                if kept_text == within
                else json.dumps(kept_text, ensure_ascii=False)
            )
        for text in texts:
            value = value.replace(text, FORGOTTEN)
    elif isinstance(value, dict):
        return {
            key: _without(erased_table, texts) for key, erased_table in value.items()
        }
    elif isinstance(value, list):
        return [_without(erased_table, texts) for erased_table in value]
    return value


@contextmanager
def _asking(url: str) -> Iterator[SyncPrefectClient]:
    from prefect.client.orchestration import get_client
    from prefect.settings import PREFECT_API_URL, temporary_settings

    try:
        with (
            temporary_settings({PREFECT_API_URL: url}),
            get_client(sync_client=True) as client,
        ):
            yield client
    except prefect_errors() as error:
        raise ServerFailed(
            f"the Prefect server at {without_password(url)} did not do what was asked ({words_of(error)}): "
            "see its log, and give the same command again"
        ) from error


def _send(
    client: SyncPrefectClient, method: Any, path: Any, body: object = None
) -> Any:
    return client.request(method, path, json=body).raise_for_status()


def _pages(client: SyncPrefectClient, path: str) -> Iterator[dict[str, Any]]:
    """All that a server answers, page by page."""
    offset = 0
    while page := _send(
        client, "POST", path, {"limit": PAGE, "offset": offset, "sort": "ID_DESC"}
    ).json():
        yield from page
        offset += len(page)
