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
from domain.reasons import Reason, ReasonCode, because

LONGEST_S = 30.0
"""The time-out of one address, with redirects and all its recipients."""
ANSWER_S = 15.0
"""The time-out of one answer: after a later one the message would be sent twice."""
MOST_BYTES = 2_000
"""The size that every service takes (WeCom 2,048 bytes), and that is readable on a
phone.
"""
MOST_SUBJECT = 150
SCHEME = re.compile(r"([A-Za-z0-9]{2,32})://\S+")
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z0-9]{2,32}://)")
LATE = because(ReasonCode.RECIPIENT_LATE)
_CALLS = re.compile(r"@(?=everyone|here|all|channel)|<(?=[!@#]|at\b)", re.IGNORECASE)
"""Texts that a chat takes for a mention of a whole channel, which foreign text must not
cause.
"""
WRONG_ADDRESS = ("401", "403", "404", "410", "535")
_QUIET = ("apprise", "urllib3", "requests")
_NOBODY = logging.NullHandler()


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
    found: list[Recipient] = []
    given = dict.fromkeys(
        _BETWEEN.split(addresses.get_secret_value().strip(" \t\r\n,"))
    )
    for number, address in enumerate(filter(None, given), start=1):
        if (scheme := SCHEME.fullmatch(address)) is None:
            raise BadAddress(
                f"address {number} is none of apprise, such as ntfys://ntfy.sh/TOPIC or mailtos://…"
            )
        name = scheme[1].lower()
        same = sum(one.name.split()[0] == name for one in found)
        found.append(
            Recipient(f"{name} {same + 1}" if same else name, SecretStr(address))
        )
    return found


def send(recipient: Recipient, subject: str, body: str, link: str) -> Reason | None:
    """Send one message; returns why it was not accepted, without foreign words, or
    None. Raises nothing.
    """

    def sent() -> Reason | None:
        try:
            return _sent(recipient, subject, body, link)
        except Exception as error:  # noqa: BLE001 - its words may quote the address
            return because(ReasonCode.RECIPIENT_UNUSABLE, failure=type(error).__name__)

    return within(LONGEST_S, sent, late=LATE)


def _sent(recipient: Recipient, subject: str, body: str, link: str) -> Reason | None:
    apprise, service = _service(recipient)
    if service is None:
        return because(ReasonCode.RECIPIENT_UNKNOWN)
    service.optional = False  # else a failure would count as sent
    service.socket_read_timeout = max(service.socket_read_timeout, ANSWER_S)
    service.overflow_mode = apprise.OverflowMode.SPLIT
    sender = apprise.Apprise(asset=service.asset)
    sender.add(service)
    title, text = fitting(
        subject, body, link, most=service.body_maxlen, title_most=service.title_maxlen
    )
    entries: list[str] = []
    result = sender.notify(
        body=text,
        title=title,
        body_format=apprise.NotifyFormat.TEXT,
        log_level=logging.DEBUG,
        log_callback=lambda entry, _service: entries.append(entry.message),
    )
    return None if result else _reason(entries)


def is_understood(recipient: Recipient) -> bool:
    """Whether apprise understands the address; nothing is sent."""
    return _service(recipient)[1] is not None


def _service(recipient: Recipient) -> tuple[Any, Any]:
    _hush()
    import apprise

    asset = apprise.AppriseAsset(
        app_id="sourcing",
        app_desc="sourcing",
        app_url="",
        async_mode=False,
        service_timeout=0,
    )
    return apprise, apprise.Apprise.instantiate(
        recipient.address.get_secret_value(), asset=asset
    )


def _hush() -> None:
    """Remove all log handlers of these loggers, whose messages may quote the address,
    but for apprise's own.

    Apprise reads its failures from the log, and another recipient's thread may be
    sending now.
    """
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.propagate = False
        for ear in [*logger.handlers]:
            if not type(ear).__module__.startswith("apprise"):
                logger.removeHandler(ear)
        logger.addHandler(_NOBODY)  # without any, warnings go to stderr
    logging.getLogger("apprise").setLevel(
        logging.DEBUG
    )  # only then its log has the cause


def fitting(
    subject: str, body: str, link: str, *, most: int, title_most: int
) -> tuple[str, str]:
    """Title and text in a service's limits: the text is cut at the end of a line, the
    link after it never.
    """
    subject, body = (_CALLS.sub(r"\g<0> ", words) for words in (subject, body))
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
    kept = text.encode()[: max(most - len("…\n".encode()), 0)].decode(errors="ignore")
    head, line, _ = kept.rpartition("\n")
    return f"{head}\n…" if line else f"{kept}…"


def _reason(entries: list[str]) -> Reason:
    """Why a service did not accept a message: only numbers of apprise's words, since
    these may quote the address.
    """
    words = " ".join(entries)
    if code := re.search(r"(?:error=|\(|code[ :=]+)([45]\d\d)\b", words):
        return because(
            ReasonCode.RECIPIENT_ANSWERED,
            status=code[1],
            wrong=code[1] in WRONG_ADDRESS,
            busy=code[1] == "429",
        )
    if re.search(r"timed? ?out", words, re.IGNORECASE):
        return LATE
    if re.search(r"authenticat", words, re.IGNORECASE):
        return because(ReasonCode.RECIPIENT_LOGIN_REFUSED)
    if re.search(r"connection|socket", words, re.IGNORECASE):
        return because(ReasonCode.RECIPIENT_UNREACHABLE)
    return because(ReasonCode.RECIPIENT_REFUSES)
