"""The flows that tell people: what waits, and the digest of the morning."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client

from connectors.ledger.copying import last_backup
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import Happened, happened, in_warehouse_since
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS
from domain.after_sale import RETURN_DAYS
from domain.messages import Message
from domain.money import Money
from domain.states import OrderState
from domain.wording import counted, pluralize, shorten
from flows.answers.todo import REMIND_AHEAD, ToDo, to_do
from flows.notify.outbox import enqueue, send_due
from flows.prefect_ui.expected_errors import (
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.todo_artifact import what_waits
from tasks.engine.resources import utc_now


@sourcing_flow("what waits", LedgerUnusable)
async def show_todo() -> str:
    """Show all that waits for you over all batches, the most urgent first, each with
    its reason and what to do.

    Reads the ledger alone: it asks the service nothing and changes nothing.
    """
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="todo") as ledger:
        summary = await show_what_waits(ledger)
    await rename_run(summary)
    run_logger().info("%s", summary)
    return summary


async def show_what_waits(ledger: Ledger) -> str:
    """Show all that waits for a person as an artifact, and return it in a line."""
    async with get_client() as client:
        text, summary = await what_waits(client, ledger)
    await acreate_markdown_artifact(markdown=text, key=WHAT_WAITS, description=summary)
    return summary


LONGEST = timedelta(days=7)
MAX_CODES = 5
DIGEST = "digest:"


@sourcing_flow("morning digest", LedgerUnusable)
async def send_digest() -> str:
    """Tell what was bought, spent, booked, held and refused since the last digest, and
    what waits. Once a day.

    Reads the ledger alone: it asks the service nothing and changes no order.
    """
    settings = SourcingSettings()
    with Ledger(settings.ledger_url, clock=utc_now, owner="digest") as ledger:
        message = await asyncio.to_thread(digest, ledger, settings)
        await enqueue(ledger, message)
        await send_due(ledger, settings, now=utc_now())
    run_logger().info("%s\n%s", message.subject, message.body)
    return message.subject


def digest(ledger: Ledger, settings: SourcingSettings) -> Message:
    """The message of this day: what happened since the last digest, and what waits."""
    moment = ledger.clock()
    last = max(
        ledger.outbox.causes(DIGEST).values(), default=moment - timedelta(days=1)
    )
    since = min(max(last, moment - LONGEST), moment)  # a clock may have run ahead
    waits = to_do(ledger, settings)
    message = digest_of(
        happened(ledger, since),
        waits,
        since=since,
        now=moment,
        timezone=settings.timezone,
    )
    pause = ledger.buying_paused()
    backup = last_backup(settings.ledger_url, moment)
    notes = [
        f"{pause.notice}" if pause else "",
        message.body,
        to_send_back(
            in_warehouse_since(ledger, moment - timedelta(days=RETURN_DAYS)), moment
        ),
        f"Last backup of the ledger: {backup}" if backup else "",
    ]
    return replace(message, body="\n".join(filter(None, notes)))


def digest_of(
    done: Happened,
    waits: Sequence[ToDo],
    *,
    since: datetime,
    now: datetime,
    timezone: str,
) -> Message:
    """The message: one a day of the merchant's time zone."""
    zone = ZoneInfo(timezone)
    spent = _sum(done.spent)
    freight = _sum(done.freight)
    came = done.came
    lines = [
        f"Since {since.astimezone(zone):%Y-%m-%d %H:%M}:",
        f"- bought: {pluralize(done.bought, 'order')} for {spent}",
        f"- shipment booked: {pluralize(done.booked, 'order')}, freight {freight}",
        f"- held: {came.get(OrderState.HELD, 0):,}",
        *([f"- failed: {failed}"] if (failed := _failed(came)) else []),
        f"- delivered: {came.get(OrderState.DELIVERED, 0):,}, refunded: {came.get(OrderState.REFUNDED, 0):,}",
        f"Waiting for you: {counted(waiting.kind for waiting in waits) or 'nothing'}",
        *_of_one_reason(waits),
    ]
    waiting = f"{len(waits):,} waiting for you" if waits else "nothing waits"
    return Message(
        cause=f"{DIGEST}{now.astimezone(zone):%Y-%m-%d}",
        subject=f"{pluralize(done.bought, 'order')} bought for {spent}; {waiting}",
        body="\n".join(lines),
    )


def _of_one_reason(waits: Sequence[ToDo]) -> list[str]:
    """`- 31 held: over budget. Raise the budget`, for each code of several orders; the
    most frequent first.
    """
    coded = [waiting for waiting in waits if waiting.reason_code]
    counts = Counter((to_do.state, to_do.reason_code, to_do.remedy) for to_do in coded)
    several = [
        (*code_and_words, count)
        for code_and_words, count in counts.most_common(MAX_CODES)
        if count > 1
    ]
    return [
        f"- {count:,} {state}: {str(code).replace('_', ' ')}. {remedy[:1].upper()}{remedy[1:]}".rstrip(
            ". "
        )
        for state, code, remedy, count in several
    ]


def _failed(came: Mapping[str, int]) -> str:
    states = {
        OrderState.REFUSED: "refused",
        OrderState.CANCELLED: "cancelled",
        OrderState.UNKNOWN: "without an answer",
    }
    return ", ".join(
        f"{came[state]:,} {words}" for state, words in states.items() if came.get(state)
    )


def _sum(amounts: tuple[Money, ...]) -> str:
    return " and ".join(map(str, amounts)) or "nothing"


def to_send_back(arrived: Mapping[str, datetime], moment: datetime) -> str:
    """The goods in the last two days in which sellers take them back."""
    window = timedelta(days=RETURN_DAYS)
    ends = {ref: at + window for ref, at in arrived.items()}
    soon = sorted(
        ref for ref, end in ends.items() if moment < end <= moment + REMIND_AHEAD
    )
    if not soon:
        return ""
    return (
        f"Until {min(ends[ref] for ref in soon):%Y-%m-%d %H:%M} UTC sellers take back what lies in the warehouse of "
        f"{shorten(soon)}: check its pictures. What is not as ordered goes back with: sourcing refund ORDER_REF "
        "--kind return --reason REASON"
    )
