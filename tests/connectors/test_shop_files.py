"""Exports of five shops with their traps: read to the last line, or refused with the place and the shop."""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path

import pytest

from connectors.request_files import UnreadableFile, read_request_file
from connectors.settings import BadSetting
from connectors.shop_files import profiles_in, shipped
from domain.marketplace import Marketplace
from domain.orders import Component
from domain.request_files import ParsedRequests
from domain.sku_book import BookRow, SkuBook

SKUS = ("FERN-1", "MOSS-1")
BOOK = SkuBook(
    BookRow(
        row=2 + number,
        own_sku=own_sku,
        country="",
        rank=1,
        marketplace=Marketplace.TAOBAO,
        component=Component(item=f"61000000000{number}", sku="", pieces=1, max_unit_price=None),
        group="",
    )
    for number, own_sku in enumerate(SKUS)
)
Rows = Sequence[Mapping[str, str]]


def names(text: str) -> list[str]:
    return text.split("," if "," in text else None)


SHOPIFY_HEADER = names(
    "Name,Email,Financial Status,Paid at,Fulfillment Status,Lineitem quantity,Lineitem name,Lineitem sku,"
    "Lineitem requires shipping,Lineitem fulfillment status,Shipping Name,Shipping Street,Shipping Address1,"
    "Shipping Address2,Shipping Company,Shipping City,Shipping Zip,Shipping Province,Shipping Country,Shipping Phone,"
    "Notes,Cancelled at,Id"
)
SHOPIFY = {
    "Name": "#1001",
    "Email": "jane@example.com",
    "Financial Status": "paid",
    "Lineitem quantity": "2",
    "Lineitem name": "Fern in a pot",
    "Lineitem sku": "FERN-1",
    "Lineitem requires shipping": "true",
    "Lineitem fulfillment status": "pending",
    "Shipping Name": "Jane Doe",
    "Shipping Address1": "1 Main St",
    "Shipping Address2": "Apt 2",
    "Shipping City": "Boston",
    "Shipping Zip": "'02134",
    "Shipping Province": "MA",
    "Shipping Country": "US",
    "Shipping Phone": "'+1 617 555 0100",
}


def follow_up(**cells: str) -> dict[str, str]:
    """A further line of the order: blank but for these."""
    return {"Name": "#1001", "Email": "jane@example.com", **cells}


def text_of(header: Sequence[str], rows: Rows, delimiter: str = ",") -> str:
    out = io.StringIO(newline="")
    writer = csv.DictWriter(out, header, restval="", delimiter=delimiter)
    writer.writeheader()
    writer.writerows(rows)
    return out.getvalue()


def read(folder: Path, name: str, content: str | bytes, encoding: str = "") -> ParsedRequests:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_request_file(file, encoding=encoding, book=BOOK)


def lines(parsed: ParsedRequests) -> dict[tuple[str, str], list[tuple[str, int]]]:
    assert parsed.faults == ()
    return {
        (one.order_ref, one.shop_ref): [(line.wanted, line.quantity) for line in one.lines] for one in parsed.orders
    }


def test_shopify(tmp_path: Path) -> None:
    """Blank follow-up lines are of the order above; what is not paid, fulfilled or shipped by nobody is left."""
    rows = [
        SHOPIFY,
        follow_up(**{"Lineitem quantity": "3", "Lineitem sku": "MOSS-1", "Lineitem name": "Moss"}),
        follow_up(**{"Lineitem quantity": "1", "Lineitem sku": "FERN-1", "Lineitem name": "Fern, as a gift"}),
        follow_up(**{"Lineitem quantity": "1", "Lineitem name": "Card", "Lineitem requires shipping": "false"}),
        SHOPIFY | {"Name": "#1002", "Financial Status": "pending"},
        SHOPIFY | {"Name": "#1003", "Lineitem fulfillment status": "fulfilled"},
        SHOPIFY | {"Name": "#1004", "Lineitem sku": "", "Shipping Country": "Germany", "Shipping Zip": "10115"},
    ]
    parsed = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows))
    assert lines(parsed) == {
        ("S-1001", "#1001"): [("FERN-1", 3), ("MOSS-1", 3)],
        ("S-1004", "#1004"): [("Fern in a pot", 2)],
    }
    order = parsed.orders[0]
    assert (order.shop, order.receiver.zip, order.receiver.phone) == ("shopify", "02134", "+1 617 555 0100")
    assert (order.receiver.address, order.receiver.state) == ("1 Main St, Apt 2", "MA")
    assert [line.row for line in order.lines] == [2, 3]
    assert str(parsed.warnings[0]) == (
        "the file: of this Shopify orders_export.csv 3 lines must not be bought: 1 with Lineitem requires shipping "
        "false, 1 with Financial Status pending, 1 with Lineitem fulfillment status fulfilled"
    )


