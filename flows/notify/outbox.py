"""Messages of a flow: into the ledger's outbox, and out of it. A failure never stops a
run.
"""

from __future__ import annotations

import asyncio
import os
from dataclasses import replace
from datetime import datetime, timedelta

from prefect.client.orchestration import PrefectClient
from prefect.client.schemas.objects import FlowRun, State, StateType

from connectors import notifying
from connectors.foreign import shortened, words_of
from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import TEMPORARY, run_page
from domain.messages import Message, sentences
from domain.reasons import Reason, ReasonCode, because, run_label
from flows.prefect_ui.expected_errors import run_logger
from flows.prefect_ui.runs import current_run, runs_in

OUR_TAG = "sourcing"
RUNS_FAILED_WITHIN = timedelta(days=3)
"""Also after that long without a look; what is older is old news."""
PAGE_SIZE = 200
MAX_FAILURE_LENGTH = 500
NOT_TWICE = "Nothing is bought twice: the ledger knows how far the run came."


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
        subjects = "; ".join(message.subject for message in messages)
        run_logger().warning("No message goes out about this (%s): %s", error, subjects)


async def send_due(ledger: Ledger, settings: SourcingSettings, *, now: datetime) -> int:
    """Send what is due, and return how many messages were taken.

    Takes two minutes at most. What could not be sent stays, and is tried again.
    """
    try:
        return await asyncio.to_thread(notifying.send_due, ledger, settings, now=now)
    except (LedgerUnusable, OSError) as error:
        run_logger().warning("Messages wait: %s", words_of(error))
        return 0


def run_link() -> str:
    """Where the present run is shown; empty outside one, and where its server ends
    before the link is opened.
    """
    run = current_run()
    return run_page(run.id) if run and TEMPORARY not in os.environ else ""


async def failed_runs(client: PrefectClient, ledger: Ledger) -> list[Message]:
    """The message of each run of our deployments that has failed or crashed.

    Of the last days; messages that were enqueued before are among them.
    """
    since = ledger.clock() - RUNS_FAILED_WITHIN
    ended = runs_in(StateType.FAILED, StateType.CRASHED, tag=OUR_TAG, ended_since=since)
    messages: list[Message] = []
    offset = 0
    while page := await client.read_flow_runs(
        flow_run_filter=ended, limit=PAGE_SIZE, offset=offset
    ):
        messages += [
            _of_failed(run, run.state)
            for run in page
            if run.deployment_id and run.state
        ]
        offset += PAGE_SIZE
    return messages


def _of_failed(run: FlowRun, state: State) -> Message:
    reason = _why_failed(run, state)
    notes = [NOT_TWICE] if "buy" in run.tags else []
    return Message(
        cause=f"run-failed:{state.id}",
        subject=f"{run.name} {state.type.lower()}",
        body="\n".join([*sentences(reason), *notes]),
        link=run_page(run.id),
    )


def _why_failed(run: FlowRun, state: State) -> Reason:
    """The reason whose code the run has left. Without one its message is Prefect's,
    which may quote a form.
    """
    run_state = {"deployed": True, "scheduled": run.auto_scheduled}
    if state.type is StateType.CRASHED:
        return because(ReasonCode.RUN_LOST, **run_state)
    if state.name == "TimedOut":
        return because(ReasonCode.RUN_TOOK_TOO_LONG, **run_state)
    code = ReasonCode.of(str(run.labels.get(run_label(run.run_count))))
    if code is None:
        return because(ReasonCode.RUN_NOT_BEGUN, **run_state)
    message = shortened(" ".join((state.message or "").split()), MAX_FAILURE_LENGTH)
    if code is ReasonCode.RUN_FILE_FAULTY:  # faults quote cells
        return because(code, **run_state)
    return because(code, failure=message, **run_state)
