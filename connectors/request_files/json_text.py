"""Reads a JSON document in parts: a few megabytes of brackets would become gigabytes of lists."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from decimal import Decimal
from typing import Any

from connectors.request_files.decoding import text_of
from connectors.request_files.opening import Malformed
from domain.cells import EXACT_FLOAT_LIMIT, NotACell

PART = 2**20  # characters; no single value may be longer than two of them
BLANKS = re.compile(r"[ \t\n\r]*")
EXACT_DIGITS = 100


class JsonText:
    """A cursor through one document. Every method raises `ValueError` or `RecursionError` for invalid JSON."""

    def __init__(self, content: bytes, encoding: str, row: Callable[[list[tuple[str, Any]]], Any]) -> None:
        self.lines = 0
        self._text = text_of(content, encoding)
        self._buffer = ""
        self._at = 0
        self._is_over = False
        self._decode = json.JSONDecoder(
            object_pairs_hook=row, parse_float=_fraction, parse_int=_whole, parse_constant=_constant
        ).raw_decode

    def peek(self) -> str:
        """The next non-blank character; empty at the end."""
        while True:
            blanks = BLANKS.match(self._buffer, self._at)
            self._at = blanks.end() if blanks else self._at
            if self._at < len(self._buffer) or self._is_over:
                return self._buffer[self._at : self._at + 1]
            self._more()

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        while True:
            try:
                value, end = self._decode(self._buffer, self._at)
                if end < len(self._buffer) or self._is_over:
                    self._at = end
                    return value
            except ValueError:
                if self._is_over or len(self._buffer) - self._at >= PART:
                    raise
            self._more()

    def elements(self) -> Iterator[Any]:
        """The values of an array, one after the other."""
        self._take("[")
        if self.peek() == "]":
            self._at += 1
            return
        while True:
            yield self.value()
            if self._take(",]") == "]":
                return

    def members(self) -> Iterator[str]:
        """The keys of an object; the caller takes the value after each."""
        self._take("{")
        if self.peek() == "}":
            self._at += 1
            return
        while True:
            if self.peek() != '"':
                raise Malformed("a key in quotes is missing")
            key = self.value()
            self._take(":")
            yield key
            if self._take(",}") == "}":
                return

    def require_end(self) -> None:
        """Raise unless the document ends here."""
        if self.peek():
            raise Malformed("there is more after its end")

    def _take(self, wanted: str) -> str:
        found = self.peek()
        if not found or found not in wanted:
            raise Malformed(f"{' or '.join(wanted)} is missing")
        self._at += 1
        return found

    def _more(self) -> None:
        self.lines += self._buffer.count("\n", 0, self._at)
        part = self._text.read(PART)
        self._is_over = not part
        self._buffer = self._buffer[self._at :] + part
        self._at = 0


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < EXACT_DIGITS else Decimal(text)


def _fraction(text: str) -> float | Decimal | NotACell:
    """A number exactly as written; with an exponent and too large to be exact it has lost digits, and stays a float."""
    if len(text) > EXACT_DIGITS:
        return NotACell("this number has more digits than anything here has; write what is meant as text")
    as_float = float(text)
    return as_float if abs(as_float) >= EXACT_FLOAT_LIMIT and "e" in text.lower() else Decimal(text)


def _constant(text: str) -> NotACell:
    return NotACell(f"{text} is no number; empty the cell, or put the value in its place")