def test_the_spelling_of_the_help_page_and_a_spreadsheet_are_the_same_export(tmp_path: Path) -> None:
    from openpyxl import Workbook

    header = ["Canceled at" if name == "Cancelled at" else name for name in SHOPIFY_HEADER]
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(header)
    sheet.append([SHOPIFY.get(name) for name in header])
    sheet.append([(SHOPIFY | {"Name": "#1002", "Canceled at": "2026-11-28"}).get(name) for name in header])
    book.save(tmp_path / "orders.xlsx")
    parsed = read_request_file(tmp_path / "orders.xlsx", book=BOOK)
    assert lines(parsed) == {("S-1001", "#1001"): [("FERN-1", 2)]}


AMAZON_HEADER = names(
    "order-id order-item-id purchase-date buyer-email buyer-name buyer-phone-number sku product-name "
    "quantity-purchased quantity-shipped quantity-to-ship ship-service-level recipient-name ship-address-1 "
    "ship-address-2 ship-address-3 ship-city ship-state ship-postal-code ship-country"
)
AMAZON = {
    "order-id": "503-1234567-1234567",
    "sku": "FERN-1",
    "quantity-to-ship": "1",
    "recipient-name": "山田太郎",
    "ship-address-1": "丸の内1-1",
    "ship-city": "千代田区",
    "ship-state": "東京都",
    "ship-postal-code": "100-0005",
    "ship-country": "JP",
    "buyer-phone-number": "03-5555-0100",
}


def test_amazon(tmp_path: Path) -> None:
    """Japan's file is Shift-JIS, which is never guessed: the refusal names shop, line and remedy."""
    rows = [AMAZON, AMAZON | {"sku": "MOSS-1", "quantity-to-ship": "2"}, AMAZON | {"quantity-to-ship": "0"}]
    content = text_of(AMAZON_HEADER, rows, "\t").encode("shift_jis")
    parsed = read(tmp_path, "unshipped.txt", content, encoding="shift_jis")
    ref = "503-1234567-1234567"
    assert lines(parsed) == {(f"AMZ-{ref}", ref): [("FERN-1", 1), ("MOSS-1", 2)]}
    assert parsed.orders[0].receiver.name == "山田太郎"
    with pytest.raises(UnreadableFile, match=r"Amazon unshipped orders report: line 2 is no UTF-8 text; .*--encoding"):
        read(tmp_path, "unshipped.txt", content)


EBAY_HEADER = names(
    "Sales Record Number,Order Number,Buyer Username,Buyer Name,Buyer Email,Buyer Note,Ship To Name,Ship To Phone,"
    "Ship To Address 1,Ship To Address 2,Ship To City,Ship To State,Ship To Zip,Ship To Country,Item Number,Item Title,"
    "Custom Label,Quantity,Sold For,Sale Date,Paid On Date,Shipped On Date,Tracking Number"
)
EBAY = {
    "Order Number": "12-34567-89012",
    "Ship To Name": "Jane Doe",
    "Ship To Phone": "617-555-0100",
    "Ship To Address 1": "1 Main St",
    "Ship To City": "Boston",
    "Ship To State": "MA",
    "Ship To Zip": "02134",
    "Ship To Country": "United States",
    "Item Number": "110000000001",
    "Custom Label": "FERN-1",
    "Quantity": "1",
    "Paid On Date": "Jul-25-26",
}
ITEM = ("Order Number", "Item Number", "Custom Label", "Quantity")


def test_ebay(tmp_path: Path) -> None:
    """Blank lines around the header, a line of sums above an order's items, and what is counted at the end."""
    other = {**EBAY, "Order Number": "12-34567-89013"}
    rows = [
        EBAY,
        other | {"Item Number": "", "Custom Label": "", "Quantity": "3"},
        {name: other[name] for name in ITEM},
        {name: other[name] for name in ITEM} | {"Custom Label": "MOSS-1", "Quantity": "2"},
    ]
    header, *body = text_of(EBAY_HEADER, rows).splitlines()
    report = "\r\n".join(["", header, "", *body, "", "4,record(s) downloaded", "Seller ID : green-shop"])
    assert lines(read(tmp_path, "ebay.csv", report)) == {
        ("EBAY-12-34567-89012", "12-34567-89012"): [("FERN-1", 1)],
        ("EBAY-12-34567-89013", "12-34567-89013"): [("FERN-1", 1), ("MOSS-1", 2)],
    }
    (fault,) = read(tmp_path, "ebay.csv", report.replace(",02134,", ",,").replace("Jane Doe", "")).faults[:1]
    assert (fault.row, fault.column, fault.message) == (4, "Ship To Name", "this cell is empty; fill it in")


def test_a_report_in_another_language_is_refused_by_name(tmp_path: Path) -> None:
    german = "Verkaufsprotokollnummer;Bestellnummer;Nutzername;Artikelnummer;Angebotstitel;Anzahl\n1;2;3;4;5;6"
    (fault,) = read(tmp_path, "ebay.csv", german).faults
    assert str(fault).startswith(
        "row 1: this resembles eBay orders report, and lacks Order Number, Custom Label, Quantity"
    )
    lacking = [name for name in SHOPIFY_HEADER if name != "Lineitem sku"]
    (fault,) = read(tmp_path, "orders.csv", text_of(lacking, [{"Name": "#1"}])).faults
    assert str(fault).startswith("row 1: this resembles Shopify orders_export.csv, and lacks Lineitem sku: export it")


