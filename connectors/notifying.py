"""Sends the due messages of the outbox, once to each recipient."""

from __future__ import annotations

import time
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta

from connectors.apprise_sender import Recipient, recipients_of, send
from connectors.crash_points import MESSAGE_CLAIMED, MESSAGE_SENT, reach
from connectors.ledger.outbox import StoredMessage
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS, artifact_page, ui_address

BEGINS_FOR_S = 60.0
"""No message is begun later; the last one may take `apprise_sender.LONGEST_S`."""


def send_due(ledger: Ledger, settings: SourcingSettings, *, now: datetime) -> int:
    """Send the due messages, and return how many were taken; safe beside other senders.

    Without due messages it is one read. Raises `LedgerUnusable`.
    """
    if not ledger.is_message_due(now):
        return 0

    outbox = ledger.outbox
    recipients = {
        recipient.name: recipient for recipient in recipients_of(settings.notify)
    }
    began = time.monotonic()
    sent_count = 0
    while (elapsed_s := time.monotonic() - began) < BEGINS_FOR_S:
        moment = now + timedelta(seconds=elapsed_s)
        message = outbox.due(moment)
        if message is None:
            break
        if recipients and not message.address:
            outbox.address(recipients, moment)
            continue
        reach(MESSAGE_CLAIMED)
        reason = _send(message, recipients)
        if reason:
            outbox.failed(message, reason, moment)
        else:
            reach(MESSAGE_SENT)
            outbox.sent(message, moment)
            sent_count += 1
    return sent_count


def _send(message: StoredMessage, recipients: Mapping[str, Recipient]) -> str:
    recipient = recipients.get(message.address)
    if recipient is None:
        return "SOURCING_NOTIFY has no such address"
    page = artifact_page(WHAT_WAITS)
    waits = f"All that waits for you: {page}" if page else ""
    links = "\n\n".join(filter(None, (message.link, waits)))
    return send(recipient, message.subject, message.body, links)


def try_out(settings: SourcingSettings) -> list[tuple[str, str]]:
    """Send a test message to each recipient; return its name, and why it did not
    accept it or an empty text.
    """
    recipients = recipients_of(settings.notify)
    subject = "Test message of sourcing"
    body = "Messages arrive here. What needs a person will come the same way."
    with ThreadPoolExecutor(max(1, len(recipients))) as pool:
        reasons = pool.map(
            lambda recipient: send(recipient, subject, body, ui_address()), recipients
        )
        return [
            (recipient.name, reason)
            for recipient, reason in zip(recipients, reasons, strict=True)
        ]
