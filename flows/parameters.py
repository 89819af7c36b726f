"""Parameters of the run form: titles, descriptions, choices and limits as the Prefect UI shows them."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, Field

from connectors.request_files import check_encoding
from domain.deadline import moment_of
from domain.money import Money
from domain.request_cells import COLUMNS

SECRET = "secret:"
MOST_PASTED = 1_000
"""Lines: a browser shows so many within seconds. Prefect's server takes 524,288 bytes; a Chinese character is six."""
T = TypeVar("T")


class BadInput(ValueError):
    """The form asks for something that can't be done; the message says what to change. Nothing was sent."""


def asked(title: str, description: str = "", **bounds: Any) -> Any:
    """The `Field` of a parameter: Prefect writes the bare name over a title of `Field` itself, not over this one."""
    words: dict[str, Any] = {"title": title, "description": description} if description else {"title": title}
    return Field(json_schema_extra=words, **bounds)


def in_words(name: str, read: Callable[[], T]) -> T:
    """The value of a field. Raises `BadInput` with the field's name.

    The schema of a form has few rules on purpose: the UI would answer with a regular expression.
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
        amount = Money.parse(text)
    except ValueError:
        amount = Money(0)
    if amount.minor <= 0:
        raise BadInput(
            f"{name}: {text[:20]!r} is no amount above 0 with at most two decimals; give one such as 1500 or 99.50, "
            "or leave it empty"
        )
    return amount


BudgetCny = Annotated[
    str,
    asked(
        "Budget in yuan",
        "The most that the goods and domestic postage of one batch may cost, over all its runs. What does not fit "
        "is held. Empty: no limit beside those of the settings. Example: 1500 or 99.50",
    ),
]
ChunkSize = Annotated[
    int,
    asked(
        "Orders per step",
        "How many orders one step handles, each step a task run. 0: as the settings say",
        ge=0,
        le=1000,
    ),
]
Helpers = Annotated[
    int,
    asked(
        "Helpers",
        "So many further runs share the work of this one. They need a ledger on PostgreSQL. 0: as the settings say",
        ge=0,
        le=64,
    ),
]
Concurrency = Annotated[
    int,
    asked("Calls at once", "Calls to the service at once. 0: as the settings say", ge=0, le=200),
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
            examples=["/srv/sourcing/orders.csv", "https://sheets.example/export?format=csv", "secret:orders-sheet"],
        ),
    ] = ""
    lines: Annotated[
        str,
        Field(
            title="Pasted lines",
            description=(
                "Instead of a file: rows copied from a spreadsheet, the header row with these names first, in any "
                f"order: {', '.join(one.name for one in COLUMNS)}. A row below it, for example: "
                f"{', '.join(one.example for one in COLUMNS)}. Cells are separated by tabs, commas or semicolons. More "
                f"than {MOST_PASTED:,} lines: use a file; `sourcing template orders.xlsx` makes an empty one. Pasted "
                "lines are kept in Prefect's database with this run"
            ),
        ),
    ] = ""
    encoding: Annotated[
        str,
        Field(
            title="Encoding of the file",
            description=(
                "Only for a CSV or JSON file that is neither UTF-8 nor UTF-16 with its mark. Example: gb18030 for what "
                "Chinese Windows saves"
            ),
            examples=["gb18030"],
        ),
    ] = ""

    def check(self) -> None:
        """Raise `BadInput` unless exactly one of the two is given, and not too much of it."""
        in_words("Encoding of the file", lambda: check_encoding(self.encoding))
        if self.file and self.lines.strip():
            raise BadInput("give a request file or pasted lines, not both")
        if not self.file and not self.lines.strip():
            raise BadInput("nothing to buy: give the path or https address of a request file, or paste its lines")
        if (pasted := len(self.lines.strip().splitlines())) > MOST_PASTED:
            raise BadInput(f"{pasted:,} lines were pasted, and a form takes {MOST_PASTED:,}: put them into a file")


DoneBy = Annotated[
    str,
    asked(
        "Done by",
        "From this time on the run begins nothing more: what is under way ends, and the rest says what becomes of "
        "it. In SOURCING_TIMEZONE; without a day the next such time. Empty: no limit. Example: 06:00",
    ),
]


class Limits(FormSection):
    """The budget and the time limit of a run. Limits for one order and for one day are in the settings."""

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


class Speed(FormSection):
    """The size and number of parallel tasks. The defaults are good."""

    chunk_size: ChunkSize = 0
    concurrency: Concurrency = 0
    helpers: Helpers = 0


RequestsParameter = Annotated[Requests, asked("What to buy")]
DryRun = Annotated[
    bool,
    asked("Dry run", "Plan only: prices, stock, freight and what would be held. Nothing is bought. Turn it off to buy"),
]
Yes = Annotated[
    bool,
    asked(
        "Approved beforehand",
        "Buy without asking, as far as all limits allow. Otherwise the run pauses with the plan, and somebody "
        "approves it here",
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
SpeedParameter = Annotated[Speed, asked("Chunks and speed")]
InboxFolder = Annotated[
    str,
    asked(
        "Inbox",
        "Folder with request files on the machine that runs the worker. Files end in its folders done, failed or "
        "open, with a result beside them",
    ),
]
QuietSeconds = Annotated[
    int,
    asked(
        "Quiet seconds",
        "A file that was written to within this time is watched for as long before it is taken",
        ge=0,
        le=600,
    ),
]
