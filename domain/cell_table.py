"""A table that a person keeps, such as the SKU book: used whole and faultless, or not
at all; and that of rates.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise
from typing import Any

from domain.addresses import currency_codes
from domain.cells import half_width
from domain.landed import Rate, Rates
from domain.marketplace import shortened
from domain.request_cells import Column, check_cell, read_cell
from domain.request_files import normal_name
from domain.request_remarks import HEADER_ROW, TWICE, Remark

MOST_FAULTS = 100
MOST_LISTED = 10
NEVER_BLANK = (
    "rank",
    "pieces",
    "max_unit_price",
    "group",
)  # a lost value would be no limit, or 1
ONLY_BLANKS = "this cell holds blanks alone, or a formula that gives an empty text; empty it, or write what is meant"


class BadTable(ValueError):
    """A file that can't be used. `faults` are all that must be mended, in its order."""

    def __init__(self, faults: Sequence[Remark]) -> None:
        super().__init__("; ".join(map(str, faults)))
        self.faults = tuple(faults)

    @property
    def listed(self) -> str:
        """The first faults, a line each, and how many more there are."""
        more = (
            [f"and {len(self.faults) - MOST_LISTED} more"]
            if len(self.faults) > MOST_LISTED
            else []
        )
        told = "\n  ".join([*map(str, self.faults[:MOST_LISTED]), *more])
        return f"nothing of it is used until this is mended:\n  {told}"


class CheckedTable:
    """Takes the rows of the file as a reader finds them: `begin` with the header, `add`
    each row; `keep` gets them.
    """

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
        """Take the header; a column that is not known, or there twice, is a fault: its
        cells would be lost unseen.
        """
        names = [normal_name(column) for column in columns]
        known = [column.name for column in self._known]
        self._columns = [
            (column, names.index(column.name))
            for column in self._known
            if column.name in names
        ]
        for at, name in enumerate(names):
            if name and name not in known:
                self.fault(
                    HEADER_ROW,
                    shortened(name),
                    f"not known; the columns are {', '.join(known)}",
                )
            elif name and name in names[:at]:
                self.fault(HEADER_ROW, name, TWICE)

    def add(self, row: int, cells: Sequence[Any]) -> None:
        """Check one row; a blank one is skipped."""
        if not any(
            cell.strip() if isinstance(cell, str) else cell is not None
            for cell in cells
        ):
            return
        texts = {
            column.name: column.default
            for column in self._known
            if column.may_be_absent
        }
        before = len(self.faults)
        for column, at in self._columns:
            value = cells[at] if at < len(cells) else None
            try:
                texts[column.name] = check_cell(
                    column, text := read_cell(column, value)[0]
                )
                if not text and value and column.name in NEVER_BLANK:
                    raise ValueError(ONLY_BLANKS)
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


def currency_code(text: str) -> str:
    """The code in capital letters. Raises `ValueError` for what is no currency."""
    code = half_width(text).strip().upper()
    if code not in currency_codes():
        raise ValueError(
            f"{shortened(text)!r} is no currency; give its three letters, such as EUR"
        )
    return code


# A comma is a decimal one where it can't be a thousands separator; a point is always a
# decimal point.
NUMBER = re.compile(r"([0-9]{1,7})(?:[.,]([0-9]{1,12}))?")
THOUSANDS = re.compile(r"[1-9][0-9]{0,2},[0-9]{3}")
DAY = re.compile(
    r"([0-9]{4})(-|/)([0-9]{1,2})\2([0-9]{1,2})"
)  # the year first: no usual form has the day second then
JUMP = 5
JUMP_DAYS = 90
"""No rate moves so many times in so few days: that is a slip of the point, or the wrong
way round.
"""


def _rate(text: str) -> str:
    number = half_width(text)
    if THOUSANDS.fullmatch(number):
        raise ValueError(
            f"{shortened(text)} may be a decimal or a thousand; write it with a point, or one digit more"
        )
    if not NUMBER.fullmatch(number):
        raise ValueError(
            f"{shortened(text)!r} is no rate; write a plain number such as 0.1285"
        )
    plain = number.replace(",", ".")
    if not Decimal(plain):
        raise ValueError("a rate is above 0")
    return plain


def _day(text: str) -> str:
    written = DAY.fullmatch(half_width(text))
    if not written:
        raise ValueError(
            f"{shortened(text)!r} is no date such as 2026-01-31; in a spreadsheet format the column as yyyy-mm-dd"
        )
    try:
        return date(int(written[1]), int(written[3]), int(written[4])).isoformat()
    except ValueError as error:
        raise ValueError(f"{text} is no day of the calendar") from error


COLUMNS = (
    Column(
        name="from",
        words="the currency that was paid",
        example="CNY",
        most=100,
        check=currency_code,
    ),
    Column(
        name="to",
        words="the currency of your books",
        example="EUR",
        most=100,
        check=currency_code,
    ),
    Column(
        name="rate",
        words="how much one of `from` was worth",
        example="0.1285",
        most=100,
        check=_rate,
    ),
    Column(
        name="date",
        words="the day of the rate",
        example="2026-01-31",
        most=100,
        check=_day,
    ),
    Column(name="source", words="who gave it", example="ECB", most=200, prose=True),
)


class RatesTable(CheckedTable):
    """The rows of a file of rates."""

    def __init__(self) -> None:
        super().__init__(COLUMNS)
        self._rates: dict[tuple[str, str, date], tuple[int, Rate]] = {}

    def finish(self) -> Rates:
        """The rates. Raises `BadTable` with every fault."""
        if not self._rates and not self.faults:
            self.fault(HEADER_ROW, "", "the file has no rates; add one row for each")
        self.faults += _jumps(list(self._rates.values()))
        self.raise_faults()
        return Rates(rate for _, rate in self._rates.values())

    def keep(self, row: int, texts: Mapping[str, str]) -> None:
        base = texts["from"]
        into = texts["to"]
        on = date.fromisoformat(texts["date"])
        rate = Rate(
            base=base,
            into=into,
            rate=Decimal(texts["rate"]),
            on=on,
            source=texts["source"],
        )
        first, _ = self._rates.setdefault((base, into, on), (row, rate))
        if base == into:
            self.fault(
                row, "to", f"is {into} as well; a rate is between two currencies"
            )
        elif first != row:
            self.fault(
                row,
                "date",
                f"row {first} has a rate from {base} to {into} of that day; keep one of them",
            )


def _jumps(rates: Sequence[tuple[int, Rate]]) -> Iterator[Remark]:
    ordered = sorted(rates, key=lambda kept: (kept[1].base, kept[1].into, kept[1].on))
    for (_, old), (row, new) in pairwise(ordered):
        low, high = sorted((old.rate, new.rate))
        is_next = (old.base, old.into) == (new.base, new.into) and (
            new.on - old.on
        ).days <= JUMP_DAYS
        if is_next and high >= low * JUMP:
            yield Remark(
                row,
                "rate",
                f"{new.rate} follows {old.rate} of {old.on}; check the point, and which way it is meant",
            )
