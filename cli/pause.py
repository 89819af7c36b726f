"""`sourcing pause` and `sourcing resume`: the switch that stops all buying."""

from __future__ import annotations

import asyncio
import os
from typing import Any

from cli.failures import NEEDS_A_PERSON, say
from cli.status import open_ledger
from cli.terminal import console, person, print_json, quiet_prefect
from connectors.settings import SourcingSettings
from deployments.local_server import running_server
from domain.pause import GOES_ON
from flows.answers.pausing import left_words, pause, resume

STANDS = f"no longer waiting: the pause stands, and what was begun before may still leave for a moment. {GOES_ON}"


def pause_buying(why: str, by: str | None, *, as_json: bool) -> int:
    """Stop all buying, and wait until nothing that was begun before can leave; answers the exit code.

    Ctrl-C ends the waiting: the pause stands from its first line on.
    """
    settings = SourcingSettings()
    with open_ledger() as ledger:
        try:
            paused = pause(ledger, settings, by=by or person(), why=why, notify=say)
        except KeyboardInterrupt:
            if ledger.buying_paused() is None:
                raise
            say(STANDS)
            return NEEDS_A_PERSON
    if as_json:
        print_json(paused.to_json())
    else:
        for line in paused.lines:
            console.print(line, soft_wrap=True, highlight=False)
    return 0


def resume_buying(by: str | None, *, as_json: bool) -> int:
    """Allow buying again, and begin the follow-ups that wait for it, where a Prefect server is known; the exit code."""
    with open_ledger() as ledger:
        ended, left = resume(ledger, by=by or person())
    follow_ups = _follow_ups_begun()
    if as_json:
        told: dict[str, Any] = {"resumed": ended is not None, "left": left, "looks": follow_ups}
        print_json(told)
    else:
        console.print(left_words(ended, left, follow_ups), soft_wrap=True, highlight=False)
    return 0


def _follow_ups_begun() -> list[str]:
    """The follow-ups begun now; without a server that is known or answers, they begin by themselves."""
    with running_server(SourcingSettings().data_dir):
        if not os.environ.get("PREFECT_API_URL"):
            return []
        from flows.batch.follow_up import begin_paused_follow_ups

        quiet_prefect()
        try:
            return asyncio.run(begin_paused_follow_ups())
        except Exception as error:  # noqa: BLE001 - buying goes on whether Prefect hears of it now or not
            say(f"the Prefect server was not reached ({type(error).__name__}): follow-ups begin within the hour")
            return []
