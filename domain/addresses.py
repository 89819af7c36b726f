"""A receiver's country, phone and postcode, as written and as sent; and foreign texts
without a receiver's data.
"""

from __future__ import annotations

import json
import re
import unicodedata
from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from functools import cache, lru_cache
from importlib.resources import files
from string import capwords

from domain.orders import Receiver


def country_names() -> Mapping[str, Sequence[str]]:
    """The codes and names of each country, by its code of two letters."""
    return _read()["countries"]


def currency_codes() -> frozenset[str]:
    return frozenset(_read()["currencies"])


@cache
def _read() -> Mapping[str, Mapping[str, Sequence[str]]]:
    read: Mapping[str, Mapping[str, Sequence[str]]] = json.loads(
        files("domain").joinpath("iso_codes.json").read_text(encoding="utf-8")
    )
    return read


TWO_LETTERS = "give its two-letter code, such as DE"
# Everyday names that ISO 3166 spells otherwise, and Kosovo's code, which it leaves to
# its users.
EVERYDAY_NAMES = {
    "america": "US", "brunei": "BN", "cape verde": "CV", "dr congo": "CD", "east timor": "TL", "england": "GB",
    "great britain": "GB", "holland": "NL", "ivory coast": "CI", "korea, south": "KR",
    "kosovo": "XK", "macau": "MO", "macedonia": "MK", "micronesia": "FM",
    "palestine": "PS", "russia": "RU", "scotland": "GB", "swaziland": "SZ", "turkey": "TR", "u.k.": "GB", "u.s.": "US",
    "u.s.a.": "US", "uae": "AE", "uk": "GB", "vatican": "VA", "vatican city": "VA",
    "virgin islands (u.s.)": "VI", "wales": "GB", "xk": "XK",
}  # fmt: skip


def country_code(text: str) -> str:
    """The ISO 3166-1 alpha-2 code; case and accents don't matter.

    Raises `ValueError`, with a suggestion when a name is near.
    """
    folded = _folded(text)
    known = _codes()
    if code := known.get(folded) or known.get(folded.removeprefix("the ")):
        return code
    raise ValueError(f"{text[:60]!r} is not a country; {_hint(folded)}")


@lru_cache(
    maxsize=1024
)  # one misspelling often fills a column, and a search takes milliseconds
def _hint(folded: str) -> str:
    known = _codes()
    likely = [name for name in known if len(name) > 3 and name[0] == folded[:1]]
    near = get_close_matches(folded, likely, n=1, cutoff=0.75)
    return (
        f"did you mean {capwords(near[0])} ({known[near[0]]})?" if near else TWO_LETTERS
    )


@cache
def _codes() -> dict[str, str]:
    codes = dict(EVERYDAY_NAMES)
    for code, names in country_names().items():
        codes.update({_folded(name): code for name in names})
    return codes


@lru_cache(maxsize=1024)
def _folded(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.replace("\u2019", "'")).casefold()
    return " ".join(
        "".join(letter for letter in plain if not unicodedata.combining(letter)).split()
    )


INTERNATIONAL = re.compile(r"\+[0-9]{7,}")
PREFIX = 7  # characters that give the country and the kind of number; beyond them only the length counts


def is_possible_phone(text: str, country: str) -> bool:
    """Whether a number may exist, dialled from its country (an ISO code) or with the
    country's prefix.
    """
    if INTERNATIONAL.fullmatch(text):
        return _possible(text[:PREFIX] + "1" * (len(text) - PREFIX), country)
    return _possible(text, country) or (
        text[:1] != "+" and _possible(f"+{text}", country)
    )


@lru_cache(maxsize=8192)
def _possible(text: str, country: str) -> bool:
    from phonenumbers import (
        NumberParseException,
        is_possible_number,
        parse,
    )  # only request files need its tables

    try:
        return is_possible_number(parse(text, country))
    except NumberParseException:
        return False


DIGITS = {
    **dict.fromkeys(("AM", "AU", "BD", "CY", "DK", "GE", "HU", "MZ", "NO", "NZ", "PA", "PH", "PY", "TN", "ZA"), 4),
    **dict.fromkeys(
        ("AS", "CR", "CU", "CZ", "DE", "DO", "DZ", "EE", "EG", "ES", "FI", "FR", "GF", "GP", "GR", "GT", "GU", "HN",
         "HR", "ID", "IQ", "IT", "JO", "KE", "KR", "KW", "LA", "LK", "LT", "MA", "MC", "MM", "MP", "MQ", "MX", "MY",
         "NP", "PE", "PK", "PL", "PM", "PR", "RE", "RS", "SA", "SE", "SK", "SM", "SN", "TH", "TR", "UA", "US", "UY",
         "VA", "VI", "VN", "YT"),
        5,
    ),
    **dict.fromkeys(("BY", "CN", "CO", "EC", "IN", "KG", "KZ", "RO", "RU", "SG", "TM", "UZ"), 6),
    **dict.fromkeys(("CL", "JP"), 7),
    "BR": 8,
}  # fmt: skip


def is_cut_short(postcode: str, country: str) -> bool:
    """Whether a postcode of digits alone has fewer than its country (an ISO code) gives
    each of its own.
    """
    return (
        postcode.isascii()
        and postcode.isdigit()
        and len(postcode) < DIGITS.get(country, 0)
    )


PARTS = {
    "address": "address",
    "email": "receiver_email",
    "phone": "receiver_phone",
    "name": "receiver_name",
    "zip": "zip",
    "city": "city",
    "state": "state",
}
"""The parts that are erased, by the request file's column: the address first, since it
may hold the city.
"""
LEAST_DIGITS = 6
LEAST_NAME = 3


def without_receiver(text: str, receiver: Receiver) -> str:
    """The words with the receiver's data replaced by the names of its columns: `no
    delivery to [address]`.

    Whole words only, in whatever case; each part of a name too, and a phone number
    however its digits are grouped. The country stays.
    """
    if not text:
        return text
    for pattern, column in _patterns(receiver):
        text = pattern.sub(f"[{column}]", text)
    return text


@lru_cache(maxsize=256)
def _patterns(receiver: Receiver) -> list[tuple[re.Pattern[str], str]]:
    told = [(getattr(receiver, part).strip(), column) for part, column in PARTS.items()]
    told += [
        (name, "receiver_name")
        for name in receiver.name.split()
        if len(name) >= LEAST_NAME
    ]
    digits = re.sub(r"[^0-9]", "", receiver.phone)
    grouped = (
        [(_whole(r"\+?" + "[^0-9]{0,2}".join(digits)), "receiver_phone")]
        if len(digits) >= LEAST_DIGITS
        else []
    )
    return grouped + [
        (_whole(re.escape(text)), column) for text, column in told if len(text) > 1
    ]


def _whole(pattern: str) -> re.Pattern[str]:
    """A pattern that matches whole words only; scripts without blanks between words
    have none.
    """
    return re.compile(f"(?<![A-Za-z0-9])(?:{pattern})(?![A-Za-z0-9])", re.IGNORECASE)
