"""Verdicts compared by the words that a merchant reads."""

from __future__ import annotations

from dataclasses import replace
from typing import TypeVar

from domain.decisions import Verdict
from domain.reasons import Reason, ReasonCode

T = TypeVar("T")


def in_these_words(text: str) -> Reason:
    """A reason that reads so."""
    return Reason(ReasonCode.OF_ANOTHER_VERSION, {"code": text})


def in_words(judged: T) -> T:
    """A verdict, or several by name, with the reason as it reads; anything else as it
    is.
    """
    if isinstance(judged, Verdict):
        return replace(judged, why=judged.why and in_these_words(str(judged.why)))
    if isinstance(judged, dict):
        return {name: in_words(item) for name, item in judged.items()}  # type: ignore[return-value]
    return judged
