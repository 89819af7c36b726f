"""Erases one order's receiver everywhere that this product keeps it; a second call finishes what a killed one began.

The ledger comes first: from then on no program writes the receiver into anything new, and the ledger has what is still
to be looked for. That goes last.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

from connectors.callbacks.store import CallbackStore, callbacks_url
from connectors.crash_points import DURING_FORGET, reach
from connectors.kept_files import (
    Left,
    old_ledgers,
    receivers_in_files,
    strike_fetched,
    strike_inbox,
    strike_old_ledgers,
    sweep,
)
from connectors.ledger.engine import sqlite_file
from connectors.ledger.send_log import living
from connectors.ledger.store import Ledger
from connectors.request_files.without_order import order_in
from connectors.settings import SourcingSettings
from connectors.snapshots.forgetting import receivers_in, strike_snapshots
from connectors.sqlite_files import NotScrubbed, scrub
from connectors.traces import Needles
from deployments.dispatching import are_received
from deployments.forgotten_runs import receivers_in_records, receivers_on_server, strike_on_server, strike_records
from deployments.local_server import require_reachable, running, server_folder
from domain.forgetting import Receiver, Traces
from domain.wording import pluralize

AGAIN = "give the same command again"


@dataclass(kw_only=True)
class Place:
    """Where one data folder keeps things."""

    settings: SourcingSettings
    ledger: Ledger
    records: Path = field(init=False)
    inbox: Path = field(init=False)
    server: str = field(init=False)

    def __post_init__(self) -> None:
        """Raises `ServerFailed` where a server is set that can't be reached: its runs would be left out unseen."""
        folder = server_folder(self.settings.data_dir)
        self.records, self.inbox = folder / "prefect.db", self.settings.inbox
        self.server = os.environ.get("PREFECT_API_URL", "")
        if self.server:
            require_reachable(self.server)
        else:
            self.server = running(folder) or ""

    @property
    def snapshots(self) -> Path:
        return self.settings.snapshot_root


@dataclass(frozen=True, kw_only=True)
class Known:
    """What is known of an order's receiver before anything is erased, and which other orders name the same person."""

    traces: Traces
    others: Mapping[str, Receiver]

    @property
    def needles(self) -> Needles:
        """What may be erased wherever it stands: not what other orders still need."""
        return Needles(self.telling)

    @property
    def telling(self) -> frozenset[str]:
        return self.traces.without(text for one in self.others.values() for text in one.values())


def known_of(place: Place, order_ref: str) -> Known:
    """Search every place that names its receiver by the order. Raises `SnapshotDamaged`."""
    named = receivers_in(place.snapshots, order_ref)
    traces = Traces.of(
        [
            *place.ledger.forgotten.receivers_of(order_ref),
            *named.receivers,
            *receivers_in_files(place.inbox, place.settings.data_dir, order_ref),
            *receivers_in_records(place.records, order_ref),
            *(receivers_on_server(place.server, order_ref) if place.server else ()),
        ]
    )
    in_snapshots = receivers_in(place.snapshots, order_ref, traces.telling).others if traces.telling else {}
    others = {**in_snapshots, **place.ledger.forgotten.others_with(order_ref, traces.telling)}
    gone = place.ledger.forgotten.known(others)
    return Known(traces=traces, others={ref: others[ref] for ref in sorted(others) if ref not in gone})


def forget(place: Place, order_ref: str, known: Known, *, by: str) -> Left:
    """Erase the receiver everywhere, and report what was erased and what is left. Raises `StillNeeded`, and then
    nothing was changed; `SnapshotError` or `LedgerUnusable`, and then a second call goes on."""
    told, ledger, needles = Left(), place.ledger, known.needles
    told.elsewhere += _own_files(place, order_ref)
    ledger.forgotten.strike(order_ref, known.traces, by=by)
    reach(DURING_FORGET, "ledger")
    _strike_callbacks(ledger, known.telling, told)
    told.struck += [f"snapshot {one}" for one in strike_snapshots(place.snapshots, order_ref, known.traces)]
    reach(DURING_FORGET, "snapshots")
    strike_inbox(place.inbox, order_ref, needles, told)
    strike_fetched(place.settings.data_dir, order_ref, told)
    file = sqlite_file(ledger.url)
    asked = ledger.forgotten.of_order(order_ref) or {}
    ledger.forgotten.release()
    strike_old_ledgers(old_ledgers(place.settings.data_dir, file), asked, known.traces, told)
    reach(DURING_FORGET, "files")
    strike_records(place.records, order_ref, known.telling, told)
    if place.server:
        strike_on_server(place.server, order_ref, known.telling, told)
    elif place.settings.ledger_note.exists():
        told.left.append(f"Prefect keeps its runs in PostgreSQL, and its server does not run: start it and {AGAIN}")
    reach(DURING_FORGET, "runs")
    kept = sqlite_file(callbacks_url(ledger.url))
    files = [path for path in (file, kept, place.records) if path]
    own = [path.with_name(path.name + end) for path in files for end in ("", "-wal", "-shm")]
    sweep(place.settings.data_dir, needles, told, besides=[*own, place.snapshots, *_named(place.inbox, told)])
    ledger.forgotten.finish(order_ref)
    reach(DURING_FORGET, "finished")
    _scrub(ledger, told)
    ledger.forgotten.release()
    is_left = bool(told.left)
    told.left += [
        f"{path}: still names the receiver; {AGAIN}" for path in own if not is_left and needles.are_in_file(path)
    ]
    if runs := living(place.settings.data_dir / "sends"):
        told.left.append(
            f"a run is at work ({', '.join(runs)}), which may have read the order before; {AGAIN} afterwards"
        )
    return told


def _strike_callbacks(ledger: Ledger, texts: frozenset[str], told: Left) -> None:
    """What the service posted holds no receiver by its contract; it is searched all the same."""
    if not are_received(ledger.url):
        return
    with CallbackStore(ledger.url, clock=ledger.clock) as store:
        struck = store.strike(texts)
    if struck:
        told.struck.append(f"{pluralize(struck, 'message')} of the service")
    if struck and (file := sqlite_file(callbacks_url(ledger.url))):
        try:
            scrub(file)
        except NotScrubbed as error:
            told.left.append(f"{error}; {AGAIN}")


def _scrub(ledger: Ledger, told: Left) -> None:
    try:
        ledger.forgotten.scrub()
    except NotScrubbed as error:
        told.left.append(f"{error}; {AGAIN}")


def _named(inbox: Path, told: Left) -> list[Path]:
    """The files of the inbox that are reported already."""
    return [path for path in inbox.rglob("*") if any(one.startswith(f"{path}:") for one in told.left)]


def _own_files(place: Place, order_ref: str) -> list[str]:
    """The files outside the data folder that batches came from and that still have the order's lines."""
    home = place.settings.data_dir.absolute()
    sources = {Path(source).absolute() for source in place.ledger.forgotten.sources()}
    outside = (path for path in sorted(sources) if home not in path.parents and path.is_file())
    return [
        f"{path}: your own file still has the order's lines; take them out"
        for path in outside
        if order_in(path, order_ref).receivers
    ]