def test_etsy(tmp_path: Path) -> None:
    header = names(
        "Sale Date,Item Name,Buyer,Quantity,Price,Transaction ID,Listing ID,Date Paid,Date Shipped,Ship Name,"
        "Ship Address1,Ship Address2,Ship City,Ship State,Ship Zipcode,Ship Country,Order ID,SKU"
    )
    row = {
        "Quantity": "1",
        "Transaction ID": "4",
        "Date Paid": "07/25/2026",
        "Ship Name": "Jane Doe",
        "Ship Address1": "1 Main St",
        "Ship City": "Boston",
        "Ship State": "MA",
        "Ship Zipcode": "02134",
        "Ship Country": "United States",
        "Order ID": "3100000001",
        "SKU": "FERN-1",
    }
    rows = [row, {**row, "Order ID": "3100000002", "Date Shipped": "07/26/2026"}]
    parsed = read(tmp_path, "EtsySoldOrderItems2026-7.csv", text_of(header, rows))
    assert lines(parsed) == {("ETSY-3100000001", "3100000001"): [("FERN-1", 1)]}
    assert (parsed.orders[0].receiver.country, parsed.orders[0].receiver.phone) == ("US", "")


def test_tiktok(tmp_path: Path) -> None:
    """Row 2 explains the columns, and ids end in a tab."""
    header = names(
        "Order ID,Order Status,SKU ID,Seller SKU,Product Name,Quantity,Created Time,Paid Time,Cancelled Time,"
        "Tracking ID,Recipient,Phone #,Country,State,City,Zipcode,Detail Address,Additional address information"
    )
    row = {
        "Order ID": "576460000000000001\t",
        "Order Status": "To ship",
        "Seller SKU": "FERN-1",
        "Quantity": "1",
        "Paid Time": "07/25/2026 1:00:00 PM\t",
        "Recipient": "Jane Doe",
        "Phone #": "(+1)6175550100",
        "Country": "United States",
        "State": "Massachusetts",
        "City": "Boston",
        "Zipcode": "02134",
        "Detail Address": "1 Main St",
    }
    words = {name: f"Platform's {name.lower()}" for name in header}
    rows = [words, row, {**row, "Order ID": "576460000000000002\t", "Order Status": "Cancelled"}]
    parsed = read(tmp_path, "To Ship order.csv", text_of(header, rows))
    assert lines(parsed) == {("TT-576460000000000001", "576460000000000001"): [("FERN-1", 1)]}


def test_an_export_with_nothing_to_buy_says_so(tmp_path: Path) -> None:
    rows = [SHOPIFY | {"Financial Status": "refunded"}]
    parsed = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows))
    assert list(map(str, parsed.faults)) == [
        "row 1: no line of this Shopify orders_export.csv is paid and left to be bought"
    ]


def test_rows_without_an_order_s_id_make_none(tmp_path: Path) -> None:
    rows = [SHOPIFY | {"Name": ""}, SHOPIFY | {"Name": "#", "Lineitem sku": "MOSS-1"}]
    faults = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert [(one.row, one.column, one.message) for one in faults if one.column == "Name"] == [
        (2, "Name", "this cell is empty; fill it in"),
        (3, "Name", "this cell is empty; fill it in"),
    ]


def test_two_orders_are_never_one(tmp_path: Path) -> None:
    rows = [SHOPIFY, SHOPIFY | {"Name": "1001"}]
    (fault,) = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert str(fault) == "row 3, column Name: this would be called S-1001, as another order of the file is"


def test_a_merchant_s_own_profile_comes_first(tmp_path: Path) -> None:
    """A profile that can't be used is named with what is wrong."""
    folder = tmp_path / "shops"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'shop = "mine"\ntitle = "my plugin"\nprefix = "W-"\nheader = ["Order", "SKU"]\n'
        '[columns]\norder_ref = "Order"\nown_sku = "SKU"\nquantity = "Qty"\n'
    )
    profiles = profiles_in(tmp_path)
    assert [one.shop for one in profiles] == ["mine", *(one.shop for one in shipped())]
    (folder / "mine.toml").write_text(
        'shop = "mine"\ntitle = "my plugin"\nheader = ["Order", "SKU"]\nkepe = 1\ncolumns = {}'
    )
    with pytest.raises(BadSetting, match=r"mine.toml: .*kepe: Extra inputs"):
        profiles_in(tmp_path)
    (folder / "mine.toml").write_text("shop =")
    with pytest.raises(BadSetting, match=r"mine\.toml: is no TOML in UTF-8"):
        profiles_in(tmp_path)
