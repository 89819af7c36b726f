"""Sends the due messages of the outbox, once to each recipient; and pings a watcher
elsewhere every night.
"""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from urllib.parse import urlsplit

import httpx

from connectors.apprise_sender import Recipient, recipients_of, send
from connectors.crash_points import MESSAGE_CLAIMED, MESSAGE_SENT, reach
from connectors.foreign import words_of
from connectors.ledger.store import Ledger
from connectors.settings import SourcingSettings
from connectors.ui_pages import WHAT_WAITS, artifact_page, runs_page
from domain.messages import Message
from domain.reasons import Reason

MOST_LISTED = 15


@dataclass(frozen=True, slots=True, kw_only=True)
class Sending:
    """The result of one round: how many messages left, and for each recipient that
    accepted none, why.
    """

    sent: int = 0
    failures: tuple[tuple[str, Reason], ...] = ()


def send_due(ledger: Ledger, settings: SourcingSettings) -> Sending:
    """Send the due messages; safe beside other senders. Blocks, a minute at most for
    recipients that don't answer.

    Without due messages it is one read. Raises `LedgerUnusable`.
    """
    recipients = recipients_of(settings.notify)
    names = [one.name for one in recipients]
    if not recipients or not ledger.outbox.is_due(names):
        return Sending()
    with ThreadPoolExecutor(len(recipients)) as pool:
        rounds = list(pool.map(partial(_send_all, ledger, names), recipients))
    failures = tuple(
        (name, why) for name, (_, why) in zip(names, rounds, strict=True) if why
    )
    return Sending(sent=sum(sent for sent, _ in rounds), failures=failures)


def try_out(settings: SourcingSettings) -> list[tuple[str, Reason | None]]:
    """Send a test message to each recipient; returns its name, and why it did not
    accept it or None.
    """
    recipients = recipients_of(settings.notify)
    subject, body = (
        "Test message of sourcing",
        "Messages arrive here. What needs a person will come the same way.",
    )
    with ThreadPoolExecutor(max(1, len(recipients))) as pool:
        reasons = list(
            pool.map(lambda one: send(one, subject, body, runs_page()), recipients)
        )
    return [(one.name, why) for one, why in zip(recipients, reasons, strict=True)]


def _send_all(
    ledger: Ledger, names: Sequence[str], recipient: Recipient
) -> tuple[int, Reason | None]:
    """Send all messages due for one recipient; after a failure the rest waits for the
    next round: it would fail too.
    """
    sent, waits = (
        0,
        what_waits(ledger),
    )  # read before the try, whose hold is for sending alone
    while messages := ledger.outbox.begin(recipient.name):
        reach(MESSAGE_CLAIMED)
        if not (why := send(recipient, *composed(messages, waits))):
            reach(MESSAGE_SENT)
        ledger.outbox.end(messages, recipient.name, why, names)
        if why:
            return sent, why
        sent += len(messages)
    return sent, None


def what_waits(ledger: Ledger) -> str:
    """The page of the artifact itself; until it is known the page of its key, which
    lists it.
    """
    return artifact_page(ledger.marks.shown(WHAT_WAITS) or WHAT_WAITS)


def composed(messages: Sequence[Message], waits: str) -> tuple[str, str, str]:
    """Subject, body and link to send: one message unchanged, several of a kind as a
    list of their subjects.
    """
    first = messages[0]
    if len(messages) == 1:
        return (
            first.subject,
            first.body,
            _links(first.link, "" if waits in first.body else waits),
        )
    links = list(dict.fromkeys(one.link for one in messages if one.link))
    together = len(links) <= 1
    listed = [_line(one, with_link=not together) for one in messages[:MOST_LISTED]]
    if (more := len(messages) - len(listed)) > 0:
        listed.append(f"- and {more:,} more")
    link = links[0] if together and links else ""
    return (
        f"{len(messages):,} {first.kind.several}",
        "\n".join(listed),
        _links(link, waits),
    )


def _links(link: str, waits: str) -> str:
    return "\n\n".join(
        filter(None, (link, f"All that waits for you: {waits}" if waits else ""))
    )


def _line(message: Message, *, with_link: bool) -> str:
    return f"- {message.subject}" + (
        f"\n  {message.link}" if with_link and message.link else ""
    )


LONGEST_S = 5.0


async def ping_watcher(url: str, *, well: bool) -> str:
    """Ping the watcher; returns why the ping may be lost, or nothing. Raises nothing
    and takes at most five seconds.
    """
    try:
        async with (
            asyncio.timeout(LONGEST_S),
            httpx.AsyncClient(follow_redirects=True) as client,
        ):
            answer = await client.get(address_of(url, well=well))
    except TimeoutError:
        return "it did not answer in time"
    except (httpx.HTTPError, httpx.InvalidURL, ValueError) as error:
        return words_of(error)
    return "" if answer.is_success else f"it answered {answer.status_code}"


def address_of(url: str, *, well: bool) -> str:
    """The address to get: a query stays behind the path."""
    parts = urlsplit(url)
    return (
        url if well else parts._replace(path=f"{parts.path.rstrip('/')}/fail").geturl()
    )
