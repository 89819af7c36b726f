"""Sends one message to one recipient by apprise. A recipient's address is a secret, and
in no message of this module.

Apprise takes a second and 50 MB to load, so the first message loads it.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

from connectors.concurrently import within

LONGEST_S = 30.0
"""The time-out of one address, with redirects and all its recipients."""
ANSWER_S = 15
"""The time-out of one answer: after a later one the message would be sent twice."""
MOST_BYTES = 2_000
"""The size that every service takes (WeCom 2,048 bytes), and that is readable on a
phone.
"""
MOST_SUBJECT = 150
SCHEME = re.compile(r"([A-Za-z0-9]{2,32})://\S+")
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z0-9]{2,32}://)")
REFUSES = "it did not take the message, or can't be reached"
LATE = "it did not answer in time"
_CALLS = re.compile(r"@(?=everyone|here|all|channel)|<(?=[!@#]|at\b)", re.IGNORECASE)
"""Texts that a chat takes for a mention of a whole channel, which foreign text must not
cause.
"""
QUIET = ("apprise", "urllib3", "requests")


class BadAddress(ValueError):
    """An invalid address of `SOURCING_NOTIFY`; the message has its number, not the
    address.
    """


@dataclass(frozen=True, slots=True)
class Recipient:
    """A recipient of messages. `name` is its service, numbered if there are several:
    `slack`, `mailto 2`.
    """

    name: str
    address: SecretStr


def recipients_of(addresses: SecretStr) -> list[Recipient]:
    """Each address once, in the given order, separated by blanks, commas or line
    breaks. Raises `BadAddress`.
    """
    recipients: list[Recipient] = []
    given = dict.fromkeys(
        _BETWEEN.split(addresses.get_secret_value().strip(" \t\r\n,"))
    )
    for number, address in enumerate(filter(None, given), start=1):
        if (scheme := SCHEME.fullmatch(address)) is None:
            raise BadAddress(
                f"address {number} is none of apprise, such as ntfys://ntfy.sh/TOPIC or mailtos://…"
            )
        name = scheme[1].lower()
        same = sum(recipient.name.split()[0] == name for recipient in recipients)
        recipients.append(
            Recipient(f"{name} {same + 1}" if same else name, SecretStr(address))
        )
    return recipients


def send(recipient: Recipient, subject: str, body: str, link: str) -> str:
    """Send one message; returns why it was not accepted, without foreign words, or
    an empty text. Raises nothing.
    """

    def sent() -> str:
        try:
            return _sent(recipient, subject, body, link)
        except Exception as error:  # noqa: BLE001 - its words may quote the address
            return f"it can't be used ({type(error).__name__})"

    return within(LONGEST_S, sent, late=LATE)


def _sent(recipient: Recipient, subject: str, body: str, link: str) -> str:
    service = _service(recipient)
    if service is None:
        return "apprise does not understand its address: see its page on appriseit.com"
    title, text = fitting(
        subject, body, link, most=service.body_maxlen, title_most=service.title_maxlen
    )
    is_sent = service.notify(body=text, title=title, body_format="text")
    return "" if is_sent else REFUSES


def is_understood(recipient: Recipient) -> bool:
    """Whether apprise understands the address; nothing is sent."""
    return _service(recipient) is not None


def _service(recipient: Recipient) -> Any:
    for name in QUIET:  # their messages may quote the address
        logging.getLogger(name).setLevel(logging.CRITICAL + 1)
    import apprise

    address = recipient.address.get_secret_value()
    if "rto=" not in address:
        address += f"{'&' if '?' in address else '?'}rto={ANSWER_S}"
    asset = apprise.AppriseAsset(
        app_id="sourcing", app_desc="sourcing", app_url="", async_mode=False
    )
    return apprise.Apprise.instantiate(address, asset=asset)


def fitting(
    subject: str, body: str, link: str, *, most: int, title_most: int
) -> tuple[str, str]:
    """Title and text in a service's limits: the text is cut at the end of a line, the
    link after it never.
    """
    subject, body = (_CALLS.sub(r"\g<0> ", text) for text in (subject, body))
    title = _cut(subject, min(MOST_SUBJECT, title_most or MOST_SUBJECT))
    room = min(MOST_BYTES, most * 4 // 5) - (
        0 if title_most else len(title.encode()) + 1
    )
    end = f"\n\n{link}" if link else ""
    return title, (_cut(body, room - len(end.encode())) + end).strip() or title


def _cut(text: str, most: int) -> str:
    """At most `most` bytes of a text, in whole lines where more than one fits."""
    if len(text.encode()) <= most:
        return text
    shortened = text.encode()[: max(most - len("…\n".encode()), 0)].decode(
        errors="ignore"
    )
    head, line, _ = shortened.rpartition("\n")
    return f"{head}\n…" if line else f"{shortened}…"
