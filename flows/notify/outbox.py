"""Messages of a flow: into the ledger's outbox, with a link to the run. A failure never
stops a run.
"""

from __future__ import annotations

import asyncio
import os
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import NamedTuple

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.ui_pages import TEMPORARY, run_page
from connectors.xportcn.breaker import BreakerNews
from domain.messages import Message, MessageKind
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.runs import current_run
from tasks.engine.progress import listening

AWAY_AFTER = timedelta(minutes=15)
ONCE_A_DAY = timedelta(days=1)
AWAY = "service-away:"


async def enqueue(ledger: Ledger, *messages: Message) -> None:
    """Enqueue messages, each with the link of the present run unless it has one; all in
    one commit.
    """
    link = run_link()
    linked = [
        message if message.link else replace(message, link=link) for message in messages
    ]
    try:
        if linked:
            await asyncio.to_thread(ledger.outbox.put, *linked)
    except LedgerUnusable as error:
        subjects = "; ".join(one.subject for one in messages)
        run_logger().warning("No message goes out about this (%s): %s", error, subjects)


def run_link() -> str:
    """Where the present run is shown; empty outside one, and where its server ends
    before the link is opened.
    """
    run = current_run()
    return run_page(run.id) if run and TEMPORARY not in os.environ else ""


@contextmanager
def outages_notified(ledger: Ledger) -> Iterator[None]:
    """Notify of an outage of a quarter of an hour while the block runs, and of its
    end.
    """
    is_away, link = False, run_link()
    tasks: set[asyncio.Task[None]] = set()

    def follow(
        news: BreakerNews,
    ) -> None:  # of every try, so only what begins or ends an outage counts
        nonlocal is_away
        was_away, is_away = is_away, bool(news.why) and not news.is_throttled
        if was_away != is_away:
            task = asyncio.get_running_loop().create_task(_note(ledger, news, link))
            tasks.add(task)
            task.add_done_callback(tasks.discard)

    with listening(follow):
        yield


async def _note(ledger: Ledger, news: BreakerNews, link: str) -> None:
    with suppress(LedgerUnusable):
        if news.why:
            await asyncio.to_thread(
                service_away,
                ledger,
                ledger.clock() - timedelta(seconds=news.for_s),
                link,
            )
        else:
            await asyncio.to_thread(service_back, ledger, link)


def service_away(ledger: Ledger, since: datetime, link: str = "") -> None:
    """Enqueue the message of an outage, sent in a quarter of an hour unless it ends by
    then; once for all runs.

    And again each further day of it: runs begin to wait at different times, and the
    first says when it began.
    """
    began, days = since.astimezone(UTC), 0
    if (outage := newest_outage(ledger)) and not outage.ended:
        began, days = (
            outage.began,
            max(0, (ledger.clock() - outage.began) // ONCE_A_DAY),
        )
    ledger.outbox.put(
        Message(
            cause=f"{AWAY}{began:%Y-%m-%dT%H:%M}{f':{days}' if days else ''}",
            kind=MessageKind.SERVICE_AWAY,
            subject=f"The service is {'still ' if days else ''}away since {began:%Y-%m-%d %H:%M} UTC",
            body="Runs wait for it as long as SOURCING_PATIENCE_S allows, then end, without a message of their own "
            "unless a person started them, and are taken up by the next. Nothing is lost and nothing is bought twice. "
            "A message comes when it is back.",
            link=link,
            due_at=since + AWAY_AFTER,
            until=began + (days + 1) * ONCE_A_DAY,
        )
    )


def service_back(ledger: Ledger, link: str = "") -> None:
    """Notify of the end of a notified outage, or withdraw its unsent message. Without
    an outage it costs one read.
    """
    outage = newest_outage(ledger)
    if outage and not outage.ended and not ledger.outbox.withdraw(outage.cause):
        body = "Runs go on by themselves; what was broken off is taken up by the next."
        cause, kind = f"service-back:{outage.cause}", MessageKind.SERVICE_BACK
        ledger.outbox.put(
            Message(
                cause=cause,
                kind=kind,
                subject="The service is back",
                body=body,
                link=link,
            )
        )


class Outage(NamedTuple):
    """An outage of the service that was notified, or will be: by which message, since
    when, and its end if known.
    """

    cause: str
    began: datetime
    ended: datetime | None

    def has(self, moment: datetime) -> bool:
        return self.began <= moment <= (self.ended or moment)


def newest_outage(ledger: Ledger) -> Outage | None:
    away, back = (
        ledger.outbox.newest(kind, withdrawn=False)
        for kind in (MessageKind.SERVICE_AWAY, MessageKind.SERVICE_BACK)
    )
    if away is None:
        return None
    began = datetime.fromisoformat(
        away[0].removeprefix(AWAY)[: len("2026-01-01T12:00")]
    ).replace(tzinfo=UTC)
    return Outage(away[0], began, back[1] if back and back[1] >= away[1] else None)
