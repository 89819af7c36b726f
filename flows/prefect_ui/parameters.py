"""Parameters of the run form: titles, descriptions, choices and limits as the Prefect
UI shows them.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from datetime import UTC, date, datetime
from typing import Annotated, Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic.json_schema import SkipJsonSchema

from connectors.export_formats import ExportFormat
from domain.catalogue import Selection
from domain.findings import OrderId
from domain.follow_ups import moment_of
from domain.marketplace import Marketplace
from domain.money import Money, yuan
from domain.request_cells import COLUMNS
from domain.request_remarks import BadInput
from domain.wording import Choice

SECRET = "secret:"
MOST_PASTED = 1_000
"""Lines: a browser shows so many within seconds. Prefect's server takes 524,288 bytes;
a Chinese character is six.
"""
T = TypeVar("T")


def asked(title: str, description: str = "", **bounds: Any) -> Any:
    """The `Field` of a parameter: Prefect writes the bare name over a title of `Field`
    itself, not over this one.
    """
    words: dict[str, Any] = (
        {"title": title, "description": description}
        if description
        else {"title": title}
    )
    return Field(json_schema_extra=words, **bounds)


def form_field(annotation: Any) -> Any:
    """What a command has too, as a form has it; all else as it is."""
    match get_args(annotation):
        case kind, option if hasattr(option, "help"):
            return Annotated[kind, asked(option.title, option.help)]
    return annotation


def in_words(name: str, read: Callable[[], T]) -> T:
    """The value of a field. Raises `BadInput` with the field's name.

    The schema of a form has few rules on purpose: the UI would answer with a regular
    expression.
    """
    try:
        return read()
    except ValueError as error:
        raise BadInput(f"{name}: {error}") from None


def an_amount(text: str, name: str = "Budget in yuan") -> Money | None:
    """An amount in yuan; None for an empty field. Raises `BadInput`."""
    if not text.strip():
        return None
    try:
        return yuan(text)
    except ValueError:
        raise BadInput(
            f"{name}: {text[:20]!r} is no amount above 0 with at most two decimals; give one such as 1500 or 99.50, "
            "or leave it empty"
        ) from None


BudgetCny = Annotated[
    str,
    asked(
        "Budget in yuan",
        "The most that the goods and domestic postage of one batch may cost, over all its runs. What does not fit "
        "is held. Empty: no limit beside those of the settings. Example: 1500 or 99.50",
    ),
]
PlanHash = Annotated[
    str,
    asked("Plan", "Ties your answer to the plan that was shown; leave it as it is"),
]
PlanChoice = Annotated[
    Choice,
    asked(
        "Answer",
        "none refuses the plan, and buys nothing of it. all approves it as it was shown, only and all but "
        "the orders named below. What is not approved is held",
    ),
]
ApprovedOrders = Annotated[
    str,
    asked(
        "Orders",
        "For only and all but: references as the plan has them, one a line or with commas between them",
    ),
]
DueOnly = Annotated[
    bool,
    asked(
        "Only what is due",
        "Leave out parcels that were read lately and had no scan for long, as the schedule does",
    ),
]


class FormSection(BaseModel):
    """A part of the form."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Requests(FormSection):
    """Either a file or pasted lines."""

    file: Annotated[
        str,
        Field(
            title="Request file",
            description=(
                "Path of a CSV, XLSX, JSON or Parquet file on the machine that runs the worker, or the https address "
                "of one, such as a published sheet. The address stays in Prefect's database with this run; where it "
                "is a secret, put it into a block Secret and give the block's name as secret:NAME"
            ),
            examples=[
                "/srv/sourcing/orders.csv",
                "https://sheets.example/export?format=csv",
                "secret:orders-sheet",
            ],
        ),
    ] = ""
    lines: Annotated[
        str,
        Field(
            title="Pasted lines",
            description=(
                "Instead of a file: rows copied from a spreadsheet, the header row with these names first, in any "
                f"order: {', '.join(one.name for one in COLUMNS)}. A row below it, for example: "
                f"{', '.join(one.example for one in COLUMNS).rstrip(', ')}. Cells are separated by tabs, commas or "
                f"semicolons. More than {MOST_PASTED:,} lines: use a file; `sourcing template orders.xlsx` makes an "
                "empty one. Pasted lines are kept in Prefect's database with this run"
            ),
        ),
    ] = ""
    encoding: SkipJsonSchema[str] = ""
    """A command's; no form asks for it."""

    def check(self) -> None:
        """Raise `BadInput` unless exactly one of the two is given, and not too much of
        it.
        """
        if self.file and self.lines.strip():
            raise BadInput("give a request file or pasted lines, not both")
        if not self.file and not self.lines.strip():
            raise BadInput(
                "nothing to buy: give the path or https address of a request file, or paste its lines"
            )
        if (pasted := len(self.lines.strip().splitlines())) > MOST_PASTED:
            raise BadInput(
                f"{pasted:,} lines were pasted, and a form takes {MOST_PASTED:,}: put them into a file"
            )


DoneBy = Annotated[
    str,
    asked(
        "Done by",
        "From this time on the run begins nothing more: what is under way ends, and the rest says what becomes of "
        "it. In SOURCING_TIMEZONE; without a day the next such time. Empty: no limit. Example: 06:00",
    ),
]


