"""The checker of all tables: a reader yields rows and remarks, and each cell is checked
by its column.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass
from difflib import get_close_matches
from functools import lru_cache
from typing import NamedTuple

from domain.cells import BLANKS
from domain.marketplace import shortened
from domain.request_cells import COLUMNS, Column, check_cell, read_cell
from domain.request_remarks import HEADER_ROW, TWICE, UNNAMED, Fault, Remark

MOST_ROWS = 100_000
MOST_BLANK_ROWS = 1_048_576  # as many as a sheet has
MOST_COLUMNS = 256
MOST_FAULTS, MOST_WARNINGS = 1_000, 1_000
MOST_LISTED = 10
LIKE = 0.8
LONGEST = 40  # no column's name is half as long, and comparing takes time


class Row(NamedTuple):
    """A row as a reader finds it; the first one is the header. The `problem` of a row
    is why its cells can't be separated.
    """

    number: int
    cells: Sequence[object]
    problem: str = ""


RowOrRemark = Row | Remark


@dataclass(slots=True)
class TextRow:
    """The texts of a row that is not blank, by known columns, and its faults so far."""

    number: int
    cells: Sequence[object]
    texts: dict[str, str]
    faults: list[Fault]


class BadTable(ValueError):
    """A file that can't be used. `faults` are all that must be mended, in its order."""

    def __init__(self, faults: Sequence[Fault]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)

    @property
    def listed(self) -> str:
        """The first faults, a line each, and how many more there are."""
        lines = [*map(str, self.faults[:MOST_LISTED])]
        if len(self.faults) > MOST_LISTED:
            lines.append(f"and {len(self.faults) - MOST_LISTED} more")
        listed = "\n  ".join(lines)
        return f"nothing of it is used until this is mended:\n  {listed}"


