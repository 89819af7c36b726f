"""The switch in the UI: stop everything that buys, and go on."""

from __future__ import annotations

import asyncio

from prefect import flow

from connectors.ledger.engine import LedgerUnusable
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from flows.answers.pausing import left_words, pause, resume
from flows.batch.follow_up import begin_paused_follow_ups
from flows.prefect_ui.expected_errors import best_effort, rename_run, report_expected_errors, run_logger
from flows.prefect_ui.parameters import PausedBy, PauseReason, ResumedBy
from tasks.engine.resources import utc_now


@flow(flow_run_name="pause all buying", persist_result=False)
@report_expected_errors(LedgerUnusable)
async def pause_buying(why: PauseReason = "", said_by: PausedBy = "") -> str:
    """Stop everything that buys: from now on nothing is created, paid, booked or put into a cart.

    Ends when nothing that was begun before can leave any more. Runs at work end in order and their orders keep their
    state; tracking, cancelling and refunds go on.
    """
    settings, log = SourcingSettings(), run_logger()
    with Ledger(settings.ledger_url, clock=utc_now, owner="pause-buying") as ledger:
        paused = await asyncio.to_thread(pause, ledger, settings, by=said_by, why=why, notify=log.info)
    for line in paused.lines:
        log.info("%s", line)
    await best_effort("the run's name", rename_run(paused.pause.words))
    return paused.pause.words


@flow(flow_run_name="resume buying", persist_result=False)
@report_expected_errors(LedgerUnusable)
async def resume_buying(said_by: ResumedBy = "") -> str:
    """Allow buying again. What was approved and waits goes on at once: its batches are looked at by finish-batch."""
    with Ledger(SourcingSettings().ledger_url, clock=utc_now, owner="resume-buying") as ledger:
        ended, left = resume(ledger, by=said_by)
    follow_ups = await begin_paused_follow_ups()
    words = left_words(ended, left, follow_ups)
    run_logger().info("%s", words)
    await best_effort("the run's name", rename_run("buying goes on" if ended else "buying was not paused"))
    return words
