"""What the forms of the flows ask for that look after orders: tracking, reconciliation, cancelling, after-sale."""

from __future__ import annotations

from datetime import date
from typing import Annotated

from pydantic import AfterValidator, Field

from domain.currencies import currency_code
from domain.marketplace import Marketplace
from flows.parameters import titled


def a_day(text: str) -> str:
    """A day, or empty. Raises `ValueError` for a day that there is not."""
    return date.fromisoformat(text).isoformat() if text else ""


def a_currency(text: str) -> str:
    """The code of a currency, or empty. Raises `ValueError`."""
    return currency_code(text) if text else ""


OrderRefs = Annotated[
    list[str],
    Field(min_length=1, json_schema_extra=titled("Orders", "Their references, as they stand in the request file")),
]
CancelReason = Annotated[
    str,
    Field(
        min_length=1,
        max_length=200,
        json_schema_extra=titled(
            "Reason", "Told to the marketplace. For paid orders it must be one of the marketplace's own list"
        ),
    ),
]
SinceDays = Annotated[
    int | None,
    Field(
        ge=0,
        json_schema_extra=titled(
            "Days back", "Counted from the start of today; 0 is today alone. Empty: SOURCING_LOOK_BACK_DAYS"
        ),
    ),
]
WalletOutCny = Annotated[
    str,
    Field(
        pattern=r"^([0-9]{1,12}(\.[0-9]{1,2})?)?$",
        json_schema_extra=titled(
            "Left the wallet, in yuan",
            "What the console's wallet statement says left for orders since the first day of the period, without "
            "freight and refunds. It is compared with the sum of the orders. Empty: not compared",
        ),
    ),
]
NotOursLines = Annotated[
    list[Annotated[str, Field(pattern=rf"^({'|'.join(Marketplace)}):[^:\\s]+$")]],
    Field(
        json_schema_extra=titled(
            "Not ours",
            "Orders that this run finds without one of ours and that are to stay, as marketplace:order id. They are "
            "not told again unless they cost more or go under one of our references. Example: taobao:4050118801",
        )
    ),
]
SaidBy = Annotated[
    str,
    Field(max_length=120, json_schema_extra=titled("Your name", "Who says that they are not ours; it is kept")),
]
Marketplaces = Annotated[
    list[Marketplace],
    Field(json_schema_extra=titled("Marketplaces", "Only these. None: all of them")),
]
SinceDay = Annotated[
    str,
    Field(
        pattern=r"^(\d{4}-\d{2}-\d{2})?$",
        json_schema_extra=titled("Paid since", "The first day, such as 2026-11-01. Empty: all orders"),
    ),
    AfterValidator(a_day),
]
BooksCurrency = Annotated[
    str,
    Field(
        max_length=3,
        json_schema_extra=titled(
            "Currency", "Three letters, such as EUR. Another one than SOURCING_CURRENCY leaves the table as it is"
        ),
    ),
    AfterValidator(a_currency),
]
CsvFile = Annotated[
    str,
    Field(
        json_schema_extra=titled(
            "CSV file", "Path on the machine that runs the worker. Empty: exports/ in the data folder"
        )
    ),
]
SheetFile = Annotated[
    str,
    Field(json_schema_extra=titled("Sheet", "The same for the XLSX file")),
]
