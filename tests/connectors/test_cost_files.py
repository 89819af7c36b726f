"""The files for the books: the figures of the hand in both, numbers as numbers, ids as
text, and no formula.
"""

from __future__ import annotations

import csv
import os
import signal
import subprocess
import sys
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from openpyxl import load_workbook
from pyarrow import parquet

from connectors import durable
from connectors.exports import cost_lines
from connectors.table_files import write_csv, write_xlsx
from domain.cells import FORMULA
from domain.landed import Books, Rate, Rates
from tests.running import ROOT
from tests.tasks.three_orders import (
    EUR,
    IN_FEN_AND_CENTS,
    LANDED,
    SUMS,
    CostTables,
    costs_in,
    line,
    order,
    shipment,
    three_orders,
)

ODD = [
    "=1+1",
    "+49 30",
    "-5%",
    "@SUM(A1)",
    "\t=1",
    "a;=2",
    '"=3',
    "＝4",
    "#N/A",
    "x\x01y",
    "12",
    '=HYPERLINK("h")',
]


def csv_rows(
    path: Path, tables: CostTables, books: Books = EUR
) -> list[dict[str, str]]:
    write_csv(path, cost_lines(costs_in(tables, books)))
    return list(csv.DictReader(path.read_text("utf-8-sig").splitlines()))


def sheet_rows(
    path: Path, tables: CostTables, books: Books = EUR
) -> list[dict[str, Any]]:
    write_xlsx(path, [cost_lines(costs_in(tables, books))])
    header, *rows = load_workbook(path).active.iter_rows()  # type: ignore[union-attr]
    return [
        dict(zip([str(cell.value) for cell in header], row, strict=True))
        for row in rows
    ]


def test_the_csv_agrees_with_the_hand_to_the_fen_and_cent(tmp_path: Path) -> None:
    rows = csv_rows(tmp_path / "costs.csv", three_orders())

    keys = [(row["order_ref"], int(row["line_no"])) for row in rows]
    assert keys == [*SUMS]
    assert [row["landed"] for row in rows] == [
        "3.60",
        "3.59",
        "3.58",
        "18.49",
        "4.47",
        "6.70",
    ]
    for key, row in zip(keys, rows, strict=True):
        for name, minor in IN_FEN_AND_CENTS[key].items():
            assert row[name] == f"{minor / 100:.2f}"
            assert row[f"landed_{name}"] == f"{LANDED[key][name] / 100:.2f}"
    assert rows[0]["order_id"] == "2542285634920880134"
    assert (rows[0]["rate"], rows[0]["rate_date"], rows[0]["rate_source"]) == (
        "0.1285",
        "2026-11-02",
        "ECB",
    )
    assert (
        (tmp_path / "costs.csv")
        .read_bytes()
        .startswith(b"\xef\xbb\xbforder_ref,line_no,marketplace")
    )


def test_the_sheet_agrees_with_the_hand_to_the_fen_and_cent(tmp_path: Path) -> None:
    rows = sheet_rows(tmp_path / "costs.xlsx", three_orders())

    assert [(row["order_ref"].value, row["line_no"].value) for row in rows] == [*SUMS]
    assert [row["landed"].value for row in rows] == [3.6, 3.59, 3.58, 18.49, 4.47, 6.7]
    for (key, by_hand), row in zip(IN_FEN_AND_CENTS.items(), rows, strict=True):
        assert {name: row[name].value for name in by_hand} == {
            name: minor / 100 for name, minor in by_hand.items()
        }
        converted = {name: row[f"landed_{name}"].value for name in by_hand}
        assert converted == {name: minor / 100 for name, minor in LANDED[key].items()}


