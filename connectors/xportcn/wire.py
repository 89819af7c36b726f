"""Values on the wire: exact ids, money, counts and times.

No number passes through a float. Impossible values do not fit: amounts below zero or
above any sane order, malformed ids, times of another century, endless texts.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import StrEnum
from html import unescape
from typing import Annotated

from pydantic import (
    BeforeValidator,
    Field,
    PlainSerializer,
    PlainValidator,
    SerializationInfo,
    ValidationInfo,
)

from domain.money import Money

CHINA = timezone(timedelta(hours=8))
SPACED = "%Y-%m-%d %H:%M:%S"
ISO = re.compile(
    r"\d{4}-\d\d-\d\d[ T]\d\d:\d\d:\d\d(\.\d{1,9})?(Z|[+-]\d\d:?\d\d)?", re.ASCII
)
SLASHED = re.compile(r"\d{4}/\d\d/\d\d\b")
LEAST_MS = 10**11
NO_TIMES = ("", "0", 0)
ZERO_DAYS = ("0000-00-00", "1970-01-01", "19700101")
"""Days of a time of nothing: in China Java's zero is at 08:00 of the first day of
1970.
"""
COMPACT_AS_SHOWN = re.compile(r"\d{17}[+-]\d{4}", re.ASCII)
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
COMPACT = "%Y%m%d%H%M%S%f%z"
# Doubles of the service's own arithmetic come as 57.99999999999999: that far off, and
# no farther, it is a whole fen.
FLOAT_DUST = Decimal("0.000001")
MOST_DIGITS = 30
LEAST_HUGE = 10 ** (MOST_DIGITS + 1)
MOST_MINOR = 10**15
"""Above every amount, in whatever currency, and so far below 64 bits that thousands of
them can be added up.
"""
MOST_COUNT = 10**12
MOST_TEXT = 2_000
MOST_ID = 64
FIRST_TIME = datetime(2000, 1, 1, tzinfo=UTC)
LAST_TIME = datetime(2100, 1, 1, tzinfo=UTC)
ID = re.compile(rf"[0-9A-Za-z][0-9A-Za-z._:+=@|~-]{{0,{MOST_ID - 1}}}")
JOINED = re.compile(r"\s*[,，;；、/|(（]\s*|(?<=\w{8})\s+(?=\w{8})")
TELEPHONE = re.compile(
    r"[^0-9A-Za-z]*(?:1[3-9][0-9]{9}|0[0-9]{2,3}-[0-9]{7,8}|400-?[0-9]{3}-?[0-9]{4})"
)
PLAIN_NUMBER = re.compile(r"[+-]?[0-9]+(\.[0-9]*)?([eE][+-]?[0-9]{1,3})?", re.ASCII)
POINT = re.compile(r"[.eE]")
OF_A_DOUBLE = re.compile(r"[0-9]+\.0+")


class Unit(StrEnum):
    """What a number stands for where amounts are in CNY."""

    FEN = "fen"
    YUAN = "yuan"


@dataclass(frozen=True, slots=True, kw_only=True)
class Bounds:
    """How amounts of an answer are read, the context of `validate_python`.

    `most_minor` bounds each amount; `unit` is that of amounts in CNY where it is not
    the contract's.
    """

    most_minor: int = MOST_MINOR
    unit: Unit | None = None


class PointInFen(ValueError):
    """An amount with a decimal point, a number or a text, where whole fen belong: it
    may be in yuan.
    """

    def __init__(self, amount: str) -> None:
        super().__init__(f"{amount} has a decimal point where fen are whole")
        self.amount = amount


def _decimal(value: object) -> Decimal:
    """An exact decimal of a number or its text; a float has lost digits and is an
    error.
    """
    if isinstance(value, bool) or not isinstance(value, (int, str, Decimal)):
        raise ValueError(f"{type(value).__name__} where a number belongs")
    if isinstance(value, str) and not PLAIN_NUMBER.fullmatch(value.strip()):
        raise ValueError(
            "not a number"
        )  # Decimal also takes 1_000 and the digits of every script
    number = Decimal(value.strip() if isinstance(value, str) else value)
    if not number.is_finite() or number.adjusted() > MOST_DIGITS:
        raise ValueError("not a number of reasonable size")
    return number


def _whole(value: object) -> int:
    if type(value) is int and -LEAST_HUGE < value < LEAST_HUGE:
        return value
    number = _decimal(value)
    if number != number.to_integral_value():
        raise ValueError("not a whole number")
    return int(number)


def _counted(value: object) -> int:
    try:
        number = _whole(value)
    except ValueError:
        return 0
    return number if 0 < number <= MOST_COUNT else 0


def _id(value: object) -> str:
    text = _label(value)
    if text and (not ID.fullmatch(text) or OF_A_DOUBLE.fullmatch(text)):
        raise ValueError("not an id")
    return text


def _label(value: object) -> str:
    """An id as text. Raises `ValueError` for 1.0: ids with a point went through
    doubles, and are another order's.
    """
    if isinstance(value, str):
        return value.strip()
    if type(value) is not int:
        raise ValueError(f"{type(value).__name__} where an id belongs")
    return str(_whole(value))


def _parcel_number(value: object) -> str:
    """The number; `0`, `-` and `NA` stand for none."""
    text = _label(value)
    return text if re.search("[1-9]", text) else ""


def numbers_in(field: str) -> list[str]:
    """The numbers of parcels that a field joins, one that is empty for none.

    What stands beside them, a count of pieces or the carrier's telephone, is none: the
    warehouse would wait for it.
    """
    parts = [
        distinct_number
        for distinct_number in JOINED.split(field)
        if re.search("[0-9]{8}", distinct_number)
    ]
    numbers = (
        [
            distinct_number
            for distinct_number in parts
            if not TELEPHONE.fullmatch(distinct_number)
        ]
        or parts
        or [field]
    )
    return [
        distinct_number
        for distinct_number in dict.fromkeys(numbers)
        if re.search("[1-9]", distinct_number) and len(distinct_number) <= MOST_ID
    ] or [""]


def _reference(value: object) -> str:
    """A reference without quotes, blanks and HTML escapes that the way may add: our
    references have none.
    """
    return unescape(_label(value)).strip(" \t\"'")


def _word(value: object) -> str:
    if not isinstance(value, bool | int | str | Decimal):
        raise ValueError("not a word")
    return str(value).strip()[:MOST_ID]


def _id_number(value: str) -> int | str:
    """The id as a number; other text goes unchanged, for the service to refuse."""
    return int(value) if value.isascii() and value.isdigit() else value


def _fen(value: object, info: ValidationInfo) -> Money:
    return _in_cny(value, info, Unit.FEN)


def _yuan(value: object, info: ValidationInfo) -> Money:
    return _in_cny(value, info, Unit.YUAN)


def _in_cny(value: object, info: ValidationInfo, unit: Unit) -> Money:
    """The amount, in the contract's `unit` unless the context has another."""
    if isinstance(value, Money):
        return _within(_cny(value), info)
    told = info.context.unit if isinstance(info.context, Bounds) else None
    return _within(
        Money(
            _fen_of_yuan(value) if (told or unit) is Unit.YUAN else _whole_fen(value)
        ),
        info,
    )


