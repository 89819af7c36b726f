"""Bad request files of every format and encoding, each with the fault or warning that
it must bring.
"""

from __future__ import annotations

import datetime as dt
import json
from collections.abc import Iterator
from dataclasses import dataclass
from decimal import Decimal

import pyarrow as pa

from tests.connectors.request_files.writing import (
    GOOD,
    LETTERS,
    NAMES,
    archive,
    csv_bytes,
    json_bytes,
    number_cell,
    parquet_bytes,
    text_cell,
    xlsx_bytes,
    xlsx_row,
)


@dataclass(frozen=True, slots=True)
class BadFile:
    """`fault` or `warning` is how one of those begins; a file with only a warning is
    otherwise understood.
    """

    name: str
    suffix: str
    content: bytes
    fault: str = ""
    warning: str = ""


AMOUNT = "{} is not an amount in yuan above 0, such as 12.50"
WHOLE = "{} is not a whole number of at least 1"
UNSEEN = "this cell holds an invisible character (U+{})"
TURNS = "this cell holds a character that turns the direction of writing (U+{})"
BREAK = "this cell holds a line break or tab"
UNPRINTABLE = "this cell holds an unprintable character"
LONG = "this cell has {} characters; up to {} are possible"
NO_LIMITS = [
    *(
        "¥12",
        "￥12",
        "12元",
        "12 CNY",
        "RMB12",
        "1,200.50",
        "1'200",
        "1 200",
        "1.200,50",
        "12,5",
        "12%",
        "12²",
        "①",
        "½",
    ),
    *(
        "1e1",
        "1E+1",
        "+12",
        "-12",
        "0",
        "0.00",
        "12.345",
        "n/a",
        "-",
        "none",
        "nan",
        "inf",
        "0x1f",
        "1_000",
        "١٢",
        "𝟏𝟐",
    ),
    *("12.", ".5", "=6*2", "'12", "12;", "#N/A", "TRUE", "12 or 13", "<12", "12.5.0"),
]
LIKELY = {
    "max_unit_prise": "max_unit_price",
    "max unit price": "max_unit_price",
    "address2": "address",
    "freigth": "freight",
    "quantitty": "quantity",
    "receiver-name": "receiver_name",
}
TEXT_FAULTS = [
    *(("max_unit_price", text, "") for text in NO_LIMITS),
    ("max_unit_price", "  ", "this cell holds blanks, and no limit"),
    ("max_unit_price", "\u200b", "this cell holds blanks, and no limit"),
    ("max_unit_price", "1\u200b2", UNSEEN.format("200B")),
    ("max_unit_price", "1\n2", BREAK),
    *(
        ("quantity", text, WHOLE.format(text))
        for text in ("2²", "²", "③", "1e3", "2,5", "2.5", "-1", "two", "2 pcs")
    ),
    ("quantity", "1\t2", BREAK),
    ("order_ref", "A\u200b1", UNSEEN.format("200B")),
    ("order_ref", "Ａ-1", "'Ａ-1' is not 1 to 64"),
    ("order_ref", "A-1\nB", BREAK),
    ("item", "672991\u2060141190", UNSEEN.format("2060")),
    ("item", "x" * 2001, LONG.format("2,001", "2,000")),
    ("sku", "345\u00ad254", UNSEEN.format("00AD")),
    ("sku", "9" * 101, LONG.format("101", "100")),
    ("sku", "3.45E+12", "this is a number that a spreadsheet cut short"),
    ("receiver_name", "Jane\u202edoe", TURNS.format("202E")),
    ("receiver_name", "Jane\u2066doe", TURNS.format("2066")),
    ("receiver_name", "J\ufffdne", "this cell holds U+FFFD"),
    ("receiver_name", "J\x85\x80ne", UNPRINTABLE),
    ("receiver_name", "J\x9fne", UNPRINTABLE),
    ("receiver_name", "x" * 201, LONG.format("201", "200")),
    ("receiver_name", "\u3164", "this cell is empty; fill it in"),
    ("receiver_name", "\u200b\u2060", "this cell is empty; fill it in"),
    ("receiver_name", "#REF!", "#REF! is a spreadsheet's error or placeholder"),
    *(
        (
            column,
            text,
            f"{text} is a spreadsheet's error or placeholder; put the value in its place",
        )
        for column, text in (
            ("receiver_phone", "#ERROR!"),
            ("receiver_phone", "Err:502"),
            ("zip", "#####"),
            ("address", "Loading..."),
            ("address", "#CIRCULAR!"),
            ("receiver_name", "Loading…"),
            ("sku", "#NAME?"),
            ("zip", "#NV"),
            ("city", "#Н/Д"),
            ("state", "#¡VALOR!"),
            ("city", "#YOK"),
        )
    ),
    ("receiver_phone", "+49\u200b151", UNSEEN.format("200B")),
    ("receiver_phone", "1" * 51, LONG.format("51", "50")),
    ("receiver_email", "jane@exa\u200bmple.com", UNSEEN.format("200B")),
    ("receiver_email", "x" * 250 + "@a.de", LONG.format("255", "254")),
    ("country", "D\u200bE", UNSEEN.format("200B")),
    ("country", "Atlantis", "'Atlantis' is not a country"),
    ("state", "x" * 101, LONG.format("101", "100")),
    ("city", "x" * 101, LONG.format("101", "100")),
    ("zip", "1" * 21, LONG.format("21", "20")),
    ("zip", "101\n15", BREAK),
    ("address", "x" * 501, LONG.format("501", "500")),
    ("address", "x" * 10_001, LONG.format("10,001", "500")),
    ("freight", "fast\nest", BREAK),
    ("note", "x" * 2001, LONG.format("2,001", "2,000")),
    ("marketplace", "tao\u200bbao", UNSEEN.format("200B")),
]
CLEANED = "invisible characters were taken out of this cell"
BLANKED = "line breaks and tabs in this cell became blanks"
TEXT_WARNINGS = [
    ("max_unit_price", "19.90\u200b", CLEANED),
    ("sku", "\ufeff3452545926724", CLEANED),
    ("receiver_name", "Ja\u200bne", CLEANED),
    ("city", "Ber\u00adlin", CLEANED),
    ("receiver_name", "Jane\u200e", CLEANED),
    ("address", "Street 1\nleft", BLANKED),
    ("address", "Street 1\r\nleft", BLANKED),
    ("address", "Street\t1", BLANKED),
    ("note", "one\u2028two", BLANKED),
    ("note", "#urgent!\u200b", CLEANED),
    (
        "receiver_phone",
        "1",
        "this can't be a phone number that is dialled from DE; it is bought all the same",
    ),
    (
        "receiver_phone",
        "+999123",
        "this can't be a phone number that is dialled from DE; it is bought all the same",
    ),
    ("state", "nan", "'nan' goes onto the parcel as it is"),
    ("zip", "n/a", "'n/a' goes onto the parcel as it is"),
    ("zip", "1011", "postcodes of DE have more digits than this one"),
]
FOREIGN = {
    "gb18030": "王小明", "gbk": "王小明", "big5": "王小明", "shift_jis": "山田", "euc_jp": "山田", "euc_kr": "김철수",
    "cp1252": "MÜLLER", "latin-1": "Müller", "cp1251": "Иван", "koi8-r": "Иван", "cp1250": "Łukasz", "cp437": "Müller",
    "iso8859_7": "Γιώργος", "cp1255": "שלום", "cp1256": "محمد", "cp874": "สมชาย", "mac_roman": "Müller",
}  # fmt: skip


