"""The flows that tell people: what waits, the digest of the morning, and what is due in
the outbox.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Annotated, Any
from zoneinfo import ZoneInfo

from prefect.artifacts import acreate_markdown_artifact
from prefect.client.orchestration import get_client
from prefect.states import Completed

from connectors.ledger.copying import last_backup
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.overview import Happened, happened, in_warehouse_since
from connectors.ledger.store import Ledger
from connectors.notifying import Sending, send_due, try_out
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS
from domain.after_sale import RETURN_DAYS
from domain.messages import Message, MessageKind
from domain.money import Money
from domain.states import OrderState
from domain.wording import counted, pluralize
from flows.answers.todo import ToDo, to_do
from flows.notify.news import of_arrived
from flows.notify.outbox import run_link
from flows.prefect_ui.expected_errors import (
    rename_run,
    run_logger,
    sourcing_flow,
)
from flows.prefect_ui.parameters import asked
from flows.prefect_ui.todo_artifact import BEGUN_FOR, REFUSED_FOR, what_waits
from tasks.engine.resources import utc_now


@sourcing_flow("what waits", LedgerUnusable)
async def show_todo() -> str:
    """Show all that waits for you over all batches, the most urgent first, each with
    its reason and what to do.

    Reads the ledger alone: it asks the service nothing and changes nothing.
    """
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="todo") as ledger:
        async with get_client() as client:
            text, summary = await what_waits(client, ledger)
    await acreate_markdown_artifact(markdown=text, key=WHAT_WAITS, description=summary)
    await rename_run(summary)
    run_logger().info("%s", summary)
    return summary


A_DAY = timedelta(days=1)
LONGEST = timedelta(days=7)
MOST_CODES = 5


@sourcing_flow("morning digest", LedgerUnusable)
async def send_digest() -> str:
    """Tell what was bought, spent, booked, held and refused since the last digest, and
    what waits. Once a day.

    Reads the ledger alone: it asks the service nothing and changes no order.
    """
    message = await asyncio.to_thread(_digest, SourcingSettings(), run_link())
    run_logger().info("%s\n%s", message.subject, message.body)
    return message.subject


def _digest(settings: SourcingSettings, link: str) -> Message:
    with Ledger(settings.ledger_url, clock=utc_now, owner="digest") as ledger:
        now = ledger.clock()
        newest = ledger.outbox.newest(MessageKind.DIGEST)
        last = newest[1] if newest else now - A_DAY
        if (
            newest and settings.notify.get_secret_value()
        ):  # what no recipient got is told again
            last = (
                ledger.outbox.reached(MessageKind.DIGEST, now - LONGEST)
                or now - LONGEST
            )
        since = min(max(last, now - LONGEST), now)  # a clock may have run ahead
        waits = to_do(
            ledger, refused_for=REFUSED_FOR, begun_for=BEGUN_FOR, settings=settings
        )
        pause = ledger.buying_paused()
        message = digest_of(
            happened(ledger, since),
            waits,
            since=since,
            now=now,
            timezone=settings.timezone,
            link=link,
        )
        if pause:
            message = replace(message, body=f"{pause.notice}\n\n{message.body}")
        if backup := last_backup(settings.ledger_url, now):
            message = replace(
                message, body=f"{message.body}\nLast backup of the ledger: {backup}"
            )
        arrived = in_warehouse_since(ledger, now - timedelta(days=RETURN_DAYS))
        ends = [
            replace(one, link=link) for one in of_arrived(arrived, RETURN_DAYS, now)
        ]
        ledger.outbox.put(message, *ends)
    return message


def digest_of(
    done: Happened,
    waits: Sequence[ToDo],
    *,
    since: datetime,
    now: datetime,
    timezone: str,
    link: str = "",
) -> Message:
    """The message: one a day of the merchant's time zone."""
    zone = ZoneInfo(timezone)
    spent, freight = _sum(done.spent), _sum(done.freight)
    came = done.came
    lines = [
        f"Since {since.astimezone(zone):%Y-%m-%d %H:%M}:",
        f"- bought: {pluralize(done.bought, 'order')} for {spent}",
        f"- shipment booked: {pluralize(done.booked, 'order')}, freight {freight}",
        f"- held: {came.get(OrderState.HELD, 0):,}",
        *([f"- failed: {failed}"] if (failed := _failed(came)) else []),
        f"- delivered: {came.get(OrderState.DELIVERED, 0):,}, refunded: {came.get(OrderState.REFUNDED, 0):,}",
        f"Waiting for you: {counted(one.kind for one in waits) or 'nothing'}",
        *_of_one_reason(waits),
    ]
    waiting = f"{len(waits):,} waiting for you" if waits else "nothing waits"
    return Message(
        cause=f"digest:{now.astimezone(zone):%Y-%m-%d}",
        kind=MessageKind.DIGEST,
        subject=f"{pluralize(done.bought, 'order')} bought for {spent}; {waiting}",
        body="\n".join(lines),
        link=link,
        until=now + A_DAY,
    )


def _of_one_reason(waits: Sequence[ToDo]) -> list[str]:
    """`- 31 held: over budget. Raise the budget`, for each code of several orders; the
    most frequent first.
    """
    coded = [one for one in waits if one.reason_code]
    counts = Counter((one.state, one.reason_code, one.remedy) for one in coded)
    several = [
        (*what, count) for what, count in counts.most_common(MOST_CODES) if count > 1
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


TestMessage = Annotated[
    bool,
    asked(
        "Send a test message",
        "To each address in SOURCING_NOTIFY, now. Else what is due is sent, and nothing more.",
    ),
]


NOT_DELIVERED = "NotTold"


class Nobody(Exception):
    """No recipient is set; the message names the setting."""


@sourcing_flow("send messages", LedgerUnusable, Nobody)
async def send_messages(test: TestMessage = False) -> str:  # noqa: FBT002 - flow parameters make a form
    """Send the messages that are due to the addresses in SOURCING_NOTIFY, or a test
    message to each.

    A message that could not be sent stays, and is tried again for a day.
    """
    settings = SourcingSettings()
    if not settings.notify.get_secret_value():
        raise Nobody(
            "SOURCING_NOTIFY is not set where this runs, so no message goes out: give it addresses of apprise"
        )
    sending = await asyncio.to_thread(_tried if test else _sent, settings)
    failed = [f"{name} did not get it: {why}" for name, why in sending.failures]
    summary = "; ".join(
        [
            f"{pluralize(sending.sent, 'test message' if test else 'message')} sent",
            *failed,
        ]
    )
    await rename_run(summary)
    (run_logger().warning if failed else run_logger().info)("%s", summary)
    # no failure: that would be one more message that can't be sent
    state: Any = (
        Completed(name=NOT_DELIVERED, message=summary, data=summary)
        if failed
        else summary
    )
    return state  # type: ignore[no-any-return]


def _sent(settings: SourcingSettings) -> Sending:
    with Ledger(settings.ledger_url, clock=utc_now, owner="notify") as ledger:
        return send_due(ledger, settings)


def _tried(settings: SourcingSettings) -> Sending:
    done = try_out(settings)
    return Sending(
        sent=sum(not why for _, why in done),
        failures=tuple((name, why) for name, why in done if why),
    )
