"""A batch in the hands of a run: stored before all else, renewed while the run lives,
and left with the time of the next look.
"""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path

from connectors.ledger.batches import RENEWED_EVERY, BatchOptions, OpenBatch
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.process_locks import deployed_run
from connectors.request_copies import digest_of, keep_copy
from connectors.request_files import UnreadableFile
from connectors.settings import SourcingSettings
from connectors.xportcn.errors import ContractMismatch, NotSent, Unanswered
from domain.follow_ups import MAX_FOLLOW_UPS, FollowUp, due, moment_of
from domain.money import Money
from domain.request_remarks import BadInput, BadRequests
from flows.batch.request_batches import RequestBatch
from flows.prefect_ui.runs import current_run, is_stopped_by_person
from tasks.engine.resources import utc_now


@dataclass(kw_only=True)
class WorkedBatch:
    """A batch that this run works on; `start` stores that in the ledger.

    `done_by` is its time limit. `follow_ups` are those that count so far. `follow_up`
    is set by a run that ends in order, and `is_planned` once each order has a plan.
    """

    batch_id: str
    start: Callable[[Ledger], None]
    copy: Path | None = None
    done_by: datetime | None = None
    follow_ups: int = 0
    follow_up: FollowUp | None = None
    is_planned: bool = False

    def leave(self, ledger: Ledger) -> None:
        """Record the end of the run, and when the sweep looks at the batch."""
        follow_up = self.follow_up
        is_wanted = follow_up is not None and not (
            follow_up.is_over or follow_up.is_late
        )
        ledger.batches.leave(
            self.batch_id,
            due_at=follow_up.at if follow_up and is_wanted else None,
            follow_ups=follow_up.number - 1 if follow_up else MAX_FOLLOW_UPS,
            waits_for_resume=bool(follow_up and follow_up.is_paused),
        )
        if self.is_planned and self.copy:
            ledger.batches.forget_file(self.batch_id)
            self.copy.unlink(missing_ok=True)

    def fail(self, ledger: Ledger, error: Exception) -> None:
        """Record that the run has failed, and when the sweep tries again.

        A look without the service does not count; one that an odd answer or a wrong
        setting ended does, since that does not pass by itself.
        """
        moment = ledger.clock()
        passes = isinstance(error, NotSent | Unanswered) and not isinstance(
            error, ContractMismatch
        )
        follow_ups = max(self.follow_ups - 1, 0) if passes else self.follow_ups
        ready_in_s = getattr(error, "retry_after_s", None) or 0.0
        due_at = due([], now=moment, number=follow_ups + 1, ready_in_s=ready_in_s)
        is_wanted = not isinstance(error, BadInput | BadRequests | UnreadableFile)
        ledger.batches.leave(
            self.batch_id,
            due_at=due_at if is_wanted and follow_ups < MAX_FOLLOW_UPS else None,
            follow_ups=follow_ups,
        )


def asked_batch(
    batch: RequestBatch, options: BatchOptions, settings: SourcingSettings
) -> WorkedBatch:
    """Return the batch as a person or a schedule asks for it, with a copy of its
    file.
    """
    batch_id = batch.batch_id
    source = batch.source
    digest = digest_of(batch.content)
    copy = keep_copy(settings.data_dir, batch_id, batch.content, batch.suffix)

    def start(ledger: Ledger) -> None:
        ledger.batches.begin(
            batch_id,
            source,
            options,
            file=str(copy),
            digest=digest,
            flow_run=_run_id(),
        )

    done_by = moment_of(options.done_by, utc_now(), settings.timezone)
    return WorkedBatch(batch_id=batch_id, start=start, copy=copy, done_by=done_by)


def continued_batch(batch: OpenBatch, timezone: str, *, is_sweep: bool) -> WorkedBatch:
    """Return a batch that an earlier run has left, for a further look. One that a
    person asks for begins the count anew.
    """
    follow_ups = batch.follow_ups + 1 if is_sweep else 0

    def start(ledger: Ledger) -> None:
        ledger.batches.take(batch.batch_id, flow_run=_run_id(), follow_ups=follow_ups)

    return WorkedBatch(
        batch_id=batch.batch_id,
        start=start,
        copy=Path(batch.file) if batch.file else None,
        done_by=moment_of(batch.options.done_by, utc_now(), timezone),
        follow_ups=follow_ups,
    )


def options_of(
    settings: SourcingSettings,
    *,
    yes: bool,
    budget: Money | None,
    done_by: str,
    encoding: str,
) -> BatchOptions:
    """Return what decides about money in a run that begins now."""
    run = current_run()
    by = run.created_by.display_value if run and run.created_by else ""
    return BatchOptions(
        yes=yes,
        budget=budget,
        order_limit=settings.order_limit,
        day_limit=settings.day_limit,
        approval_limit=settings.approval_limit,
        done_by=done_by,
        encoding=encoding,
        asked_by=by or "",
    )


def restricted(settings: SourcingSettings, options: BatchOptions) -> SourcingSettings:
    """Return the settings with limits that are no higher than those of the batch."""
    limits = {
        "order_limit_cny": (settings.order_limit, options.order_limit),
        "day_limit_cny": (settings.day_limit, options.day_limit),
        "approval_limit_cny": (settings.approval_limit, options.approval_limit),
    }
    amounts: dict[str, str] = {}
    for name, limit in limits.items():
        known = [choice for choice in limit if choice is not None]
        if known:
            amounts[name] = str(min(known, key=lambda choice: choice.minor).major)
    return settings.model_copy(update=amounts)


@asynccontextmanager
async def worked_on(ledger: Ledger, batch: WorkedBatch) -> AsyncIterator[None]:
    """Work on a batch in the block. The sweep leaves it alone until it ends.

    What a person has stopped goes on when a person starts it. A run that its
    worker ends says nothing: its death is what the sweep sees.
    """
    await asyncio.to_thread(batch.start, ledger)
    renewing = asyncio.create_task(_renew(ledger, batch.batch_id))
    try:
        yield
    except Exception as error:
        renewing.cancel()
        with suppress(LedgerUnusable):  # the cause of the end must come out
            await asyncio.to_thread(batch.fail, ledger, error)
        raise
    except BaseException:
        renewing.cancel()
        with suppress(LedgerUnusable):
            if not deployed_run() or await is_stopped_by_person(_run_id()):
                ledger.batches.stop(batch.batch_id)
        raise
    renewing.cancel()
    await asyncio.to_thread(batch.leave, ledger)


async def _renew(ledger: Ledger, batch_id: str) -> None:
    while True:
        await asyncio.sleep(RENEWED_EVERY / timedelta(seconds=1))
        with suppress(LedgerUnusable):
            await asyncio.to_thread(ledger.batches.renew, batch_id)


def _run_id() -> str:
    """The run of a deployment, else the one of a command."""
    run = current_run()
    return deployed_run() or (str(run.id) if run else "")
