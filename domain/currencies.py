"""Currencies by their three letters (ISO 4217)."""

from __future__ import annotations

from functools import cache

from domain.cell_characters import half_width
from domain.items import shortened


def currency_code(text: str) -> str:
    """The code in capital letters. Raises `ValueError` for what is no currency."""
    code = half_width(text).strip().upper()
    if code not in _codes():
        raise ValueError(f"{shortened(text)!r} is no currency; give its three letters, such as EUR")
    return code


@cache
def _codes() -> frozenset[str]:
    import pycountry  # its tables take a moment to load

    return frozenset(currency.alpha_3 for currency in pycountry.currencies)
