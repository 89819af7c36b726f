"""Recordings of answers without secrets, tokens, people, phones and addresses."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

from connectors.xportcn.live_check.examination import Checked

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
