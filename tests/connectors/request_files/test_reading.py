"""What readers take as programs really save it, and what is told of it."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pandas as pd
import polars as pl
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook
from openpyxl.styles import Font

from connectors.request_files import (
    UnreadableFile,
    check_encoding,
    read_request_file,
    read_request_text,
)
from domain.orders import OrderRequest
from domain.request_remarks import Remark, merged_remarks
from tests.connectors.request_files.random_cells import is_same, value_of
from tests.connectors.request_files.writing import (
    GOOD,
    NAMES,
    csv_bytes,
    json_bytes,
    number_cell,
    xlsx_bytes,
    xlsx_row,
)
from tests.everyday import examples

TYPED = GOOD | {
    "quantity": 2,
    "max_unit_price": 19.9,
    "receiver_phone": 4915112345678,
    "zip": 10115,
}


def order_in(path: Path, **options: Any) -> OrderRequest:
    parsed = read_request_file(path, **options)
    assert (parsed.faults, parsed.warnings) == ((), ())
    return parsed.orders[0]


def plain(tmp_path: Path) -> OrderRequest:
    (tmp_path / "plain.csv").write_bytes(
        csv_bytes(GOOD | {"receiver_phone": "4915112345678"})
    )
    return order_in(tmp_path / "plain.csv")


def test_what_real_programs_save_reads_as_the_same_order(tmp_path: Path) -> None:
    pd.DataFrame([TYPED]).to_parquet(tmp_path / "pandas.parquet")
    pd.DataFrame([TYPED]).to_excel(tmp_path / "pandas.xlsx", index=False)
    pd.DataFrame([TYPED]).to_json(tmp_path / "pandas.json", orient="records")
    pd.DataFrame([TYPED]).to_csv(tmp_path / "pandas.csv", index=False)
    pl.DataFrame([TYPED]).write_parquet(tmp_path / "polars.parquet")
    pl.DataFrame([TYPED]).write_json(tmp_path / "polars.json")
    book = Workbook()
    book.worksheets[0].append(NAMES)
    book.worksheets[0].append(list(TYPED.values()))
    book.worksheets[0]["F2"].font = Font(bold=True)
    book.save(tmp_path / "openpyxl.xlsx")
    files = sorted(path for path in tmp_path.iterdir())
    assert len(files) == 7
    assert all(order_in(path) == plain(tmp_path) for path in files)


def test_missing_numbers_of_data_frames_are_empty_cells(tmp_path: Path) -> None:
    """A data frame has NaN where it has nothing; pandas writes that as null, and only
    null is no limit.
    """
    rows = [TYPED, TYPED | {"order_ref": "A-2", "max_unit_price": None}]
    pd.DataFrame(rows).to_parquet(tmp_path / "pandas.parquet")
    limits = [
        order.lines[0].max_unit_price
        for order in read_request_file(tmp_path / "pandas.parquet").orders
    ]
    assert [limit and limit.minor for limit in limits] == [1990, None]


@pytest.mark.parametrize("suffix", ["csv", "json"])
def test_a_mark_says_more_than_a_named_encoding(tmp_path: Path, suffix: str) -> None:
    """The inbox has one setting for all of its files."""
    row = GOOD | {"receiver_name": "王小明"}
    path = tmp_path / f"requests.{suffix}"
    write = csv_bytes if suffix == "csv" else json_bytes
    for encoding in ("utf-8-sig", "utf-16"):
        path.write_bytes(write(row, encoding=encoding))
        assert order_in(path, encoding="gb18030").receiver.name == "王小明"
    path.write_bytes(write(row, encoding="gb18030"))
    assert order_in(path, encoding="GB18030").receiver.name == "王小明"
    path.write_bytes(write(row))
    with pytest.raises(
        UnreadableFile, match=r"looks like UTF-8, and you say gb18030: name no encoding"
    ):
        read_request_file(path, encoding="gb18030")


@pytest.mark.parametrize(
    "name",
    [
        "rot13",
        "zip",
        "base64",
        "idna",
        "punycode",
        "unicode_escape",
        "utf-7",
        "charmap",
        "nope",
        "x" * 999,
        "\0",
    ],
)
def test_a_name_that_is_no_encoding_of_text_is_refused(
    tmp_path: Path, name: str
) -> None:
    with pytest.raises(
        ValueError,
        match="is no encoding of text that is known here; use a name such as utf-8, gb18030",
    ):
        check_encoding(name)
    (tmp_path / "a.csv").write_bytes(csv_bytes(GOOD))
    with pytest.raises(UnreadableFile, match="is no encoding of text"):
        read_request_file(tmp_path / "a.csv", encoding=name)


def test_pipes_devices_and_folders_are_refused_at_once(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.csv")
    (tmp_path / "folder.csv").mkdir()
    (tmp_path / "null.csv").symlink_to("/dev/zero")
    for name in ("pipe", "folder", "null"):
        with pytest.raises(
            UnreadableFile, match=rf"{name}\.csv: is a folder, a pipe or a device"
        ):
            read_request_file(tmp_path / f"{name}.csv")


def test_a_number_shown_with_leading_zeros_is_read_with_them(tmp_path: Path) -> None:
    """The format that Excel calls ZIP code."""
    row = xlsx_row(2, GOOD | {"country": "US"}, zip=number_cell("@", 2134, 1))
    (tmp_path / "a.xlsx").write_bytes(xlsx_bytes(row, formats=["00000"]))
    assert read_request_file(tmp_path / "a.xlsx").orders[0].receiver.zip == "02134"


def test_a_superscript_makes_no_other_item(tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_bytes(csv_bytes(GOOD | {"item": "672991141190²"}))
    assert order_in(tmp_path / "a.csv").lines[0].item == "672991141190²"


def test_pasted_lines_go_through_the_same_bounds() -> None:
    with pytest.raises(
        UnreadableFile,
        match=r"pasted lines: line 2 can't be read as CSV \(field larger",
    ):
        read_request_text('order_ref\n"' + "x" * 300_000)
    with pytest.raises(UnreadableFile, match=r"pasted lines: begins with 'sep=;'"):
        read_request_text("sep=;\norder_ref")


def test_warnings_of_many_rows_are_told_together() -> None:
    warnings = [
        *(Remark(row, "zip", "short") for row in range(2, 10)),
        Remark(0, "", "one sheet"),
        Remark(1, "", "x"),
    ]
    assert merged_remarks(warnings) == [
        "rows 2, 3, 4, 5, 6 and 3 rows more, column zip: short",
        "the file: one sheet",
        "row 1: x",
    ]


def test_a_letter_of_another_encoding_is_told_with_its_line_in_a_long_file_too(
    tmp_path: Path,
) -> None:
    path = tmp_path / "long.json"
    rows = (GOOD | {"order_ref": f"A-{at}", "note": "\n"} for at in range(3000))
    content = json.dumps([*rows], indent=0).encode()
    path.write_bytes(content[:-1] + b"\xfc" + content[-1:])
    with pytest.raises(
        UnreadableFile, match=r"line 54002 is no UTF-8 text; save it as CSV UTF-8"
    ):
        read_request_file(path)


@pytest.mark.parametrize("suffix", ["csv", "json"])
@given(
    column=st.sampled_from(
        [name for name in NAMES if name not in ("marketplace", "country")]
    ),
    text=st.text(),
)
@settings(
    max_examples=examples(60),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_any_text_is_read_as_it_is_or_refused_or_told(
    tmp_path: Path, suffix: str, column: str, text: str
) -> None:
    row = GOOD | {column: text.encode(errors="replace").decode().replace("\0", "?")}
    path = tmp_path / f"any.{suffix}"
    path.write_bytes(csv_bytes(row) if suffix == "csv" else json_bytes(row))
    parsed = read_request_file(path)
    if parsed.faults:
        assert {fault.column for fault in parsed.faults} == {column}
    elif not any(warning.column == column for warning in parsed.warnings):
        assert is_same(column, row[column], value_of(parsed.orders[0], column))