def _whole_fen(value: object) -> int:
    if isinstance(value, Decimal) or (isinstance(value, str) and POINT.search(value)):
        raise PointInFen(str(_decimal(value)))
    return _whole(value)


def _fen_of_yuan(value: object) -> int:
    fen = _decimal(value).scaleb(2)
    whole_fen = fen.to_integral_value()
    if abs(fen - whole_fen) > FLOAT_DUST:
        raise ValueError("more digits than yuan have")
    return int(whole_fen)


def _fen_written(money: Money, info: SerializationInfo) -> int | float:
    return money.minor / 100 if info.context is Unit.YUAN else money.minor


def _within(money: Money, info: ValidationInfo) -> Money:
    """The amount. Raises `ValueError` below zero and above the bound (`Bounds`)."""
    most_minor = (
        info.context.most_minor if isinstance(info.context, Bounds) else MOST_MINOR
    )
    if money.minor < 0:
        raise ValueError("an amount below zero")
    if money.minor > most_minor:
        raise ValueError(f"an amount above {Money(most_minor, money.currency)}")
    return money


def _in_currency(value: object, info: ValidationInfo) -> Money:
    currency = info.data.get("currency")
    if (
        not currency
        or isinstance(value, bool)
        or not isinstance(value, str | int | Decimal)
    ):
        raise ValueError("not an amount with a currency")
    try:
        money = Money.parse(value, currency)
    except ValueError as error:
        raise ValueError(
            "not an amount of its currency"
        ) from error  # the original error quotes the text, however long
    return _within(money, info)


def _cny(money: Money) -> Money:
    if money.currency != "CNY":
        raise ValueError(f"{money} where CNY belong")
    return money


def _in_our_time(moment: datetime) -> datetime:
    if not FIRST_TIME <= moment < LAST_TIME:
        raise ValueError("not a time of this century")
    return moment


def _china_time(value: object) -> datetime:
    return _in_our_time(_any_china_time(value))


def _any_china_time(value: object) -> datetime:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    text = str(value).strip()
    if text.isascii() and text.isdigit() and len(text) in (10, 13):
        return _epoch_time(text[:10])
    try:
        moment = _moment(text)
    except ValueError:
        raise ValueError(
            "not a date and time"
        ) from None  # the original error quotes the whole text
    try:
        return (moment if moment.tzinfo else moment.replace(tzinfo=CHINA)).astimezone(
            UTC
        )
    except OverflowError as error:
        raise ValueError("not a time of this calendar") from error


