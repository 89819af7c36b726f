"""The rows of one order are left out of a file, and everything else in it stays as it was."""

from __future__ import annotations

import io
import json

import openpyxl
import pandas as pd
import pytest

from connectors.request_files.without_order import text_without_order, without_order

HEADER = "order_ref,item,receiver_name,receiver_phone,city,note\n"
HERS = 'A-1,1,王小明,"+1 508-555 0199",Xenopolis,"two\nlines"\n'
HIS = 'A-2,2,Ann,1,Berlin,"a ""quoted"" word"\n'
RECEIVER = {
    **{"name": "王小明", "phone": "+1 508-555 0199", "email": "", "state": "", "city": "Xenopolis", "zip": ""},
    "address": "",
}


@pytest.mark.parametrize("begin", ["", "\n\n", "sep=,\n"])
def test_text_keeps_every_other_character(begin: str) -> None:
    """Quotes, line ends within cells, blank lines and what stands before the header."""
    text = f"{begin}{HEADER}{HERS}{HIS}{HERS}\n"
    assert text_without_order(text, "A-1") == (f"{begin}{HEADER}{HIS}\n", (RECEIVER, RECEIVER))
    assert text_without_order(text, "A-3") == (text, ())


@pytest.mark.parametrize("delimiter", ["\t", ";"])
def test_tabs_and_semicolons_and_a_last_line_without_an_end(delimiter: str) -> None:
    head, hers = ("order_ref", " City "), ("A-1", "Xenopolis")
    text = "\r\n".join([delimiter.join(head), "A-2" + delimiter, delimiter.join(hers)])
    kept, (receiver,) = text_without_order(text, "A-1")
    assert (kept, receiver["city"]) == (f"{delimiter.join(head)}\r\nA-2{delimiter}\r\n", "Xenopolis")


def test_a_text_that_is_no_table_stays() -> None:
    """Also one with a cell larger than any reader takes."""
    for text in ("", "\n", '"never closed', f"{HEADER}A-1,{'x' * 200_000}"):
        assert text_without_order(text, "A-1") == (text, ())


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16", "gb18030"])
def test_a_csv_file_keeps_its_encoding(encoding: str) -> None:
    """One that can't be read as UTF-8 is taken byte by byte: then nothing is known of whom it names."""
    found = without_order((HEADER + HERS + HIS + "A-3,茶\n").encode(encoding), ".CSV", "A-1")
    assert found.content.decode(encoding) == HEADER + HIS + "A-3,茶\n"
    assert found.receivers == ((RECEIVER,) if encoding != "gb18030" else ())


def test_json_parquet_and_xlsx() -> None:
    """Numbers may be references too; sheets keep their other rows."""
    rows: list[dict[str, object]] = [{"order_ref": 7, "zip": 97999}, {"order_ref": "A-2", "zip": "茶"}]
    for document in (rows, {"orders": rows, "by": "ann"}):
        found = without_order(json.dumps(document).encode(), ".json", "7")
        assert "97999" not in found.content.decode()
        assert "A-2" in found.content.decode()
        assert [one["zip"] for one in found.receivers] == ["97999"]
    out = io.BytesIO()
    pd.DataFrame({"order_ref": ["A-1", "A-2"], "zip": ["97999", None]}).to_parquet(out)
    kept = pd.read_parquet(io.BytesIO(without_order(out.getvalue(), ".parquet", "A-1").content))
    assert kept["order_ref"].to_list() == ["A-2"]
    book, out = openpyxl.Workbook(), io.BytesIO()
    for cells in (["a title"], ["Order_Ref", "zip"], ["A-1", 97999], ["A-1", 97999], ["A-2", "=1+1"], ["A-1", None]):
        book.worksheets[0].append(cells)
    book.save(out)
    found = without_order(out.getvalue(), ".xlsx", "A-1")
    sheet = openpyxl.load_workbook(io.BytesIO(found.content)).worksheets[0]
    assert list(sheet.values) == [("a title", None), ("Order_Ref", "zip"), ("A-2", "=1+1")]
    assert len(found.receivers) == 3


def test_a_file_that_nobody_can_read_is_told() -> None:
    for suffix in (".json", ".parquet", ".xlsx"):
        with pytest.raises(ValueError, match=r"."):
            without_order(b"A-1 no such file", suffix, "A-1")
    assert without_order(b"A-1", ".pdf", "A-1").receivers == ()


def test_a_quote_that_is_never_closed_takes_no_other_orders_with_it() -> None:
    """To a reader all that follows is one cell of that row."""
    text = 'order_ref,receiver_name\nA-1,"Quentin\nA-2,Ann\n'
    assert text_without_order(text, "A-1") == (text, ())
    assert text_without_order(text.replace('"Q', '"Q"'), "A-1")[0] == "order_ref,receiver_name\nA-2,Ann\n"
