"""Writes request files as programs save them, and as no program should: small, quick,
and to the byte.
"""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping, Sequence
from typing import Any
from xml.sax.saxutils import escape, quoteattr

import pyarrow as pa
from pyarrow import parquet

GOOD: dict[str, Any] = {
    "order_ref": "A-1",
    "marketplace": "taobao",
    "item": "672991141190",
    "sku": "3452545926724",
    "quantity": "2",
    "max_unit_price": "19.90",
    "receiver_name": "Jane Doe",
    "receiver_phone": "+4915112345678",
    "receiver_email": "jane@example.com",
    "country": "DE",
    "state": "Berlin",
    "city": "Berlin",
    "zip": "10115",
    "address": "Invalidenstr. 1",
    "freight": "fastest",
    "note": "gift",
}
NAMES = list(GOOD)
LETTERS = dict(zip(NAMES, "ABCDEFGHIJKLMNOP", strict=True))
SPACE = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
LINKS = 'xmlns:r="http://schemas.openxmlformats.org/officeDocument/2006/relationships"'
SHEET_ML = "application/vnd.openxmlformats-officedocument.spreadsheetml."
CONTENT_TYPES = (
    '<Types xmlns="http://schemas.openxmlformats.org/package/2006/content-types">'
    f'<Override PartName="/xl/workbook.xml" ContentType="{SHEET_ML}sheet.main+xml"/>'
    f'<Override PartName="/xl/sharedStrings.xml" ContentType="{SHEET_ML}sharedStrings+xml"/>'
    "</Types>"
)
Row = Mapping[str, Any]


def csv_bytes(
    *rows: Row, encoding: str = "utf-8", names: Sequence[str] = NAMES
) -> bytes:
    """Every cell quoted, so that any text stays one cell."""
    lines = [
        ",".join('"' + str(cell).replace('"', '""') + '"' for cell in line)
        for line in _lines(rows, names)
    ]
    return "\r\n".join(lines).encode(encoding)


def json_bytes(*rows: Row, encoding: str = "utf-8") -> bytes:
    return json.dumps(list(rows), ensure_ascii=False).encode(encoding)


def parquet_bytes(*rows: Row, **columns: pa.Array) -> bytes:
    """The rows as text; `columns` put arrays of any type in place of their columns."""
    table = {
        name: pa.array([row.get(name) for row in rows]) for name in NAMES
    } | columns
    out = io.BytesIO()
    parquet.write_table(pa.table(table), out, compression="none")
    return out.getvalue()


def text_cell(place: str, text: str) -> str:
    return f'<c r="{place}" t="inlineStr"><is><t xml:space="preserve">{escape(text)}</t></is></c>'


def number_cell(place: str, number: object, style: int = 0) -> str:
    return f'<c r="{place}" s="{style}"><v>{number}</v></c>'


def xlsx_row(number: int, row: Row, *, attributes: str = "", **raw: str) -> str:
    """A row of texts; `raw` has the XML of cells whose place is `@`."""
    cells = [
        raw[name].replace('r="@"', f'r="{LETTERS[name]}{number}"', 1)
        if name in raw
        else text_cell(f"{LETTERS[name]}{number}", str(row[name]))
        for name in NAMES
    ]
    return f'<row r="{number}" {attributes}>{"".join(cells)}</row>'


def header_row() -> str:
    return xlsx_row(1, dict(zip(NAMES, NAMES, strict=True)))


def xlsx_bytes(
    *rows: str,
    before: str = "",
    after: str = "",
    formats: Sequence[str | int] = (),
    sheets: Sequence[tuple[str, str, str, str]] = (
        ("Orders", "worksheet", "visible", ""),
    ),
    book: str = "",
    header: str | None = None,
) -> bytes:
    """A workbook whose first worksheet has these rows below the header.

    `sheets` are name, kind, state and XML of the data of each; an empty XML stands for
    the rows. `formats` are those of the styles 1, 2, ...: a code, or the number of a
    built-in one.
    """
    rels = [("r0", "styles", "styles.xml")]
    listed = []
    pieces = {}
    for at, (name, kind, state, content) in enumerate(sheets, start=1):
        listed.append(
            f'<sheet name={quoteattr(name)} sheetId="{at}" state="{state}" r:id="r{at}"/>'
        )
        rels.append((f"r{at}", kind, f"worksheets/sheet{at}.xml"))
        data = content or (header_row() if header is None else header) + "".join(rows)
        pieces[f"xl/worksheets/sheet{at}.xml"] = (
            f"<worksheet {SPACE}>{before}<sheetData>{data}</sheetData>{after}</worksheet>"
        )
    pieces |= {
        "[Content_Types].xml": CONTENT_TYPES,
        "_rels/.rels": _relations([("r1", "officeDocument", "xl/workbook.xml")]),
        "xl/workbook.xml": f"<workbook {SPACE} {LINKS}><sheets>{''.join(listed)}</sheets>{book}</workbook>",
        "xl/_rels/workbook.xml.rels": _relations(rels),
        "xl/styles.xml": _styles(formats),
        "xl/sharedStrings.xml": f"<sst {SPACE}/>",
    }
    return archive(pieces)


def archive(parts: Mapping[str, str | bytes]) -> bytes:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as book:
        for name, content in parts.items():
            book.writestr(name, content)
    return out.getvalue()


def _relations(relations: Sequence[tuple[str, str, str]]) -> str:
    kinds = "http://schemas.openxmlformats.org/officeDocument/2006/relationships/"
    links = "".join(
        f'<Relationship Id="{i}" Type="{kinds}{kind}" Target="{to}"/>'
        for i, kind, to in relations
    )
    return f'<Relationships xmlns="http://schemas.openxmlformats.org/package/2006/relationships">{links}</Relationships>'


def _styles(formats: Sequence[str | int]) -> str:
    numbers = [
        code if isinstance(code, int) else 164 + at for at, code in enumerate(formats)
    ]
    own = "".join(
        f'<numFmt numFmtId="{number}" formatCode={quoteattr(code)}/>'
        for number, code in zip(numbers, formats, strict=True)
        if isinstance(code, str)
    )
    used = "".join(f'<xf numFmtId="{number}"/>' for number in [0, *numbers])
    return f"<styleSheet {SPACE}><numFmts>{own}</numFmts><cellXfs>{used}</cellXfs></styleSheet>"


def _lines(rows: Sequence[Row], names: Sequence[str]) -> list[list[Any]]:
    return [list(names), *([row.get(name, "") for name in names] for row in rows)]
