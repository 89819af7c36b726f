"""Request files as JSON: an array of flat objects, or such an array as "orders" or
"rows" of an object.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from connectors.foreign import words_of
from connectors.request_files.decoding import Unusable, text_of
from domain.cell_table import (
    MOST_COLUMNS,
    Row,
    RowOrRemark,
    normal_name,
    unknown_columns,
)
from domain.cells import EXACT_FLOAT_LIMIT, NotACell
from domain.request_cells import LIMIT
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
NO_LIMIT_KEY = NotACell(
    "this row has no such key, as other rows have; write null where there is no limit"
)


def read_json(content: bytes, encoding: str) -> Iterator[RowOrRemark]:
    """The rows; the header are the keys of all. Raises `Unusable`."""
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
    except (ValueError, RecursionError) as error:
        is_deep = isinstance(error, RecursionError)
        cause = "nested too deeply" if is_deep else words_of(error)
        problem = (
            f"can't be read as JSON ({cause}); it must be an array of objects in UTF-8"
        )
        raise Unusable(problem) from error
    if isinstance(document, dict):
        arrays = [key for key in document if key in ARRAYS]
        if len(arrays) > 1:
            raise Unusable(
                f"has its rows as {arrays[0]!r} and as {arrays[1]!r}; keep one of them"
            )
        other_keys = [normal_name(key) for key in document if key not in ARRAYS]
        if len(other_keys) > MOST_COLUMNS:
            raise Unusable(f"has more than {MOST_COLUMNS} keys beside its rows")
        if arrays:
            yield from unknown_columns(other_keys)
            document = document[arrays[0]]
    if not isinstance(document, list):
        raise Unusable(SHAPE)
    keys: dict[str, None] = {}
    for row in document:
        if not isinstance(row, dict):
            raise Unusable(SHAPE)
        keys.update(dict.fromkeys(row))
        if len(keys) > MOST_COLUMNS:
            raise Unusable(f"has more than {MOST_COLUMNS} different keys")
    if document:
        yield Row(HEADER_ROW, [*keys])
    lacking = {key: NO_LIMIT_KEY for key in keys if normal_name(key) == LIMIT.name}
    for number, row in enumerate(document, start=HEADER_ROW + 1):
        is_blank = all(cell in (None, "") for cell in row.values())
        cells = {} if is_blank else lacking | row
        yield Row(number, [cells.get(key) for key in keys])


def _row(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object; the value of a repeated key is `TWICE`, a fault."""
    cells: dict[str, Any] = {}
    for key, value in pairs:
        cells[key] = TWICE if key in cells else value
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
