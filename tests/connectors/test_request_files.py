"""Request files in every format that merchants save."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Sequence
from contextlib import suppress
from dataclasses import replace
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from openpyxl import Workbook, load_workbook
from pyarrow import parquet

from connectors.request_files import UnreadableFile, read_request_file
from connectors.request_files.csv_file import LEFT_OUT
from domain.money import Money
from domain.orders import RequestLine
from tests.everyday import examples

HEADER = (
    "order_ref,marketplace,item,sku,quantity,max_unit_price,receiver_name,receiver_phone,receiver_email,"
    "country,state,city,zip,address,freight,note"
)
NAMES = HEADER.split(",")
ROW = "A-1,taobao,672991141190,5736673805656123457,2,19.90,Jane,+4915112345678,,DE,Berlin,Berlin,10115,Street 1,,"
CHINESE = ROW.replace("Jane", "王小明").replace("A-1", "A-2")

CUT = "this is a number that a spreadsheet cut short; format the column as text and enter it again"
Row = dict[str, str | int | float | None]
Rows = Sequence[Row]


def write_csv(path: Path, rows: Rows) -> Path:
    lines = [
        ",".join("" if row.get(name) is None else str(row[name]) for name in NAMES)
        for row in rows
    ]
    path = path.with_suffix(".csv")
    path.write_text("\n".join([HEADER, *lines]), encoding="utf-8")
    return path


def write_xlsx(path: Path, rows: Rows) -> Path:
    workbook = Workbook()
    sheet = workbook.active
    assert sheet is not None
    sheet.append(NAMES)
    for row in rows:
        sheet.append([row.get(name) for name in NAMES])
    path = path.with_suffix(".xlsx")
    workbook.save(path)
    return path


def write_json(path: Path, rows: Rows) -> Path:
    path = path.with_suffix(".json")
    path.write_text(
        json.dumps([{name: row.get(name) for name in NAMES} for row in rows]),
        encoding="utf-8",
    )
    return path


def write_parquet(path: Path, rows: Rows) -> Path:
    path = path.with_suffix(".parquet")
    parquet.write_table(
        pa.table({name: [row.get(name) for row in rows] for name in NAMES}), path
    )
    return path


WRITERS = [write_csv, write_xlsx, write_json, write_parquet]
MIXED: Rows = [
    {
        "order_ref": "A-1", "marketplace": "1688", "item": 889512351602, "sku": "5736673805656123457", "quantity": -3,
        "max_unit_price": 12.5, "receiver_name": "王小明", "country": "DE", "zip": 10115, "address": "Street 1",
    },
    {},
    {
        "order_ref": "A-1", "marketplace": "1688", "item": 889512351602, "sku": "5736673805656123457", "quantity": 2,
        "max_unit_price": 12.345, "receiver_name": "王小明", "country": "Germny", "zip": 10116, "address": None,
    },
]  # fmt: skip
LINE = RequestLine(
    row=2,
    item="889512351602",
    sku="5736673805656123457",
    quantity=1,
    max_unit_price=Money(1250),
)


@pytest.fixture
def save(tmp_path: Path) -> Callable[[str, bytes], Path]:
    def save(name: str, content: bytes) -> Path:
        (tmp_path / name).write_bytes(content)
        return tmp_path / name

    return save


@pytest.mark.parametrize("write", WRITERS)
def test_the_same_rows_give_the_same_faults_in_every_format(
    write: Callable[[Path, Rows], Path], tmp_path: Path
) -> None:
    assert [
        str(fault)
        for fault in read_request_file(write(tmp_path / "requests", MIXED)).faults
    ] == [
        "row 2, column quantity: -3 is not a whole number of at least 1",
        "row 4, column item: the same item and sku as row 2 of order A-1; put the sum of both in one row",
        "row 4, column max_unit_price: 12.345 has more than 2 decimals; round it to whole fen",
        "row 4, column country: 'Germny' is not a country; did you mean Germany (DE)?",
        "row 4, column zip: differs from row 2 of order A-1",
        "row 4, column address: this cell is empty; fill it in",
    ]


@pytest.mark.parametrize("write", WRITERS)
def test_the_same_rows_give_the_same_orders_in_every_format(
    write: Callable[[Path, Rows], Path], tmp_path: Path
) -> None:
    rows = [
        MIXED[0] | {"quantity": 1, "receiver_phone": 4915112345678},
        {},
        MIXED[0] | {"order_ref": "7", "quantity": 2.0},
    ]
    parsed = read_request_file(write(tmp_path / "requests", rows))
    assert parsed.faults == ()
    assert [
        (order.order_ref, order.receiver.phone, order.receiver.zip, order.lines)
        for order in parsed.orders
    ] == [
        ("A-1", "4915112345678", "10115", (LINE,)),
        ("7", "", "10115", (replace(LINE, row=4, quantity=2),)),
    ]


@pytest.mark.parametrize("write", [write_csv, write_json, write_parquet])
def test_a_number_of_19_digits_keeps_them_all(
    write: Callable[[Path, Rows], Path], tmp_path: Path
) -> None:
    rows: Rows = [
        MIXED[0] | {"quantity": 1, "sku": 5736673805656123457},
        MIXED[0] | {"quantity": 1, "sku": None},
    ]
    parsed = read_request_file(write(tmp_path / "requests", rows))
    assert [line.sku for line in parsed.orders[0].lines] == ["5736673805656123457", ""]


def test_a_number_that_a_spreadsheet_has_rounded_is_a_fault(tmp_path: Path) -> None:
    """A number cell of a spreadsheet holds 15 to 17 digits, so the last ones of an id
    are gone from the file.
    """
    path = write_xlsx(
        tmp_path / "requests", [MIXED[0] | {"quantity": 1, "sku": 5736673805656123457}]
    )
    assert [str(fault) for fault in read_request_file(path).faults] == [
        f"row 2, column sku: {CUT}"
    ]


@pytest.mark.parametrize(
    "column", ["order_ref", "item", "sku", "receiver_phone", "note"]
)
@pytest.mark.parametrize("number", [1234567890123460, 1234567890123460.0])
def test_the_sixteenth_digit_of_a_number_in_a_spreadsheet_is_lost(
    tmp_path: Path, column: str, number: float
) -> None:
    """It still looks whole, and could name another item."""
    path = write_xlsx(
        tmp_path / "requests", [MIXED[0] | {"quantity": 1, column: number}]
    )
    assert [str(fault) for fault in read_request_file(path).faults] == [
        f"row 2, column {column}: {CUT}"
    ]


def test_fifteen_digits_of_a_number_in_a_spreadsheet_are_kept(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "requests", [MIXED[0] | {"quantity": 1, "sku": 123456789012345}]
    )
    assert read_request_file(path).orders[0].lines[0].sku == "123456789012345"


def test_a_workbook_with_a_password_names_the_password(tmp_path: Path) -> None:
    """Excel wraps it as its old format. Saving it again, which helps a damaged one,
    keeps both.
    """
    (tmp_path / "a.xlsx").write_bytes(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1" + bytes(504))
    with pytest.raises(
        UnreadableFile,
        match=r"a\.xlsx: is a workbook with a password, .*: take the password off",
    ):
        read_request_file(tmp_path / "a.xlsx")


def test_a_json_number_with_a_fraction_is_kept_while_it_is_exact(
    tmp_path: Path,
) -> None:
    """Whole numbers keep all digits in JSON; one written as 5.7e18 or with `.0` has
    lost those beyond 2^53.
    """
    rows: Rows = [
        MIXED[0] | {"quantity": 1, "sku": sku}
        for sku in (1234567890123456.0, 5736673805656123457.0)
    ]
    path = write_json(
        tmp_path / "requests",
        [row | {"order_ref": f"A-{n}"} for n, row in enumerate(rows)],
    )
    assert [str(fault) for fault in read_request_file(path).faults] == [
        f"row 3, column sku: {CUT}"
    ]
    path = write_json(tmp_path / "requests", rows[:1])
    assert read_request_file(path).orders[0].lines[0].sku == "1234567890123456"


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_csv_file_may_have_any_encoding_that_says_what_it_is(
    save: Callable[[str, bytes], Path], encoding: str
) -> None:
    parsed = read_request_file(
        save("requests.csv", f"{HEADER}\r\n{CHINESE}\r\n".encode(encoding))
    )
    assert parsed.orders[0].receiver.name == "王小明"


@pytest.mark.parametrize(
    ("name", "encoding"),
    [
        ("王小明", "gb18030"),
        ("MÜLLER", "cp1252"),
        ("김철수", "euc_kr"),
        ("山田", "shift_jis"),
        ("王小明", "big5"),
    ],
)
def test_any_other_encoding_is_understood_only_when_it_is_named(
    save: Callable[[str, bytes], Path], name: str, encoding: str
) -> None:
    """Nothing in such a file tells which it is: most of them decode as each other."""
    path = save(
        "requests.csv", f"{HEADER}\n{ROW.replace('Jane', name)}".encode(encoding)
    )
    with pytest.raises(
        UnreadableFile,
        match=r"line 2 is no UTF-8 text; save it as CSV UTF-8 .* gb18030 .* --encoding at",
    ):
        read_request_file(path)
    assert read_request_file(path, encoding=encoding).orders[0].receiver.name == name


@pytest.mark.parametrize("delimiter", [",", ";", "\t"])
@pytest.mark.parametrize("line_end", ["\n", "\r\n", "\r"])
def test_a_csv_file_may_have_any_delimiter_and_line_end(
    save: Callable[[str, bytes], Path], delimiter: str, line_end: str
) -> None:
    text = f"{HEADER}\n{ROW}\n".replace(",", delimiter).replace("\n", line_end)
    order = read_request_file(save("requests.CSV", text.encode())).orders[0]
    assert (order.lines[0].sku, order.receiver.city) == (
        "5736673805656123457",
        "Berlin",
    )


def test_quoted_cells_may_hold_delimiters_and_line_breaks(
    save: Callable[[str, bytes], Path],
) -> None:
    rows = [
        ROW.replace("Street 1", '"Street 1, 2nd floor\nleft"'),
        ROW.replace("A-1", "A:2"),
    ]
    path = save("requests.csv", "\n".join([HEADER, *rows]).encode())
    assert [str(fault) for fault in read_request_file(path).faults] == [
        "row 3, column order_ref: 'A:2' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'"
    ]


def test_a_row_of_another_length_is_a_fault_and_its_cells_are_not_guessed(
    save: Callable[[str, bytes], Path],
) -> None:
    rows = [
        ROW.replace("Street 1", "Street 1, 2nd floor"),
        "",
        ROW,
        ROW.removesuffix(","),
    ]
    path = save("requests.csv", "\n".join([HEADER, *rows]).encode())
    assert [str(fault) for fault in read_request_file(path).faults] == [
        "row 2: this row has 17 cells where the header has 16; check its separators and quotes",
        f"row 5: this row has 15 cells where the header has 16; check its separators and quotes. {LEFT_OUT}",
    ]


def test_blank_columns_that_a_spreadsheet_leaves_at_the_end_are_ignored(
    save: Callable[[str, bytes], Path],
) -> None:
    path = save("requests.csv", f"{HEADER},,\n{ROW},,\n,,\n".encode())
    assert [order.order_ref for order in read_request_file(path).orders] == ["A-1"]


def test_a_lone_row_of_another_length_is_its_only_fault(
    save: Callable[[str, bytes], Path],
) -> None:
    assert [
        str(fault)
        for fault in read_request_file(
            save("requests.csv", f"{HEADER}\nA-1,taobao".encode())
        ).faults
    ] == [
        f"row 2: this row has 2 cells where the header has 16; check its separators and quotes. {LEFT_OUT}"
    ]


def test_only_the_first_sheet_counts(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "requests", [dict(zip(NAMES, ROW.split(","), strict=True))]
    )
    workbook = load_workbook(path)
    workbook.create_sheet("Notes").append(["not a request"])
    workbook.save(path)
    assert [order.order_ref for order in read_request_file(path).orders] == ["A-1"]


def test_a_sheet_that_understates_its_size_loses_no_row(tmp_path: Path) -> None:
    path = write_xlsx(
        tmp_path / "requests", [dict(zip(NAMES, ROW.split(","), strict=True))]
    )
    with zipfile.ZipFile(path) as book:
        pieces = {name: book.read(name) for name in book.namelist()}
    sheet = pieces["xl/worksheets/sheet1.xml"]
    assert b'<dimension ref="A1:P2"' in sheet
    pieces["xl/worksheets/sheet1.xml"] = sheet.replace(
        b'<dimension ref="A1:P2"', b'<dimension ref="A1"'
    )
    with zipfile.ZipFile(path, "w") as book:
        for name, content in pieces.items():
            book.writestr(name, content)
    assert [order.order_ref for order in read_request_file(path).orders] == ["A-1"]


@pytest.mark.parametrize("key", ["orders", "rows"])
def test_json_rows_may_stand_in_an_object(
    save: Callable[[str, bytes], Path], key: str
) -> None:
    document = {key: [dict(zip(NAMES, ROW.split(","), strict=True))]}
    assert (
        read_request_file(save("requests.json", json.dumps(document).encode()))
        .orders[0]
        .order_ref
        == "A-1"
    )


def test_a_json_key_that_one_row_lacks_is_an_empty_cell(
    save: Callable[[str, bytes], Path],
) -> None:
    row = dict(zip(NAMES, ROW.split(","), strict=True))
    rows = [
        row,
        {name: cell for name, cell in row.items() if name != "address"}
        | {"order_ref": "A-2"},
    ]
    assert [
        str(fault)
        for fault in read_request_file(
            save("requests.json", json.dumps(rows).encode())
        ).faults
    ] == ["row 3, column address: this cell is empty; fill it in"]


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("a.csv", HEADER.encode()),
        ("a.csv", b""),
        ("a.json", b"[]"),
        ("a.json", b'{"orders": []}'),
    ],
)
def test_a_file_without_rows_is_a_fault(
    save: Callable[[str, bytes], Path], name: str, content: bytes
) -> None:
    assert [str(fault) for fault in read_request_file(save(name, content)).faults] == [
        "row 1: the file has no data rows; add one row for each item to buy"
    ]


@pytest.mark.parametrize(
    ("name", "content", "problem"),
    [
        (
            "a.xls",
            b"",
            r"files ending in '\.xls' can't be read; save it as \.csv, \.xlsx, \.json, \.parquet",
        ),
        ("noext", b"", r"files ending in '' can't be read"),
        ("a.csv", b"\xff\xff", "line 1 is no UTF-8 text; save it as CSV UTF-8"),
        (
            "a.csv",
            b'order_ref,item\nA-1,"cup\nA-2,tea',
            r"line 3 can't be read as CSV \(.*\); check its quotes",
        ),
        (
            "a.xlsx",
            b"PK not a workbook",
            r"can't be read as XLSX \(.*\); open it in a spreadsheet and save it again",
        ),
        (
            "a.json",
            b"[{",
            r"can't be read as JSON \(.*\); it must be an array of objects in UTF-8",
        ),
        ("a.json", b"[" * 100_000, r"can't be read as JSON"),
        ("a.json", b"\xff", "line 1 is no UTF-8 text"),
        (
            "a.json",
            b'{"items": []}',
            'must be an array of objects, or an object with such an array as "orders" or "rows"',
        ),
        ("a.json", b"[1]", "must be an array of objects"),
        (
            "a.parquet",
            b"PAR1 not a table PAR1",
            r"can't be read as Parquet \(.*\); write it again",
        ),
    ],
)
def test_an_unreadable_file_is_named_with_the_remedy(
    save: Callable[[str, bytes], Path], name: str, content: bytes, problem: str
) -> None:
    path = save(name, content)
    with pytest.raises(UnreadableFile, match=f"^{path}: {problem}"):
        read_request_file(path)


def test_a_missing_file_is_named(tmp_path: Path) -> None:
    with pytest.raises(
        UnreadableFile,
        match=r"nope\.csv: can't be opened \(No such file or directory\); check the path",
    ):
        read_request_file(tmp_path / "nope.csv")


def test_a_formula_s_number_is_what_its_spreadsheet_shows(tmp_path: Path) -> None:
    """Such as =3*1.1 and =10*1.1: a spreadsheet calculates with 15 digits."""
    row = MIXED[0] | {
        "quantity": 11.000000000000002,
        "max_unit_price": 3.3000000000000003,
    }
    parsed = read_request_file(write_xlsx(tmp_path / "requests", [row]))
    assert parsed.faults == ()
    assert (
        parsed.orders[0].lines[0].quantity,
        str(parsed.orders[0].lines[0].max_unit_price),
    ) == (11, "3.30 CNY")


@pytest.mark.parametrize("suffix", [".csv", ".xlsx", ".json", ".parquet"])
@given(content=st.binary(max_size=300))
@settings(
    max_examples=examples(40),
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_no_content_crashes(tmp_path: Path, suffix: str, content: bytes) -> None:
    path = tmp_path / f"requests{suffix}"
    path.write_bytes(content)
    try:
        parsed = read_request_file(path)
    except UnreadableFile:
        return
    assert parsed.faults


@pytest.mark.parametrize("write", [write_xlsx, write_parquet])
@given(
    where=st.floats(min_value=0, max_value=1, exclude_max=True),
    byte=st.integers(0, 255),
)
@settings(
    max_examples=examples(60),
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
def test_a_damaged_binary_file_never_crashes(
    tmp_path: Path, write: Callable[[Path, Rows], Path], where: float, byte: int
) -> None:
    path = write(tmp_path / "requests", MIXED)
    content = bytearray(path.read_bytes())
    content[int(where * len(content))] = byte
    path.write_bytes(content)
    with suppress(UnreadableFile):
        read_request_file(path)