def corpus() -> Iterator[BadFile]:
    """Every bad file."""
    yield from _texts()
    yield from _encodings()
    yield from _csv_files()
    yield from _json_files()
    yield from _xlsx_files()
    yield from _xlsx_sheets()
    yield from _parquet_files()


def _texts() -> Iterator[BadFile]:
    cases = [
        *((*case, True) for case in TEXT_FAULTS),
        *((*case, False) for case in TEXT_WARNINGS),
    ]
    for at, (column, text, message, is_fault) in enumerate(cases):
        row = GOOD | {column: text}
        location = f"row 2, column {column}: "
        output = (
            {"fault": location + message}
            if is_fault
            else {"warning": location + message}
        )
        yield BadFile(f"text {at} {column}", "csv", csv_bytes(row), **output)
        yield BadFile(f"text {at} {column}", "json", json_bytes(row), **output)
        if at % 2:
            yield BadFile(
                f"text {at} {column} utf-16",
                "csv",
                csv_bytes(row, encoding="utf-16"),
                **output,
            )
        if not any(ord(letter) < 32 and letter not in "\t\n" for letter in text):
            yield BadFile(
                f"text {at} {column}", "xlsx", xlsx_bytes(xlsx_row(2, row)), **output
            )
        if at % 3 == 0:
            yield BadFile(
                f"text {at} {column}", "parquet", parquet_bytes(row), **output
            )


