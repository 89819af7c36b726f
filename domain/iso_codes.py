"""Countries with their names (ISO 3166-1) and the codes of currencies (ISO 4217), from `iso_codes.json`.

`python -m tests.domain.test_iso_codes` writes the file anew from the development package pycountry.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from functools import cache
from importlib.resources import files


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