class CellTable:
    """The rows of one file. A fault makes the whole file unusable.

    A table that a person keeps, such as the SKU book, `is_kept`: a column that is not
    known, or has no name, is a fault there, and else a warning. A column `in_place_of`
    others makes these unnecessary.
    """

    def __init__(
        self,
        columns: Sequence[Column],
        *,
        is_kept: bool = True,
        in_place_of: tuple[str, Collection[str]] = ("", ()),
    ) -> None:
        self.columns = columns
        self.is_kept = is_kept
        self.in_place_of = in_place_of
        self.is_full = False
        self.names: list[str] = []
        self.faults: list[Fault] = []
        self.warnings: dict[Remark, None] = {}
        self._places: list[tuple[Column, int]] = []
        self._absent: dict[str, str] = {}

    def rows(self, found: Iterable[RowOrRemark]) -> Iterator[TextRow]:
        """The rows that are not blank. Further rows or faults are of no use once the
        table is full.
        """
        header: Row | None = None
        count = 0
        for item in found:
            if isinstance(item, Remark):
                self.note(item)
            elif header is None:
                header = item
                self._begin(header)
            elif item.problem:
                self.fault(item.number, "", item.problem)
            elif row := self._read(item):
                count += 1
                if count > MOST_ROWS:
                    self.stop(item.number, f"more than {MOST_ROWS:,} rows; split it")
                else:
                    yield row
            if self.is_full:
                break

    def complete_rows(
        self, found: Iterable[RowOrRemark]
    ) -> Iterator[tuple[int, dict[str, str]]]:
        """The faultless rows: all cells in normal form, by column."""
        for row in self.rows(found):
            cells = self.judge(row)
            for fault in row.faults:
                self.note(fault)
            if not row.faults and len(cells) == len(self.columns):
                yield row.number, cells

    def judge(self, row: TextRow, but: Collection[str] = ()) -> dict[str, str]:
        """The faultless cells of a row in normal form; the others are its faults."""
        unclear = {fault.column for fault in row.faults}.union(but)
        cells = dict(self._absent)
        for column, _ in self._places:
            if column.name not in unclear:
                try:
                    cells[column.name] = check_cell(column, row.texts[column.name])
                except ValueError as error:
                    row.faults.append(Fault(row.number, column.name, str(error)))
        return cells

    def note(self, remark: Remark) -> None:
        """Keep a fault or a warning."""
        if isinstance(remark, Fault):
            self.faults.append(remark)
            if len(self.faults) == MOST_FAULTS:
                problem = f"{MOST_FAULTS:,} faults are enough to begin with: later rows were not checked"
                self.stop(remark.row, problem)
        elif len(self.warnings) < MOST_WARNINGS:
            self.warnings[remark] = None

    def fault(self, row: int, column: str, message: str) -> None:
        """Note a fault."""
        self.note(Fault(row, column, message))

    def warn(self, row: int, column: str, message: str) -> None:
        """Note what a person should read before anything is bought."""
        self.note(Remark(row, column, message))

    def stop(self, row: int, message: str) -> None:
        """Take no more rows; the message says why."""
        if not self.is_full:
            self.is_full = True
            self.fault(row, "", message)

    def raise_faults(self) -> None:
        """Raise `BadTable` where there are any."""
        if self.faults:
            raise BadTable(self.faults)

    def _begin(self, header: Row) -> None:
        names = self.names = [normal_name(str(name)) for name in header.cells]
        own = [column.name for column in self.columns]
        for name, times in Counter(names).items():
            if times > 1 and name in own:
                self.fault(HEADER_ROW, name, TWICE)
        unknown = [name for name in names if name and name not in own]
        if self.is_kept:
            problem = f"not known; the columns are {', '.join(own)}"
            self.faults += [Fault(HEADER_ROW, shortened(at), problem) for at in unknown]
        else:
            for remark in unknown_columns(unknown):
                self.note(remark)
        instead, replaced = self.in_place_of
        for column in self.columns:
            name = column.name
            if name in names:
                self._places.append((column, names.index(name)))
            elif column.may_be_absent:
                self._absent[name] = column.default
            elif name not in replaced or instead not in names:
                hint = f" ({column.empty_means})" if column.empty_means else ""
                self.fault(HEADER_ROW, name, f"this column is missing; add it{hint}")

    def _read(self, row: Row) -> TextRow | None:
        """The texts of a row; None for a blank one."""
        number, cells, _ = row
        texts: dict[str, str] = {}
        faults: list[Fault] = []
        blanks: list[Fault] = []
        if any(cells) or any(cell not in (None, "") for cell in cells):
            self._find_unnamed(row)
            for column, at in self._places:
                value = cells[at] if at < len(cells) else None
                try:
                    text, warnings = read_cell(column, value)
                except ValueError as error:
                    faults.append(Fault(number, column.name, str(error)))
                    continue
                texts[column.name] = text
                for words in warnings:
                    self.warn(number, column.name, words)
                if not text and value and column.if_blank:
                    blanks.append(Fault(number, column.name, column.if_blank))
        if faults or any(texts.values()):
            return TextRow(number, cells, texts, faults + blanks)
        if number > MOST_BLANK_ROWS:
            problem = f"more than {MOST_BLANK_ROWS:,} rows; delete the blank ones"
            self.stop(number, problem)
        return None

    def _find_unnamed(self, row: Row) -> None:
        """Cells under a column that lost its name may be the limits."""
        if "" not in self.names and len(row.cells) <= len(self.names):
            return
        for at, cell in enumerate(row.cells):
            is_named = at < len(self.names) and self.names[at]
            if not is_named and cell is not None and str(cell).strip(BLANKS):
                kind = Fault if self.is_kept else Remark
                self.note(kind(row.number, "", UNNAMED))
                return


def normal_name(column: str) -> str:
    """A column's name without the blanks and marks around it, in small letters."""
    return column.strip(BLANKS + "\u200b\u200c\u200d\u2060\ufeff").lower()


@lru_cache(maxsize=1024)
def likely_column(name: str) -> str:
    """The column that is spelled much like `name`: passing over `freigth` would ship by
    the wrong service.
    """
    if len(name) > LONGEST:
        return ""
    near = get_close_matches(
        name, [column.name for column in COLUMNS], n=1, cutoff=LIKE
    )
    return near[0] if near else ""


def unknown_columns(names: Iterable[str]) -> Iterator[Remark]:
    """The warning about unknown columns; a name much like a known one is a fault, since
    its cells would be lost unseen.
    """
    ignored = []
    for name in dict.fromkeys(
        name if name.isprintable() else ascii(name) for name in names
    ):
        if near := likely_column(name):
            problem = f"this column is not known; rename it to {near}, or remove it"
            yield Fault(HEADER_ROW, shortened(name), problem)
        else:
            ignored.append(shortened(name, 40))
    if ignored:
        listed = ", ".join(repr(name) for name in ignored[:10]) + (
            ", ..." if len(ignored) > 10 else ""
        )
        what = (
            "a column is not known and is"
            if len(ignored) == 1
            else "columns are not known and are"
        )
        yield Remark(HEADER_ROW, "", f"{what} passed over: {listed}")
