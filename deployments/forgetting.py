"""Erases receivers: at once from the ledger, snapshots, logs and Prefect's runs. Copies
end by a day that is named.

The ledger comes after what is searched for the receiver's texts, which it has: so a
second call finishes what a killed one began.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
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
from connectors.ledger.forgetting import StillNeeded, require_over
from connectors.ledger.records import OrderRecord
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
    with _server(settings, records) as url:
        runs = (
            runs_with(url, order_refs, ledger.parts.wholes(order_refs)) if url else []
        )
        _require_over(settings, ledger, order_refs, runs)
        orders = ledger.orders(order_refs)
        mentions = {
            ref: Mentions.of(
                asdict(orders[ref].request.receiver) if ref in orders else {}
            )
            for ref in order_refs
        }
        identifying = {
            text for mention in mentions.values() for text in mention.identifying
        }
        others = ledger.forgotten.others_with(identifying, besides=order_refs)
        needed = [part for receiver in others.values() for part in receiver.values()]
        texts = {
            text for mention in mentions.values() for text in mention.without(needed)
        }
        _erase_logs(settings.data_dir, texts, erasure)
        if url:
            erase_runs(url, runs, texts, erasure)
    reach(DURING_FORGET, "runs")
    for ref in order_refs:
        ledger.forgotten.erase(ref, mentions[ref], by=by)
    reach(DURING_FORGET, "ledger")
    erasure.erased += [
        f"snapshot {snapshot}"
        for snapshot in erase_orders(settings.snapshot_root, order_refs)
    ]
    _write_tables(settings, ledger)
    reach(DURING_FORGET, "snapshots")
    _scrub(ledger, settings.data_dir / SENDS, records, erasure)
    erasure.left += [
        f"order {ref} names the same receiver: sourcing forget {ref}" for ref in others
    ]
    _list_rest(settings, ledger, [*orders.values()], erasure)
    return erasure


@contextmanager
def _server(settings: SourcingSettings, records: Path) -> Iterator[str]:
    """The address of the Prefect server that has the runs, started if need be; empty
    where there are none.
    """
    is_there = os.environ.get("PREFECT_API_URL") or server_at_work(records.parent)
    if not is_there and not records.exists():
        yield ""
        return
    with prefect_server(settings.data_dir) as url:
        yield url


def _require_over(
    settings: SourcingSettings,
    ledger: Ledger,
    order_refs: Sequence[str],
    runs: Sequence[PastedRun],
) -> None:
    """Raise `StillNeeded` unless each order is over, or known from a dry run alone."""
    asked = {*ledger.forgotten.known(order_refs)}
    asked = asked.union(*(run.order_refs for run in runs))
    for ref in order_refs:
        if stands := ledger.forgotten.standing(ref):
            require_over(stands)
        elif ref not in asked and not knows_order(settings.snapshot_root, ref):
            raise StillNeeded(
                f"nothing is known of an order {ref}; see all with: sourcing status"
            )


def _write_tables(settings: SourcingSettings, ledger: Ledger) -> None:
    from tasks.snapshot import write_now  # loads Prefect

    write_now(settings.snapshot_root, ledger, "forgotten", ledger.clock())


def _erase_logs(data_dir: Path, texts: set[str], erasure: Erased) -> None:
    """Overwrite texts in the logs of processes in place: they are being appended to."""
    for path in data_dir.rglob("*.log"):
        if path.parent.name == SENDS or not os.access(path, os.W_OK):
            continue  # send logs have nothing but references, and prove what was never sent
        with path.open("r+b") as file:
            content = kept = file.read()
            for text in {text.encode() for text in texts}:
                kept = kept.replace(text, b"x" * len(text))
            if kept != content:
                file.seek(0)
                file.write(kept)
                erasure.erased.append(str(path))


def _scrub(ledger: Ledger, send_logs: Path, records: Path, erasure: Erased) -> None:
    """Remove old rows from SQLite's files; PostgreSQL's are its operator's. A large
    ledger is not written anew beside a run, whose claims would wait.
    """
    file = sqlite_file(ledger.url)
    try:
        if file and file.stat().st_size > MOST_BESIDE_A_RUN and living(send_logs):
            raise NotScrubbed(
                f"{file} keeps old rows until no run is at work: to write it anew takes long"
            )
        for database in (file, records):
            if database and database.exists():
                scrub(database)
    except NotScrubbed as error:
        erasure.left.append(f"{error}; {AGAIN}")


def _list_rest(
    settings: SourcingSettings,
    ledger: Ledger,
    orders: Sequence[OrderRecord],
    erasure: Erased,
) -> None:
    if runs := living(settings.data_dir / SENDS):
        erasure.left.append(
            f"a run is at work ({', '.join(runs)}), which may have read the order before; {AGAIN} afterwards"
        )
    zone = ZoneInfo(settings.timezone)
    if end := last_end(settings):
        erasure.ends["processed request files, fetched files, ledgers set aside"] = (
            f"{end.astimezone(zone):%Y-%m-%d}"
        )
    season = f"{datetime.now(zone) + RUNS_KEPT_FOR:%Y-%m-%d}"
    erasure.ends["states, logs and events of Prefect's runs"] = season
    if are_received(ledger.url):
        erasure.ends[
            "messages of the service, which by its contract name no receiver"
        ] = f"{datetime.now(zone) + KEPT_FOR:%Y-%m-%d}"
    ledger_name = (sqlite_file(ledger.url) or Path("ledger")).stem
    erasure.elsewhere += [
        f"{path}: a backup; delete it, or forget again after a restore"
        for path in sorted(settings.data_dir.glob(f"{ledger_name}-*Z.db"))
    ]
    sources = ledger.sources_of({order.batch_id for order in orders})
    erasure.elsewhere += [
        f"{path}: your own file may still have the order's lines; take them out"
        for path in sorted(_own_files(settings, map(Path, sources.values())))
    ]


def _own_files(settings: SourcingSettings, sources: Iterable[Path]) -> Iterator[Path]:
    """Request files outside the data folder, and what an inbox has not finished."""
    home = settings.data_dir.absolute()
    for source in sources:
        if source.is_file() and home not in source.absolute().parents:
            yield source.absolute()
        if source.parent.name == Folder.WORKING:
            for folder in UNFINISHED:
                files = (source.parent.parent / folder).glob("*")
                yield from (path for path in files if not path.name.endswith(RESULT))


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
                words = (
                    f"run {run.name}: it is {run.state.lower()} with the order's lines"
                )
                erasure.left.append(
                    f"{words}; give the same command again when it has ended"
                )
                continue
            _send(client, "DELETE", f"/flow_runs/{run.id}")
            erasure.erased.append(f"run {run.name}")
        for artifact in list(_pages(client, "/artifacts/filter")) if texts else ():
            told_there = {name: artifact[name] for name in ("data", "description")}
            kept = {name: _without(value, texts) for name, value in told_there.items()}
            if kept != told_there:
                _send(client, "PATCH", f"/artifacts/{artifact['id']}", kept)
                erasure.erased.append(f"artifact {artifact['key']}")


def _without(value: Any, texts: Iterable[str]) -> Any:
    """A text without some texts, also as JSON has them: a table is JSON in a text."""
    if isinstance(value, str):
        for text in texts:
            for form in (text, json.dumps(text)[1:-1]):
                value = value.replace(form, FORGOTTEN)
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