def _encodings() -> Iterator[BadFile]:
    for encoding, name in FOREIGN.items():
        row = GOOD | {"receiver_name": name}
        yield BadFile(
            f"in {encoding}",
            "csv",
            csv_bytes(row, encoding=encoding),
            "line 2 is no UTF-8 text; save it as CSV",
        )
        yield BadFile(
            f"in {encoding}",
            "json",
            json_bytes(row, encoding=encoding),
            "line 1 is no UTF-8",
        )
    unmarked = "is no UTF-8 text: UTF-16 without its mark"
    for encoding in ("utf-16-le", "utf-16-be"):
        yield BadFile(
            f"in {encoding}", "csv", csv_bytes(GOOD, encoding=encoding), unmarked
        )
        yield BadFile(
            f"in {encoding}", "json", json_bytes(GOOD, encoding=encoding), unmarked
        )
    yield BadFile(
        "cut in a letter",
        "csv",
        csv_bytes(GOOD | {"note": "é"})[:-2],
        "line 2 is no UTF-8 text",
    )
    yield BadFile(
        "overlong",
        "csv",
        csv_bytes(GOOD).replace(b"Jane", b"J\xc0\x80ne"),
        "line 2 is no UTF-8 text",
    )
    yield BadFile(
        "surrogates",
        "csv",
        csv_bytes(GOOD).replace(b"Jane", b"\xed\xa0\x80"),
        "line 2 is no UTF-8 text",
    )


def _csv_files() -> Iterator[BadFile]:
    good = csv_bytes(GOOD)
    yield BadFile(
        "sep line", "csv", b"sep=;\r\n" + good, "begins with 'sep=;'; delete that line"
    )
    yield BadFile("open quote", "csv", good[:-1], "line 2 can't be read as CSV")
    yield BadFile(
        "text after a quote",
        "csv",
        good.replace(b'"Jane Doe"', b'"Jane"Doe'),
        "line 2 can't be read as CSV",
    )
    short = (
        "row 3: this row has 2 cells where the header has 16; check its separators and quotes. Excel leaves out empty "
        "cells at the end of rows: save as XLSX, or fill the last column of each row"
    )
    yield BadFile("short row", "csv", good + b"\r\nA-2,taobao", short)
    yield BadFile(
        "long row",
        "csv",
        good + b",x",
        "row 2: this row has 17 cells where the header has 16",
    )
    yield BadFile(
        "NUL",
        "csv",
        good + b"\r\n" + b"x" * 5000 + b"\0",
        "row 3: this row has 1 cells where the header has 16",
    )
    yield BadFile("empty", "csv", b"", "row 1: the file has no data rows")
    yield BadFile(
        "header alone", "csv", csv_bytes(), "row 1: the file has no data rows"
    )
    yield BadFile(
        "huge row",
        "csv",
        good + b'\r\n"' + b"x" * 300_000,
        "line 3 can't be read as CSV (field larger than field limit",
    )
    yield BadFile(
        "many columns",
        "csv",
        b",".join(b"c%d" % at for at in range(300)),
        "has 300 columns; up to 256",
    )
    for name, near in LIKELY.items():
        fault = f"row 1, column {name}: this column is not known; rename it to {near}, or remove it"
        yield BadFile(
            f"header {name}",
            "csv",
            csv_bytes(GOOD | {name: "1"}, names=[*NAMES, name]),
            fault,
        )
    for name in NAMES:
        neighbours = [text for text in NAMES if text != name]
        if name not in ("sku", "receiver_email", "freight", "note"):
            fault = f"row 1, column {name}: this column is missing; add it"
            yield BadFile(
                f"without {name}", "csv", csv_bytes(GOOD, names=neighbours), fault
            )
        twice = f"row 1, column {name}: this column is there more than once"
        yield BadFile(
            f"{name} twice", "csv", csv_bytes(GOOD, names=[*NAMES, name.upper()]), twice
        )
    passed = "row 1: a column is not known and is passed over: 'cost centre'"
    yield BadFile(
        "unknown column",
        "csv",
        csv_bytes(GOOD, names=[*NAMES, "cost centre"]),
        warning=passed,
    )
    unnamed = good.replace(b'"note"\r\n', b'"note",\r\n') + b",7"
    yield BadFile(
        "unnamed column",
        "csv",
        unnamed,
        warning="row 2: cells under a column without a name are passed over",
    )


