"""`sourcing notify`: tries the addresses, or sends what is due."""

from __future__ import annotations

from datetime import timedelta
from typing import Annotated

import typer

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON, settings_now
from cli.lazily import lazily
from domain.wording import pluralize

with lazily():
    from cli import status, terminal
    from connectors import notifying

UNSENT_FOR = timedelta(days=7)
NO_RECIPIENTS = (
    "There are no recipients: set SOURCING_NOTIFY to an address of apprise, "
    "such as ntfys://ntfy.sh/TOPIC or mailtos://…"
)


def notify(
    *,
    test: Annotated[
        bool, typer.Option("--test", help="Send a test message to each address, now.")
    ] = False,
) -> int:
    """Send the messages that are due to the addresses in SOURCING_NOTIFY, and say what
    did not arrive.
    """
    return _try_addresses() if test else _send_due()


def _try_addresses() -> int:
    """Send a test message to each address; answers 1 when one did not take it, or there
    is none.
    """
    settings = settings_now()
    done = notifying.try_out(settings)
    for name, reason in done:
        terminal.console.print(
            f"{name}: {f'not sent, {reason}' if reason else 'sent'}",
            soft_wrap=True,
            markup=False,
        )
    if not done:
        terminal.messages.print(NO_RECIPIENTS, soft_wrap=True)
    return 0 if done and not any(reason for _, reason in done) else COULD_NOT_RUN


def _send_due() -> int:
    """Send what is due; answers 3 while something of the last week did not arrive."""
    settings = settings_now()
    with status.open_ledger() as ledger:
        sent = notifying.send_due(ledger, settings, now=ledger.clock())
        unsent = ledger.outbox.undelivered(ledger.clock() - UNSENT_FOR)
    terminal.console.print(f"{pluralize(sent, 'message')} sent")
    for message in unsent:
        line = f"{terminal.clock_time(message.put_at)} {message.subject}: {message.why_unsent}"
        terminal.console.print(line, soft_wrap=True, markup=False)
    if not settings.notify.get_secret_value():
        terminal.messages.print(NO_RECIPIENTS, soft_wrap=True)
    return NEEDS_A_PERSON if unsent else 0
