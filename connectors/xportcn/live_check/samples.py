"""Recordings of answers without secrets, tokens, people, phones and addresses; and what the readers make of one."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.foreign import words_of
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.envelope import open_envelope, read_json
from connectors.xportcn.live_check.examination import Checked, Conformance
from connectors.xportcn.operations import Call, catalogue

REDACTED = "redacted"
# Compared without case and underscores. A parcel's `mailNo` is none of these.
SECRET = re.compile(r"secret|token|password|passwd|signature|^sign$|accesskey|^auth|cookie|session|developid|userid$")
CONTACT = re.compile(
    r"phone|mobile|^tel$|telephone|e?mail$|^contact|address|receiver|buyer|consignee|fullname|nick|street|"
    r"post_?code|^zip$|wechat|^qq$|idcard|taxid|loginname|loginid|memberid|remark|feedback|(?<!error)message|note"
)
NAME = re.compile(r"name$")
# Names of things and of carriers: worth keeping, and not personal.
THINGS = re.compile(r"(company|carrier|category|prop|value|attribute|attr|reason|brand|trademode)s?name(list)?$")
PLACES = {"name", "province", "state", "city", "district", "area", "town", "country", "zip", "postcode"}
PHONE_OR_ADDRESS = re.compile(r"phone|mobile|^address$|detailaddress")
IN_TEXT = (
    re.compile(r"(?<=://)[^/\s@]+@"),
    re.compile(r"[\w.+-]+@[\w-]+\.[\w.-]+"),
    re.compile(r"(?<!\d)(?:\+?86[ -]?)?1[3-9]\d{9}(?!\d)"),
    re.compile(r"(?<![\w-])\+?\d{1,3}[ (-]+\d{2,4}[ )-]+\d{3,4}[ -]?\d{3,4}(?!\d)"),
    re.compile(r"(?<=[?#])\S+"),  # a link may carry a token
)
# Shorter words stand in harmless texts too: "US" in "USD".
LEAST_ASCII, LEAST_CHINESE = 4, 2


def save_sample(folder: Path, checked: Checked, *, secrets: tuple[str, ...]) -> Path | None:
    """Write request and answer of one call, redacted; None when there was no answer."""
    if checked.answer is None:
        return None
    operation = checked.operation
    told = redacted({"request": checked.request, "answer": checked.answer}, secrets=secrets)
    sample = {"nav": operation.nav, "name": operation.name, "method": operation.method, "path": operation.path, **told}
    folder.mkdir(parents=True, exist_ok=True)
    number = "none" if operation.nav is None else f"{operation.nav:02d}"
    file = folder / f"{number}-{re.sub(r'[^A-Za-z0-9]+', '-', operation.path).strip('-')}.json"
    text = json.dumps(sample, ensure_ascii=False, indent=2, default=_plain)
    file.write_text(f"{text}\n", encoding="utf-8")
    return file


def redacted(content: Any, *, secrets: tuple[str, ...] = ()) -> Any:
    """A copy of equal shape; personal texts are also taken out of other texts that repeat them."""
    personal = {text for text in _personal(content) if _is_distinctive(text)}
    words = sorted({*personal, *(secret for secret in secrets if secret)}, key=len, reverse=True)
    return _Redaction(words).of(content)


def _is_distinctive(text: str) -> bool:
    return len(text) >= (LEAST_ASCII if text.isascii() else LEAST_CHINESE)


class _Redaction:
    """One pass over a sample; `words` are taken out of every text."""

    def __init__(self, words: list[str]) -> None:
        self._words = words

    def of(self, content: Any, *, hidden: bool = False) -> Any:
        if isinstance(content, Mapping):
            return {key: self.of(value, hidden=_hides(key, content, hidden)) for key, value in content.items()}
        if isinstance(content, list):
            return [self.of(entry, hidden=hidden) for entry in content]
        if isinstance(content, bool) or content is None:
            return content
        if isinstance(content, str):
            return self._text(content, hidden=hidden)
        return 0 if hidden else content

    def _text(self, text: str, *, hidden: bool) -> str:
        inner = _inner(text)
        if inner is not None:
            return json.dumps(self.of(inner, hidden=hidden), ensure_ascii=False, default=_plain)
        if hidden:
            return REDACTED if text else ""
        for word in self._words:
            text = text.replace(word, REDACTED)
        for pattern in IN_TEXT:
            text = pattern.sub(REDACTED, text)
        return text


def _personal(content: Any, *, hidden: bool = False) -> Iterator[str]:
    """The texts of personal fields, by the fields' names."""
    if isinstance(content, Mapping):
        for key, value in content.items():
            yield from _personal(value, hidden=_hides(key, content, hidden))
    elif isinstance(content, list):
        for entry in content:
            yield from _personal(entry, hidden=hidden)
    elif isinstance(content, str):
        inner = _inner(content)
        if inner is not None:
            yield from _personal(inner, hidden=hidden)
        elif hidden:
            yield content


