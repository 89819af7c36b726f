"""Foreign texts without the receiver's data: a refusal may quote the address that it refuses."""

from __future__ import annotations

import re
from functools import lru_cache

from domain.orders import Receiver

PARTS = {
    "address": "address",
    "email": "receiver_email",
    "phone": "receiver_phone",
    "name": "receiver_name",
    "zip": "zip",
    "city": "city",
    "state": "state",
}
"""The parts that are erased, by the request file's column: the address first, since it may hold the city."""
LEAST_DIGITS, LEAST_NAME = 6, 3


def without_receiver(words: str, receiver: Receiver) -> str:
    """The words with the receiver's data replaced by the names of its columns: `no delivery to [address]`.

    Whole words only, in whatever case; each part of a name too, and a phone number however its digits are grouped. The
    country stays.
    """
    if not words:
        return words
    for pattern, column in _patterns(receiver):
        words = pattern.sub(f"[{column}]", words)
    return words


@lru_cache(maxsize=256)
def _patterns(receiver: Receiver) -> list[tuple[re.Pattern[str], str]]:
    told = [(getattr(receiver, part).strip(), column) for part, column in PARTS.items()]
    told += [(name, "receiver_name") for name in receiver.name.split() if len(name) >= LEAST_NAME]
    digits = re.sub(r"[^0-9]", "", receiver.phone)
    grouped = [(_whole(r"\+?" + "[^0-9]{0,2}".join(digits)), "receiver_phone")] if len(digits) >= LEAST_DIGITS else []
    return grouped + [(_whole(re.escape(text)), column) for text, column in told if len(text) > 1]


def _whole(pattern: str) -> re.Pattern[str]:
    """A pattern that matches whole words only; scripts without blanks between words have none."""
    return re.compile(f"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)