def test_numbers_are_numbers_days_days_and_ids_text(tmp_path: Path) -> None:
    (row, *_) = sheet_rows(tmp_path / "costs.xlsx", three_orders())
    path = tmp_path / "costs.xlsx"

    observed = {
        name: (row[name].data_type, row[name].number_format)
        for name in ("order_id", "sku_id", "landed", "rate")
    }
    assert observed == {
        "order_id": ("s", "@"),
        "sku_id": ("s", "@"),
        "landed": ("n", "#,##0.00"),
        "rate": ("n", "0.0###########"),
    }
    assert row["order_id"].value == "2542285634920880134"
    assert (row["paid_on"].value.date(), row["paid_on"].number_format) == (
        date(2026, 11, 2),
        "yyyy-mm-dd",
    )
    assert (row["rate"].value, row["quantity"].value, row["problem"].value) == (
        0.1285,
        2,
        None,
    )
    book = load_workbook(path)
    assert book.sheetnames == ["landed costs"]
    assert (book.active.freeze_panes, book.active.auto_filter.ref) == ("C2", "A1:AH7")  # type: ignore[union-attr]


@pytest.mark.parametrize(
    ("currency", "shown", "digits"),
    [("JPY", "434", "#,##0"), ("KWD", "0.875", "#,##0.000")],
)
def test_amounts_have_the_digits_of_their_currency(
    tmp_path: Path, currency: str, shown: str, digits: str
) -> None:
    number = Decimal("21.3" if currency == "JPY" else "0.0429")
    books = Books(
        currency,
        Rates(
            [
                Rate(
                    base="CNY",
                    into=currency,
                    rate=number,
                    on=date(2026, 11, 2),
                    source="x",
                )
            ]
        ),
    )
    free = [shipment("B-1", "S-3", 0, currency="CNY")]
    tables = three_orders(orders=[order("B-1", 5100, "S-3")], shipments=free)

    assert csv_rows(tmp_path / "costs.csv", tables, books)[0]["landed"] == shown
    assert (
        sheet_rows(tmp_path / "costs.xlsx", tables, books)[0]["landed"].number_format
        == digits
    )


@pytest.mark.parametrize("odd", ODD)
def test_no_text_becomes_a_formula(tmp_path: Path, odd: str) -> None:
    tables = three_orders(
        orders=[order("B-1", 5100, "S-3")],
        order_lines=[line("B-1", 1, 5000, title=odd)],
    )

    in_csv = csv_rows(tmp_path / "costs.csv", tables)[0]["title"]
    in_sheet = sheet_rows(tmp_path / "costs.xlsx", tables)[0]["title"]

    assert not FORMULA.search(in_csv)
    assert (in_sheet.data_type, in_sheet.value) == ("s", odd.replace("\x01", ""))


def test_a_problem_stands_where_the_sum_would(tmp_path: Path) -> None:
    row = csv_rows(tmp_path / "costs.csv", three_orders(), Books("EUR", Rates()))[0]

    assert (row["landed"], row["landed_goods"], row["goods"], row["rate"]) == (
        "",
        "",
        "10.00",
        "",
    )
    assert row["problem"].startswith(
        "there is no rate from CNY to EUR; add one of 2026-11-02"
    )


@pytest.mark.parametrize(
    "write", [write_csv, lambda path, table: write_xlsx(path, [table])]
)
def test_a_file_that_can_not_be_written_leaves_the_old_one_and_nothing_beside_it(
    tmp_path: Path, write: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "costs"
    path.write_text("old")

    def full(_path: Path) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(durable, "sync", full)
    with pytest.raises(OSError, match="No space left"):
        write(path, cost_lines(costs_in(three_orders())))

    assert path.read_text() == "old"
    assert os.listdir(tmp_path) == ["costs"]


def test_a_kill_before_the_rename_leaves_the_old_file(tmp_path: Path) -> None:
    path = tmp_path / "costs.csv"
    path.write_text("old")
    parquet.write_table(costs_in(three_orders()), tmp_path / "costs")
    script = f"""
import os, signal
from pathlib import Path
from pyarrow import parquet
from connectors import durable, exports, table_files
durable.move = lambda *_: os.kill(os.getpid(), signal.SIGKILL)
table_files.write_csv(Path({str(path)!r}), exports.cost_lines(parquet.read_table({str(tmp_path / "costs")!r})))
"""
    ended = subprocess.run([sys.executable, "-c", script], cwd=ROOT, check=False)

    assert ended.returncode == -signal.SIGKILL
    assert path.read_text() == "old"
