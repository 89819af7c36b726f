"""Remarks on a request file: faults that must be mended, and warnings."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from domain.request_cells import COLUMNS
from domain.wording import pluralize

HEADER_ROW = 1
WHOLE_FILE = 0
FIRST_PAYMENT = -1
OTHER_PLACES = {
    WHOLE_FILE: "the file",
    FIRST_PAYMENT: "first payment",
}
POSITION = {column.name: position for position, column in enumerate(COLUMNS)}
MOST_ROWS_NAMED = 5
TWICE = "this column is there more than once; keep one of them"
UNNAMED = "cells under a column without a name are passed over; name the column, or empty them"


@dataclass(frozen=True, slots=True)
class Remark:
    """One remark. `row` counts as a CSV file does: the header is row 1; 0 means the
    whole file.

    `FIRST_PAYMENT` is a remark on where one order is bought before the question about
    its payment is answered.

    `column` is empty when the whole row is meant.
    """

    row: int
    column: str
    message: str

    def __str__(self) -> str:
        location = OTHER_PLACES.get(self.row, f"row {self.row}")
        return (
            f"{location}, column {self.column}: {self.message}"
            if self.column
            else f"{location}: {self.message}"
        )


class Fault(Remark):
    """One thing to mend in the file."""


def place_of(remark: Remark) -> tuple[int, int, str]:
    """By row, then by column as the columns are documented; what concerns the whole row
    comes first.
    """
    position = POSITION.get(remark.column, len(POSITION)) if remark.column else -1
    return remark.row, position, remark.column


def merged_remarks(remarks: Sequence[Remark]) -> list[str]:
    """A line for each distinct remark, with its rows."""
    rows: dict[tuple[str, str], list[int]] = {}
    for remark in remarks:
        rows.setdefault((remark.column, remark.message), []).append(remark.row)
    return [_line(column, message, row) for (column, message), row in rows.items()]


def _line(column: str, message: str, rows: Sequence[int]) -> str:
    if len(rows) == 1:
        return str(Remark(rows[0], column, message))
    named = ", ".join(map(str, rows[:MOST_ROWS_NAMED]))
    count_words = (
        f" and {pluralize(len(rows) - MOST_ROWS_NAMED, 'row')} more"
        if len(rows) > MOST_ROWS_NAMED
        else ""
    )
    return (
        f"rows {named}{count_words}"
        + (f", column {column}" if column else "")
        + f": {message}"
    )


MOST_LISTED = 50


class BadInput(ValueError):
    """A form asks for something that can't be done; the message says what to change.
    Nothing was sent.
    """


class BadRequests(Exception):
    """The request file has faults; nothing was sent. The message lists the first of
    them, `faults` has every one.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        listed = [f"  {fault}" for fault in faults[:MOST_LISTED]]
        self.unlisted = len(faults) - len(listed)
        listed += [f"  and {self.unlisted:,} more"] if self.unlisted else []
        head = (
            f"the request file has {pluralize(len(faults), 'fault')}; nothing was sent:"
        )
        super().__init__("\n".join([head, *listed]))
        self.faults = tuple(faults)
