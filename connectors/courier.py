"""Takes one message to one addressee, by apprise. An addressee's address is a secret: it is in no word of this module.

Loading apprise takes a second and 50 MB, so it is loaded by the first message and not before.
"""

from __future__ import annotations

import logging
import re
import threading
from dataclasses import dataclass
from typing import Any

from pydantic import SecretStr

LONGEST_S = 45.0
"""So long one addressee is waited for, redirects and all recipients of an address included."""
ANSWER_S = 15.0
"""So long an answer may take: one that comes later would have the message sent twice."""
MOST_BYTES = 2_000
"""What every service takes: WeCom 2,048 bytes; more than that nobody reads on a phone."""
MOST_SUBJECT = 150
SCHEME = re.compile(r"([A-Za-z0-9]{2,32})://\S+")
_BETWEEN = re.compile(r"[\s,]+(?=[A-Za-z0-9]{2,32}://)")
LATE = "it did not answer in time"
_CALLS = re.compile(r"@(?=everyone|here|all|channel)|<(?=[!@#]|at\b)", re.IGNORECASE)
"""What calls a whole channel where a chat reads it so; what others wrote shall not."""
_QUIET = ("apprise", "urllib3", "requests")
_NOBODY = logging.NullHandler()


class BadAddress(ValueError):
    """An address of `SOURCING_NOTIFY` that means nothing; says which one, and not what it is."""


@dataclass(frozen=True, slots=True)
class Addressee:
    """Who is told. `name` says which service, and which of several: `slack`, `mailto 2`."""

    name: str
    address: SecretStr


def addressees_of(addresses: SecretStr) -> list[Addressee]:
    """Each address once, in the order given, between blanks, commas or line breaks. Raises `BadAddress`."""
    found: list[Addressee] = []
    given = dict.fromkeys(_BETWEEN.split(addresses.get_secret_value().strip(" \t\r\n,")))
    for number, address in enumerate(filter(None, given), start=1):
        if (scheme := SCHEME.fullmatch(address)) is None:
            raise BadAddress(f"address {number} is none of apprise, such as ntfys://ntfy.sh/TOPIC or mailtos://…")
        name = scheme[1].lower()
        same = sum(one.name.split()[0] == name for one in found)
        found.append(Addressee(f"{name} {same + 1}" if same else name, SecretStr(address)))
    return found


def send(addressee: Addressee, subject: str, body: str, link: str) -> str:
    """Send one message; answers why it was not taken, in our own words, or nothing. Raises nothing."""
    reasons = [LATE]

    def go() -> None:
        try:
            reasons[0] = _sent(addressee, subject, body, link)
        except Exception as error:  # noqa: BLE001 - its words may quote the address
            reasons[0] = f"it can't be used ({type(error).__name__})"

    # a thread that nobody waits for: an answer in drips holds up neither the others nor the end of the process
    sender = threading.Thread(target=go, daemon=True)
    sender.start()
    sender.join(LONGEST_S)
    return reasons[0]


def _sent(addressee: Addressee, subject: str, body: str, link: str) -> str:
    apprise, service = _service(addressee)
    if service is None:
        return "its address is not one that apprise understands: look at its page on appriseit.com"
    service.optional = False  # else a failure would count as sent
    service.socket_read_timeout = max(service.socket_read_timeout, ANSWER_S)
    service.overflow_mode = apprise.OverflowMode.SPLIT
    courier = apprise.Apprise(asset=service.asset)
    courier.add(service)
    title, text = fitting(subject, body, link, most=service.body_maxlen, title_most=service.title_maxlen)
    told: list[str] = []
    result = courier.notify(
        body=text,
        title=title,
        body_format=apprise.NotifyFormat.TEXT,
        log_level=logging.DEBUG,
        log_callback=lambda entry, _service: told.append(entry.message),
    )
    return "" if result else _reason(told)


def is_understood(addressee: Addressee) -> bool:
    """Whether apprise knows what to do with the address; nothing is sent."""
    return _service(addressee)[1] is not None


def _service(addressee: Addressee) -> tuple[Any, Any]:
    _hush()
    import apprise

    asset = apprise.AppriseAsset(
        app_id="sourcing", app_desc="sourcing", app_url="", async_mode=False, service_timeout=0
    )
    return apprise, apprise.Apprise.instantiate(addressee.address.get_secret_value(), asset=asset)


def _hush() -> None:
    """Nobody hears what these log, since it may quote the address: nobody but apprise, which hears so why it failed.

    Another addressee's thread may be sending now, so apprise's own ears stay where they are.
    """
    for name in _QUIET:
        logger = logging.getLogger(name)
        logger.propagate = False
        for ear in [*logger.handlers]:
            if not type(ear).__module__.startswith("apprise"):
                logger.removeHandler(ear)
        logger.addHandler(_NOBODY)  # without any, warnings go to stderr
    logging.getLogger("apprise").setLevel(logging.DEBUG)  # its result tells why only so


def fitting(subject: str, body: str, link: str, *, most: int, title_most: int) -> tuple[str, str]:
    """Title and text as a service takes them: cut at the end of a line, where the link goes on. It is never cut."""
    subject, body = (_CALLS.sub(r"\g<0> ", words) for words in (subject, body))
    title = _cut(subject, min(MOST_SUBJECT, title_most or MOST_SUBJECT))
    room = min(MOST_BYTES, most * 4 // 5) - (0 if title_most else len(title.encode()) + 1)
    end = f"\n\n{link}" if link else ""
    return title, (_cut(body, room - len(end.encode())) + end).strip() or title


def _cut(text: str, most: int) -> str:
    """At most so many bytes, whole lines where more than one fits."""
    if len(text.encode()) <= most:
        return text
    kept = text.encode()[: max(most - len("…\n".encode()), 0)].decode(errors="ignore")
    head, line, _ = kept.rpartition("\n")
    return f"{head}\n…" if line else f"{kept}…"


def _reason(told: list[str]) -> str:
    """Why a service did not take it: of apprise's words only the figures, since these may quote the address."""
    words = " ".join(told)
    if code := re.search(r"(?:error=|\(|code[ :=]+)([45]\d\d)\b", words):
        return f"it answered {code[1]}{_meaning(code[1])}"
    if re.search(r"timed? ?out", words, re.IGNORECASE):
        return LATE
    if re.search(r"authenticat", words, re.IGNORECASE):
        return "it refused user or password"
    if re.search(r"connection|socket", words, re.IGNORECASE):
        return "it can't be reached"
    return "it did not take the message"


def _meaning(code: str) -> str:
    if code in ("401", "403", "404", "410", "535"):
        return ": the address is wrong or no longer valid"
    return ": too many messages" if code == "429" else ""