def _moment(text: str) -> datetime:
    """A time in the two shapes of the contract, in ISO's, or with slashes; without a
    zone it is China's time.
    """
    if COMPACT_AS_SHOWN.fullmatch(text):
        return datetime.fromisoformat(f"{text[:8]}T{text[8:14]}.{text[14:]}")
    dashed = text.replace("/", "-") if SLASHED.match(text) else text
    if ISO.fullmatch(dashed):
        return datetime.fromisoformat(dashed)
    return datetime.strptime(text, SPACED if " " in text else COMPACT)  # noqa: DTZ007 - the spaced one is China's time


def _epoch_time(value: object) -> datetime:
    """Seconds or milliseconds, which differ in size in our century; or a text with its
    zone.
    """
    if isinstance(value, datetime):
        return value
    if isinstance(value, str) and ISO.fullmatch(value.strip()):
        return _zoned(datetime.fromisoformat(value.strip()))
    count = _whole(value)
    return _after_epoch(
        timedelta(milliseconds=1) if count >= LEAST_MS else timedelta(seconds=1), count
    )


def _zoned(moment: datetime) -> datetime:
    if moment.tzinfo is None:
        raise ValueError("a time without a zone where it may be any")
    return _in_our_time(moment.astimezone(UTC))


def _after_epoch(unit: timedelta, count: int) -> datetime:
    try:
        return _in_our_time(EPOCH + unit * count)
    except OverflowError as error:
        raise ValueError("not a time of this calendar") from error


def _no_time_is_absent(value: object) -> object:
    is_zero = isinstance(value, str) and value.strip().startswith(ZERO_DAYS)
    return None if is_zero or value in NO_TIMES else value


def china_text(moment: datetime) -> str:
    """A moment as the service writes and reads it: China time, to the second."""
    return moment.astimezone(CHINA).strftime(SPACED)


def compact_text(moment: datetime) -> str:
    """A moment in 1688's own form, to the second."""
    return moment.astimezone(CHINA).strftime("%Y%m%d%H%M%S000%z")


def unix_text(moment: datetime) -> str:
    """A moment as text of unix seconds."""
    return str(int(moment.timestamp()))


def unix_ms(moment: datetime) -> int:
    """A moment as unix milliseconds."""
    return int(moment.timestamp()) * 1000


Id = Annotated[str, BeforeValidator(_id)]
"""An id: text inside, whether text or a number of 19 digits arrives. Empty text stands
for none.
"""

GivenId = Annotated[Id, Field(min_length=1)]
"""An id that must be there."""

ParcelNumber = Annotated[
    str, BeforeValidator(_parcel_number), Field(max_length=MOST_ID)
]
"""A carrier's number of a parcel: text, or a number; its characters are up to the
carrier. Empty: none.
"""

ParcelNumbers = Annotated[str, BeforeValidator(_parcel_number)]
"""A field with the number of a seller's parcel, or of several: see `numbers_in`."""

Reference = Annotated[str, BeforeValidator(_reference)]
"""The buyer's reference of an order, ours or a foreign one: text, or a number."""

Word = Annotated[str, BeforeValidator(_word)]
"""The service's word for a state: any word stays readable, and is no longer than an id.
Empty for none.
"""

Count = Annotated[int, Field(ge=0, le=MOST_COUNT)]
"""How many: pieces, rows, pages, days."""

Counted = Annotated[Count, BeforeValidator(_counted)]
"""A number that may come otherwise than whole, and is 0 then: pieces by the metre, days
as `5-7`.
"""

Code = Annotated[int, Field(ge=-MOST_COUNT, le=MOST_COUNT)]
"""A status or a kind by its number."""

Currency = Annotated[str, Field(pattern=r"^[A-Z]{3}$")]
"""The three letters of a currency."""

IdNumber = Annotated[str, PlainSerializer(_id_number)]
"""An id that the contract wants sent as a number."""

Fen = Annotated[Money, PlainValidator(_fen), PlainSerializer(_fen_written)]
"""CNY in whole fen on the wire. A decimal point is never read as fen (`PointInFen`)."""

Yuan = Annotated[Money, PlainValidator(_yuan)]
"""CNY in yuan on the wire, a number or a text; read only."""

Amount = Annotated[Money, PlainValidator(_in_currency)]
"""Decimal text in major units of the currency that stands beside it."""

ChinaTime = Annotated[datetime, PlainValidator(_china_time)]
"""A date-time of the service, `2026-01-31 08:00:00` or `20260131080000000+0800`; UTC
inside.
"""

MaybeChinaTime = Annotated[ChinaTime | None, BeforeValidator(_no_time_is_absent)]

UnixMs = Annotated[datetime, PlainValidator(_epoch_time)]
"""Unix milliseconds, a number or a text; UTC inside."""

MaybeUnixMs = Annotated[UnixMs | None, BeforeValidator(_no_time_is_absent)]

CommaText = Annotated[tuple[str, ...], PlainSerializer(",".join, return_type=str)]
"""Texts that travel as one, with commas between; none of them may hold one."""
