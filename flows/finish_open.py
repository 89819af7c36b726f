"""The sweep: it asks the ledger what is due, and goes on with that."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from prefect.client.orchestration import get_client
from prefect.states import Completed

from connectors.due_work import SWEEP, death_on, due_batches, has_due_callbacks
from connectors.foreign import words_of
from connectors.ledger.batches import OpenBatch
from connectors.ledger.send_log import SendLog
from connectors.ledger.store import Ledger
from connectors.outside_watcher import ping_watcher
from connectors.request_files import READERS
from connectors.settings import SourcingSettings
from domain.after_sale import FOLLOWED as FOLLOWED_REFUNDS
from domain.follow_ups import as_text
from domain.messages import Message
from domain.report import BatchReport
from domain.wording import ANOTHER_WORKS, pluralize, shorten
from flows.after_sale import follow_after_sale
from flows.buy_from_file import PartOfBatch, finish_batch
from flows.callbacks import hear_callbacks
from flows.messages import show_what_waits
from flows.notify.outbox import enqueue, failed_runs, send_due
from flows.prefect_ui.expected_errors import (
    EXPECTED,
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.markdown import counts_of
from flows.prefect_ui.parameters import asked
from flows.prefect_ui.runs import is_deployed, is_stopped_by_person, show_as_crashed
from flows.sync_tracking import FOLLOWED as FOLLOWED_ORDERS
from flows.sync_tracking import sync_tracking
from tasks.engine.resources import utc_now
from tasks.snapshot import LedgerAlone, write_tables

TRACKING = "tracking"
REFUNDS = "refunds"
BEGINS_WITHIN = timedelta(minutes=10)
"""The sweep begins nothing that much later."""
LEASED_FOR = timedelta(minutes=12)
"""Two sweeps buy nothing twice; a live one that lasts longer shares its work."""
READ_EVERY = timedelta(hours=1)
TAKEN_WITHIN = timedelta(hours=26)
"""A night comes once a day, and may last."""
LOST = "Its process is gone: finish-open goes on with its batch"


@dataclass(kw_only=True)
class SweepReport:
    """What a sweep has gone on with, and what it could not do."""

    batches: list[BatchReport] = field(default_factory=list)
    chores: list[str] = field(default_factory=list)
    troubles: list[str] = field(default_factory=list)

    @property
    def words(self) -> str:
        """`batch monday-1, tracking, 1 trouble`."""
        names = [f"batch {report.batch_id}" for report in self.batches] + self.chores
        if self.troubles:
            names.append(pluralize(len(self.troubles), "trouble"))
        return ", ".join(names) or "nothing is due"

    def to_json(self) -> dict[str, Any]:
        """The form for `sourcing finish --json`."""
        return {
            "batches": [batch.to_json() for batch in self.batches],
            "read": self.chores,
            "troubles": self.troubles,
        }


@dataclass(frozen=True, kw_only=True)
class Sweep:
    """One sweep over a ledger, which begins nothing after `until`."""

    ledger: Ledger
    settings: SourcingSettings
    until: datetime
    report: SweepReport = field(default_factory=SweepReport)

    async def enqueue_failed_runs(self) -> None:
        """Put a message about each run that has failed or crashed."""
        async with get_client() as client:
            messages = await failed_runs(client, self.ledger)
        await enqueue(self.ledger, *messages)

    async def read_what_is_due(self) -> None:
        """Read what the service's messages name, parcels, and refunds."""
        if has_due_callbacks(self.settings.ledger_url, clock=utc_now):
            await self._do("messages of the service", hear_callbacks)
        tracking = partial(sync_tracking, due_only=True)
        if self.ledger.has_orders_in(FOLLOWED_ORDERS):
            await self._do(TRACKING, tracking, every=READ_EVERY)
        if self.ledger.refunds.in_states(FOLLOWED_REFUNDS):
            await self._do(REFUNDS, follow_after_sale, every=READ_EVERY)

    async def buy_what_is_open(self) -> None:
        """Go on with each batch that is due, the oldest first."""
        for batch in await asyncio.to_thread(due_batches, self.ledger, self.settings):
            if await self._may_go_on(batch):
                finish = partial(finish_batch, batch.batch_id, self._done_by)
                report = await self._do(f"batch {batch.batch_id}", finish)
                self.report.batches += [report] if report else []

    async def write_what_changed(self) -> None:
        """Write the orders of a run that ended before it wrote them."""
        await self._do(
            "tables",
            lambda: write_tables(LedgerAlone(self.ledger, self.settings), "sweep"),
        )

    async def _may_go_on(self, batch: OpenBatch) -> bool:
        """Whether a person did not stop the run that had it."""
        if batch.worked_until is None or not batch.flow_run:
            return True
        if not await is_stopped_by_person(batch.flow_run):
            await show_as_crashed(batch.flow_run, LOST)
            return True
        run_logger().info("Batch %s was stopped by a person", batch.batch_id)
        self.ledger.batches.stop(batch.batch_id)
        return False

    async def _do(
        self,
        name: str,
        work: Callable[[], Awaitable[Any]],
        *,
        every: timedelta | None = None,
    ) -> Any:
        """Return what a flow returns; None for one that is not due, or that failed."""
        moment = self.ledger.clock()
        if moment >= self.until:
            return None
        if every and not self.ledger.batches.lease(name, moment + every, self._is_dead):
            return None
        try:
            result = await work()
        except EXPECTED as error:
            self.report.troubles.append(f"{name}: {words_of(error)}")
            self.ledger.batches.release(name)
            return None
        self.report.chores += [name] if every else []
        return result

    @property
    def _done_by(self) -> str:
        return as_text(self.until, self.settings.timezone)

    @staticmethod
    def _is_dead(_owner: str) -> bool:
        return False  # an hour passes, whatever became of the run that read last


