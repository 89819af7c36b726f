"""Removes receivers from the service's words: an answer may quote the address of the request."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from functools import lru_cache
from typing import Any

from connectors.xportcn.envelope import Opened
from connectors.xportcn.wire import Request
from domain.orders import ADDRESS, Receiver
from domain.personal import without_receiver

FIELDS = ("receiver", "receiver_address")
WORDS = re.compile(r"(?:message|msg|reason|desc|description|remark)s?$", re.IGNORECASE)


def without_the_receiver(envelope: Opened | None, request: Request) -> Opened | None:
    """The answer without the request's receiver in its words; ids, amounts and titles stay unchanged."""
    receiver = _receiver_in(request)
    if envelope is None or receiver is None:
        return envelope
    words = envelope.words if envelope.ok else without_receiver(envelope.words, receiver)
    return replace(envelope, words=words, data=_struck(envelope.data, receiver))


def _receiver_in(request: Request) -> Receiver | None:
    sent = next((found for field in FIELDS if isinstance(found := getattr(request, field, None), Request)), None)
    if sent is None:
        return None
    return Receiver(**{part: getattr(sent, part, "") for part in ADDRESS})


def _struck(value: Any, receiver: Receiver, name: str = "") -> Any:
    if isinstance(value, str):
        return without_receiver(value, receiver) if value and _holds_words(name) else value
    if isinstance(value, Mapping):
        return {key: _struck(entry, receiver, key) for key, entry in value.items()}
    return [_struck(entry, receiver, name) for entry in value] if isinstance(value, list) else value


@lru_cache(maxsize=512)
def _holds_words(name: str) -> bool:
    return WORDS.search(name) is not None
