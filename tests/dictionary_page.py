"""`python -m tests.dictionary_page` writes docs/data-dictionary.md: the tables of the
snapshots, column by column.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa

from connectors.snapshots.tables import TABLES, Table
from connectors.snapshots.tables.table import (
    ENVELOPE,
    FLAG,
    MOMENT,
    TEXT,
    TEXTS,
    VOLUME_PRICES,
    WHOLE,
    Column,
)

PAGE = Path(__file__).parents[1] / "docs/data-dictionary.md"


@dataclass(frozen=True, slots=True)
class Type:
    """A column's type in words, in DuckDB, and in pandas after `read_parquet`."""

    words: str
    duckdb: str
    pandas: str


TYPES: Mapping[pa.DataType, Type] = {
    TEXT: Type("text", "VARCHAR", "str"),
    WHOLE: Type("whole number", "BIGINT", "int64"),
    FLAG: Type("true or false", "BOOLEAN", "bool"),
    MOMENT: Type("time", "TIMESTAMP WITH TIME ZONE", "datetime64[us, UTC]"),
    TEXTS: Type("list of texts", "VARCHAR[]", "object"),
    VOLUME_PRICES: Type(
        "list of volume prices",
        "STRUCT(start_quantity BIGINT, price_minor BIGINT)[]",
        "object",
    ),
}

HEAD = """# Data dictionary

Written by `make dictionary` from the words in [`connectors/snapshots/tables`](../connectors/snapshots/tables): change
them there. They are in the schema of each Parquet file too, in `sourcing sql "describe orders"`, and in
`sourcing sql "select * from dictionary where personal"`.

- **Amounts** are whole minor units (fen, cents) beside a currency, and never null: 0 beside a null currency means that
  there is no amount. Only sums of `landed_costs` that can't be made are null; plain `read_parquet` gives floats then.
- **Ids** are text, also where they are digits: 19 digits fit no float.
- **Times** are UTC, to the microsecond. The unit says whose clock it was.
- **Keys**: of rows with the same key the one with the newest `snapshot_at` is the current one. A table's folder,
  `sourcing sql` and `Snapshots().table` have that one alone; `history/<table>` has what each run wrote.
- **Folders** of the history have the day (UTC) on which the batch, or else the run, began: a reader may show it as a
  column `date`.
- **Personal** columns (⚠) tell where a receiver is, or hold free text, in which a name may stand.
"""


def page() -> str:
    """The page, in Markdown."""
    return "\n".join(
        (
            HEAD,
            *_types(),
            *_overview(),
            *(line for table in TABLES.values() for line in _table(table)),
            *_envelope(),
        )
    )


def _types() -> Iterator[str]:
    yield "| type here | Arrow, and `Snapshots().table` | DuckDB | `pandas.read_parquet` |\n|---|---|---|---|"
    for arrow, notices in TYPES.items():
        yield f"| {notices.words} | `{arrow}` | `{notices.duckdb}` | `{notices.pandas}` |"
    yield ""


def _overview() -> Iterator[str]:
    yield "| table | is |\n|---|---|"
    for table in TABLES.values():
        yield f"| [{table.name}](#{table.name}) | {table.words} |"
    yield ""


def _table(table: Table) -> Iterator[str]:
    yield f"## {table.name}\n\n{table.words}\n"
    key = ", ".join(f"`{name}`" for name in table.key)
    yield f"Key: {key}. Every row has [these columns](#every-table) too.\n"
    yield from _columns(
        {name: column for name, column in table.columns.items() if name not in ENVELOPE}
    )


def _envelope() -> Iterator[str]:
    yield "## Every table\n"
    yield from _columns(ENVELOPE)


def _columns(columns: Mapping[str, Column]) -> Iterator[str]:
    yield "| column | type | unit | meaning | null | example | source |\n|---|---|---|---|---|---|---|"
    for name, column in columns.items():
        yield "| " + " | ".join(_cells(name, column)) + " |"
    yield ""


def _cells(name: str, column: Column) -> Iterator[str]:
    yield f"`{name}`{' ⚠' if column.personal else ''}"
    yield TYPES[column.dtype].words
    yield from (
        text.replace("|", "\\|") for text in (column.unit, column.words, column.null)
    )
    yield f"`{column.shown_example}`"
    yield column.source


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
    print(
        f"{PAGE}: {sum(len(table.columns) for table in TABLES.values())} columns of {len(TABLES)} tables"
    )
