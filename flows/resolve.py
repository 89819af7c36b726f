"""The flow that takes a person's answer about an order."""

from __future__ import annotations

from prefect import flow

from domain.effects import Resolution, ResolutionRefused
from flows.answers.questions import open_questions
from flows.answers.resolve import checked_answer, order_of, resolve
from flows.batch.opening import opened
from flows.prefect_ui import remedy_parameters as form
from flows.prefect_ui.artifacts import SWITCH_OFF, show_table
from flows.prefect_ui.events import EventFeed
from flows.prefect_ui.expected_errors import best_effort, rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import BadInput
from tasks.effects.reading_orders import read_each
from tasks.engine.resources import Resources

NOTHING_ASKED = "nothing about it waits for an answer"
A_PERSON = "a person in the Prefect UI"


@flow(flow_run_name="resolve {order_ref}", persist_result=False)
@report_expected_errors(ResolutionRefused)
async def resolve_order(
    order_ref: form.OrderRef = "",
    answer: form.AnswerGiven = form.Answer.NONE_YET,
    named: form.AnswerId = "",
    amount_cny: form.AnswerAmount = "",
    tracking: form.AnswerTracking = "",
    by: form.AnsweredBy = "",
    only_show: form.OnlyShow = True,  # noqa: FBT002 - flow parameters make a form
) -> str:
    """Answer what only a person can find out about an order: whether something without an answer has happened.

    The service is read first. An answer that it contradicts is refused with what was seen, and nothing is written.
    """
    order_ref, by = form.one_order(order_ref), by.strip()
    said = None if answer is form.Answer.NONE_YET else form.resolution_of(answer, named, amount_cny, tracking)
    if not (said or only_show):
        raise BadInput("choose your answer: what you saw in the console. Nothing was written")
    if not (by or only_show):
        raise BadInput("say who answers: fill in your name, it is kept with the answer. Nothing was written")
    async with opened() as resources:
        if said is None:
            words, rows = await _asked(resources, order_ref)
        elif only_show:
            words, rows = await _dry_run(resources, order_ref, said, by or A_PERSON)
        else:
            words, rows = await _taken(resources, order_ref, said, by)
    run_logger().info("%s: %s", order_ref, words)
    await best_effort("the answer", _show(order_ref, words, rows))
    return words


async def _asked(resources: Resources, order_ref: str) -> tuple[str, list[dict[str, str]]]:
    """The open question about the order, and what the service shows of it now."""
    order = order_of(resources, order_ref)
    at_service, unread = await read_each(resources, [order])
    found = at_service.get(order_ref)
    seen = (
        f"order {found.order_id}: {found.status}, {found.total}"
        if found
        else str(unread.get(order_ref, "nothing of it"))
    )
    rows = [
        {"question": one.words, "open since": f"{one.since:%Y-%m-%d %H:%M} UTC", "the service shows now": seen}
        for one in open_questions(resources.ledger, order)
    ]
    return (f"{len(rows)} to answer" if rows else f"{order.state}, {NOTHING_ASKED}"), rows


async def _dry_run(
    resources: Resources, order_ref: str, answer: Resolution, by: str
) -> tuple[str, list[dict[str, str]]]:
    record = await checked_answer(resources, order_ref, answer, by=by)
    was = order_of(resources, order_ref)
    would = record.change.state or was.state
    words = f"only shown: nothing contradicts it, it would be {would}"
    return words, [{"question": record.question, "is": was.state, "would be": would, "reason": str(record.why)}]


async def _taken(resources: Resources, order_ref: str, answer: Resolution, by: str) -> tuple[str, list[dict[str, str]]]:
    feed, was = EventFeed(resources.ledger, [order_ref]), order_of(resources, order_ref)
    now = await resolve(resources, order_ref, answer, by=by)
    await feed.emit([order_ref])  # else an alarm about this very question would still go off
    question = resources.ledger.resolutions.of_order(order_ref)[-1]["question"]
    return f"now {now.state}", [{"question": question, "was": was.state, "is": now.state, "reason": now.reason}]


async def _show(order_ref: str, words: str, rows: list[dict[str, str]]) -> None:
    told = f"{order_ref}: {words}"
    if rows:
        table = [{"order": order_ref, **row} for row in rows]
        description = f"{told}. {SWITCH_OFF}" if words.startswith("only shown") else told
        await show_table("answer", table, description)
    await rename_run(f"resolve {told}")
