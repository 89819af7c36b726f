"""Request files as JSON: an array of flat objects, or such an array as "orders" or
"rows" of an object.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable, text_of, undecodable
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

MAX_BYTES = 8 * 2**20  # empty objects take 24 times as much memory
MAX_DIGITS = 100
ARRAYS = ("orders", "rows")
SHAPE = (
    'must be an array of objects, or an object with such an array as "orders" or "rows"'
)
TWICE = NotACell("this key is there more than once in the row; keep one of them")
TOO_LONG = NotACell(
    "this number has more digits than anything here has; write what is meant as text"
)
NO_LIMIT_KEY = (
    "this row has no such key, as other rows have; write null where there is no limit"
)
KNOWN = frozenset(NAMES)


def read_json(content: bytes, encoding: str, table: RequestTable) -> None:
    """Add the rows to the table. Raises `Unusable`."""
    if len(content) > MAX_BYTES:
        raise Unusable(
            f"has {len(content) / 2**20:,.0f} MiB of JSON; up to {MAX_BYTES // 2**20} MiB are possible: split the file"
        )
    try:
        document = json.loads(
            text_of(content, encoding).read(),
            object_pairs_hook=_row,
            parse_float=_fraction,
            parse_int=_whole,
            parse_constant=_constant,
        )
    except UnicodeDecodeError as error:
        raise Unusable(f"can't be read as JSON ({undecodable(error, 0)})") from error
    except (ValueError, RecursionError) as error:
        is_deep = isinstance(error, RecursionError)
        cause = "nested too deeply" if is_deep else words_of(error)
        problem = (
            f"can't be read as JSON ({cause}); it must be an array of objects in UTF-8"
        )
        raise Unusable(problem) from error
    values = _values(document, table)
    rows = _Rows(table)
    for value in values:
        if not isinstance(value, dict):
            raise Unusable(SHAPE)
        rows.add(value)
        if table.is_full:
            return
    rows.finish()


def _values(document: Any, table: RequestTable) -> list[Any]:
    """The values of the rows' array, wherever it stands."""
    if isinstance(document, dict):
        arrays = [key for key in document if key in ARRAYS]
        if len(arrays) > 1:
            raise Unusable(
                f"has its rows as {arrays[0]!r} and as {arrays[1]!r}; keep one of them"
            )
        others = [normal_name(key) for key in document if key not in ARRAYS]
        if len(others) > MOST_COLUMNS:
            raise Unusable(f"has more than {MOST_COLUMNS} keys beside its rows")
        if arrays:
            table.pass_over(others, HEADER_ROW)
            document = document[arrays[0]]
    if not isinstance(document, list):
        raise Unusable(SHAPE)
    return document


def _row(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the value of a repeated key is `TWICE`, a fault."""
    cells = dict(pairs)
    if len(cells) < len(pairs):
        times = Counter(key for key, _ in pairs)
        cells |= {key: TWICE for key in cells if times[key] > 1}
    return cells


def _whole(text: str) -> int | Decimal:
    return int(text) if len(text) < MAX_DIGITS else Decimal(text)


def _fraction(text: str) -> float | Decimal | NotACell:
    """A number exactly as written; with an exponent and too large to be exact it has
    lost digits, and stays a float.
    """
    if len(text) > MAX_DIGITS:
        return TOO_LONG
    is_lossy = "e" in text.lower() and abs(float(text)) >= EXACT_FLOAT_LIMIT
    return float(text) if is_lossy else Decimal(text)


def _constant(text: str) -> NotACell:
    return NotACell(
        f"{text} is no number; empty the cell, or put the value in its place"
    )


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
