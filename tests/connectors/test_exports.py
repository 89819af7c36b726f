"""Tables for other programs: amounts in their currency, times of the zone, ids as text,
and no formula.
"""

from __future__ import annotations

import csv
import io
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from openpyxl import load_workbook
from pyarrow import parquet

from connectors.export_formats import ExportFormat
from connectors.exports import export, print_csv
from connectors.settings import SourcingSettings
from connectors.snapshots.files import QueryError
from connectors.snapshots.reader import QueryBounds
from connectors.snapshots.rows import currency_columns
from connectors.snapshots.tables import TABLES
from tests.connectors.snapshots.sample import AT, order, payment, write

CSV, XLSX, PARQUET = ExportFormat
BOUNDS = QueryBounds()
LOCAL = datetime(2026, 1, 2, 11, 4, 5)  # noqa: DTZ001 - of Asia/Shanghai
FORMULA = '=HYPERLINK("http://evil.example","ok")'


@pytest.fixture
def settings(tmp_path: Path) -> SourcingSettings:
    root = tmp_path / "data" / "snapshots"
    nothing = {
        "approved_minor": 0,
        "paid_minor": 0,
        "freight_minor": 0,
        "freight_currency": None,
        "paid_at": None,
    }
    orders = [
        order("A-1", freight_minor=1234, freight_currency="JPY", reason=FORMULA),
        order("A-2", **nothing, order_id=None, tracking_numbers=["1", "2"]),
    ]
    write(root, orders=orders, payments=[payment("A-1")])
    return SourcingSettings(
        data_dir=tmp_path / "data", snapshots=root, timezone="Asia/Shanghai"
    )


def exported(
    settings: SourcingSettings, kind: ExportFormat, file: Path, **what: Any
) -> Path:
    return export(settings, kind, file, **what, bounds=BOUNDS)[0]


def csv_rows(text: str) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(text)))


