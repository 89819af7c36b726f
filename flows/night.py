"""One run over an inbox: every file a batch, each with its result beside it."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from prefect import tags
from prefect.runtime import flow_run

from connectors.foreign import words_of
from connectors.inbox import Folder, Inbox, whole_digest
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.request_files import UnreadableFile
from connectors.settings import MissingSetting, SourcingSettings
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.bad_requests import BadRequests
from domain.deadline import moment_of
from domain.money import Money
from domain.report import BatchReport
from domain.request_remarks import Fault
from domain.states import REACHED_BOOKED, OrderState
from domain.wording import counted, pluralize
from flows.approval import turn
from flows.news import of_faults
from flows.parameters import Limits, Requests, Speed
from flows.request_batches import batch_id_with
from flows.shown.artifacts import artifact_key, counts_of, show_table, with_what_waits
from flows.shown.expected_errors import EXPECTED, run_logger
from flows.shown.progress import rename_run
from flows.source_orders import source_orders
from flows.telling import tell
from tasks.resources import utc_now

OVER = REACHED_BOOKED | {OrderState.REFUSED, OrderState.CANCELLED, OrderState.REFUNDING, OrderState.REFUNDED}
STOPS_ALL = (LedgerUnusable, Misconfigured, MissingSetting)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """The result of one file. `place` is the folder it lies in now; `batch_id` is None for a file without a batch."""

    file: str
    place: str
    note: str
    batch_id: str | None = None
    counts: Mapping[str, int] | None = None
    spent_this_run_fen: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class InboxReport:
    """The results of a run over an inbox."""

    inbox: str
    files: Sequence[FileResult]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)


class Night:
    """One run over an inbox."""

    def __init__(self, folder: Inbox, *, yes: bool, limits: Limits, speed: Speed) -> None:
        self.folder = folder
        self.yes = yes
        self.limits = limits
        self.speed = speed
        self.settings = SourcingSettings()
        self.trouble: list[Exception] = []
        self.broken_off = ""

    async def take(self, path: Path) -> FileResult | None:
        """Work on one file; None when another run has it, or when trouble with one file would meet all others.

        Once the service was away for too long, or the time is up, the remaining files wait for the next run.

        Files are taken one at a time, but a file that waits for approval lets the next one go on.
        """
        async with turn():
            if any(isinstance(error, STOPS_ALL) for error in self.trouble):
                return None
            if self.broken_off or self._is_late():
                return FileResult(file=path.name, place="", note=f"not taken: {self.broken_off or 'the time was up'}")
            with self.folder.taken(path) as working:
                return await self._work(working) if working else None

    def _is_late(self) -> bool:
        now = utc_now()
        done_by = moment_of(self.limits.done_by, now, self.settings.timezone)
        return done_by is not None and now >= done_by

    async def _work(self, working: Path) -> FileResult:
        content = await asyncio.to_thread(whole_digest, working)
        batch_id = batch_id_with(working.stem, content[:8])
        about = {"file": working.name, "content": content[:8]}
        try:
            with tags(*flow_run.tags):  # a batch is found and notified by the tags of its night
                report: BatchReport = await source_orders(
                    Requests(file=str(working), encoding=self.settings.inbox_encoding),
                    dry_run=False,
                    yes=self.yes,
                    batch=batch_id,
                    limits=self.limits,
                    speed=self.speed,
                )
        except BadRequests as error:
            words = f"{pluralize(len(error.faults), 'fault')}; nothing was bought"
            await self._notify_faults(about, words, error.faults)
            return self._put(working, Folder.FAILED, words, about, error.faults)
        except UnreadableFile as error:
            fault = Fault(0, "", str(error).removeprefix(f"{working}: "))
            words = "can't be read; nothing was bought"
            await self._notify_faults(about, words, [fault])
            return self._put(working, Folder.FAILED, words, about, [fault])
        except EXPECTED as error:
            self.trouble.append(error)
            self.broken_off = "the service was away" if isinstance(error, ServiceAway) else ""
            return self._put(working, Folder.OPEN, f"broken off, the next run goes on: {words_of(error)}", about, [])
        if await asyncio.to_thread(whole_digest, working) != content:
            back = self.folder.give_back(working)
            return FileResult(
                file=back.name, place="", note="written to meanwhile: the next run takes it as it is then"
            )
        self.broken_off = report.broken_off.partition(": ")[0]
        return self._finish(working, report, about)

    async def _notify_faults(self, about: Mapping[str, str], words: str, faults: Sequence[Fault]) -> None:
        """Notify before the file is laid aside: a run that dies in between finds it again and notifies only once."""
        places = [f"row {fault.row} {fault.column}".rstrip() for fault in faults if fault.row]
        try:
            with Ledger(self.settings.ledger_url, clock=utc_now, owner="night") as ledger:
                await tell(ledger, of_faults(about["file"], about["content"], words, places))
        except LedgerUnusable as error:
            run_logger().warning("Nobody is told of the faults in %s: %s", about["file"], error)

    def _finish(self, working: Path, report: BatchReport, about: Mapping[str, Any]) -> FileResult:
        place = Folder.DONE if all(line.state in OVER for line in report.orders) else Folder.OPEN
        result = {**about, "note": note_of(report, place), "place": place, **report.to_json()}
        target = self.folder.put(working, place, result, _rows(report))
        return FileResult(
            file=target.name,
            place=place,
            note=result["note"],
            batch_id=report.batch_id,
            counts=report.counts,
            spent_this_run_fen=report.spent_this_run_fen,
        )

    def _put(
        self, working: Path, place: Folder, note: str, about: Mapping[str, Any], faults: Sequence[Fault]
    ) -> FileResult:
        rows = [{"row": fault.row or "", "column": fault.column, "fault": fault.message} for fault in faults]
        target = self.folder.put(working, place, {**about, "note": note, "place": place, "faults": rows}, rows)
        return FileResult(file=target.name, place=place, note=note)


def note_of(report: BatchReport, place: Folder) -> str:
    """One sentence on what the run did with a file."""
    if place is Folder.OPEN:
        waiting = sum(1 for line in report.orders if line.state not in OVER)
        follow_up = f"; {report.next_look.words}" if report.next_look and report.next_look.by else ""
        return f"{counts_of(report)}; {waiting} not over, tried again by the next run{follow_up}"
    if report.bought_this_run:
        return f"{counts_of(report)}; bought {report.bought_this_run} for {Money(report.spent_this_run_fen)}"
    return f"{counts_of(report)}; nothing was bought by this run: no order of this file was still to be paid"


def summary_of(report: InboxReport) -> str:
    """The results in one line."""
    if not report.files:
        return f"Nothing to do: no request file waits in {report.inbox}"
    return "; ".join(f"{one.file} → {one.place or 'inbox'}: {one.note}" for one in report.files)


def places_of(report: InboxReport) -> str:
    """`2 done, 1 failed`: where the files lie now."""
    return counted(one.place or "back in the inbox" for one in report.files) or "nothing to do"


async def show_inbox(report: InboxReport) -> None:
    files = sorted(report.files, key=lambda one: one.place == Folder.DONE)
    rows = [
        {"file": one.file, "now in": one.place or "inbox", "note": one.note, "batch": one.batch_id or ""}
        for one in files
    ]
    name = Path(report.inbox).name
    await rename_run(f"inbox: {places_of(report)}")
    words = f"Of {report.inbox}: {places_of(report)}"
    words = with_what_waits(words, between=" · ")
    await show_table(artifact_key(f"inbox-{name}"), rows, words, rest="the results beside the files")


def _rows(report: BatchReport) -> list[dict[str, Any]]:
    return [
        {
            "order_ref": line.order_ref,
            "marketplace": line.marketplace,
            "state": line.state,
            "reason": line.reason,
            "paid_cny": f"{Money(line.paid_fen).major:.2f}" if line.paid_fen is not None else "",
            "order_id": line.order_id,
            "tracking": " ".join(line.tracking_numbers),
        }
        for line in report.orders
    ]
