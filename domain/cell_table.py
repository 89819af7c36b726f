"""A table that a person keeps, such as exchange rates or the SKU book: used whole and faultless, or not at all."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from domain.items import shortened
from domain.request_cells import Column, check_cell, read_cell
from domain.request_files import normal_name
from domain.request_remarks import HEADER_ROW, Remark

MOST_FAULTS = 100


class BadTable(ValueError):
    """A file that can't be used. `faults` are all that must be mended, in its order."""

    def __init__(self, faults: Sequence[Remark]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)


class CheckedTable:
    """Takes the rows of the file as a reader finds them: `begin` with the header, `add` each row; `keep` gets them."""

    is_quoted = True

    def __init__(self, columns: Sequence[Column]) -> None:
        self.is_full = False
        self.faults: list[Remark] = []
        self._known = columns
        self._columns: list[tuple[Column, int]] = []

    def keep(self, row: int, texts: Mapping[str, str]) -> None:
        """Take the cells of a faultless row, in normal form, by column name."""
        raise NotImplementedError

    def begin(self, columns: Sequence[str]) -> None:
        """Take the header; a column that is not known, or there twice, is a fault: its cells would be lost unseen."""
        names = [normal_name(column) for column in columns]
        known = [column.name for column in self._known]
        self._columns = [(column, names.index(column.name)) for column in self._known if column.name in names]
        for at, name in enumerate(names):
            if name and name not in known:
                self.fault(HEADER_ROW, shortened(name), f"not known; the columns are {', '.join(known)}")
            elif name and name in names[:at]:
                self.fault(HEADER_ROW, name, "this column is there more than once; keep one of them")

    def add(self, row: int, cells: Sequence[Any]) -> None:
        """Check one row; a blank one is skipped."""
        if not any(cell.strip() if isinstance(cell, str) else cell is not None for cell in cells):
            return
        texts = {column.name: column.default for column in self._known if column.may_be_absent}
        before = len(self.faults)
        for column, at in self._columns:
            try:
                texts[column.name] = check_cell(column, read_cell(column, cells[at] if at < len(cells) else None)[0])
            except ValueError as error:
                self.fault(row, column.name, str(error))
        if len(texts) == len(self._known) and len(self.faults) == before:
            self.keep(row, texts)

    def warn(self, row: int, column: str, message: str) -> None:
        """Every remark is a fault."""
        self.fault(row, column, message)

    def skips(self, cells: Sequence[str]) -> bool:
        """No row is passed over."""
        return False

    def broken_row(self, row: int, message: str) -> None:
        """A row whose cells can't be separated."""
        self.fault(row, "", message)

    def lack(self, found: Iterable[str]) -> None:
        """Blame the file for the needed columns that are not among those `found`."""
        names = {normal_name(name) for name in found}
        for column in self._known:
            if not column.may_be_absent and column.name not in names:
                words = f"this column is missing; add it: {column.words}, such as {column.example}"
                self.fault(HEADER_ROW, column.name, words)

    def fault(self, row: int, column: str, message: str) -> None:
        """Note a fault; it makes the whole file unusable."""
        self.faults.append(Remark(row, column, message))
        self.is_full = len(self.faults) >= MOST_FAULTS

    def raise_faults(self) -> None:
        """Raise `BadTable` where there are any."""
        if self.faults:
            raise BadTable(self.faults)
