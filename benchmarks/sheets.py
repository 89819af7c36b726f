"""A month's sheet of 5,000 lines with 35 columns, against openpyxl's write-only mode
with plain values.

Ours also has the amounts in their currency, formats and text that is no formula, and
moves the file into its place.
"""

from __future__ import annotations

from pathlib import Path
from tempfile import TemporaryDirectory
from zoneinfo import ZoneInfo

import pyarrow as pa
from openpyxl import Workbook

from benchmarks.measuring import Comparison, compare
from connectors.exports import table_file
from connectors.table_files import write_xlsx
from tasks.landed_cost import SCHEMA

LINES = 5_000
UTC = ZoneInfo("UTC")


def run() -> list[Comparison]:
    rows = lines()
    values = [
        *map(tuple, zip(*(column.to_pylist() for column in rows.columns), strict=True))
    ]
    with TemporaryDirectory() as name:
        folder = Path(name)

        def plain() -> None:
            book = Workbook(write_only=True)
            sheet = book.create_sheet("costs")
            sheet.append(rows.column_names)
            for row in values:
                sheet.append(row)
            book.save(folder / "plain.xlsx")

        return [
            compare(
                lambda: write_xlsx(
                    folder / "ours.xlsx", [table_file("landed_costs", rows, UTC)]
                ),
                plain,
                work="a sheet of costs",
                rival="openpyxl, write-only, plain values",
                amount=LINES,
                things="lines",
                repetitions=3,
            )
        ]


def lines() -> pa.Table:
    """Amounts and ids that mostly differ, and other texts that mostly don't."""
    columns = [
        pa.array([_value(field.name, number) for number in range(LINES)], field.type)
        for field in SCHEMA
    ]
    return pa.Table.from_arrays(columns, schema=SCHEMA)


def _value(name: str, number: int) -> object:
    if name.endswith("_minor"):
        return number * 7 % 4_999
    if name.endswith("currency"):
        return "CNY"
    if pa.types.is_integer(SCHEMA.field(name).type):
        return 1
    return f"{name} {number if name.endswith(('_id', '_ref')) else number % 50}"
