"""A price limit is never lost: each way to write one is understood exactly, or
refused.
"""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pyarrow as pa
import pytest

from connectors.request_files import read_request_file, read_request_text
from domain.money import Money
from tests.connectors.request_files.writing import (
    GOOD,
    csv_bytes,
    json_bytes,
    number_cell,
    parquet_bytes,
    text_cell,
    xlsx_bytes,
    xlsx_row,
)

LIMIT = "max_unit_price"
FORMULA = '<c r="@"><f>A1*2</f><v>{}</v></c>'
TEXT_FORMULA = '<c r="@" t="str"><f>A1</f><v>{}</v></c>'


def limit_of(path: Path) -> Money | str | None:
    """The limit of the file's only line; the fault for one that is refused."""
    parsed = read_request_file(path)
    if parsed.faults:
        assert {fault.column for fault in parsed.faults} == {LIMIT}
        return parsed.faults[0].message
    return parsed.orders[0].lines[0].max_unit_price


@pytest.mark.parametrize(
    ("text", "fen"),
    [
        *(
            ("12.5", 1250),
            ("12.50", 1250),
            (" 12.50 ", 1250),
            ("007", 700),
            ("１２．５０", 1250),
            ("0.01", 1),
            ("", None),
        ),
        *(
            ("\u300012.5\u3000", 1250),
            ("999999999999.99", 99999999999999),
            ("12.500", 1250),
        ),
    ],
)
@pytest.mark.parametrize("suffix", ["csv", "json", "xlsx", "parquet"])
def test_a_plain_amount_is_understood_as_text_in_every_format(
    tmp_path: Path, suffix: str, text: str, fen: int | None
) -> None:
    row = GOOD | {LIMIT: text}
    content = {
        "csv": csv_bytes(row),
        "json": json_bytes(row),
        "xlsx": xlsx_bytes(xlsx_row(2, row)),
        "parquet": parquet_bytes(row),
    }
    path = tmp_path / f"limit.{suffix}"
    path.write_bytes(content[suffix])
    assert limit_of(path) == (None if fen is None else Money(fen))


@pytest.mark.parametrize(
    ("cell", "code", "fen"),
    [
        (number_cell("@", "12.5"), 0, 1250),
        (number_cell("@", "12.5", 1), "0.00", 1250),
        (number_cell("@", "1200.5", 1), "#,##0.00", 120050),
        (number_cell("@", "1200.5", 1), '"¥"#,##0.00;[Red]-"¥"#,##0.00', 120050),
        (
            number_cell("@", "1200.5", 1),
            '_ "¥"* #,##0.00_ ;_ "¥"* -#,##0.00_ ;_ "¥"* "-"??_ ;_ @_ ',
            120050,
        ),
        (number_cell("@", "1200.5", 1), "[$¥-804]#,##0.00", 120050),
        (number_cell("@", "1200.5", 1), '#,##0.00"元"', 120050),
        (number_cell("@", "1200.5", 1), "[$CNY] #,##0.00", 120050),
        (number_cell("@", "1.25E1", 1), "0.00E+00", 1250),
        (number_cell("@", "12.5", 1), "@", 1250),
        (FORMULA.format("12.5"), 0, 1250),
        (TEXT_FORMULA.format("12.5"), 0, 1250),
        ('<c r="@" t="n"/>', 0, None),
        ("", 0, None),
        (text_cell("@", ""), 0, None),
    ],
)
def test_what_a_spreadsheet_shows_as_yuan_is_understood(
    tmp_path: Path, cell: str, code: str | int, fen: int | None
) -> None:
    path = tmp_path / "limit.xlsx"
    path.write_bytes(xlsx_bytes(xlsx_row(2, GOOD, max_unit_price=cell), formats=[code]))
    assert limit_of(path) == (None if fen is None else Money(fen))


@pytest.mark.parametrize(
    ("written", "fen"),
    [("12.5", 1250), ("12.50", 1250), ("12", 1200), ("12.0", 1200), ("1.25e1", 1250), ("1250E-2", 1250), ("null", None),
     ("0.1", 10), ("999999999999.99", 99999999999999)],
)  # fmt: skip
def test_a_number_in_json_is_what_its_digits_say(
    tmp_path: Path, written: str, fen: int | None
) -> None:
    path = tmp_path / "limit.json"
    path.write_text(f"[{json.dumps(GOOD | {LIMIT: '@'})}]".replace('"@"', written))
    assert limit_of(path) == (None if fen is None else Money(fen))


@pytest.mark.parametrize(
    ("array", "fen"),
    [
        (pa.array([12.5]), 1250),
        (pa.array([12]), 1200),
        (pa.array([12], pa.uint8()), 1200),
        (pa.array([Decimal("12.50")]), 1250),
        (pa.array([Decimal("12.500000")], pa.decimal128(38, 20)), 1250),
        (pa.array(["12.50"]).dictionary_encode(), 1250),
        (pa.array(["12.50"], pa.large_string()), 1250),
        (pa.array([None]), None),
        (pa.array([None], pa.float64()), None),
        (pa.array([None], pa.list_(pa.string())), None),
    ],
)
def test_a_number_in_parquet_is_exact(
    tmp_path: Path, array: pa.Array, fen: int | None
) -> None:
    path = tmp_path / "limit.parquet"
    path.write_bytes(parquet_bytes(GOOD, max_unit_price=array))
    assert limit_of(path) == (None if fen is None else Money(fen))


def test_a_limit_that_only_some_rows_have_is_not_lost_in_those_that_misspell_it(
    tmp_path: Path,
) -> None:
    """Three orders were bought for 89.06 CNY with a limit of 1.00 each, since a key of
    theirs was unknown.
    """
    rows = [{**GOOD, "order_ref": f"A-{at}"} for at in range(3)]
    rows[2] = {
        ("max_unit_prise" if name == LIMIT else name): cell
        for name, cell in rows[2].items()
    }
    path = tmp_path / "limits.json"
    path.write_bytes(json_bytes(*rows))
    assert [str(fault) for fault in read_request_file(path).faults] == [
        "row 1, column max_unit_prise: this column is not known; rename it to max_unit_price, or remove it",
        "row 4, column max_unit_price: this row has no such key, as other rows have; write null where there is no "
        "limit",
    ]


@pytest.mark.parametrize("asked", [False, True])
def test_an_empty_limit_is_a_fault_where_the_settings_ask_for_one(
    tmp_path: Path,
    asked: bool,  # noqa: FBT001
) -> None:
    path = tmp_path / "limit.csv"
    path.write_bytes(csv_bytes(GOOD, GOOD | {"order_ref": "A-2", LIMIT: ""}))
    fault = (
        "row 3, column max_unit_price: this cell is empty, and SOURCING_REQUIRE_PRICE_LIMIT asks for a limit in every "
        "row; write it"
    )
    assert [
        str(item) for item in read_request_file(path, require_limit=asked).faults
    ] == ([fault] if asked else [])
    assert len(read_request_text(path.read_text(), require_limit=asked).faults) == int(
        asked
    )
