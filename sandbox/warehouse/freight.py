"""International freight: services, their countries, prices and days."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sandbox.goods import decimal_text

CURRENCY = "USD"
NEAR = frozenset({"HK", "JP", "KR", "MO", "MY", "PH", "SG", "TH", "TW", "VN"})
EUROPE = frozenset(
    {
        "AT",
        "BE",
        "BG",
        "CH",
        "CY",
        "CZ",
        "DE",
        "DK",
        "EE",
        "ES",
        "FI",
        "FR",
        "GB",
        "GR",
        "HR",
        "HU",
        "IE",
        "IT",
    }
    | {"LT", "LU", "LV", "MT", "NL", "NO", "PL", "PT", "RO", "SE", "SI", "SK", "UA"}
)
FAR = EUROPE | {
    "AE",
    "AU",
    "BR",
    "CA",
    "CL",
    "CO",
    "EG",
    "ID",
    "IL",
    "IN",
    "KE",
    "KZ",
    "MA",
    "MX",
    "NG",
    "NZ",
}
FAR |= {"PE", "QA", "SA", "TR", "US", "UY", "ZA"}


@dataclass(frozen=True, slots=True)
class Service:
    """Prices in US cents: a base and a price for each 10 grams."""

    id: str
    company: str
    category: str
    base_cents: int
    cents_per_10_grams: int
    min_days: int
    max_days: int
    near_only: bool = False

    def price_cents(self, grams: int) -> int:
        return self.base_cents + -(-grams * self.cents_per_10_grams // 10)


# services 1 and 2 cost 322.92 together for the public booking (weights:
# sandbox/generator.py)
SERVICES = (
    Service("1", "UCS", "STANDARD", 450, 12, 8, 15),
    Service("2", "UCS", "EXPRESS", 900, 20, 4, 7),
    Service("3", "云途", "ECONOMY", 300, 8, 5, 12, near_only=True),
)


def services_to(country: str) -> list[Service]:
    """The services to a country (two capital letters); empty without any."""
    if country in NEAR:
        return list(SERVICES)
    return (
        [service for service in SERVICES if not service.near_only]
        if country in FAR
        else []
    )


def service_view(service: Service, grams: int) -> dict[str, Any]:
    return {
        "serviceId": service.id,
        "companyName": service.company,
        "serviceCategory": service.category,
        "amount": decimal_text(service.price_cents(grams)),
        "currency": CURRENCY,
        "minDays": service.min_days,
        "maxDays": service.max_days,
    }
