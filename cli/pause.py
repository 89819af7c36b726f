"""`sourcing pause` and `sourcing resume`: the switch that stops all buying."""

from __future__ import annotations

from cli.failures import NEEDS_A_PERSON, say, settings_now
from cli.lazily import lazily
from domain.holds import GOES_ON
from flows.prefect_ui.remedy_parameters import Why

with lazily():
    from cli import status, terminal
    from flows.answers import pausing


def pause(*, why: Why = "") -> int:
    """Stop everything that buys, in all runs; ends when nothing that was begun before
    can leave any more.
    """
    with status.open_ledger() as ledger:
        try:
            paused = pausing.pause(
                ledger, settings_now(), by=terminal.person(), why=why, notify=say
            )
        except (
            KeyboardInterrupt
        ):  # ends the waiting: the pause stands from its first line on
            if ledger.buying_paused() is None:
                raise
            caution = "what was begun before may still leave for a moment"
            say(f"no longer waiting: the pause stands, and {caution}. {GOES_ON}")
            return NEEDS_A_PERSON
        where = f"Paused in the ledger {ledger.shown}"
    message = f"{pausing.NOTHING_LEAVES}\n{where}" if paused else pausing.RESUMED
    terminal.console.print(message, soft_wrap=True, highlight=False)
    return 0 if paused else NEEDS_A_PERSON


def resume() -> None:
    """Allow buying again; what was approved and waits goes on."""
    with status.open_ledger() as ledger:
        ended = ledger.resume_buying(terminal.person())
    message = pausing.resumed_words(ended)
    terminal.console.print(message, soft_wrap=True, highlight=False)
