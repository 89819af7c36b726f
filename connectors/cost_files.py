"""Landed costs as files for bookkeeping: CSV, and a sheet for Excel.

Both have one row per order line, the columns of the table `landed_costs`, and amounts in yuan, euros, … instead of
minor units.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors import table_files
from connectors.exports import amounts, column
from connectors.snapshots.rows import RECORDS_AT_ONCE
from connectors.snapshots.tables import LANDED_COSTS
from connectors.table_files import MOST_SHEET_ROWS, Cell, Column, TableFile, number_column

if TYPE_CHECKING:
    import pandas as pd

__all__ = ["MOST_SHEET_ROWS", "write_csv", "write_xlsx"]

RATES = ("rate", "freight_rate")
DAYS = ("paid_on", "rate_date", "freight_rate_date")


def write_csv(path: Path, costs: pd.DataFrame) -> None:
    """Write the lines as CSV."""
    table_files.write_csv(path, _table(costs))


def write_xlsx(path: Path, costs: pd.DataFrame) -> None:
    """Write one sheet. At most `MOST_SHEET_ROWS` rows."""
    table_files.write_xlsx(path, [_table(costs)])


def _table(costs: pd.DataFrame) -> TableFile:
    rows = pa.Table.from_pandas(costs, preserve_index=False)
    return TableFile(
        name="landed costs",
        heads=[name.removesuffix("_minor") for name in rows.column_names],
        parts=([_column(batch, name) for name in rows.column_names] for batch in rows.to_batches(RECORDS_AT_ONCE)),
        count=len(rows),
        key=LANDED_COSTS.key,
        formats=dict.fromkeys(RATES, "0.0###########"),
    )


def _column(rows: pa.RecordBatch, name: str) -> Column:
    if name.endswith("_minor"):
        return amounts(rows[name], pc.coalesce(rows[LANDED_COSTS.columns[name].currency], rows["currency"]))
    if name in RATES:
        return number_column(rows[name])
    return Column(rows[name], _day) if name in DAYS else column(rows[name], lambda value: value)


def _day(text: str | None) -> Cell:
    return None if text is None else date.fromisoformat(text)