Parts = Annotated[
    int,
    asked(
        "Parts",
        "So many runs buy the batch, on any workers of the pool; the ledger must be on "
        "PostgreSQL. 0: one, and four beyond 5,000 orders",
        ge=0,
        le=64,
    ),
]


class Limits(FormSection):
    """The budget and the time limit of a run. Limits for one order and for one day are
    in the settings.
    """

    budget_cny: BudgetCny = ""
    done_by: DoneBy = ""

    @property
    def budget(self) -> Money | None:
        """The budget, or none. Raises `BadInput`."""
        return an_amount(self.budget_cny)

    def check(self) -> None:
        """Raise `BadInput` for a budget or a time that can't be."""
        an_amount(self.budget_cny)
        in_words("Done by", lambda: moment_of(self.done_by, datetime.now(UTC), "UTC"))


RequestsParameter = Annotated[Requests, asked("What to buy")]
DryRun = Annotated[
    bool,
    asked(
        "Dry run",
        "Plan only: prices, stock, freight and what would be held. Nothing is bought. Turn it off to buy",
    ),
]
Yes = Annotated[
    bool,
    asked(
        "Approved beforehand",
        "Buy without asking, as far as all limits allow. Otherwise the run ends with the plan, and buys nothing "
        "before a person approves it in the form of approve-batch",
    ),
]
BatchName = Annotated[
    str,
    asked(
        "Name of the batch",
        "The same name goes on with the same batch and its budget. Empty: made from the file's name and contents. "
        "Letters, digits, '.', '_' and '-'",
    ),
]
LimitsParameter = Annotated[Limits, asked("Limits of this run")]

Texts = tuple[str, ...]
DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
ORDER = re.compile(rf"({'|'.join(Marketplace)}):[^:\s]+")


def a_day(text: str, name: str = "Paid since") -> str:
    """A day, or empty. Raises `BadInput` for a day that there is not."""
    if text and not DAY.fullmatch(text):
        raise BadInput(
            f"{name}: {text[:20]!r} is no day; give one such as 2026-11-01, or leave it empty"
        )
    return in_words(name, lambda: date.fromisoformat(text).isoformat()) if text else ""


def foreign_orders(lines: Sequence[str], name: str = "Not ours") -> list[OrderId]:
    """The orders that a field names. Raises `BadInput`."""
    if wrong := [line for line in lines if not ORDER.fullmatch(line)]:
        raise BadInput(
            f"{name}: {wrong[0][:60]!r} is no order; give marketplace:order id, as taobao:4050118801"
        )
    return [
        (Marketplace(name), order_id)
        for name, order_id in (line.split(":", 1) for line in lines)
    ]


class WantedOffers(FormSection):
    """What to crawl on one marketplace: words, categories, shops or items, or
    everything.
    """

    model_config = ConfigDict(from_attributes=True)  # a command has it as `Selection`

    marketplace: Marketplace = asked("Marketplace", "Where to look")
    keywords: Texts = Field(
        (),
        title="Words",
        description="What a search for these finds. Each entry is one search",
    )
    categories: Texts = Field(
        (), title="Categories", description="Ids of categories: all that is in them"
    )
    shops: Texts = Field(
        (), title="Shops", description="Ids of sellers: all that they offer"
    )
    items: Texts = Field(
        (), title="Items", description="Single items, by id or product link"
    )
    everything: bool = Field(
        default=False, title="Everything", description="All that the marketplace lists"
    )

    def read(self) -> Selection:
        """The form's values as the crawl takes them. Raises `BadInput`."""
        return in_words("What to fetch", lambda: Selection(**dict(self)))


WantedList = Annotated[
    list[WantedOffers],
    asked("What to fetch", "One entry a marketplace: press Add item, and choose there"),
]
Full = Annotated[
    bool,
    asked(
        "All anew",
        "Write also what has not changed. Otherwise only what is new, changed or gone",
    ),
]
MostItems = Annotated[
    int,
    asked("Most items", "From each search, category and shop. 0: all of them", ge=0),
]

SinceDays = Annotated[
    int,
    asked(
        "Days back",
        "Counted from the start of today; 0 is today alone",
        ge=0,
    ),
]
ForeignLines = Annotated[
    list[str],
    asked(
        "Not ours",
        "Orders that this run finds without one of ours and that are to stay, as marketplace:order id. They are "
        "not listed again unless they cost more or go under one of our references. Example: taobao:4050118801",
    ),
]
Marketplaces = Annotated[
    list[Marketplace], asked("Marketplaces", "Only these. None: all of them")
]
SinceDay = Annotated[
    str, asked("Paid since", "The first day, such as 2026-11-01. Empty: all orders")
]
ExportedTables = Annotated[
    list[str], asked("Tables", "Such as orders. None: all, or the answer to the query")
]
ExportedQuery = Annotated[
    str, asked("Query", "In place of tables: one SELECT, as for sourcing sql")
]
ExportedFormat = Annotated[
    ExportFormat,
    asked("Format", "csv and parquet hold one table, xlsx several"),
]
ExportedFile = Annotated[
    str,
    asked(
        "File",
        "A name in exports/ of the worker's data folder, or a whole path. Empty: named after the table",
    ),
]