def _json_files() -> Iterator[BadFile]:
    row = json.dumps(GOOD)
    values = [
        "true",
        "false",
        "NaN",
        "Infinity",
        "-Infinity",
        "[]",
        "[1]",
        "{}",
        '{"a":1}',
    ]
    for at, value in enumerate(values):
        for column in NAMES:
            if (at + NAMES.index(column)) % 4 == 0:
                content = f"[{json.dumps({**GOOD, column: '@'})}]".replace(
                    '"@"', value
                ).encode()
                yield BadFile(
                    f"{column} {value}", "json", content, f"row 2, column {column}: "
                )
    for column in NAMES:
        twice = f'[{row[:-1]}, "{column}": "1"}}]'.encode()
        yield BadFile(
            f"{column} twice",
            "json",
            twice,
            f"row 2, column {column}: this key is there more than once",
        )
    cased = f'[{row[:-1]}, "Zip": "1"}}]'.encode()
    yield BadFile(
        "zip and Zip",
        "json",
        cased,
        "row 1, column zip: this column is there more than once",
    )
    for key, near in [
        ("max_unit_prise", "max_unit_price"),
        ("freigth", "freight"),
        ("Quantitiy", "quantity"),
    ]:
        second = GOOD | {"order_ref": "A-2", key: "1"}
        fault = f"row 1, column {key.lower()}: this column is not known; rename it to {near}, or remove it"
        yield BadFile(f"key {key}", "json", json_bytes(GOOD, second), fault)
    lost = {name: cell for name, cell in GOOD.items() if name != "max_unit_price"} | {
        "order_ref": "A-2"
    }
    fault = "row 3, column max_unit_price: this row has no such key, as other rows have"
    yield BadFile("limit lost", "json", json_bytes(GOOD, lost), fault)
    for number in ("1e400", "1e-400", "9" * 300, "0." + "1" * 300, "1E99"):
        content = f"[{json.dumps(GOOD | {'max_unit_price': '@'})}]".replace(
            '"@"', number
        ).encode()
        yield BadFile(
            f"limit {number[:9]}", "json", content, "row 2, column max_unit_price: "
        )
    for text in (
        "[1]",
        "[[]]",
        "[null]",
        "1",
        '"x"',
        '{"items": []}',
        '{"orders": {}}',
    ):
        yield BadFile(
            f"shape {text}", "json", text.encode(), "must be an array of objects"
        )
    broken = (
        "",
        "[",
        "[{]",
        "{",
        f"[{row}",
        f"[{row},]",
        f"[{row}] x",
        '{"orders" []}',
        "[" * 9999,
        f"[{row} {row}]",
    )
    for text in broken:
        yield BadFile(
            f"broken {text[:9]}", "json", text.encode(), "can't be read as JSON ("
        )
    pair = f'{{"orders": [{row}], "rows": [{row}]}}'.encode()
    yield BadFile(
        "orders and rows",
        "json",
        pair,
        "has its rows as 'orders' and as 'rows'; keep one of them",
    )
    beside = (
        f'{{"max_unit_price ": 1, "max_unit_prise": 1, "orders": [{row}]}}'.encode()
    )
    yield BadFile(
        "limit beside the rows",
        "json",
        beside,
        "row 1, column max_unit_prise: this column is not known",
    )


