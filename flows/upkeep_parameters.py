"""Parameters of the forms for tracking, reconciliation, cancelling and after-sale."""

from __future__ import annotations

import re
from collections.abc import Sequence
from datetime import date
from typing import Annotated

from pydantic import ConfigDict, Field

from domain.catalogue import Selection
from domain.currencies import currency_code
from domain.findings import OrderId
from domain.marketplace import Marketplace
from domain.money import Money
from flows.parameters import BadInput, FormSection, asked, in_words

AS_SET = -1
Texts = tuple[str, ...]
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ORDER = re.compile(rf"({'|'.join(Marketplace)}):[^:\s]+")
WALLET_AMOUNT = re.compile(r"[0-9]{1,12}(\.[0-9]{1,2})?")


def a_day(text: str) -> str:
    """A day, or empty. Raises `BadInput` for a day that there is not."""
    if text and not DAY.fullmatch(text):
        raise BadInput(f"Paid since: {text[:20]!r} is no day; give one such as 2026-11-01, or leave it empty")
    return in_words("Paid since", lambda: date.fromisoformat(text).isoformat()) if text else ""


def a_currency(text: str) -> str:
    """The code of a currency, or empty. Raises `BadInput`."""
    return in_words("Currency", lambda: currency_code(text)) if text else ""


def wallet_out(text: str) -> Money | None:
    """The sum that left the wallet; None for an empty field. Raises `BadInput`."""
    if text and not WALLET_AMOUNT.fullmatch(text):
        raise BadInput(f"Left the wallet: {text[:20]!r} is no amount in yuan; give one such as 1500 or 99.50")
    return Money.parse(text) if text else None


def foreign_orders(lines: Sequence[str]) -> list[OrderId]:
    """The orders that are not ours. Raises `BadInput`."""
    if wrong := [line for line in lines if not ORDER.fullmatch(line)]:
        raise BadInput(f"Not ours: {wrong[0][:60]!r} is no order; give marketplace:order id, as taobao:4050118801")
    return [(Marketplace(name), order_id) for name, order_id in (line.split(":", 1) for line in lines)]


class WantedOffers(FormSection):
    """What to crawl on one marketplace: words, categories, shops or items, or everything."""

    model_config = ConfigDict(from_attributes=True)  # a command has it as `Selection`

    marketplace: Marketplace = asked("Marketplace", "Where to look")
    keywords: Texts = Field((), title="Words", description="What a search for these finds. Each entry is one search")
    categories: Texts = Field((), title="Categories", description="Ids of categories: all that is in them")
    shops: Texts = Field((), title="Shops", description="Ids of sellers: all that they offer")
    items: Texts = Field((), title="Items", description="Single items, by id or product link")
    everything: bool = Field(default=False, title="Everything", description="All that the marketplace lists")

    def read(self) -> Selection:
        """The form's values as the crawl takes them. Raises `BadInput`."""
        return in_words("What to look at", lambda: Selection(**dict(self)))


WantedList = Annotated[
    list[WantedOffers], asked("What to look at", "One entry a marketplace: press Add item, and choose there")
]
Full = Annotated[
    bool, asked("All anew", "Fetch and write also what has not changed. Otherwise only what is new, changed or gone")
]
MostItems = Annotated[int, asked("Most items", "From each search, category and shop. 0: all of them", ge=0)]

OrderRefs = Annotated[list[str], asked("Orders", "Their references, as they stand in the request file. At least one")]
CancelReason = Annotated[
    str, asked("Reason", "Told to the marketplace. For paid orders it must be one of the marketplace's own list")
]
SinceDays = Annotated[
    int,
    asked(
        "Days back", "Counted from the start of today; 0 is today alone. -1: as SOURCING_LOOK_BACK_DAYS says", ge=AS_SET
    ),
]
WalletOutCny = Annotated[
    str,
    asked(
        "Left the wallet, in yuan",
        "What the console's wallet statement says left for orders since the first day of the period, without "
        "freight and refunds. It is compared with the sum of the orders. Empty: not compared",
    ),
]
ForeignLines = Annotated[
    list[str],
    asked(
        "Not ours",
        "Orders that this run finds without one of ours and that are to stay, as marketplace:order id. They are "
        "not told again unless they cost more or go under one of our references. Example: taobao:4050118801",
    ),
]
AnsweredBy = Annotated[str, asked("Your name", "Who says that they are not ours; it is kept", max_length=120)]
Marketplaces = Annotated[list[Marketplace], asked("Marketplaces", "Only these. None: all of them")]
SinceDay = Annotated[str, asked("Paid since", "The first day, such as 2026-11-01. Empty: all orders")]
BooksCurrency = Annotated[
    str, asked("Currency", "Three letters, such as EUR. Another one than SOURCING_CURRENCY leaves the table as it is")
]
CsvFile = Annotated[
    str, asked("CSV file", "Path on the machine that runs the worker. Empty: exports/ in the data folder")
]
SheetFile = Annotated[str, asked("Sheet", "The same for the XLSX file")]
PauseReason = Annotated[
    str, asked("Why", "Told with every order that waits for it, and to whoever opens a run meanwhile. May stay empty")
]
PausedBy = Annotated[str, asked("Your name", "Who pauses; it is told with the reason")]
ResumedBy = Annotated[str, asked("Your name", "Who resumes; it is kept")]
ConfirmedAt = Annotated[Marketplace, asked("Marketplace", "Which one you have looked at in the console")]
AmountsRight = Annotated[
    bool, asked("Its amounts are right", "It is held since two readings of an amount are a hundred times apart: todo")
]
AllKnown = Annotated[bool, asked("Every order of ours there is known", "To the ledger, as a plan of a new one asks")]
ConfirmedBy = Annotated[str, asked("Your name", "Who has looked; it is kept")]
