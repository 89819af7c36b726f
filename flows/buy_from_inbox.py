"""The inbox flow: each request file of a folder becomes a batch."""

from __future__ import annotations

import asyncio
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from pathlib import Path
from typing import Any

from prefect import tags
from prefect.exceptions import CancelledRun, Pause
from prefect.runtime import flow_run
from prefect.states import Completed

from connectors.book_file import Reading, book_text, of_a_night, reading_by
from connectors.foreign import words_of
from connectors.inbox import ASKS, Folder, Inbox, plain_name, whole_digest
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.plans import THE_SHOP, closed_by_shop, drop
from connectors.ledger.store import Ledger
from connectors.request_files import (
    READERS,
    UnreadableFile,
    has_our_header,
    read_request_file,
)
from connectors.settings import MissingSetting, SourcingSettings
from connectors.shop_files import profiles_in
from connectors.xportcn.errors import Misconfigured, ServiceAway
from domain.follow_ups import moment_of
from domain.money import Money
from domain.report import BatchReport
from domain.request_files import TO_BUY
from domain.request_remarks import BadInput, BadRequests, Fault
from domain.states import REACHED_BOOKED, OrderState
from domain.wording import ANOTHER_WORKS, counted, pluralize, shorten
from flows.batch.opening import absolute
from flows.batch.plan_sources import left_to_newer
from flows.batch.request_batches import batch_id_with
from flows.buy_from_file import buy_from_file
from flows.notify.news import of_faults, of_shown_again
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
from flows.prefect_ui.parameters import Limits, Requests, Speed
from flows.reconcile import end_personal_data
from tasks.engine.resources import utc_now

OVER = REACHED_BOOKED | {
    OrderState.REFUSED,
    OrderState.CANCELLED,
    OrderState.REFUNDING,
    OrderState.REFUNDED,
}
TABLES = (*READERS, ".xls", ".xlsm", ".ods", ".numbers")
"""Endings of what may be a corrected request file, also an unreadable one; others are
slips and marks beside it.
"""

LOOK_AGAIN_S, LOOKS = 1.0, 600
"""How often is looked whether an earlier process of a run has ended: what it began has
to be answered first.
"""

TAKEN_AWAY = (
    "while a run worked on it; what was bought stands in the report of its batch"
)
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


@dataclass(frozen=True, slots=True)
class Shown:
    """What a file shows of each order (`ParsedRequests.shown`), if a shop exported it,
    and if it has faults.
    """

    orders: Mapping[str, str] = field(default_factory=dict)
    is_export: bool = False
    is_faulty: bool = True


@dataclass(frozen=True, slots=True)
class Left:
    """The orders that a file leaves to newer ones, in words too, to which, if it waits
    for one, if it is a shop's.
    """

    orders: Collection[str] = ()
    words: str = ""
    to: Sequence[str] = ()
    waits: bool = False
    is_export: bool = False


