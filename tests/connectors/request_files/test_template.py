"""The template: what a person fills in is read as it stands, and its example row is
never bought.
"""

from __future__ import annotations

import csv
from pathlib import Path

import pytest
from openpyxl import load_workbook

from connectors.request_files import read_request_file
from connectors.request_files.template import write_template
from domain.request_cells import COLUMNS

ENDINGS = ("xlsx", "csv")


@pytest.mark.parametrize("ending", ENDINGS)
def test_the_example_row_is_refused_with_what_to_do(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"requests.{ending}"
    write_template(path)
    (fault,) = read_request_file(path).faults
    assert (fault.row, fault.column) == (2, "order_ref")
    assert (
        fault.message
        == "this is the template's example row; write your own over it, or delete it"
    )


@pytest.mark.parametrize("ending", ENDINGS)
def test_a_filled_in_template_is_read_without_a_word(
    tmp_path: Path, ending: str
) -> None:
    path = tmp_path / f"requests.{ending}"
    write_template(path)
    _name_the_order(path, "DE-1")
    parsed = read_request_file(path)
    assert (parsed.faults, parsed.warnings) == ((), ())
    (order,) = parsed.orders
    assert (order.order_ref, order.marketplace, order.lines[0].sku) == (
        "DE-1",
        "taobao",
        "413185732720",
    )


def test_cells_of_the_sheet_are_text_so_that_no_id_is_rounded(tmp_path: Path) -> None:
    path = tmp_path / "requests.xlsx"
    write_template(path)
    sheet = load_workbook(path).worksheets[0]
    assert [cell.value for cell in sheet[1]] == [column.name for column in COLUMNS]
    assert sheet["C2"].value == "2048020617114736"
    assert {
        sheet.column_dimensions[letter].number_format for letter in "ABCDEFGHIJKLMNOP"
    } == {"@"}


def test_a_file_that_is_there_is_left_as_it_is(tmp_path: Path) -> None:
    path = tmp_path / "requests.csv"
    path.write_text("mine")
    with pytest.raises(FileExistsError, match="is there already"):
        write_template(path)
    assert path.read_text() == "mine"


def test_another_ending_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match=r"a template ends in \.xlsx or \.csv"):
        write_template(tmp_path / "requests.pdf")


def _name_the_order(path: Path, ref: str) -> None:
    if path.suffix == ".csv":
        head, row = csv.reader(path.read_text(encoding="utf-8-sig").splitlines())
        path.write_text(
            "\n".join((",".join(head), ",".join([ref, *row[1:]]))), encoding="utf-8-sig"
        )
        return
    book = load_workbook(path)
    book.worksheets[0]["A2"] = ref
    book.save(path)
