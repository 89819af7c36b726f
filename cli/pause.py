"""`sourcing pause` and `sourcing resume`: the switch that stops all buying."""

from __future__ import annotations

import os

from cli.failures import NEEDS_A_PERSON, Json, awaited, say, settings_now
from cli.lazily import lazily
from domain.holds import GOES_ON
from flows.prefect_ui.remedy_parameters import AnsweredBy, Why

with lazily():
    from cli import status, terminal
    from deployments import local_server
    from flows.answers import pausing
    from flows.batch import follow_up


def pause(*, why: Why = "", by: AnsweredBy = "", json: Json = False) -> int:
    """Stop everything that buys, in all runs; ends when nothing that was begun before
    can leave any more.
    """
    with status.open_ledger() as ledger:
        try:
            paused = pausing.pause(
                ledger, settings_now(), by=by or terminal.person(), why=why, notify=say
            )
        except (
            KeyboardInterrupt
        ):  # ends the waiting: the pause stands from its first line on
            if ledger.buying_paused() is None:
                raise
            begun = "what was begun before may still leave for a moment"
            say(f"no longer waiting: the pause stands, and {begun}. {GOES_ON}")
            return NEEDS_A_PERSON
        where = ledger.shown
    if json:
        terminal.print_json(paused.to_json())
    else:
        lines = (
            paused.lines
            if paused.resumed
            else [*paused.lines, f"Paused in the ledger {where}"]
        )
        terminal.console.print("\n".join(lines), soft_wrap=True, highlight=False)
    return NEEDS_A_PERSON if paused.resumed else 0


def resume(*, by: AnsweredBy = "", json: Json = False) -> None:
    """Allow buying again; what was approved and waits goes on."""
    with status.open_ledger() as ledger:
        ended, left = pausing.resume(ledger, by=by or terminal.person())
    follow_ups = _follow_ups_begun()
    if json:
        terminal.print_json(
            {"resumed": ended is not None, "left": left, "looks": follow_ups}
        )
    else:
        terminal.console.print(
            pausing.left_words(ended, left, follow_ups), soft_wrap=True, highlight=False
        )


def _follow_ups_begun() -> list[str]:
    """The follow-ups begun now; without a server that is known or answers, they begin
    by themselves.
    """
    with local_server.running_server(settings_now().data_dir):
        if not os.environ.get("PREFECT_API_URL"):
            return []
        terminal.quiet_prefect()
        try:
            return awaited(follow_up.begin_paused_follow_ups())
        except Exception as error:  # noqa: BLE001 - buying goes on whether Prefect hears of it now or not
            say(
                f"the Prefect server was not reached ({type(error).__name__}): follow-ups begin within the hour"
            )
            return []