def _xlsx_files() -> Iterator[BadFile]:
    formula = "row 2, column {}: {} holds a formula without its value"
    for column in NAMES:
        location = f"{LETTERS[column]}2"
        for kind in ("<v></v>", "<v/>", ""):
            raw = f'<c r="@"><f>A1*2</f>{kind}</c>'
            yield _xlsx(
                f"formula {kind} {column}",
                column,
                raw,
                formula.format(column, location),
            )
        yield _xlsx(
            f"error {column}",
            column,
            '<c r="@" t="e"><v>#REF!</v></c>',
            f"row 2, column {column}: #REF! is a",
        )
        yield _xlsx(
            f"bool {column}",
            column,
            '<c r="@" t="b"><v>1</v></c>',
            f"row 2, column {column}: a yes/no value",
        )
        yield _xlsx(
            f"date {column}",
            column,
            number_cell("@", 45000, 1),
            f"row 2, column {column}: a date or time",
            14,
        )
        iso = '<c r="@" t="d"><v>2026-11-25</v></c>'
        yield _xlsx(
            f"iso date {column}", column, iso, f"row 2, column {column}: a date or time"
        )
    limit = "row 2, column max_unit_price: "
    empty = '<c r="@" t="str"><f>""</f><v></v></c>'
    yield _xlsx(
        "formula of nothing",
        "max_unit_price",
        empty,
        f"{limit}this cell holds blanks, and no limit",
    )
    for code in (9, 10, "0.0%", "0%;-0%"):
        yield _xlsx(
            f"percent {code}",
            "max_unit_price",
            number_cell("@", 0.12, 1),
            f"{limit}a percentage",
            code,
        )
    for code in (22, 45, "yyyy-mm-dd", "h:mm", "[h]:mm:ss", 'yyyy"年"m"月"', 31, 57):
        yield _xlsx(
            f"date {code}",
            "max_unit_price",
            number_cell("@", 12, 1),
            f"{limit}a date or time",
            code,
        )
    for code in (
        12,
        44,
        "# ?/?",
        '"$"#,##0.00',
        "[$€-407]0.00",
        "0.0,",
        '0"00"',
        '0.0"万"',
        ";;;",
        "[$¥-411]0",
        "[$¥-ja-JP]0",
        "[$$-en-US]0.00",
        "[$R$-416]0",
        '0"k"',
        "00-00",
        '0#" "##" "##" "##" "##',
        "0####",
    ):
        yield _xlsx(
            f"format {code}",
            "max_unit_price",
            number_cell("@", 12, 1),
            f"{limit}the number's format (",
            code,
        )
    for number in ("1e400", "1e15", "12.345", "0", "-1"):
        yield _xlsx(
            f"number {number}", "max_unit_price", number_cell("@", number), limit
        )
    stale = '<calcPr fullCalcOnLoad="1"/>'
    zero = xlsx_row(2, GOOD, quantity='<c r="@"><f>1+1</f><v>0</v></c>')
    yield BadFile(
        "not calculated",
        "xlsx",
        xlsx_bytes(zero, book=stale),
        formula.format("quantity", "E2"),
    )
    zip_row = xlsx_row(2, GOOD | {"country": "US"}, zip=number_cell("@", 2134))
    lost = "row 2, column zip: this is a number and too short for a postcode of US"
    yield BadFile("zip without its zero", "xlsx", xlsx_bytes(zip_row), lost)


