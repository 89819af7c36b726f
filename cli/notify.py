"""`sourcing notify`: tries the addresses, or sends what is due."""

from __future__ import annotations

from datetime import timedelta

from cli.failures import COULD_NOT_RUN, NEEDS_A_PERSON
from cli.status import open_ledger
from cli.terminal import clock_time, console, messages, print_json
from connectors.notifying import replaced_setting, send_due, try_out
from connectors.settings import SourcingSettings
from domain.wording import pluralize

UNSENT_FOR = timedelta(days=7)
NO_RECIPIENTS = (
    "There are no recipients: set SOURCING_NOTIFY to an address of apprise, "
    "such as ntfys://ntfy.sh/TOPIC or mailtos://…"
)


def send_test(*, as_json: bool) -> int:
    """Send a test message to each address; answers 1 when one did not take it, or there is none."""
    settings = SourcingSettings()
    done = try_out(settings)
    _announce_replacement(settings)
    if as_json:
        print_json([{"addressee": name, "sent": not why, "why": str(why or "")} for name, why in done])
    for name, why in () if as_json else done:
        console.print(f"{name}: {f'not sent, {why}' if why else 'sent'}", soft_wrap=True, markup=False)
    if not done:
        messages.print(NO_RECIPIENTS, soft_wrap=True)
    return 0 if done and not any(why for _, why in done) else COULD_NOT_RUN


def send_messages(*, as_json: bool) -> int:
    """Send what is due; answers 3 while something of the last week did not arrive."""
    settings = SourcingSettings()
    _announce_replacement(settings)
    with open_ledger() as ledger:
        sending = send_due(ledger, settings)
        unsent = ledger.outbox.unsent(ledger.clock() - UNSENT_FOR)
    if as_json:
        missed = [{"subject": one.subject, "addressee": one.recipient, "why": str(one.why)} for one in unsent]
        print_json({"sent": sending.sent, "not_arrived": missed})
    else:
        console.print(f"{pluralize(sending.sent, 'message')} sent")
        for one in unsent:
            line = f"{clock_time(one.due_at)} {one.subject}: {one.why}"
            console.print(line, soft_wrap=True, markup=False)
    if not settings.notify.get_secret_value():
        messages.print(NO_RECIPIENTS, soft_wrap=True)
    return NEEDS_A_PERSON if unsent else 0


def _announce_replacement(settings: SourcingSettings) -> None:
    if words := replaced_setting(settings):
        messages.print(words, soft_wrap=True)
