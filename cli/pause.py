"""`sourcing pause` and `sourcing resume`: the switch that stops all buying."""

from __future__ import annotations

import os

from cli.failures import NEEDS_A_PERSON, Json, awaited, say
from flows.prefect_ui.remedy_parameters import AnsweredBy, Why


def pause(
    *,
    why: Why = "",
    by: AnsweredBy = "",
    json: Json = False,
) -> int:
    """Stop everything that buys, in all runs; ends when nothing that was begun before can leave any more."""
    from cli.status import open_ledger
    from cli.terminal import console, person, print_json
    from connectors.settings import SourcingSettings
    from domain.holds import GOES_ON
    from flows.answers import pausing

    with open_ledger() as ledger:
        try:
            paused = pausing.pause(ledger, SourcingSettings(), by=by or person(), why=why, notify=say)
        except KeyboardInterrupt:  # ends the waiting: the pause stands from its first line on
            if ledger.buying_paused() is None:
                raise
            begun = "what was begun before may still leave for a moment"
            say(f"no longer waiting: the pause stands, and {begun}. {GOES_ON}")
            return NEEDS_A_PERSON
        where = ledger.shown
    if json:
        print_json(paused.to_json())
    else:
        lines = paused.lines if paused.resumed else [*paused.lines, f"Paused in the ledger {where}"]
        console.print("\n".join(lines), soft_wrap=True, highlight=False)
    return NEEDS_A_PERSON if paused.resumed else 0


def resume(*, by: AnsweredBy = "", json: Json = False) -> None:
    """Allow buying again; what was approved and waits goes on."""
    from cli.status import open_ledger
    from cli.terminal import console, person, print_json
    from flows.answers import pausing

    with open_ledger() as ledger:
        ended, left = pausing.resume(ledger, by=by or person())
    follow_ups = _follow_ups_begun()
    if json:
        print_json({"resumed": ended is not None, "left": left, "looks": follow_ups})
    else:
        console.print(pausing.left_words(ended, left, follow_ups), soft_wrap=True, highlight=False)


def _follow_ups_begun() -> list[str]:
    """The follow-ups begun now; without a server that is known or answers, they begin by themselves."""
    from cli.terminal import quiet_prefect
    from connectors.settings import SourcingSettings
    from deployments.local_server import running_server

    with running_server(SourcingSettings().data_dir):
        if not os.environ.get("PREFECT_API_URL"):
            return []
        from flows.batch.follow_up import begin_paused_follow_ups

        quiet_prefect()
        try:
            return awaited(begin_paused_follow_ups())
        except Exception as error:  # noqa: BLE001 - buying goes on whether Prefect hears of it now or not
            say(f"the Prefect server was not reached ({type(error).__name__}): follow-ups begin within the hour")
            return []
