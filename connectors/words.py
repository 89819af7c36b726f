"""Words of the service made harmless, in one place for all code behind it.

Control characters, escape sequences, marks that turn the direction of writing or can't be seen become U+FFFD, line
breaks a blank; the account's own secret and key are removed. The replacements fit no id.
"""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Mapping, Sequence
from typing import Any

STRUCK_OUT = "***"
LEAST_SECRET = 8  # shorter ones would be found by chance
MOST_WORDS = 500
# JSON's escapes of characters that may need cleaning; letters beyond the first two blocks are left to the quick way.
_ESCAPED = re.compile(r"\\(?:[bfnrt/]|u(?:00|06|07|08|18|20|[dD][89a-fA-F]|[fF][eEfF]))")
_HARMFUL = frozenset({"Cc", "Cf", "Cs", "Zl", "Zp"})


def are_clean(text: str, secrets: Sequence[str]) -> bool:
    """Whether nothing in a JSON text can need cleaning; cheap, and right for nearly all answers."""
    return text.isprintable() and not ("\\" in text and _ESCAPED.search(text)) and not any(s in text for s in secrets)


def cleaned(value: Any, secrets: Sequence[str] = ()) -> Any:
    """A parsed JSON value with every text in it made harmless, names too."""
    if isinstance(value, str):
        return clean(value, secrets)
    if isinstance(value, Mapping):
        return {clean(name, secrets): cleaned(entry, secrets) for name, entry in value.items()}
    if isinstance(value, list):
        return [cleaned(entry, secrets) for entry in value]
    return value


def clean(text: str, secrets: Sequence[str] = ()) -> str:
    """One text made harmless."""
    for secret in secrets:
        text = text.replace(secret, STRUCK_OUT)
    return text if text.isprintable() else "".join(map(_clean_character, text))


def _clean_character(character: str) -> str:
    if character in "\n\r\t":
        return " "
    return "\N{REPLACEMENT CHARACTER}" if unicodedata.category(character) in _HARMFUL else character


def shortened(text: str, most: int = MOST_WORDS) -> str:
    """The text, cut at `most` characters."""
    return text if len(text) <= most else f"{text[: most - 1]}…"
