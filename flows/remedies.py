"""The forms by which a person steps in: pause buying, drop orders, confirm what was
checked, answer about an order.
"""

from __future__ import annotations

import asyncio

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.records import OrderRecord
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from domain.effects import Resolution, ResolutionRefused
from domain.effects import ResolutionKind as K
from domain.holds import Topic, by_whom
from domain.request_remarks import BadInput
from flows.answers.dropping import dropped
from flows.answers.marketplaces import answered
from flows.answers.pausing import NOTHING_LEAVES, RESUMED, pause, resumed_words
from flows.answers.questions import open_questions, order_of
from flows.answers.resolve import resolve
from flows.batch.opening import opened, requested_at
from flows.prefect_ui import remedy_parameters as form
from flows.prefect_ui.artifacts import show_table
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import (
    best_effort,
    rename_run,
    run_logger,
    sourcing_flow,
)
from tasks.effects.reading_orders import read_each
from tasks.engine.resources import Resources, utc_now
from tasks.snapshot import LedgerAlone


def _opened(owner: str, **options: bool) -> Ledger:
    url = SourcingSettings().ledger_url
    return Ledger(url, clock=utc_now, owner=owner, **options)


async def _ended(words: str, name: str = "") -> str:
    """The result of a form, which also names its run."""
    run_logger().info("%s", words)
    await best_effort("the run's name", rename_run(name or words))
    return words


@sourcing_flow("pause all buying", LedgerUnusable)
async def pause_buying(why: form.Why = "", said_by: form.AnsweredBy = "") -> str:
    """Stop everything that buys: from now on nothing is created, paid or booked.

    Ends when nothing that was begun before can leave any more. Runs at work end in
    order and their orders keep their state; tracking, cancelling and refunds go on.
    """
    with _opened("pause-buying") as ledger:
        at = await requested_at(utc_now())
        paused = await asyncio.to_thread(
            pause,
            ledger,
            SourcingSettings(),
            by=said_by,
            why=why,
            notify=run_logger().info,
            requested_at=at,
        )
    return await _ended(
        NOTHING_LEAVES if paused else RESUMED, paused.words if paused else ""
    )


@sourcing_flow("resume buying", LedgerUnusable)
async def resume_buying(said_by: form.AnsweredBy = "") -> str:
    """Allow buying again. What was approved and waits goes on at once: the sweep
    (finish-open) sees to it.
    """
    with _opened("resume-buying") as ledger:
        ended = ledger.resume_buying(said_by, await requested_at(utc_now()))
        later = ledger.buying_paused()
    if later is not None:
        return await _ended(
            f"{later.words}, which was said after this: to resume it, say so again"
        )
    return await _ended(resumed_words(ended), "buying goes on" if ended else "")


@sourcing_flow("drop orders", LedgerUnusable)
async def drop_orders(
    order_refs: form.OrderRefs = form.NO_TEXTS,
    batch: form.DroppedBatch = "",
    why: form.Why = "",
    said_by: form.AnsweredBy = "",
) -> str:
    """Close orders that are not wanted any more and of which nothing was begun; the
    service is not called.

    They wait for nothing any longer, and come back when a later run that asks names
    them. An order of which something was begun stays as it is, and its log line says
    what to do instead.
    """
    with _opened("drop-orders") as ledger:
        source = LedgerAlone(ledger, SourcingSettings())
        done = await dropped(source, order_refs, batch, by=said_by, why=why)
    for ref, reason in done.stay.items():
        run_logger().warning("%s stays: %s", ref, reason)
    return await _ended(done.words)


@sourcing_flow("confirm {marketplace}", LedgerUnusable)
async def confirm_marketplace(
    marketplace: form.ConfirmedAt,
    checked: form.Checked = form.NOTHING_CHECKED,
    first_payment_otherwise: form.FirstPaymentOtherwise = "",
    said_by: form.AnsweredBy = "",
) -> str:
    """Write down what a person has checked: then the next run may order and pay there
    again.
    """
    otherwise = first_payment_otherwise.strip()
    topics = {*checked} | ({Topic.FIRST_PAYMENT} if otherwise else set())
    with _opened("confirm-marketplace", asks_first=True) as ledger:
        words = answered(
            ledger, marketplace, topics, by=by_whom(said_by), otherwise=otherwise
        )
    return await _ended(words)


NOTHING_ASKED = "nothing about it waits for an answer"


@sourcing_flow("resolve {order_ref}", ResolutionRefused)
async def resolve_order(
    order_ref: form.OrderRef = "",
    answer: form.AnswerGiven = K.SHOW,
    value: form.AnswerValue = "",
    tracking: form.AnswerTracking = form.NO_TEXTS,
    up_to: form.AnswerUpTo = "",
    by: form.AnsweredBy = "",
) -> str:
    """Answer what only a person can find out about an order: whether something without
    an answer has happened.

    The service is read first. An answer that it contradicts is refused with what was
    seen, and nothing is written.
    """
    order_ref = form.one_order(order_ref)
    by = by.strip()
    said = form.resolution_of(answer, value, tracking, up_to)
    if not (by or answer is K.SHOW):
        raise BadInput(
            "say who answers: fill in your name, it is kept with the answer. Nothing was written"
        )
    async with opened() as resources:
        if answer is K.SHOW:
            words, rows = await _asked(resources, order_ref)
        else:
            order = await take(resources, order_ref, said, by=by)
            answered = resources.ledger.resolutions.of_order(order_ref)[-1]
            words = f"now {order.state}"
            rows = [
                {
                    "question": answered["question"],
                    "is": order.state,
                    "reason": order.reason,
                }
            ]
    run_logger().info("%s: %s", order_ref, words)
    await best_effort("the answer", _show(order_ref, words, rows))
    return words


async def _asked(
    resources: Resources, order_ref: str
) -> tuple[str, list[dict[str, str]]]:
    """The open question about the order, and what the service shows of it now."""
    order = order_of(resources.ledger, order_ref)
    at_service, unread = await read_each(resources, [order])
    found = at_service.get(order_ref)
    seen = (
        f"order {found.order_id}: {found.status}, {found.total}"
        if found
        else str(unread.get(order_ref, "nothing of it"))
    )
    rows = [
        {
            "question": one.words,
            "open since": f"{one.since:%Y-%m-%d %H:%M} UTC",
            "the service shows now": seen,
        }
        for one in open_questions(resources.ledger, order)
    ]
    return (
        f"{len(rows)} to answer" if rows else f"{order.state}, {NOTHING_ASKED}"
    ), rows


async def take(
    resources: Resources, order_ref: str, answer: Resolution, *, by: str
) -> OrderRecord:
    """`resolve`, and the events of it: else an alarm about this very question would
    still go off.
    """
    feed = EventFeed(resources.ledger, [order_of(resources.ledger, order_ref)])
    order = await resolve(resources, order_ref, answer, by=by)
    await feed.emit([order_ref])
    return order


async def _show(order_ref: str, words: str, rows: list[dict[str, str]]) -> None:
    told = f"{order_ref}: {words}"
    if rows:
        table = [{"order": order_ref, **row} for row in rows]
        await show_table("answer", table, told)
    await rename_run(f"resolve {told}")
