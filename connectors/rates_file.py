"""The merchant's exchange rates: the CSV file that `SOURCING_RATES` names."""

from __future__ import annotations

from pathlib import Path

from connectors.request_files.csv_file import read_csv
from connectors.request_files.decoding import REMEDY, SAVE_IT, Unusable, content_of
from connectors.settings import BadSetting
from domain.cell_table import BadTable
from domain.rate_cells import RatesTable
from domain.rates import Rates

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
