"""The columns of a request file, and what one cell of each must hold."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from itertools import product

from domain.addresses import country_code
from domain.cells import half_width, seen_text, value_text
from domain.marketplace import Marketplace, shortened
from domain.money import Money
from domain.offers import CHEAPEST, FASTEST

MAX_QUANTITY = 1_000_000

ORDER_REF = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}")
PADDED = re.compile(r"0*(\d+)(.*)", re.ASCII)
MOST_PADDED = 20
MOST_OF_OWN = 6  # digits of a number that may be a name of one's own, beside which 1-001 is another
OF_MONTH = re.compile(
    r"(\d{1,4}|[A-Za-z]{3,4}\.?)-(\d{1,4}|[A-Za-z]{3,4}\.?)(-[A-Za-z].*|)", re.ASCII
)
FULL_DATE = re.compile(
    r"(\d\d?|\d{4})([-.])(\d\d?)\2(\d\d?|\d{4})(-[A-Za-z].*|)", re.ASCII
)
# As spreadsheets write them in English, German, Spanish, French, Italian, Dutch and
# Portuguese.
MONTHS = (
    *(
        "jan janv ene gen",
        "feb fev",
        "mar mars mrt mrz",
        "apr abr avr",
        "may mai mei mag",
        "jun juin giu",
    ),
    *(
        "jul juil lug",
        "aug ago",
        "sep sept set",
        "oct okt ott out",
        "nov",
        "dec dic dez",
    ),
)
SERVICE_ID = re.compile(r"[A-Za-z0-9_-]+")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
WHOLE = re.compile(r"0*(0|[1-9][0-9]*)(?:\.0+)?")
A_THOUSAND = re.compile(r"[1-9][0-9]{0,2}\.000")
AMOUNT = re.compile(r"0*(0|[1-9][0-9]*)(?:\.[0-9]+)?")
MOST_DIGITS = 12  # of what is counted or paid: a longer number is a slip
DAMAGED_NUMBER = re.compile(r"-?[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")
HUGE_NUMBER = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?0*[1-9][0-9]+")  # 1e10 and more
AS_BYTES = re.compile(r"""b(?:'.*'|".*")""", re.DOTALL)
FRACTION = re.compile(r"[+-]?[0-9]+[.,][0-9]+")
OF_A_NUMBER = re.compile(r"[0-9]+\.0+")
WHOLE_AS_FLOAT = re.compile(r"([0-9]+)\.0")
# Of Excel, Google Sheets and LibreOffice, in capitals in each language; a run of # is a
# number in a narrow column.
SPREADSHEET_ERROR = re.compile(
    r"#(?:#*|[^\W\d]/[^\W\d]|NV|YOK|HIÁNYZIK|NENÍ_K_DISPOZICI|GETTING_DATA"
    r"|[¡¿]?[^\W\d][\w/]*[!?])|Err:[0-9]{3}|Loading(?:\.\.\.|…)"
)
LONGEST = 10_000  # characters of any cell, blanks included
EXAMPLE_REF = "EXAMPLE-1"  # of the template: never bought
EMPTY_WORDS = frozenset(("-", "--", "n/a", "na", "nan", "none", "null", "undefined"))


def read_cell(column: Column, value: object) -> tuple[str, list[str]]:
    """A cell's text as a person sees it, and the warnings about it. Raises `ValueError`
    for a value that is no cell.
    """
    if isinstance(value, str) and len(value) > LONGEST:
        raise ValueError(
            _too_long(column, len(value))
        )  # before anything looks at each character
    if type(value) is str and value.isascii() and value.isprintable():
        return value.strip(), []  # nearly all cells: nothing in them can be unseen
    return seen_text(value_text(value), prose=column.prose)


def _too_long(column: Column, length: int) -> str:
    return f"this cell has {length:,} characters; up to {column.most:,} are possible"


def _plain(text: str) -> str:
    if DAMAGED_NUMBER.fullmatch(text):
        raise ValueError(
            "this is a number that a spreadsheet cut short; format the column as text and enter it again"
        )
    return text


def _order_ref(text: str) -> str:
    _plain(text)
    if text == EXAMPLE_REF:
        raise ValueError(
            "this is the template's example row; write your own over it, or delete it"
        )
    if OF_A_NUMBER.fullmatch(text):
        raise ValueError(
            "a program made a number of this and wrote it with decimals; write it as it was, as text"
        )
    if not ORDER_REF.fullmatch(text):
        raise ValueError(
            f"{shortened(text)!r} is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'"
        )
    return text


def respelled(order_ref: str) -> set[str]:
    """What a spreadsheet makes of a reference as it opens a file, and what it may have
    made the reference of.
    """
    found = set[str]()
    if number := PADDED.fullmatch(order_ref):
        found = {
            number[1].zfill(width) + number[2]
            for width in range(len(number[1]), MOST_PADDED + 1)
        }
    if date := OF_MONTH.fullmatch(order_ref):
        of_month = [*_of_month(date[1], date[2]), *_of_month(date[2], date[1])]
        found |= {form + date[3] for form in of_month}
    if date := FULL_DATE.fullmatch(order_ref):
        ends = sorted(
            (date[1], date[4]), key=lambda end: len(end) == 4
        )  # of two short ones the day is first
        for day, month, year in product(*map(_written, (ends[0], date[3], ends[1]))):
            dates = [
                f"{day}-{month}-{year}",
                f"{day}.{month}.{year}",
                f"{year}-{month}-{day}",
            ]
            found |= {form + date[5] for form in dates[: 3 if len(year) == 4 else 2]}
    return (found | {*_as_numbers(order_ref)}) - {order_ref}


def _as_numbers(order_ref: str) -> Iterator[str]:
    """What a number becomes with decimals, or with marks between its thousands."""
    yield re.sub(r"(?<=\d)\.(?=\d{3}(?!\d))", "", order_ref)
    for run in re.finditer(r"\d+(?=-|$)", order_ref):
        before = order_ref[: run.start()]
        digits = run[0]
        after = order_ref[run.end() :]
        dotted, dashed = (
            re.sub(r"(?<=\d)(?=(?:\d{3})+$)", mark, digits) for mark in ".-"
        )
        in_shop = before or len(digits) > MOST_OF_OWN
        of_shop = (
            product((digits, dotted, dashed), ("", ".0", ".00", "-0", "-00"))
            if in_shop
            else ()
        )
        for number, end in (*product([digits], (".0", ".00")), *of_shop):
            yield f"{before}{number}{end}{after}"


def _of_month(text: str, other: str) -> Iterator[str]:
    """A day, or a year, of a month: for its number with its name in each language, for
    its name with both.
    """
    for at, names in enumerate(MONTHS, start=1):
        name = text.lower().rstrip(".")
        if other.isdecimal() and (text.lstrip("0") == str(at) or name in names.split()):
            plain = names.split() if text.isdecimal() else [name]
            months = {
                written
                for form in plain
                for written in (form, form.title(), form.upper(), f"{form}.")
            }
            for pair in product(
                months if text.isdecimal() else months | _written(str(at)),
                _written(other),
            ):
                yield from ("-".join(pair), "-".join(pair[::-1]))


def _written(digits: str) -> set[str]:
    """A day, month or year with and without its zero, and the short and the long
    year.
    """
    number = int(digits)
    return {str(number), f"{number:02}", f"{number % 100:02}", f"20{number % 100:02}"}


def _marketplace(text: str) -> str:
    if text.lower() not in tuple(Marketplace):
        raise ValueError(
            f"{shortened(text)!r} is not a marketplace; choose one of {', '.join(Marketplace)}"
        )
    return text.lower()


def _id(text: str) -> str:
    whole_match = WHOLE_AS_FLOAT.fullmatch(_plain(text))
    return whole_match.group(1) if whole_match else text


def _typed(text: str) -> str:
    """The text without the full-width characters of an input method and the blanks of a
    web page.
    """
    return (
        text
        if text.isascii()
        else half_width(text).replace("\u00a0", " ").replace("−", "-")
    )


def _code(text: str) -> str:
    return _id(_typed(text))


def _words(text: str) -> str:
    if AS_BYTES.fullmatch(text):
        raise ValueError(
            "this is what a program prints of bytes, b'…'; write the words themselves"
        )
    return _plain(text)


def _zip(text: str) -> str:
    text = _typed(text)
    if FRACTION.fullmatch(text) and not WHOLE_AS_FLOAT.fullmatch(text):
        raise ValueError(
            "this is a number with a fraction, and no postcode; format the column as text, enter it again"
        )
    return _id(text)


def _phone(text: str) -> str:
    if _typed(text)[0] == "-":
        raise ValueError(
            "a phone number begins with no minus; format the column as text, enter it again"
        )
    return _code(text)


def _quantity(text: str) -> str:
    whole_match = WHOLE.fullmatch(half_width(text))
    if _is_too_long(whole_match) or HUGE_NUMBER.fullmatch(text):
        raise ValueError(
            f"{shortened(text)} is too large: an order takes up to {MAX_QUANTITY} pieces of an item"
        )
    if A_THOUSAND.fullmatch(half_width(text)):
        raise ValueError(
            f"{text} may be a whole number or thousands; write it without the point"
        )
    if not whole_match or int(whole_match.group(1)) < 1:
        raise ValueError(f"{shortened(text)} is not a whole number of at least 1")
    if int(whole_match.group(1)) > MAX_QUANTITY:
        raise ValueError(
            f"{shortened(text)} is more than {MAX_QUANTITY}; split it over several orders"
        )
    return whole_match.group(1)


def _price(text: str) -> str:
    amount = half_width(text)
    written = AMOUNT.fullmatch(amount)
    if _is_too_long(written) or HUGE_NUMBER.fullmatch(text):
        raise ValueError(
            f"{shortened(text)} is too large: up to {MOST_DIGITS} digits are possible before the point"
        )
    if not written or not Decimal(amount):
        raise ValueError(
            f"{shortened(text)} is not an amount in yuan above 0, such as 12.50"
        )
    try:
        Money.parse(amount)
    except ValueError as error:
        raise ValueError(
            f"{shortened(text)} has more than 2 decimals; round it to whole fen"
        ) from error
    return amount


def _is_too_long(number: re.Match[str] | None) -> bool:
    return number is not None and len(number.group(1)) > MOST_DIGITS


def _email(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError("this does not look like an e-mail address")
    return text


def _freight(text: str) -> str:
    wish = _code(text)
    if not SERVICE_ID.fullmatch(wish):
        raise ValueError(
            f"{shortened(text)!r} is not cheapest, fastest or a service id (letters, digits, '-' and '_')"
        )
    return wish.lower() if wish.lower() in (CHEAPEST, FASTEST) else wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: how a filled cell is checked, and what an empty one means (None: it
    must be filled).

    `most` is the greatest length in characters. In `prose` blanks may take the place of
    line breaks. `words` tell a person what to write, and `example` is such a cell.
    `if_empty` is the fault of an empty cell; where `if_blank` is set, a cell of blanks
    alone is no empty one.
    """

    name: str
    words: str
    example: str
    most: int
    check: Callable[[str], str] = _plain
    prose: bool = False
    empty_means: str | None = None
    may_be_absent: bool = False
    default: str = ""
    if_empty: str = "this cell is empty; fill it in"
    if_blank: str = ""


