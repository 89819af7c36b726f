"""`sourcing pause` and `sourcing resume`: the switch that stops all buying."""

from __future__ import annotations

from cli.failures import NEEDS_A_PERSON, Json, say, settings_now
from cli.lazily import lazily
from domain.holds import GOES_ON
from flows.prefect_ui.remedy_parameters import AnsweredBy, Why

with lazily():
    from cli import status, terminal
    from flows.answers import pausing


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
    if json:
        terminal.print_json({"resumed": ended is not None, "left": left})
    else:
        words = pausing.left_words(ended, left)
        terminal.console.print(words, soft_wrap=True, highlight=False)
