"""What must never be kept or said, and an ear for what is logged."""

from __future__ import annotations

import logging
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from tests.hostile.values import SECRET

ODD_TEXT = re.compile(
    r"[\x00-\x08\x0b-\x1f\x7f-\x9f\u200b\u200e\u200f\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]"
)
MOST_MINOR = 10**9
LONGEST_TEXT = 20_000


def oddities(value: Any, name: str = "") -> Iterator[str]:
    """What must not be kept: escape sequences, secrets, endless texts, amounts below
    nothing or beyond all measure.
    """
    if isinstance(value, dict):
        for key, item in value.items():
            yield from oddities(item, f"{name}.{key}" if name else str(key))
    elif isinstance(value, list | tuple):
        if len(value) > 1_000:
            yield f"{name} has {len(value)} entries"
        for item in value[:1_000]:
            yield from oddities(item, name)
    elif isinstance(value, str):
        if SECRET in value:
            yield f"{name} holds the secret"
        if match := ODD_TEXT.search(value):
            yield f"{name} holds {match.group()!a}"
        if len(value) > LONGEST_TEXT:
            yield f"{name} is {len(value)} characters long"
    elif isinstance(value, int) and (
        name.endswith(("minor", "_fen")) and not 0 <= value <= MOST_MINOR
    ):
        yield f"{name} is {value}"


class _Ear(logging.Handler):
    def __init__(self, hears: Callable[[logging.LogRecord], None]) -> None:
        super().__init__(logging.INFO)
        self._hears = hears

    def emit(self, record: logging.LogRecord) -> None:
        self._hears(record)


@contextmanager
def heard(hears: Callable[[logging.LogRecord], None]) -> Iterator[None]:
    """Every line that is logged meanwhile, at level info or above."""
    loggers = [
        logging.getLogger(name) for name in ("", "prefect", "sourcing", "xportcn")
    ]
    ear = _Ear(hears)
    for logger in loggers:
        logger.addHandler(ear)
    try:
        yield
    finally:
        for logger in loggers:
            logger.removeHandler(ear)
