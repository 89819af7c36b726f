"""The flow that helps with a large batch: the run that shares it starts some, each in a
home of its own.
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed

from connectors.ledger.chunks import SharedBatch, Work, shared_in
from connectors.ledger.engine import LedgerUnusable, reading
from connectors.ledger.transactions import repeating
from connectors.process_locks import program
from connectors.settings import SourcingSettings
from connectors.xportcn.settings import XportcnSettings
from domain.request_remarks import BadInput
from domain.wording import pluralize
from flows.batch.helping import CLOSED, STOPPED, ChunkWorker, why_over
from flows.batch.opening import opened
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    report_expected_errors,
    run_logger,
)
from flows.prefect_ui.parameters import asked
from tasks.engine.resources import utc_now

IDLE_S = 20.0
"""A helper waits so long for the next chunk: longer than an approval without a question
takes.
"""
HelpedBatch = Annotated[
    str, asked("Batch", "Which batch to work on. The run that shares it fills this in")
]


@dataclass(frozen=True, slots=True, kw_only=True)
class Helped:
    """The result of a helper, and why it ended."""

    batch_id: str
    planned: int
    bought: int
    why_ended: str


@flow(persist_result=False)
@report_expected_errors()
async def help_batch(batch: HelpedBatch) -> Any:
    """Work on a batch that another run shares: plan and buy chunks of it until none is
    left.

    It asks and approves nothing: it buys what was approved for that run.
    """
    settings = SourcingSettings()
    shared = await asyncio.to_thread(_found, settings, batch)
    why = (
        why_over(shared, shared.owner, utc_now()) if shared else CLOSED
    )  # a worker that was away may start it late
    if shared is None or why:
        return await _shown(Helped(batch_id=batch, planned=0, bought=0, why_ended=why))
    _require_same_program(shared)
    account = account_for(shared)
    settings = settings.model_copy(update=dict(shared.settings))
    async with opened(
        settings=settings,
        xportcn=account,
        concurrency=shared.concurrency,
        run=shared.run,
    ) as resources:
        if shared.done_by is not None:
            resources.breaker.until(shared.done_by, resources.clock)
        worker = ChunkWorker(resources, shared, idle_s=IDLE_S)
        await worker.work()
        if not why_over(
            resources.ledger.chunks.of_batch(batch), shared.owner, resources.clock()
        ):
            resources.ledger.moved.clear()  # the run that shares the batch writes all of it at its end
    done = worker.done
    helped = Helped(
        batch_id=batch,
        planned=done[Work.PLAN],
        bought=done[Work.BUY],
        why_ended=worker.why_ended,
    )
    await _shown(helped)
    return (
        Completed(name=STOPPED, message=helped.why_ended, data=helped)
        if worker.is_stopped
        else helped
    )


def _found(settings: SourcingSettings, batch: str) -> SharedBatch | None:
    """The batch, read without opening the ledger for writing: a newer program would
    migrate it under running ones.
    """
    try:
        return _read(settings.ledger_url, batch)
    except LedgerUnusable as error:
        raise LedgerUnusable(
            f"a helper needs the ledger of the run that shares the batch: {error}"
        ) from error
    except LookupError as error:
        raise BadInput(
            f"this helper's ledger does not know the batch {batch}: give it the SOURCING_LEDGER_URL of the run that "
            "shares the batch, and start its worker again"
        ) from error


@repeating
def _read(ledger_url: str, batch: str) -> SharedBatch | None:
    with reading(ledger_url) as connection:
        return shared_in(connection, batch, utc_now)


def _require_same_program(shared: SharedBatch) -> None:
    if shared.version != program():
        raise BadInput(
            f"this helper is another version of the program ({program()}) than the run that shares the batch "
            f"({shared.version}): bring both to the same version, and start its worker again. It has done nothing"
        )


def account_for(shared: SharedBatch) -> XportcnSettings:
    """The helper's own account, which must be the batch's, with what the run that
    shares it knows of the service.
    """
    mine = XportcnSettings()
    mine.require_account()
    if mine.account_name != shared.account:
        raise BadInput(
            f"this helper has the account {mine.account_name}, and the batch is bought by {shared.account}: give "
            "its machine the same XPORTCN_ settings as the run that shares it. It has done nothing"
        )
    return mine.model_copy(update=dict(shared.xportcn))


async def _shown(helped: Helped) -> Helped:
    words = f"help {helped.batch_id}: {pluralize(helped.planned, 'order')} planned, {helped.bought:,} bought"
    run_logger().info("%s; %s", words, helped.why_ended)
    await best_effort("the run's name", rename_run(words))
    return helped
