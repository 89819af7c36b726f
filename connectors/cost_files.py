"""Landed costs as files for bookkeeping: CSV, and a sheet for Excel.

Both have one row per order line, the columns of the table `landed_costs`, and amounts in yuan, euros, … instead of
minor units.
"""

from __future__ import annotations

from datetime import date
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.exports import amounts, column
from connectors.snapshots.tables import LANDED_COSTS
from connectors.table_files import Cell, Column, TableFile, number_column

if TYPE_CHECKING:
    import pandas as pd

RATES = ("rate", "freight_rate")
LINES_AT_ONCE = 4_000
DAYS = ("paid_on", "rate_date", "freight_rate_date")


def cost_lines(costs: pd.DataFrame) -> TableFile:
    """The lines of these costs, for any number of files."""
    rows = pa.Table.from_pandas(costs, preserve_index=False)
    return TableFile(
        name="landed costs",
        heads=[name.removesuffix("_minor") for name in rows.column_names],
        parts=[[_column(batch, name) for name in rows.column_names] for batch in rows.to_batches(LINES_AT_ONCE)],
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
