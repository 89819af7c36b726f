"""The parcel companies by which a buyer may send goods back."""

from __future__ import annotations

from typing import NamedTuple


class Company(NamedTuple):
    code: str
    name: str
    phone: str


COMPANIES = (
    Company("SF", "顺丰", "95338"),
    Company("ZTO", "中通", "95311"),
    Company("YTO", "圆通", "95554"),
    Company("YUNDA", "韵达", "95546"),
)
BY_CODE = {company.code: company for company in COMPANIES}
