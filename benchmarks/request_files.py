"""Reading and checking a request file, against pandas reading it and checking
nothing.
"""

from __future__ import annotations

import csv
from pathlib import Path
from tempfile import TemporaryDirectory

import pandas as pd

from benchmarks.measuring import Comparison, compare
from connectors.request_files import read_request_file

ROWS = 10_000
EXAMPLE = Path(__file__).parent.parent / "examples" / "requests.csv"


def run() -> list[Comparison]:
    with TemporaryDirectory() as folder:
        file = write_requests(Path(folder) / "requests.csv")
        return [
            compare(
                lambda: read_and_check(file),
                lambda: pd.read_csv(file, dtype=str),
                work="a request file read, every cell checked, lines made into orders",
                rival="pandas.read_csv, nothing checked",
                amount=ROWS,
                things="rows",
                repetitions=7,
            )
        ]


def write_requests(path: Path) -> Path:
    """The example's lines again and again, each as an order of its own."""
    with EXAMPLE.open(encoding="utf-8", newline="") as example:
        lines = list(csv.DictReader(example))
    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, lines[0])
        writer.writeheader()
        writer.writerows(
            {**lines[index % len(lines)], "order_ref": f"B-{index}"}
            for index in range(ROWS)
        )
    return path


def read_and_check(file: Path) -> None:
    assert len(read_request_file(file).orders) == ROWS
