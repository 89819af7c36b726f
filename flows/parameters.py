"""What the run form asks for: titles, descriptions, choices and limits as the Prefect UI shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

from connectors.request_files import check_encoding
from domain.deadline import DONE_BY, moment_of
from domain.money import Money
from domain.report import BATCH_ID

# Who gives something else is shown these patterns, so they are plain.
FILE = r"^$|\.(csv|xlsx|json|parquet|CSV|XLSX|JSON|PARQUET)$|^[Hh][Tt][Tt][Pp][Ss]?://|^secret:."
SECRET = "secret:"
ABOVE_ZERO = r"^$|^[1-9][0-9]*(\.[0-9]{1,2})?$|^0\.(0[1-9]|[1-9][0-9]?)$"


class BadInput(ValueError):
    """The form asks for something that can't be done; the message says what to change. Nothing was sent."""


def titled(title: str, description: str = "") -> dict[str, Any]:
    """Title and description of a parameter: Prefect writes the bare name over those of `Field`, not over these."""
    return {"title": title, "description": description} if description else {"title": title}


def an_amount(text: str) -> str:
    """The text of an amount in yuan, or empty. Raises `ValueError` for anything else."""
    if text and Money.parse(text).minor <= 0:
        raise ValueError("an amount in yuan must be above 0; leave it empty for no limit")
    return text


def a_time(text: str) -> str:
    """The text of a time, or empty. Raises `ValueError` for a day that there is not."""
    moment_of(text, datetime.now(UTC), "UTC")
    return text


BudgetCny = Annotated[
    str,
    Field(
        title="Budget in yuan",
        description=(
            "The most that the goods and domestic postage of one batch may cost, over all its runs. What does not fit "
            "is held. Empty: no limit beside those of the settings. Example: 1500 or 99.50"
        ),
        pattern=ABOVE_ZERO,
        max_length=12,
        examples=["1500", "99.50"],
    ),
    AfterValidator(an_amount),
]
ChunkSize = Annotated[
    int,
    Field(
        ge=0,
        le=1000,
        json_schema_extra=titled(
            "Orders per step", "How many orders one step handles, each step a task run. 0: as the settings say"
        ),
    ),
]
Concurrency = Annotated[
    int,
    Field(
        ge=0,
        le=200,
        json_schema_extra=titled("Calls at once", "Calls to the service at once. 0: as the settings say"),
    ),
]


class Section(BaseModel):
    """A part of the form."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Requests(Section):
    """A file or pasted lines, one of the two."""

    file: Annotated[
        str,
        Field(
            title="Request file",
            description=(
                "Path of a CSV, XLSX, JSON or Parquet file on the machine that runs the worker, or the https address "
                "of one, such as a published sheet. The address stays in Prefect's database with this run; where it "
                "is a secret, put it into a block Secret and give the block's name as secret:NAME"
            ),
            pattern=FILE,
            examples=["/srv/sourcing/orders.csv", "https://sheets.example/export?format=csv", "secret:orders-sheet"],
        ),
    ] = ""
    lines: Annotated[
        str,
        Field(
            title="Pasted lines",
            description=(
                "Instead of a file: rows copied from a spreadsheet, the header row first. Columns may be separated by "
                "tabs, commas or semicolons. They are kept in Prefect's database with this run"
            ),
            max_length=1_000_000,
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
            max_length=40,
            examples=["gb18030"],
        ),
        AfterValidator(check_encoding),
    ] = ""

    def check(self) -> None:
        """Raise `BadInput` unless there is exactly one of the two."""
        if self.file and self.lines.strip():
            raise BadInput("give a request file or pasted lines, not both")
        if not self.file and not self.lines.strip():
            raise BadInput("nothing to buy: give the path or https address of a request file, or paste its lines")


DoneBy = Annotated[
    str,
    Field(
        pattern=DONE_BY,
        max_length=16,
        examples=["06:00", "2026-11-26 06:00"],
        json_schema_extra=titled(
            "Done by",
            "From this time on the run begins nothing more: what is under way ends, and the rest says what becomes of "
            "it. In SOURCING_TIMEZONE; without a day the next such time. Empty: no limit. Example: 06:00",
        ),
    ),
    AfterValidator(a_time),
]


class Limits(Section):
    """What may be spent at most, and until when. Limits for one order and for one day are in the settings."""

    budget_cny: BudgetCny = ""
    done_by: DoneBy = ""


class Speed(Section):
    """How the work is cut. The defaults are good."""

    chunk_size: ChunkSize = 0
    concurrency: Concurrency = 0


RequestsParameter = Annotated[Requests, Field(json_schema_extra=titled("What to buy"))]
DryRun = Annotated[
    bool,
    Field(
        json_schema_extra=titled(
            "Dry run", "Plan only: prices, stock, freight and what would be held. Nothing is bought. Turn it off to buy"
        )
    ),
]
Yes = Annotated[
    bool,
    Field(
        json_schema_extra=titled(
            "Approved beforehand",
            "Buy without asking, as far as all limits allow. Otherwise the run pauses with the plan, and somebody "
            "approves it here",
        )
    ),
]
BatchName = Annotated[
    str,
    Field(
        max_length=100,
        pattern=f"^$|^{BATCH_ID.pattern}$",
        json_schema_extra=titled(
            "Name of the batch",
            "The same name goes on with the same batch and its budget. Empty: made from the file's name and contents. "
            "Letters, digits, '.', '_' and '-'",
        ),
    ),
]
LimitsParameter = Annotated[Limits, Field(json_schema_extra=titled("Limits of this run"))]
SpeedParameter = Annotated[Speed, Field(json_schema_extra=titled("Chunks and speed"))]
InboxFolder = Annotated[
    str,
    Field(
        min_length=1,
        json_schema_extra=titled(
            "Inbox",
            "Folder with request files on the machine that runs the worker. Files end in its folders done, failed or "
            "open, with a result beside them",
        ),
    ),
]
QuietSeconds = Annotated[
    int,
    Field(
        ge=0,
        le=600,
        json_schema_extra=titled(
            "Quiet seconds", "A file that was written to within this time is watched for as long before it is taken"
        ),
    ),
]
