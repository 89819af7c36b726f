"""Whether a phone number is possible; only ever a reason for a warning, since numbering plans change."""

from __future__ import annotations

import re
from functools import lru_cache

INTERNATIONAL = re.compile(r"\+[0-9]{7,}")
PREFIX = 7  # characters that give the country and the kind of number; beyond them only the length counts


def is_possible_phone(text: str, country: str) -> bool:
    """Whether a number may exist, dialled from its country (an ISO code) or with the country's prefix."""
    if INTERNATIONAL.fullmatch(text):
        return _possible(text[:PREFIX] + "1" * (len(text) - PREFIX), country)
    return _possible(text, country) or (text[:1] != "+" and _possible(f"+{text}", country))


@lru_cache(maxsize=8192)
def _possible(text: str, country: str) -> bool:
    from phonenumbers import NumberParseException, is_possible_number, parse  # only request files need its tables

    try:
        return is_possible_number(parse(text, country))
    except NumberParseException:
        return False
