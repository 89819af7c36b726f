"""The file of countries and currencies is that of pycountry; `python -m
tests.domain.test_iso_codes` writes it anew.
"""

from __future__ import annotations

import json

import pycountry

from tests.running import ROOT

FILE = ROOT / "domain" / "iso_codes.json"
NAMES = ("alpha_3", "name", "common_name", "official_name")


def told() -> str:
    countries = {
        country.alpha_2: [
            dict(country)[name] for name in NAMES if name in dict(country)
        ]
        for country in pycountry.countries
    }
    document = {
        "countries": {
            code: [code, *names] for code, names in sorted(countries.items())
        },
        "currencies": {
            currency.alpha_3: [currency.name]
            for currency in sorted(pycountry.currencies, key=lambda item: item.alpha_3)
        },
    }
    return json.dumps(document, ensure_ascii=False, indent=0)


def test_the_file_is_what_pycountry_tells() -> None:
    assert FILE.read_text(encoding="utf-8") == told()


if __name__ == "__main__":
    FILE.write_text(told(), encoding="utf-8")
