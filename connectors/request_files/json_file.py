"""Request files as JSON: an array of flat objects, or such an array as "orders" or
"rows" of an object.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

from connectors.foreign import words_of
from connectors.request_files.decoding import Malformed, Unusable, text_of, undecodable
from domain.cells import EXACT_FLOAT_LIMIT, NotACell
from domain.marketplace import shortened
from domain.request_cells import LIMIT
from domain.request_files import (
    MOST_COLUMNS,
    NAMES,
    RequestTable,
    likely_column,
    normal_name,
)
from domain.request_remarks import HEADER_ROW

PART = 2**20
"""Characters that lie ready: no value is certain to be read that is longer, so that
none takes much memory.
"""
BLANKS = re.compile(r"[ \t\n\r]*")
EXACT_DIGITS = 100


class JsonText:
    """A cursor through one document. Every method raises `ValueError` or
    `RecursionError` for invalid JSON.
    """

    def __init__(self, content: bytes, encoding: str) -> None:
        self._text = text_of(content, encoding)
        self._buffer = ""
        self._at = 0
        self._decode = json.JSONDecoder(
            object_pairs_hook=_row,
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_constant,
        ).raw_decode

    def peek(self) -> str:
        """The next non-blank character, empty at the end; `PART` more are in the buffer
        then, or all.
        """
        while True:
            blanks = BLANKS.match(self._buffer, self._at)
            self._at = blanks.end() if blanks else self._at
            if len(self._buffer) - self._at > PART or not (
                part := self._text.read(PART)
            ):
                return self._buffer[self._at : self._at + 1]
            self._buffer, self._at = self._buffer[self._at :] + part, 0

    def take(self, wanted: str) -> str:
        """The next non-blank character, which must be one of these."""
        found = self.peek()
        if not found or found not in wanted:
            raise Malformed(f"{' or '.join(wanted)} is missing")
        self._at += 1
        return found

    def value(self) -> Any:
        """The next value, whole."""
        self.peek()
        value, self._at = self._decode(self._buffer, self._at)
        return value

    def parts(self, opening: str, closing: str) -> Iterator[str]:
        """The first character of each element of an array, or member of an object; the
        caller takes it.
        """
        self.take(opening)
        if self.peek() == closing:
            self.take(closing)
            return
        yield self.peek()
        while self.take(f",{closing}") == ",":
            yield self.peek()


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < EXACT_DIGITS else Decimal(text)


def _fraction(text: str) -> float | Decimal | NotACell:
    """A number exactly as written; with an exponent and too large to be exact it has
    lost digits, and stays a float.
    """
    if len(text) > EXACT_DIGITS:
        return NotACell(
            "this number has more digits than anything here has; write what is meant as text"
        )
    as_float = float(text)
    return (
        as_float
        if abs(as_float) >= EXACT_FLOAT_LIMIT and "e" in text.lower()
        else Decimal(text)
    )


def _constant(text: str) -> NotACell:
    return NotACell(
        f"{text} is no number; empty the cell, or put the value in its place"
    )


ARRAYS = ("orders", "rows")
SHAPE = (
    'must be an array of objects, or an object with such an array as "orders" or "rows"'
)
TWICE = NotACell("this key is there more than once in the row; keep one of them")
NO_LIMIT_KEY = (
    "this row has no such key, as other rows have; write null where there is no limit"
)
KNOWN = frozenset(NAMES)


def read_json(content: bytes, encoding: str, table: RequestTable) -> None:
    """Add the rows to the table. Raises `Unusable`."""
    text, rows = JsonText(content, encoding), _Rows(table)
    try:
        for value in _values(text, table):
            if not isinstance(value, dict):
                raise Unusable(SHAPE)
            rows.add(value)
            if table.is_full:
                return
        if text.peek():
            raise Malformed("there is more after its end")
        rows.finish()
    except UnicodeDecodeError as error:
        lines = (
            content[: content.index(error.object)]
            .decode(error.encoding, "ignore")
            .count("\n")
        )
        raise Unusable(
            f"can't be read as JSON ({undecodable(error, lines)})"
        ) from error
    except (ValueError, RecursionError) as error:
        where = f"row {rows.row + 1}: " if rows.row > HEADER_ROW else ""
        problem = f"can't be read as JSON ({where}{_cause(error)}); it must be an array of objects in UTF-8"
        raise Unusable(problem) from error


def _values(text: JsonText, table: RequestTable) -> Iterator[Any]:
    """The values of the rows' array, wherever it stands."""
    start = text.peek()
    if start == "[":
        yield from (text.value() for _ in text.parts("[", "]"))
        return
    if start != "{":
        text.value()
        raise Unusable(SHAPE)
    found, others = "", []
    for quote in text.parts("{", "}"):
        if quote != '"':
            raise Malformed("a key in quotes is missing")
        key = text.value()
        text.take(":")
        if key not in ARRAYS:
            text.value()
            others.append(normal_name(key))
        elif found:
            raise Unusable(
                f"has its rows as {found!r} and as {key!r}; keep one of them"
            )
        elif text.peek() != "[":
            raise Unusable(SHAPE)
        else:
            found = key
            yield from (text.value() for _ in text.parts("[", "]"))
        if len(others) > MOST_COLUMNS:
            raise Unusable(f"has more than {MOST_COLUMNS} keys beside its rows")
    if not found:
        raise Unusable(SHAPE)
    table.pass_over(others, HEADER_ROW)


def _row(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the value of a repeated key is `TWICE`, a fault."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        keys = [key for key, _ in pairs]
        cells |= {key: TWICE for key in cells if keys.count(key) > 1}
    return cells


def _cause(error: Exception) -> str:
    if isinstance(error, json.JSONDecodeError):
        return error.msg
    return "nested too deeply" if isinstance(error, RecursionError) else words_of(error)


class _Rows:
    """Puts the values of each object under the columns."""

    def __init__(self, table: RequestTable) -> None:
        self.table = table
        self.row = HEADER_ROW
        self.seen: set[str] = set()
        self.unknown: set[str] = set()
        self.without_limit: list[int] = []
        table.begin(NAMES)

    def add(self, cells: Mapping[str, object]) -> None:
        self.row += 1
        if not cells.keys() <= KNOWN:
            cells = self._normal(cells)
        self.seen |= cells.keys()
        self.table.add(self.row, [cells.get(name) for name in NAMES])
        if LIMIT.name not in cells and any(
            value not in (None, "") for value in cells.values()
        ):
            self.without_limit.append(self.row)

    def finish(self) -> None:
        """Add faults: of the file for columns that no row has, and of rows without a
        limit where others have one.
        """
        if self.row > HEADER_ROW:
            self.table.lack(self.seen)
        if LIMIT.name in self.seen:
            for row in self.without_limit:
                self.table.fault(row, LIMIT.name, NO_LIMIT_KEY)

    def _normal(self, cells: Mapping[str, object]) -> dict[str, object]:
        normal: dict[str, object] = {}
        for key, value in cells.items():
            name = normal_name(key)
            if name in KNOWN:
                normal[name] = TWICE if name in normal else value
            elif name not in self.unknown or likely_column(name):
                self.unknown.add(name)
                self.table.pass_over([name], self.row)
        if len(self.unknown) > MOST_COLUMNS:
            raise Unusable(
                f"has more than {MOST_COLUMNS} keys that are not known, such as {shortened(name, 40)!r}"
            )
        return normal
