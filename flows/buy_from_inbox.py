"""The inbox flow: each request file of a folder becomes a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from prefect import tags
from prefect.exceptions import CancelledRun
from prefect.runtime import flow_run
from prefect.states import Completed

from connectors.book_file import book_text, of_a_night, reading_by
from connectors.foreign import words_of
from connectors.inbox import ASKS, Folder, Inbox, plain_name, whole_digest
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import NOT_THERE, contest
from connectors.ledger.store import Ledger
from connectors.request_files import UnreadableFile, read_request_file
from connectors.settings import MissingSetting, SourcingSettings
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.follow_ups import moment_of
from domain.money import Money
from domain.report import BatchReport
from domain.request_files import ParsedRequests
from domain.request_remarks import BadRequests, Fault
from domain.states import REACHED_BOOKED, OrderState
from domain.wording import ANOTHER_WORKS, counted, pluralize
from flows.batch.opening import absolute
from flows.batch.request_batches import batch_id_with, orders_to_buy
from flows.batch.sorting import contested, has_other_contents
from flows.buy_from_file import buy_from_file
from flows.notify.news import of_cancelled, of_faults
from flows.notify.outbox import enqueue
from flows.prefect_ui import parameters as form
from flows.prefect_ui.artifacts import artifact_key, show_table, with_what_waits
from flows.prefect_ui.expected_errors import (
    EXPECTED,
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.markdown import counts_of
from flows.prefect_ui.parameters import Limits, Requests
from flows.reconcile import end_personal_data
from tasks.engine.resources import utc_now

OVER = REACHED_BOOKED | {
    OrderState.REFUSED,
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
}
TAKEN_AWAY = (
    "while a run worked on it; what was bought stands in the report of its batch"
)
QUIET_S = 10
"""A file that was written to within this time is watched for as long."""
STOPS_ALL = (LedgerUnusable, Misconfigured, MissingSetting)


@dataclass(frozen=True, slots=True, kw_only=True)
class FileResult:
    """The result of one file. `place` is the folder it lies in now; `batch_id` is None
    for a file without a batch.
    """

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


async def hold_contested(new_files: Sequence[Path]) -> None:
    """Hold the orders that new files ask for with other contents than an earlier one,
    or show as over in their shop, and of which nothing was begun. What was begun and is
    cancelled in the shop is a message.

    An order belongs to the first file that brought it. A later file never makes it go
    on, but it may stop it. One that is over in its shop before any file asked for it is
    noted: no night buys it by an older export.
    """
    settings = SourcingSettings()
    reading = await reading_by(settings)
    with Ledger(settings.ledger_url, clock=utc_now, owner="night") as ledger:
        for path in new_files:
            with suppress(UnreadableFile, BadRequests, OSError):  # its own turn says so
                parsed = await asyncio.to_thread(read_request_file, path, **reading)
                await _hold_contested(ledger, path.name, parsed)


async def _hold_contested(ledger: Ledger, file: str, parsed: ParsedRequests) -> None:
    parts_of_each = ledger.parts.names(order.order_ref for order in parsed.orders)
    requests = {
        request.order_ref: request
        for request in orders_to_buy(ledger, parsed.orders, dry_run=True)
    }
    orders = ledger.each_order({*requests}.union(*parts_of_each.values()))
    others = {
        order.order_ref
        for order in orders
        if has_other_contents(order, requests.get(order.order_ref))
    }

    over: set[str] = set()
    parts_in_shop = ledger.parts.names(parsed.turned_away)
    for whole, parts in parts_in_shop.items():
        # a shop may say so of a whole order once a part of ours was sent
        if parsed.turned_away[whole] != "sent" or not ledger.parts.begun(parts):
            over |= parts

    stay = contest(
        ledger,
        {ref: contested(ref, file, is_over=ref in over) for ref in others | over},
    )
    begun = {ref for ref, stays in stay.items() if stays != NOT_THERE}
    unknown = stay.keys() - begun
    ledger.parts.note_over(
        (whole for whole, parts in parts_in_shop.items() if parts <= unknown), file
    )
    await enqueue(ledger, *of_cancelled(file, sorted(begun & over)))


class Night:
    """One run over an inbox."""

    def __init__(self, folder: Inbox, *, yes: bool, limits: Limits) -> None:
        self.folder = folder
        self.yes = yes
        self.limits = limits
        self.settings = SourcingSettings()
        self.trouble: list[Exception] = []
        self.broken_off = ""

    async def take(self, path: Path) -> FileResult | None:
        """Work on one file; None when another run has it, or when trouble with one file
        would meet all others.

        Once the service was away for too long, or the time is up, the remaining files
        wait for the next run.
        """
        if any(isinstance(error, STOPS_ALL) for error in self.trouble):
            return None
        if self.broken_off or self._is_late():
            note = f"not taken: {self.broken_off or 'the time was up'}"
            return FileResult(file=plain_name(path), place="", note=note)
        with self.folder.taken(path) as working:
            try:
                return await self._work(working) if working else None
            except FileNotFoundError:
                if working is None or working.exists():
                    raise
                return FileResult(
                    file=working.name, place="taken away", note=TAKEN_AWAY
                )

    def _is_late(self) -> bool:
        now = utc_now()
        done_by = moment_of(self.limits.done_by, now, self.settings.timezone)
        return done_by is not None and now >= done_by

    async def _work(self, working: Path) -> FileResult:
        content = await asyncio.to_thread(whole_digest, working)
        batch_id = self.folder.batch_of(working) or batch_id_with(
            working.stem, content[:8]
        )
        about = {"file": working.name, "content": content[:8], "batch_id": batch_id}
        try:
            # a batch is found and notified by the tags of its night
            with tags(*flow_run.tags):
                report: BatchReport = await buy_from_file(
                    Requests(file=str(working)),
                    dry_run=False,
                    yes=self.yes and not working.name.casefold().startswith(ASKS),
                    batch=batch_id,
                    limits=self.limits,
                )
        except (BadRequests, UnreadableFile) as error:
            return await self._back(working, content) or await self._failed(
                working, error, about
            )
        except CancelledRun:
            note = "its run was cancelled, the next run goes on"
            return self._put(working, Folder.OPEN, note, about, [])
        except EXPECTED as error:
            self.trouble.append(error)
            self.broken_off = (
                "the service was away" if isinstance(error, ServiceAway) else ""
            )
            note = f"broken off, the next run goes on: {words_of(error)}"
            return self._put(working, Folder.OPEN, note, about, [])
        if back := await self._back(working, content):
            return back
        self.broken_off = report.broken_off.partition(": ")[0]
        return self._finish(working, report, about)

    async def _back(self, working: Path, content: str) -> FileResult | None:
        """The file in the inbox again, where it no longer has the content that was
        read.
        """
        if await asyncio.to_thread(whole_digest, working) == content:
            return None
        note = "written to meanwhile: the next run takes it as it is then"
        back = self.folder.give_back(working)
        return FileResult(file=back.name, place="", note=note)

    async def _failed(
        self, working: Path, why: BadRequests | UnreadableFile, about: Mapping[str, str]
    ) -> FileResult:
        """Notify before the file is laid aside: a run that dies in between finds it
        again and notifies only once.
        """
        note = "can't be read; nothing was bought"
        faults: Sequence[Fault] = [Fault(0, "", str(why).removeprefix(f"{working}: "))]
        if isinstance(why, BadRequests):
            faults = why.faults
            note = f"{pluralize(len(faults), 'fault')}; nothing was bought"
        try:
            with Ledger(
                self.settings.ledger_url, clock=utc_now, owner="night"
            ) as ledger:
                await enqueue(
                    ledger, of_faults(about["file"], about["content"], note, faults)
                )
        except LedgerUnusable as error:
            run_logger().warning(
                "No message goes out about the faults in %s: %s", about["file"], error
            )
        return self._put(working, Folder.FAILED, note, about, faults)

    def _finish(
        self, working: Path, report: BatchReport, about: Mapping[str, str]
    ) -> FileResult:
        is_over = all(line.state in OVER for line in report.orders)
        place = Folder.DONE if is_over else Folder.OPEN
        result = {
            **about,
            "note": note_of(report, place),
            "place": place,
            **report.to_json(),
        }
        missing = book_text(rows) if (rows := report.missing_entries) else b""
        target = self.folder.put(working, place, result, _rows(report), missing)
        return FileResult(
            file=target.name,
            place=place,
            note=result["note"],
            batch_id=report.batch_id,
            counts=report.counts,
            spent_this_run_fen=report.spent_this_run_fen,
        )

    def _put(
        self,
        working: Path,
        place: Folder,
        note: str,
        about: Mapping[str, str],
        faults: Sequence[Fault],
    ) -> FileResult:
        rows = [
            {"row": fault.row or "", "column": fault.column, "fault": fault.message}
            for fault in faults
        ]
        target = self.folder.put(
            working,
            place,
            {**about, "note": note, "place": place, "faults": rows},
            rows,
        )
        return FileResult(file=target.name, place=place, note=note)


def note_of(report: BatchReport, place: Folder) -> str:
    """One sentence on what the run did with a file."""
    if place is Folder.OPEN:
        waiting = sum(1 for line in report.orders if line.state not in OVER)
        look = report.next_look
        follow_up = f"; {look.words}" if look and not look.is_late else ""
        asked = f"; waits for your yes: {report.approval}" if report.approval else ""
        return f"{counts_of(report)}{asked}; {waiting} not over, tried again by the next run{follow_up}"
    if report.bought_this_run:
        return f"{counts_of(report)}; bought {report.bought_this_run} for {Money(report.spent_this_run_fen)}"
    return f"{counts_of(report)}; nothing was bought by this run: no order of this file was still to be paid"


def summary_of(report: InboxReport) -> str:
    """The results in one line."""
    if not report.files:
        return f"Nothing to do: no request file waits in {report.inbox}"
    return "; ".join(
        f"{one.file} → {one.place or 'inbox'}: {one.note}" for one in report.files
    )


def places_of(report: InboxReport) -> str:
    """`2 done, 1 failed`: where the files lie now."""
    return (
        counted(one.place or "back in the inbox" for one in report.files)
        or "nothing to do"
    )


async def show_inbox(report: InboxReport) -> None:
    files = sorted(report.files, key=lambda one: one.place == Folder.DONE)
    rows = [
        {
            "file": one.file,
            "now in": one.place or "inbox",
            "note": one.note,
            "batch": one.batch_id or "",
        }
        for one in files
    ]
    await rename_run(f"inbox: {places_of(report)}")
    words = with_what_waits(f"Of {report.inbox}: {places_of(report)}", between=" · ")
    await show_table(
        artifact_key(f"inbox-{Path(report.inbox).name}"),
        rows,
        words,
        rest="the results beside the files",
    )


def _rows(report: BatchReport) -> list[dict[str, Any]]:
    return [
        {
            "order_ref": line.order_ref,
            "marketplace": line.marketplace,
            "state": line.state,
            "reason": line.reason,
            "paid_cny": f"{Money(line.paid_fen).major:.2f}"
            if line.paid_fen is not None
            else "",
            "order_id": line.order_id,
            "tracking": " ".join(line.tracking_numbers),
        }
        for line in report.orders
    ]


@sourcing_flow("inbox")
async def buy_from_inbox(
    yes: form.Yes = True,  # noqa: FBT002 - flow parameters make a form
    budget_cny: form.BudgetCny = "",
    done_by: form.DoneBy = "",
) -> InboxReport:
    """Buy and ship what every file of a folder asks for, the oldest first, each file as
    a batch of its own.

    A file is taken once: what is held or unknown stays in `open` and is tried again by
    every run until it is over.
    """
    trouble = list[Exception]()
    folder = Inbox(SourcingSettings().inbox)
    found = await asyncio.to_thread(folder.waiting, quiet_s=QUIET_S)
    limits = form.Limits(budget_cny=budget_cny, done_by=done_by)
    limits.check()
    limits = limits.model_copy(update={"done_by": await absolute(done_by)})
    run = Night(folder, yes=yes, limits=limits)
    of_a_night.set({})
    files = list[FileResult]()
    if new := [path for path in found if path.parent == folder.root]:
        await hold_contested(new)
    for path in found:
        try:
            result = await run.take(path)
        except Exception as error:  # noqa: BLE001 - the other files are taken all the same
            trouble.append(error)
        else:
            files += [result] if result else []
    trouble[:0] = run.trouble
    report = InboxReport(inbox=str(folder.root.absolute()), files=files)
    await best_effort("the inbox", show_inbox(report))
    if any(one.batch_id for one in files):  # the service has proved the clock
        await asyncio.to_thread(end_personal_data)
    if trouble:
        run_logger().error("%s", summary_of(report))
        raise trouble[0]
    if found and not files:
        state: Any = Completed(message=ANOTHER_WORKS, data=report)
        another: InboxReport = state
        return another
    run_logger().info("%s", summary_of(report))
    return report