HELD = "cells may be empty, but such an order waits for a person"
LIMIT = Column(
    name="max_unit_price",
    words="the most one piece may cost, in yuan, as a plain number; empty is no limit",
    example="12.50",
    most=LONGEST,
    check=_price,
    empty_means="cells may be empty where there is no limit",
    if_blank="this cell holds blanks, and no limit; empty it where there is none, or write it",
)
LIMIT_IN_EACH_ROW = "this cell is empty, and SOURCING_REQUIRE_PRICE_LIMIT asks for a limit in every row; write it"
COLUMNS = (
    Column(
        name="order_ref",
        words="your name for the order, unique for ever; lines with the same one make one order",
        example=EXAMPLE_REF,
        most=LONGEST,
        check=_order_ref,
    ),
    Column(
        name="marketplace",
        words=f"one of {', '.join(Marketplace)}",
        example="taobao",
        most=LONGEST,
        check=_marketplace,
    ),
    Column(
        name="item",
        words="an id, a product URL, or words to search; long ids as text, since spreadsheets round numbers",
        example="2048020617114736",
        most=2_000,
        check=_id,
    ),
    Column(
        name="sku",
        words="a SKU id (1688: or spec id); may be empty when its link names one, or the item has one",
        example="413185732720",
        most=100,
        check=_code,
        empty_means="cells may be empty where an item has one variant",
        may_be_absent=True,
    ),
    Column(
        name="own_sku",
        words="your own SKU, in place of marketplace, item, sku and limit: SOURCING_BOOK says what it is",
        example="",
        most=200,
        check=_id,
        empty_means="cells may be empty where marketplace and item are filled in",
        may_be_absent=True,
    ),
    Column(
        name="quantity",
        words="pieces, a whole number",
        example="1",
        most=LONGEST,
        check=_quantity,
    ),
    LIMIT,
    Column(
        name="receiver_name",
        words="who gets it",
        example="Alex Example",
        most=200,
        check=_words,
        prose=True,
    ),
    Column(
        name="receiver_phone",
        words="as dialled from the country, or with its code",
        example="+49 30 5550000",
        most=50,
        check=_phone,
        empty_means=HELD,
    ),
    Column(
        name="receiver_email",
        words="may be empty",
        example="alex@example.com",
        most=254,
        check=_email,
        empty_means="cells may be empty",
        may_be_absent=True,
    ),
    Column(
        name="country",
        words="as code or English name",
        example="DE",
        most=LONGEST,
        check=country_code,
    ),
    Column(
        name="state",
        words="or province",
        example="Berlin",
        most=100,
        check=_words,
        empty_means=HELD,
        prose=True,
    ),
    Column(
        name="city",
        words="city or town",
        example="Berlin",
        most=100,
        check=_words,
        empty_means=HELD,
        prose=True,
    ),
    Column(
        name="zip",
        words="postcode, as text where it begins with 0",
        example="10115",
        most=20,
        check=_zip,
        empty_means=HELD,
    ),
    Column(
        name="address",
        words="street and number",
        example="Beispielstrasse 1",
        most=500,
        check=_words,
        prose=True,
    ),
    Column(
        name="freight",
        words="cheapest, fastest, or a service id; empty is cheapest",
        example=CHEAPEST,
        most=100,
        check=_freight,
        empty_means="cells may be empty, which is cheapest",
        may_be_absent=True,
        default=CHEAPEST,
    ),
    Column(
        name="note",
        words="for you; may be empty",
        example="",
        most=2_000,
        empty_means="cells may be empty",
        may_be_absent=True,
        prose=True,
    ),
)

BY_NAME = {column.name: column for column in COLUMNS}
OWN_SKU = BY_NAME["own_sku"]
IN_THE_BOOK = ("marketplace", "item", "sku", "max_unit_price")
"""Columns that stay empty in a row with an own SKU: its entry in the SKU book has
them.
"""


def with_limit(columns: Sequence[Column]) -> list[Column]:
    """The columns, of which each row must have a limit."""
    return [
        replace(
            column,
            empty_means=None,
            may_be_absent=False,
            if_empty=LIMIT_IN_EACH_ROW,
        )
        if column.name == LIMIT.name
        else column
        for column in columns
    ]


def check_cell(column: Column, text: str) -> str:
    """The cell in its normal form. Raises `ValueError` that says what is wrong and what
    to do.
    """
    if not text:
        if column.empty_means is None:
            raise ValueError(column.if_empty)
        return column.default
    if len(text) > column.most:
        raise ValueError(_too_long(column, len(text)))
    if (
        text[0] in "#EL"
        and SPREADSHEET_ERROR.fullmatch(text)
        and (text[0] != "#" or text.upper() == text)
    ):
        raise ValueError(
            f"{shortened(text)} is a spreadsheet's error or placeholder; put the value in its place"
        )
    return column.check(text)
