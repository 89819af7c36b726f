"""The merchant's exchange rates (`SOURCING_RATES`), and landed costs as files for bookkeeping: CSV, a sheet for Excel.

Both have one row per order line, the columns of the table `landed_costs`, and amounts in yuan, euros, … instead of
minor units.
"""

from __future__ import annotations

from datetime import date
from pathlib import Path
from typing import TYPE_CHECKING

import pyarrow as pa
import pyarrow.compute as pc

from connectors.exports import amounts, column
from connectors.request_files.csv_file import read_csv
from connectors.request_files.decoding import REMEDY, SAVE_IT, Unusable, content_of
from connectors.settings import BadSetting
from connectors.snapshots.tables import LANDED_COSTS
from connectors.table_files import Cell, Column, TableFile, number_column
from domain.cell_table import BadTable
from domain.landed import Rates
from domain.rate_cells import RatesTable

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


MOST_LISTED = 10


class RatesUnusable(BadSetting):
    """The file can't be used; the message names it, and every fault with its position and its remedy."""

    def __init__(self, path: Path, problem: str) -> None:
        super().__init__(f"SOURCING_RATES, {path}: {problem}")


def read_rates(path: Path | None) -> Rates:
    """All rates of the file; none for None. Raises `RatesUnusable`: a faulty file is never used in part."""
    if path is None:
        return Rates()
    table = RatesTable()
    try:
        read_csv(content_of(path), "", table)
        return table.finish()
    except OSError as error:
        raise RatesUnusable(path, f"can't be opened ({error.strerror}); check the path and its permissions") from error
    except Unusable as error:
        raise RatesUnusable(path, str(error).replace(REMEDY, SAVE_IT)) from error
    except BadTable as error:
        more = [f"and {len(error.faults) - MOST_LISTED} more"] if len(error.faults) > MOST_LISTED else []
        told = "\n  ".join([*map(str, error.faults[:MOST_LISTED]), *more])
        raise RatesUnusable(path, f"nothing of it is used until this is mended:\n  {told}") from error
