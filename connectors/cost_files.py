"""Landed costs as files for bookkeeping: CSV, and a sheet for Excel.

Both have one row per order line, the columns of the table `landed_costs`, and amounts in yuan, euros, … instead of
minor units.
"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from connectors import table_files
from connectors.snapshots.rows import each_record
from connectors.snapshots.tables import LANDED_COSTS
from connectors.table_files import MOST_SHEET_ROWS, Cell, TableFile
from domain.money import Money

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
    return TableFile(
        name="landed costs",
        heads=[name.removesuffix("_minor") for name in costs.columns],
        rows=(list(_cells(row)) for row in each_record(costs)),
        count=len(costs),
        key=LANDED_COSTS.key,
        formats=dict.fromkeys(RATES, "0.0###########"),
    )


def _cells(row: dict[str, Any]) -> Iterator[Cell]:
    for name, value in row.items():
        if value is None:
            yield None
        elif name.endswith("_minor"):
            yield Money(value, str(row[LANDED_COSTS.columns[name].currency] or row["currency"])).major
        elif name in DAYS:
            yield date.fromisoformat(value)
        else:
            yield Decimal(value) if name in RATES else value