def _hides(key: str, around: Mapping[str, Any], hidden: bool) -> bool:  # noqa: FBT001
    plain = key.replace("_", "").lower()
    if hidden or SECRET.search(plain) or CONTACT.search(plain):
        return True
    if plain in PLACES and any(PHONE_OR_ADDRESS.search(other.replace("_", "").lower()) for other in around):
        return True
    return plain != "name" and bool(NAME.search(plain)) and not THINGS.search(plain)


def _inner(text: str) -> Any | None:
    """The content of a text that is JSON; None for any other text."""
    if not text.startswith(("{", "[")):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _plain(value: object) -> object:
    if isinstance(value, Decimal):
        return float(value)
    raise TypeError(f"{type(value).__name__} in a sample")


class NoRecording(Exception):
    """A folder without a recorded answer; the message says what belongs there."""


def replayed(folder: Path, client: XportcnClient) -> list[Checked]:
    """The result of each recorded answer of a folder, by file. Raises `NoRecording`.

    A file has the path of its operation, and `answer`, an envelope's data, or `response`, the whole envelope. Other
    files are left alone.
    """
    try:
        recorded = [read_json(file.read_text(encoding="utf-8")) for file in sorted(folder.glob("*.json"))]
    except (OSError, ValueError, RecursionError) as error:
        raise NoRecording(f"{folder}: a file that can't be read as JSON: {words_of(error)}") from error
    found = [checked for one in recorded if isinstance(one, Mapping) and (checked := _checked(one, client))]
    if not found:
        raise NoRecording(f"{folder} has no answers: it is a folder of sourcing doctor --live --record")
    return found


def _checked(recorded: Mapping[str, Any], client: XportcnClient) -> Checked | None:
    call = _operation(recorded, client)
    if call is None or not {"answer", "response"} & recorded.keys():
        return None
    override = client.overrides.of(call)
    checked = Checked(override.operation, Conformance.MATCHES, overridden=call in client.overrides)
    checked.answer = recorded.get("answer")
    if "response" in recorded:
        envelope = open_envelope(json.dumps(recorded["response"], default=float).encode())
        if envelope is None or not envelope.ok:
            checked.verdict = Conformance.REFUSED if envelope else Conformance.NO_ANSWER
            checked.code, checked.words = (envelope.code, envelope.words) if envelope else ("", "no envelope")
            return checked
        checked.answer = envelope.data
    checked.add_answer(call, override.response.to_contract(checked.answer), client.bounds_of(call))
    if checked.comparison.differences and not checked.comparison.unread:
        checked.verdict = Conformance.READ
    return checked


def _operation(recorded: Mapping[str, Any], client: XportcnClient) -> Call[Any, Any] | None:
    """The operation by its name, else by method and path, as the contract has them or as they are called."""
    calls = [one for one in catalogue() if isinstance(one, Call)]
    named = {one.name: one for one in calls}
    if one := named.get(str(recorded.get("name"))):
        return one
    wanted = (str(recorded.get("method")), str(recorded.get("path")))
    as_called = {(str(now.method), now.path): one for one in calls if (now := client.overrides.of(one).operation)}
    return ({(str(one.method), one.path): one for one in calls} | as_called).get(wanted)