def _xlsx_sheets() -> Iterator[BadFile]:
    rows = [xlsx_row(2, GOOD), xlsx_row(3, GOOD | {"order_ref": "A-2"})]
    for area, row in (
        ("A2:A3", 2),
        ("F2:F3", 2),
        ("B3:C3", 3),
        ("A1:P1", 1),
        ("$F$2:$F$3", 2),
        ("A1:XFD9", 1),
    ):
        merged = f'<mergeCells><mergeCell ref="{area}"/></mergeCells>'
        output = area.replace("$", "")
        fault = f"row {row}: cells {output} are merged; take the merge apart and fill in each cell"
        yield BadFile(f"merged {area}", "xlsx", xlsx_bytes(*rows, after=merged), fault)
    hidden = xlsx_bytes(
        rows[0], xlsx_row(3, GOOD | {"order_ref": "A-2"}, attributes='hidden="1"')
    )
    yield BadFile(
        "hidden row",
        "xlsx",
        hidden,
        "row 3: this row is hidden or filtered out in the spreadsheet; show it, or",
    )
    column = '<cols><col min="6" max="6" hidden="1"/></cols>'
    message = "row 1, column max_unit_price: hidden in the spreadsheet"
    yield BadFile(
        "hidden column", "xlsx", xlsx_bytes(*rows, before=column), warning=message
    )
    flat = '<sheetFormatPr zeroHeight="1"/>'
    yield BadFile(
        "all hidden",
        "xlsx",
        xlsx_bytes(*rows, before=flat),
        "row 2: this row is hidden or filtered out in the spreadsheet; show it, or",
    )
    first = ("Orders", "worksheet", "visible", "")
    extra = ("Old", "worksheet", "visible", f'<row r="1">{text_cell("A1", "x")}</row>')
    message = (
        "the file: sheet 'Old' is passed over: only the first sheet, 'Orders', is read"
    )
    yield BadFile(
        "further sheet",
        "xlsx",
        xlsx_bytes(*rows, sheets=(first, extra)),
        warning=message,
    )
    chart = ("Chart1", "chartsheet", "visible", "<row/>")
    yield BadFile(
        "chart first",
        "xlsx",
        xlsx_bytes(*rows, sheets=(chart, first)),
        "the first sheet, 'Chart1', is a chart",
    )
    unseen = ("Old", "worksheet", "hidden", extra[3])
    yield BadFile(
        "hidden first",
        "xlsx",
        xlsx_bytes(*rows, sheets=(unseen, first)),
        "the first sheet, 'Old', is hidden",
    )
    delayed = f'<row r="3">{text_cell("A3", "order_ref")}</row>'
    yield BadFile(
        "header in row 3", "xlsx", xlsx_bytes(header=delayed), "has no header in row 1"
    )
    yield BadFile("no rows", "xlsx", xlsx_bytes(), "row 1: the file has no data rows")
    yield BadFile(
        "no cells", "xlsx", xlsx_bytes(header=""), "row 1: the file has no data rows"
    )
    broken = "can't be read as XLSX ("
    yield BadFile("no archive", "xlsx", b"PK\3\4", broken)
    yield BadFile("no workbook", "xlsx", archive({"a.txt": "x"}), broken)
    yield BadFile("no sheet", "xlsx", xlsx_bytes(sheets=()), broken)
    yield BadFile("rows in disorder", "xlsx", xlsx_bytes(*reversed(rows)), broken)
    yield BadFile(
        "no number",
        "xlsx",
        xlsx_bytes(xlsx_row(2, GOOD, quantity=number_cell("@", "1_0"))),
        broken,
    )
    yield BadFile(
        "missing text",
        "xlsx",
        xlsx_bytes(xlsx_row(2, GOOD, note='<c r="@" t="s"><v>9</v></c>')),
        broken,
    )
    yield BadFile(
        "missing style",
        "xlsx",
        xlsx_bytes(xlsx_row(2, GOOD, quantity=number_cell("@", 1, 99))),
        broken,
    )
    total = xlsx_bytes(*rows)
    yield BadFile("cut off", "xlsx", total[: len(total) // 2], broken)


def _xlsx(name: str, column: str, raw: str, fault: str, *formats: str | int) -> BadFile:
    return BadFile(
        name,
        "xlsx",
        xlsx_bytes(xlsx_row(2, GOOD, **{column: raw}), formats=formats),
        fault,
    )


def _parquet_files() -> Iterator[BadFile]:
    moment = dt.datetime(2026, 11, 25, tzinfo=dt.UTC)
    values = {
        "binary": pa.array([b"x"]),
        "bool": pa.array([True]),
        "list": pa.array([["x"]]),
        "struct": pa.array([{"a": "x"}]),
        "map": pa.array([[("a", "x")]], pa.map_(pa.string(), pa.string())),
        "date": pa.array([moment.date()]),
        "time": pa.array([moment.time()]),
        "timestamp": pa.array([moment]),
        "odd zone": pa.array([0], pa.timestamp("us", "Mars/Olympus")),
        "out of range": pa.array([2**62], pa.timestamp("us")),
        "duration": pa.array([1], pa.duration("s")),
        "nan": pa.array([float("nan")]),
        "infinity": pa.array([float("inf")]),
        "nan32": pa.array([float("nan")], pa.float32()),
        "fixed binary": pa.array([b"xx"], pa.binary(2)),
    }
    for kind, array in values.items():
        for at, column in enumerate(NAMES):
            if at % 4 == len(kind) % 4 or column == "max_unit_price":
                content = parquet_bytes(GOOD, **{column: array})
                yield BadFile(
                    f"{kind} {column}", "parquet", content, f"row 2, column {column}: "
                )
    limit = "row 2, column max_unit_price: "
    for number in (
        pa.array([Decimal("12.345")]),
        pa.array([12.1], pa.float32()),
        pa.array([-1]),
        pa.array([0]),
    ):
        yield BadFile(
            f"limit {number.type}",
            "parquet",
            parquet_bytes(GOOD, max_unit_price=number),
            limit,
        )
    cut = parquet_bytes(GOOD | {"country": "US"}, zip=pa.array([2134]))
    yield BadFile(
        "zip",
        "parquet",
        cut,
        "row 2, column zip: this is a number and too short for a postcode of US",
    )
    yield BadFile("no table", "parquet", b"PAR1xPAR1", "can't be read as Parquet (")
    yield BadFile(
        "cut off", "parquet", parquet_bytes(GOOD)[:-9], "can't be read as Parquet ("
    )
    yield BadFile(
        "no rows", "parquet", parquet_bytes(), "row 1: the file has no data rows"
    )