def test_csv_has_amounts_of_their_currency_times_of_the_zone_and_no_formula(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    file = exported(settings, CSV, tmp_path / "orders.csv", tables=["orders"])
    assert file.read_bytes().startswith(b"\xef\xbb\xbforder_ref,")
    first, second = csv_rows(file.read_text("utf-8-sig"))
    assert (first["paid"], first["currency"], first["freight"]) == (
        "19.90",
        "CNY",
        "1234",
    )
    assert (first["order_id"], first["paid_at"]) == (
        "2542285634920880794",
        "2026-01-02 11:04:05",
    )
    assert first["reason"] == f"'{FORMULA}"
    assert (
        second["freight"],
        second["freight_currency"],
        second["paid"],
        second["paid_at"],
    ) == ("", "", "0.00", "")
    assert second["tracking_numbers"] == "1, 2"


def test_a_sheet_has_numbers_moments_and_ids_as_text(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    book = load_workbook(
        exported(
            settings, XLSX, tmp_path / "t.xlsx", tables=["orders", "payments", "orders"]
        )
    )
    assert book.sheetnames == ["orders", "payments"]
    header, first, _ = book["orders"].iter_rows()
    cells = dict(zip([str(cell.value) for cell in header], first, strict=True))
    observed = {
        name: (cells[name].value, cells[name].data_type, cells[name].number_format)
        for name in cells
    }
    assert observed["paid"] == (19.9, "n", "#,##0.00")
    assert observed["freight"] == (1234, "n", "#,##0")
    assert observed["order_id"] == ("2542285634920880794", "s", "@")
    assert observed["paid_at"] == (LOCAL, "d", "yyyy-mm-dd hh:mm:ss")
    assert observed["reason"] == (FORMULA, "s", "@")


def test_parquet_has_decimals_and_the_zone(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    rows = parquet.read_table(
        exported(settings, PARQUET, tmp_path / "orders.parquet", tables=["orders"])
    )
    assert rows.schema.field("paid").type == pa.decimal128(25, 4)
    assert rows.column("paid").to_pylist() == [Decimal("19.90"), Decimal(0)]
    assert rows.column("freight").to_pylist() == [Decimal(1234), None]
    assert rows.column("paid_at").to_pylist()[0] == AT
    assert rows.schema.field("paid_at").type.tz == "Asia/Shanghai"


def test_without_a_name_every_table_is_written(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    _, counts = export(settings, XLSX, tmp_path / "all.xlsx", bounds=BOUNDS)
    assert list(counts) == list(TABLES)
    assert (counts["orders"], counts["payments"], counts["offers"]) == (2, 1, 0)


def test_the_answer_to_a_query_has_amounts_where_their_currency_is(
    settings: SourcingSettings,
) -> None:
    with io.StringIO() as string_io:
        print_csv(
            settings,
            "select currency, sum(paid_minor) as paid_minor from orders group by all",
            BOUNDS,
            string_io,
        )
        assert string_io.getvalue() == "currency,paid\r\nCNY,19.90\r\n"
    with io.StringIO() as string_io:
        print_csv(
            settings,
            "select sum(paid_minor) as paid_minor, 1.5 as x, true as y from orders",
            BOUNDS,
            string_io,
        )
        assert string_io.getvalue() == "paid_minor,x,y\r\n1990,1.5,true\r\n"


def test_a_sheet_loses_no_digit_and_has_nothing_where_it_has_no_number(
    settings: SourcingSettings, tmp_path: Path
) -> None:
    """A program of sheets shows 15 digits of a number."""
    query = (
        "select 1234567890123456789::hugeint as a, 1000000000000001 as b, 'nan'::double as c, 7::hugeint as d, "
        "999999999999999 as e"
    )
    book = load_workbook(exported(settings, XLSX, tmp_path / "q.xlsx", query=query))
    _, row = book["query"].iter_rows()
    assert [cell.value for cell in row] == [
        "1234567890123456789",
        "1000000000000001",
        None,
        7,
        999999999999999,
    ]


@pytest.mark.parametrize(
    ("kind", "what", "words"),
    [
        (CSV, {}, "csv holds one table: name one, or export to xlsx"),
        (PARQUET, {"tables": ["orders", "payments"]}, "parquet holds one table"),
        (
            XLSX,
            {"tables": ["orders"], "query": "select 1"},
            "tables or a query, not both",
        ),
        (CSV, {"tables": ["nothing"]}, "there is no table nothing"),
        (
            XLSX,
            {"query": "select 1 as a, 2 as A"},
            "two columns of the answer have one name",
        ),
        (
            XLSX,
            {"query": "select 1 as a, 2 as a"},
            "two columns of the answer have one name",
        ),
        (
            PARQUET,
            {"query": "select interval 1 day as a"},
            "Parquet has no place for one of these types, cast it",
        ),
        (CSV, {"query": "drop table orders"}, "give one statement that reads"),
    ],
)
def test_what_can_not_be_exported_is_told_and_leaves_no_file(
    settings: SourcingSettings,
    tmp_path: Path,
    kind: ExportFormat,
    what: dict[str, Any],
    words: str,
) -> None:
    with pytest.raises((ValueError, QueryError), match=words):
        exported(settings, kind, tmp_path / "out" / "file", **what)
    assert not list((tmp_path / "out").glob("*"))


@pytest.mark.parametrize(
    "own", ["data/ledger.db", "data/snapshots/orders/2026-01.parquet", "data/x.csv"]
)
def test_no_file_of_the_product_is_replaced(
    settings: SourcingSettings, tmp_path: Path, own: str
) -> None:
    with pytest.raises(
        ValueError, match="is among the product's own files: name one below"
    ):
        exported(settings, CSV, tmp_path / own, tables=["orders"])
    assert exported(
        settings, CSV, tmp_path / "data" / "exports" / "x.csv", tables=["orders"]
    ).exists()


def test_without_a_file_the_export_lies_in_the_data_folder(
    settings: SourcingSettings,
) -> None:
    file, counts = export(settings, XLSX, tables=["orders"], bounds=BOUNDS)
    assert (file, counts) == (
        settings.data_dir / "exports" / "orders.xlsx",
        {"orders": 2},
    )


def test_every_amount_of_every_table_has_its_currency() -> None:
    for table in TABLES.values():
        amounts = {name for name in table.columns if name.endswith("_minor")}
        assert amounts - {*currency_columns(list(table.columns), [table])} == set(), (
            table.name
        )


def test_an_empty_table_is_a_header(tmp_path: Path) -> None:
    settings = SourcingSettings(
        data_dir=tmp_path / "new", snapshots=tmp_path / "new" / "snapshots"
    )
    for kind in (CSV, XLSX, PARQUET):
        assert (
            exported(settings, kind, tmp_path / f"orders.{kind}", tables=["orders"])
            .stat()
            .st_size
        )
