"""What is refused of an XLSX file as a whole, and how its texts are read."""

from __future__ import annotations

import io
import zipfile
from pathlib import Path

import pytest

from connectors.request_files import UnreadableFile, read_request_file
from tests.connectors.request_files.writing import GOOD, archive, xlsx_bytes, xlsx_row


def parts_of(content: bytes) -> dict[str, bytes]:
    with zipfile.ZipFile(io.BytesIO(content)) as book:
        return {name: book.read(name) for name in book.namelist()}


def refusal(tmp_path: Path, content: bytes) -> str:
    path = tmp_path / "requests.xlsx"
    path.write_bytes(content)
    with pytest.raises(UnreadableFile) as refused:
        read_request_file(path)
    return str(refused.value).removeprefix(f"{path}: ")


@pytest.mark.parametrize("part", ["xl/workbook.xml", "xl/worksheets/sheet1.xml"])
@pytest.mark.parametrize("encoding", ["utf-8", "utf-16"])
def test_entities_are_never_expanded(tmp_path: Path, part: str, encoding: str) -> None:
    pieces = parts_of(xlsx_bytes(xlsx_row(2, GOOD)))
    entities = '<!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;">]>'
    declared = f'<?xml version="1.0" encoding="{encoding}"?>{entities}'
    pieces[part] = (declared + pieces[part].decode()).encode(encoding)
    assert refusal(tmp_path, archive(pieces)).startswith(
        "can't be read as XLSX (it declares a document type)"
    )


def test_a_part_unpacks_to_no_more_than_it_declares(tmp_path: Path) -> None:
    pieces = parts_of(xlsx_bytes(xlsx_row(2, GOOD)))
    content = archive(pieces | {"xl/worksheets/sheet1.xml": b" " * 15_000_000})
    size = (15_000_000).to_bytes(4, "little")
    assert content.count(size) == 2
    lying = content.replace(size, (1_000).to_bytes(4, "little"))
    assert refusal(tmp_path, lying).startswith("can't be read as XLSX (")


def test_a_part_packed_by_another_method_is_refused(tmp_path: Path) -> None:
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_BZIP2) as book:
        for name, content in parts_of(xlsx_bytes(xlsx_row(2, GOOD))).items():
            book.writestr(name, content)
    assert refusal(tmp_path, out.getvalue()).startswith(
        "can't be read as XLSX (it is packed as no spreadsheet packs)"
    )


def test_shared_texts_are_read_without_escapes_and_readings(tmp_path: Path) -> None:
    pieces = parts_of(
        xlsx_bytes(
            xlsx_row(
                2,
                GOOD,
                note='<c r="@" t="s"><v>0</v></c>',
                state='<c r="@" t="s"><v>1</v></c>',
            )
        )
    )
    space = 'xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"'
    texts = (
        "<si><r><t>a_x000D_</t></r><r><t>gift</t></r><rPh sb='0' eb='1'><t>read</t></rPh></si>"
        "<si><t>_x005F_x0041_</t></si>"
    )
    pieces["xl/sharedStrings.xml"] = f"<sst {space}>{texts}</sst>".encode()
    path = tmp_path / "requests.xlsx"
    path.write_bytes(archive(pieces))
    (order,) = read_request_file(path).orders
    assert order.lines[0].note == "a gift"
    assert order.receiver.state == "_x0041_"
