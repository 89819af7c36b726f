"""The flow that helps with a large batch: the run that shares it starts some, each in a home of its own."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import Annotated, Any

from prefect import flow
from prefect.states import Completed

from connectors.ledger.engine import LedgerUnusable, reading
from connectors.ledger.shares import Share, Terms, Work, share_in
from connectors.ledger.transactions import repeating
from connectors.program import program
from connectors.settings import SourcingSettings, XportcnSettings
from domain.wording import pluralize
from flows.batch.helping import STOPPED, Helping, why_over
from flows.batch.opening import opened
from flows.prefect_ui.expected_errors import report_expected_errors, run_logger
from flows.prefect_ui.parameters import BadInput, asked
from flows.prefect_ui.progress import best_effort, rename_run
from tasks.engine.resources import utc_now

IDLE_S = 20.0
"""A helper waits so long for the next chunk: longer than an approval without a question takes."""
ShareId = Annotated[str, asked("Share", "Which shared batch to work on. The run that shares it fills this in")]


@dataclass(frozen=True, slots=True, kw_only=True)
class Helped:
    """The result of a helper, and why it ended."""

    batch_id: str
    planned: int
    bought: int
    why_ended: str


@flow(persist_result=False)
@report_expected_errors()
async def help_batch(share: ShareId) -> Any:
    """Work on a batch that another run shares: plan and buy chunks of it until none is left.

    It asks and approves nothing: it buys what was approved for that run.
    """
    settings = SourcingSettings()
    found = await asyncio.to_thread(_found, settings, share)
    if why := why_over(found, utc_now()):  # a worker that was away may start it hours later
        return await _told(Helped(batch_id=found.batch_id, planned=0, bought=0, why_ended=why))
    _require_same_program(found)
    terms = found.terms
    settings, xportcn = on_terms(settings, terms), account_on(terms)
    async with opened(settings=settings, xportcn=xportcn, concurrency=terms.concurrency, run=terms.run) as resources:
        if terms.done_by is not None:
            resources.breaker.until((terms.done_by - resources.clock()).total_seconds())
        helping = Helping(resources, found, idle_s=IDLE_S)
        await helping.work()
        if not why_over(resources.ledger.shares.look(share), resources.clock()):
            resources.ledger.moved.clear()  # the run that shares the batch writes all of it at its end
    done = helping.done
    helped = Helped(
        batch_id=found.batch_id, planned=done[Work.PLAN], bought=done[Work.BUY], why_ended=helping.why_ended
    )
    await _told(helped)
    return Completed(name=STOPPED, message=helped.why_ended, data=helped) if helping.is_stopped else helped


def on_terms(settings: SourcingSettings, terms: Terms) -> SourcingSettings:
    """The helper's own settings, with the limits and waits that the batch is bought with."""
    day = terms.limits.day
    of_the_batch = {
        "patience_s_setting": terms.patience_s,
        "settle_s": terms.settle_s,
        "look_back_days": terms.look_back_days,
        "day_limit_cny": str(day.major) if day else "",
        "timezone": terms.limits.timezone,
    }
    return settings.model_copy(update=of_the_batch)


def _found(settings: SourcingSettings, share_id: str) -> Share:
    """The share, read without opening the ledger for writing: a newer program would migrate it under running ones."""
    try:
        found = _read(settings.ledger_url, share_id)
    except LedgerUnusable as error:
        raise LedgerUnusable(f"a helper needs the ledger of the run that shares the batch: {error}") from error
    if found is None:
        raise BadInput(
            f"this helper's ledger does not know the share {share_id}: give it the SOURCING_LEDGER_URL of the run that "
            "shares the batch, and start its worker again"
        )
    return found


@repeating
def _read(ledger_url: str, share_id: str) -> Share | None:
    with reading(ledger_url) as connection:
        return share_in(connection, share_id)


def _require_same_program(share: Share) -> None:
    if share.version != program():
        raise BadInput(
            f"this helper is another version of the program ({program()}) than the run that shares the batch "
            f"({share.version}): bring both to the same version, and start its worker again. It has done nothing"
        )


def account_on(terms: Terms) -> XportcnSettings:
    """The helper's own account, which must be the batch's, with what the batch knows of the service."""
    mine = XportcnSettings()
    mine.require_account()
    if mine.account_name != terms.account:
        raise BadInput(
            f"this helper has the account {mine.account_name}, and the batch is bought by {terms.account}: give "
            "its machine the same XPORTCN_ settings as the run that shares it. It has done nothing"
        )
    names = ("pay_is", "units", "freight_ids", "taobao_receiver", "booking_repeated")
    said = {name: getattr(terms, name) for name in names}
    return mine.model_copy(update={**said, "ask_first": terms.asks_first})


async def _told(helped: Helped) -> Helped:
    words = f"help {helped.batch_id}: {pluralize(helped.planned, 'order')} planned, {helped.bought:,} bought"
    run_logger().info("%s; %s", words, helped.why_ended)
    await best_effort("the run's name", rename_run(words))
    return helped
