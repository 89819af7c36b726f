"""The columns of a request file, and what one cell of each must hold."""

from __future__ import annotations

import math
import re
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal

from domain.countries import country_code
from domain.freight import CHEAPEST, FASTEST
from domain.items import shortened
from domain.marketplace import Marketplace
from domain.money import Money

MAX_QUANTITY = 1_000_000
EXACT_FLOAT_LIMIT = 2**53

ORDER_REF = re.compile(r"(?=.*[A-Za-z0-9])[A-Za-z0-9._-]{1,64}")
SERVICE_ID = re.compile(r"[A-Za-z0-9_-]+")
EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s.]+")
WHOLE = re.compile(r"0*(0|[1-9][0-9]*)(?:\.0+)?")
AMOUNT = re.compile(r"0*(0|[1-9][0-9]*)(?:\.[0-9]+)?")
MOST_DIGITS = 12  # of what is counted or paid: a longer number is a slip
DAMAGED_NUMBER = re.compile(r"[0-9](?:[.,][0-9]+)?[eE]\+[0-9]+")
HUGE_NUMBER = re.compile(r"[0-9](?:\.[0-9]+)?[eE]\+?0*[1-9][0-9]+")  # 1e10 and more
WHOLE_AS_FLOAT = re.compile(r"([0-9]+)\.0")
UNPRINTABLE = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
SPREADSHEET_ERROR = re.compile(r"#(?:N/A|REF!|VALUE!|NAME\?|DIV/0!|NUM!|NULL!)")
STRAY = " \t\r\n\x0b\x0c\u00a0\u3000\u200b\u200c\u200d\u2060\ufeff"


def cell_text(value: object) -> str:
    """A cell as stripped text; None and NaN are empty, and a whole float loses its `.0`.

    A float too large to be exact stays in its exponent form, which no id column accepts.
    """
    if isinstance(value, str):
        return value.strip(STRAY)
    if isinstance(value, float):
        return _float_text(value)
    if isinstance(value, Decimal):
        return _decimal_text(value)
    return "" if value is None else str(value).strip(STRAY)


def _float_text(value: float) -> str:
    if not value.is_integer():
        return "" if math.isnan(value) else repr(value)
    return str(int(value)) if abs(value) < EXACT_FLOAT_LIMIT else f"{value:.16e}"


def _decimal_text(value: Decimal) -> str:
    if not value.is_finite():
        return "" if value.is_nan() else str(value)
    return str(int(value)) if value == value.to_integral_value() else f"{value:f}"


def _plain(text: str) -> str:
    if DAMAGED_NUMBER.fullmatch(text):
        raise ValueError(
            f"{text} is a number that a spreadsheet cut short; format the column as text and enter it again"
        )
    return text


def _order_ref(text: str) -> str:
    _plain(text)
    if not ORDER_REF.fullmatch(text):
        raise ValueError(f"{shortened(text)!r} is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'")
    return text


def _marketplace(text: str) -> str:
    if text.lower() not in tuple(Marketplace):
        raise ValueError(f"{shortened(text)!r} is not a marketplace; choose one of {', '.join(Marketplace)}")
    return text.lower()


def _id(text: str) -> str:
    whole = WHOLE_AS_FLOAT.fullmatch(_plain(text))
    return whole.group(1) if whole else text


def _quantity(text: str) -> str:
    whole = WHOLE.fullmatch(unicodedata.normalize("NFKC", text))
    if _is_too_long(whole) or HUGE_NUMBER.fullmatch(text):
        raise ValueError(f"{shortened(text)} is too large: an order takes up to {MAX_QUANTITY} pieces of an item")
    if not whole or int(whole.group(1)) < 1:
        raise ValueError(f"{shortened(text)} is not a whole number of at least 1")
    if int(whole.group(1)) > MAX_QUANTITY:
        raise ValueError(f"{shortened(text)} is more than {MAX_QUANTITY}; split it over several orders")
    return whole.group(1)


def _price(text: str) -> str:
    amount = unicodedata.normalize("NFKC", text)
    written = AMOUNT.fullmatch(amount)
    if _is_too_long(written) or HUGE_NUMBER.fullmatch(text):
        raise ValueError(f"{shortened(text)} is too large: up to {MOST_DIGITS} digits are possible before the point")
    if not written or not Decimal(amount):
        raise ValueError(f"{shortened(text)} is not an amount in yuan above 0, such as 12.50")
    try:
        Money.parse(amount)
    except ValueError as error:
        raise ValueError(f"{shortened(text)} has more than 2 decimals; round it to whole fen") from error
    return amount


def _is_too_long(number: re.Match[str] | None) -> bool:
    return number is not None and len(number.group(1)) > MOST_DIGITS


def _email(text: str) -> str:
    if not EMAIL.fullmatch(text):
        raise ValueError(f"{shortened(text)!r} does not look like an e-mail address")
    return text


def _freight(text: str) -> str:
    wish = _id(text)
    if not SERVICE_ID.fullmatch(wish):
        raise ValueError(f"{shortened(text)!r} is not cheapest, fastest or a service id (letters, digits, '-' and '_')")
    return wish.lower() if wish.lower() in (CHEAPEST, FASTEST) else wish


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One column: how a filled cell is checked, and what an empty one means (None: it must be filled)."""

    name: str
    check: Callable[[str], str] = _plain
    empty_means: str | None = None
    may_be_absent: bool = False
    default: str = ""


HELD = "cells may be empty, but such an order waits for a person"
COLUMNS = (
    Column(name="order_ref", check=_order_ref),
    Column(name="marketplace", check=_marketplace),
    Column(name="item", check=_id),
    Column(name="sku", check=_id, empty_means="cells may be empty where an item has one variant", may_be_absent=True),
    Column(name="quantity", check=_quantity),
    Column(name="max_unit_price", check=_price, empty_means="cells may be empty where there is no limit"),
    Column(name="receiver_name"),
    Column(name="receiver_phone", check=_id, empty_means=HELD),
    Column(name="receiver_email", check=_email, empty_means="cells may be empty", may_be_absent=True),
    Column(name="country", check=country_code),
    Column(name="state", empty_means=HELD),
    Column(name="city", empty_means=HELD),
    Column(name="zip", check=_id, empty_means=HELD),
    Column(name="address"),
    Column(
        name="freight",
        check=_freight,
        empty_means="cells may be empty, which is cheapest",
        may_be_absent=True,
        default=CHEAPEST,
    ),
    Column(name="note", empty_means="cells may be empty", may_be_absent=True),
)


def check_cell(column: Column, text: str) -> str:
    """The cell in its normal form. Raises `ValueError` that says what is wrong and what to do."""
    if not text:
        if column.empty_means is None:
            raise ValueError("this cell is empty; fill it in")
        return column.default
    if not text.isprintable() and UNPRINTABLE.search(text):
        raise ValueError("this cell holds an unprintable character; type it again")
    if text[0] == "#" and SPREADSHEET_ERROR.fullmatch(text):
        raise ValueError(f"{text} is a spreadsheet's error; put the value in its place")
    return column.check(text)
