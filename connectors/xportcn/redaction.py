"""Keeps signatures out of errors: the logistics calls carry `sign` in their URL, which aiohttp names in exceptions.

httpx's client would log each URL; its transports, called directly, log nothing (see `http`).
"""

from __future__ import annotations

import re

_SIGN = re.compile(r"(?<=[?&]sign=)[^&\s\"']+")


def without_signature(text: str) -> str:
    """The text with the signature of every URL in it masked."""
    return _SIGN.sub("***", text)
