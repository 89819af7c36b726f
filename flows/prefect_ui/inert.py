"""Foreign text for both of Prefect's UIs: neither makes a link, picture, tag, code, list or heading of it.

The older UI renders each text cell of a table, and each description, as Markdown, the newer one shows it as it is
written, and an escape as an escape. So each mark that could begin markup becomes a character of like shape.
"""

from __future__ import annotations

import re

ALIKE = str.maketrans(dict(zip("[]<>`*\\|", "［］＜＞｀＊＼｜", strict=True)))
ADDRESS = re.compile(r":(?=//)|(?<=\S)@(?=\S)|(?<=www)\.", re.IGNORECASE)
EDGE = re.compile(r"(?<![A-Za-z0-9])_|_(?![A-Za-z0-9])|~(?=~)|(?<=~)~")
FIRST = re.compile(r"^(?:[#+=-](?=[#+=-]*(?: |$))|\d{1,9}[.)](?= |$)|-(?=[ -]*$))")
ENTITY = re.compile(r"&(?=#?\w+;)")
BREAKS = re.compile(r"[\r\n\v\f\x85\u2028\u2029]+")


def inert(text: str) -> str:
    """The text as one plain line, without any markup."""
    line = BREAKS.sub(" ", text).strip().translate(ALIKE)
    for mark in (ADDRESS, EDGE, FIRST, ENTITY):
        line = mark.sub(_wide, line)
    return line


def _wide(found: re.Match[str]) -> str:
    """The last character in its full width, which means nothing to Markdown."""
    return found[0][:-1] + chr(ord(found[0][-1]) + 0xFEE0)