class Night:
    """One run over an inbox."""

    def __init__(
        self, folder: Inbox, *, yes: bool, limits: Limits, speed: Speed
    ) -> None:
        self.folder = folder
        self.yes = yes
        self.limits = limits
        self.speed = speed
        self.settings = SourcingSettings()
        self.trouble: list[Exception] = []
        self.broken_off = ""
        self.shown = dict[tuple[Path, int, int], Shown]()

    async def take(self, path: Path) -> FileResult | None:
        """Work on one file; None when another run has it, or when trouble with one file
        would meet all others.

        Once the service was away for too long, or the time is up, the remaining files
        wait for the next run.

        A run that was paused on its page and resumed at once waits until its process of
        before lets go of its file.
        """
        for _ in range(LOOKS if flow_run.run_count > 1 else 0):
            if not self.folder.is_taken(path):
                break
            await asyncio.sleep(LOOK_AGAIN_S)
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
        came = self.folder.came(working)
        about = dict[str, Any](
            file=working.name,
            content=content[:8],
            batch_id=batch_id,
            first_taken=came.isoformat(),
        )
        try:
            left = await self._left_to_newer(working)
            about |= {"left_to": left.to, "is_export": left.is_export}
            left_to_newer.set(left.orders)
            with tags(
                *flow_run.tags
            ):  # a batch is found and notified by the tags of its night
                report: BatchReport = await buy_from_file(
                    Requests(file=str(working)),
                    dry_run=False,
                    yes=self.yes and not working.name.casefold().startswith(ASKS),
                    batch=batch_id,
                    limits=self.limits,
                    speed=self.speed,
                )
            closed = await self._notify_of_closed(report, came, left)
        except (BadRequests, UnreadableFile) as error:
            return await self._back(working, content) or await self._failed(
                working, error, about
            )
        except CancelledRun:
            return self._put(
                working,
                Folder.OPEN,
                "its run was cancelled, the next run goes on",
                about,
                [],
            )
        except EXPECTED as error:
            self.trouble.append(error)
            self.broken_off = (
                "the service was away" if isinstance(error, ServiceAway) else ""
            )
            return self._put(
                working,
                Folder.OPEN,
                f"broken off, the next run goes on: {words_of(error)}",
                about,
                [],
            )
        if back := await self._back(working, content):
            return back
        self.broken_off = report.broken_off.partition(": ")[0]
        return self._finish(
            working, report, about, replace(left, words=left.words + closed)
        )

    async def _left_to_newer(self, working: Path) -> Left:
        """What a file leaves to newer ones.

        The newest file that shows an order decides all about it: of those of the file's
        name, and for a shop's export of the exports of any name. What that turns away
        for good is closed in the ledger. A file waits for one that no run has worked on
        yet, and for one that failed, as what that wants is not known, until a newer one
        is read.
        """
        if not (later := await asyncio.to_thread(self._later, working)):
            return Left()
        reading = await reading_by(self.settings)
        own = await asyncio.to_thread(self._shown, working, reading)
        if not (
            mine := {
                ref
                for ref, how in own.orders.items()
                if how == TO_BUY and not own.is_faulty
            }
        ):
            return Left(is_export=own.is_export)
        decided, unread = dict[str, tuple[str, str, bool]](), ""
        for path, is_of_it in later.items():
            if not (is_of_it or own.is_export):
                continue
            try:
                one = await asyncio.to_thread(self._shown, path, reading)
            except FileNotFoundError:  # moved by another run
                return await self._left_to_newer(working)
            place = path.parent.name
            fails = place == Folder.FAILED or (one.is_faulty and place != Folder.DONE)
            if is_of_it:
                unread = path.name if fails else ""
            if one.is_export or (is_of_it and not fails):
                is_read = place in (
                    Folder.OPEN,
                    Folder.DONE,
                    Folder.FAILED,
                )  # others may still be written to
                for ref in mine & one.orders.keys():
                    how = one.orders[ref]
                    decided[ref] = (
                        path.name,
                        how,
                        is_read and not (fails and how in ("", TO_BUY)),
                    )
        ends = {
            ref: how
            for ref, (_, how, is_over) in decided.items()
            if is_over and how not in ("", TO_BUY)
        }
        to, by = (sorted({decided[ref][0] for ref in refs}) for refs in (decided, ends))
        if unread:
            words = f"; what is not begun waits: {unread}, of the same name, came later and can't be read"
            return Left(mine, words, to, waits=True, is_export=own.is_export)
        left = decided.keys() - await asyncio.to_thread(self._close, ends, shorten(by))
        words = f"; left to what came later: {shorten(to)}" if left else ""
        waits = not all(is_over for _, _, is_over in decided.values())
        return Left(left, words, to, waits=waits, is_export=own.is_export)

    def _later(self, working: Path) -> dict[Path, bool]:
        """The later tables of its name, and where it may be a shop's export those of
        any name that may be too.
        """
        later, shops = self.folder.later(working), profiles_in(self.settings.data_dir)
        is_ours = bool(later) and has_our_header(working, shops)
        return {
            path: is_of_it
            for path, is_of_it in later.items()
            if path.suffix.lower() in TABLES
            and (is_of_it or not (is_ours or has_our_header(path, shops)))
        }

    def _close(self, ends: Mapping[str, str], file: str) -> set[str]:
        """Close orders that a file turns away for good; answers those that go on: a
        part of ours was sent.
        """
        if not ends:
            return set()
        with Ledger(self.settings.ledger_url, clock=utc_now, owner="night") as ledger:
            parts = ledger.parts.names(ends)
            begun = ledger.parts.begun(set[str]().union(*parts.values()))
            stay = {
                ref
                for ref, some in parts.items()
                if ends[ref] == "sent" and some & begun
            }
            known = ledger.orders(
                part for ref, some in parts.items() if ref not in stay for part in some
            )
            over = [
                ref
                for ref, one in known.items()
                if one.request.shop and not closed_by_shop(one)
            ]
            drop(ledger, over, by=THE_SHOP, note=f"{file} turns it away")
        return stay

    async def _notify_of_closed(
        self, report: BatchReport, came: datetime, left: Left
    ) -> str:
        """Notify once of orders that were closed, and that a file of since then wants:
        it may be an old export.
        """
        if not (
            cancelled := [
                one.order_ref
                for one in report.orders
                if one.state is OrderState.CANCELLED
            ]
        ):
            return ""
        with Ledger(self.settings.ledger_url, clock=utc_now, owner="night") as ledger:
            wholes = ledger.parts.wholes(cancelled)
            closed = {
                ref: order
                for ref, order in ledger.orders(cancelled).items()
                if closed_by_shop(order)
                and order.updated_at < came
                and wholes.get(ref, ref) not in left.orders
            }
            await enqueue(ledger, *of_shown_again(closed.values()))
        return f"; closed before, so not bought: {shorten([*closed])}" if closed else ""

    def _shown(self, path: Path, reading: Reading) -> Shown:
        stat = path.stat()
        if (known := (path, stat.st_mtime_ns, stat.st_size)) not in self.shown:
            try:
                found = read_request_file(path, **reading)
            except UnreadableFile:
                path.stat()  # raises for one that another run has moved
                return Shown()
            orders = found.shown or dict.fromkeys(
                (one.order_ref for one in found.orders), TO_BUY
            )
            self.shown[known] = Shown(
                orders, is_export=bool(found.shown), is_faulty=bool(found.faults)
            )
        return self.shown[known]

    async def _back(self, working: Path, content: str) -> FileResult | None:
        """The file in the inbox again, where it no longer has the content that was
        read.
        """
        if await asyncio.to_thread(whole_digest, working) == content:
            return None
        back = self.folder.give_back(working)
        return FileResult(
            file=back.name,
            place="",
            note="written to meanwhile: the next run takes it as it is then",
        )

    async def _failed(
        self, working: Path, why: BadRequests | UnreadableFile, about: Mapping[str, Any]
    ) -> FileResult:
        """Notify before the file is laid aside: a run that dies in between finds it
        again and notifies only once.
        """
        words, faults = (
            "can't be read; nothing was bought",
            [Fault(0, "", str(why).removeprefix(f"{working}: "))],
        )
        if isinstance(why, BadRequests):
            words, faults = (
                f"{pluralize(len(why.faults), 'fault')}; nothing was bought",
                list(why.faults),
            )
            shown = await asyncio.to_thread(
                self._shown, working, await reading_by(self.settings)
            )
            about = {**about, "is_export": shown.is_export}
        try:
            with Ledger(
                self.settings.ledger_url, clock=utc_now, owner="night"
            ) as ledger:
                await enqueue(
                    ledger, of_faults(about["file"], about["content"], words, faults)
                )
        except LedgerUnusable as error:
            run_logger().warning(
                "No message goes out about the faults in %s: %s", about["file"], error
            )
        return self._put(working, Folder.FAILED, words, about, faults)

    def _finish(
        self, working: Path, report: BatchReport, about: Mapping[str, Any], left: Left
    ) -> FileResult:
        place = (
            Folder.OPEN
            if left.waits or any(line.state not in OVER for line in report.orders)
            else Folder.DONE
        )
        result = {
            **about,
            "note": note_of(report, place) + left.words,
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
        about: Mapping[str, Any],
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


@sourcing_flow("inbox {inbox}")
async def buy_from_inbox(
    inbox: form.InboxFolder = "inbox",
    yes: form.Yes = True,  # noqa: FBT002 - flow parameters make a form
    budget_cny: form.BudgetCny = "",
    chunk_size: form.ChunkSize = 0,
    concurrency: form.Concurrency = 0,
    quiet_s: form.QuietSeconds = 10,
    done_by: form.DoneBy = "",
) -> InboxReport:
    """Buy and ship what every file of a folder asks for, the oldest first, each file as
    a batch of its own.

    A file is taken once: what is held or unknown stays in `open` and is tried again by
    every run until it is over.
    """
    if not inbox.strip():
        raise BadInput("Inbox: name the folder with the request files")
    trouble = list[Exception]()
    folder = Inbox(Path(inbox))
    found = await asyncio.to_thread(folder.waiting, quiet_s=quiet_s)
    limits = form.Limits(budget_cny=budget_cny, done_by=done_by)
    limits.check()
    limits = limits.model_copy(update={"done_by": await absolute(done_by)})
    run = Night(
        folder,
        yes=yes,
        limits=limits,
        speed=form.Speed(chunk_size=chunk_size, concurrency=concurrency),
    )
    of_a_night.set({})
    files = list[FileResult]()
    for path in found:
        try:
            result = await run.take(path)
        except Pause:
            raise
        except Exception as error:  # noqa: BLE001 - the other files are taken all the same
            trouble.append(error)
        else:
            files += [result] if result else []
    trouble[:0] = run.trouble
    report = InboxReport(inbox=str(folder.root.absolute()), files=files)
    await best_effort("the inbox", show_inbox(report))
    if any(one.batch_id for one in files):  # the service has proved the clock
        await asyncio.to_thread(end_personal_data, folder.root)
    if trouble:
        run_logger().error("%s", summary_of(report))
        raise trouble[0]
    if found and not files:
        state: Any = Completed(message=ANOTHER_WORKS, data=report)
        another: InboxReport = state
        return another
    run_logger().info("%s", summary_of(report))
    return report
