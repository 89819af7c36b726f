"""Keeps signatures out of logs and errors: the logistics calls carry `sign` in their URL.

httpx logs each URL at level info, and aiohttp names it in some exceptions.
"""

from __future__ import annotations

import logging
import re

_SIGN = re.compile(r"(?<=[?&]sign=)[^&\s\"']+")


def without_signature(text: str) -> str:
    """The text with the signature of every URL in it masked."""
    return _SIGN.sub("***", text)


class _HideSignatures(logging.Filter):
    def filter(self, record: logging.LogRecord) -> bool:
        record.msg, record.args = without_signature(record.getMessage()), None
        return True


_filter = _HideSignatures()


def hide_signatures() -> None:
    """Make httpx's own log lines safe to keep; harmless when called again."""
    logging.getLogger("httpx").addFilter(_filter)
