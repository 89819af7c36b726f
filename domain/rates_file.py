"""The merchant's file of exchange rates: its columns, and the check of its rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from decimal import Decimal
from itertools import pairwise

from domain.addresses import currency_codes
from domain.cell_table import CellTable, RowOrRemark
from domain.cells import half_width
from domain.landed import Rate, Rates
from domain.marketplace import shortened
from domain.request_cells import Column
from domain.request_remarks import HEADER_ROW, Fault


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


def parse_rates(found: Iterable[RowOrRemark]) -> Rates:
    """The rates. Raises `BadTable` with every fault."""
    table = CellTable(COLUMNS)
    rates: dict[tuple[str, str, date], tuple[int, Rate]] = {}
    for row, cells in table.complete_rows(found):
        base, into, on = cells["from"], cells["to"], date.fromisoformat(cells["date"])
        rate = Rate(
            base=base,
            into=into,
            rate=Decimal(cells["rate"]),
            on=on,
            source=cells["source"],
        )
        first, _ = rates.setdefault((base, into, on), (row, rate))
        if base == into:
            problem = f"is {into} as well; a rate is between two currencies"
            table.fault(row, "to", problem)
        elif first != row:
            problem = f"row {first} has a rate from {base} to {into} of that day; keep one of them"
            table.fault(row, "date", problem)
    if not rates and not table.faults:
        problem = "the file has no rates; add one row for each"
        table.fault(HEADER_ROW, "", problem)
    table.faults += _jumps(list(rates.values()))
    table.raise_faults()
    return Rates(rate for _, rate in rates.values())


def _jumps(rates: Sequence[tuple[int, Rate]]) -> Iterator[Fault]:
    ordered = sorted(rates, key=lambda kept: (kept[1].base, kept[1].into, kept[1].on))
    for (_, old), (row, new) in pairwise(ordered):
        low, high = sorted((old.rate, new.rate))
        is_next = (old.base, old.into) == (new.base, new.into) and (
            new.on - old.on
        ).days <= JUMP_DAYS
        if is_next and high >= low * JUMP:
            yield Fault(
                row,
                "rate",
                f"{new.rate} follows {old.rate} of {old.on}; check the point, and which way it is meant",
            )