def _is_older(file: Path, oldest: float) -> bool:
    with suppress(OSError):  # a night takes it at this moment
        return file.stat().st_mtime < oldest
    return False


def of_left_files(inbox: Path, moment: datetime) -> list[Message]:
    """The message of request files that no night has taken for a day, once a day: the
    nights may take another folder.
    """
    oldest = (moment - TAKEN_WITHIN).timestamp()
    left_files = [
        file.name
        for file in inbox.glob("[!.~]*")
        if file.suffix.lower() in READERS and _is_older(file, oldest)
    ]
    if not left_files:
        return []
    return [
        Message(
            cause=f"left-files:{inbox}:{moment:%Y-%m-%d}",
            subject=f"No night takes {pluralize(len(left_files), 'request file')}",
            body=f"{shorten(sorted(left_files))} in {inbox}. What to do: let *Inbox* of "
            "the deployment buy-from-inbox be that folder, and its schedule active.",
        )
    ]


OneBatch = Annotated[
    str, asked("Batch", "The name of a batch that was begun; empty: all that is due")
]


@sourcing_flow("finish what is open")
async def finish_open(batch: OneBatch = "", part: PartOfBatch = "") -> SweepReport:
    """Settle what got no answer, go on with what was approved, read parcels and refunds
    that are due, and send messages.

    The ledger says what is due. Nothing is planned, approved or spent beyond what each
    batch was begun with. Two at once do nothing twice: the second one ends. With a
    `batch` that alone is gone on with, also where it is not due.
    """
    if batch:
        return SweepReport(batches=[await finish_batch(batch, part=part)])
    settings = SourcingSettings()
    send_logs = settings.data_dir / "sends"
    with (
        SendLog(send_logs) as log,
        Ledger(settings.ledger_url, clock=utc_now, owner=log.owner) as ledger,
    ):
        moment = utc_now()
        dead = death_on(settings)
        if not ledger.batches.lease(SWEEP, moment + LEASED_FOR, dead):
            log.discard()
            ended: Any = Completed(message=ANOTHER_WORKS, data=SweepReport())
            another: SweepReport = ended
            return another
        sweep = Sweep(ledger=ledger, settings=settings, until=moment + BEGINS_WITHIN)
        report = sweep.report
        try:
            await best_effort("which runs failed", sweep.enqueue_failed_runs())
            await enqueue(ledger, *of_left_files(settings.inbox, moment))
            await send_due(ledger, settings, now=moment)
            await sweep.read_what_is_due()
            await sweep.buy_what_is_open()
            await sweep.write_what_changed()
            if report.chores or report.batches:
                await best_effort("what waits", show_what_waits(ledger))
        finally:
            ledger.batches.release(SWEEP)
            log.discard()
        await send_due(ledger, settings, now=utc_now())
        await _ping(settings, is_well=not report.troubles)
    for finished in report.batches:
        run_logger().info("Batch %s: %s", finished.batch_id, counts_of(finished))
    for trouble in report.troubles:
        run_logger().warning("%s", trouble)
    await best_effort("the run's name", rename_run(f"finish open: {report.words}"))
    return report


async def _ping(settings: SourcingSettings, *, is_well: bool) -> None:
    """Tell the watcher outside that runs are started here."""
    url = settings.ping_url.get_secret_value()
    if url and is_deployed():
        problem = await ping_watcher(url, well=is_well)
        if problem:
            run_logger().warning("SOURCING_PING_URL was not reached: %s", problem)
