"""Exports of five shops with their traps: read to the last line, or refused with the
place and the shop.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Mapping, Sequence
from datetime import date, time
from pathlib import Path

import pytest

from connectors.request_files import (
    UnreadableFile,
    read_request_file,
    read_request_text,
)
from connectors.settings import BadSetting
from connectors.shop_files import profiles_in, shipped
from domain.marketplace import Marketplace
from domain.orders import Component
from domain.request_files import ParsedRequests
from domain.request_remarks import Fault
from domain.sku_book import BookRow, SkuBook

SKUS = ("FERN-1", "MOSS-1")
BOOK = SkuBook(
    BookRow(
        row=2 + number,
        own_sku=own_sku,
        rank=1,
        marketplace=Marketplace.TAOBAO,
        component=Component(
            item=f"61000000000{number}", sku="", pieces=1, max_unit_price=None
        ),
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


def read(
    folder: Path, name: str, content: str | bytes, encoding: str = ""
) -> ParsedRequests:
    file = folder / name
    file.write_bytes(content if isinstance(content, bytes) else content.encode())
    return read_request_file(file, encoding=encoding, book=BOOK)


def lines(parsed: ParsedRequests) -> dict[tuple[str, str], list[tuple[str, int]]]:
    assert parsed.faults == ()
    return {
        (order.order_ref, order.shop_ref): [
            (line.wanted, line.quantity) for line in order.lines
        ]
        for order in parsed.orders
    }


def test_shopify(tmp_path: Path) -> None:
    """Blank follow-up lines are of the order above; what is not paid, fulfilled or
    shipped by nobody is left.
    """
    rows = [
        SHOPIFY,
        follow_up(
            **{
                "Lineitem quantity": "3",
                "Lineitem sku": "MOSS-1",
                "Lineitem name": "Moss",
            }
        ),
        follow_up(
            **{
                "Lineitem quantity": "1",
                "Lineitem sku": "FERN-1",
                "Lineitem name": "Fern, as a gift",
            }
        ),
        follow_up(
            **{
                "Lineitem quantity": "1",
                "Lineitem name": "Card",
                "Lineitem requires shipping": "false",
            }
        ),
        SHOPIFY | {"Name": "#1002", "Financial Status": "pending"},
        SHOPIFY | {"Name": "#1003", "Lineitem fulfillment status": "fulfilled"},
        SHOPIFY
        | {
            "Name": "#1004",
            "Lineitem sku": "",
            "Shipping Country": "Germany",
            "Shipping Zip": "10115",
        },
    ]
    parsed = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows))
    assert lines(parsed) == {
        ("S-1001", "#1001"): [("FERN-1", 3), ("MOSS-1", 3)],
        ("S-1004", "#1004"): [("Fern in a pot", 2)],
    }
    assert parsed.turned_away == {"S-1003": "void"}
    order = parsed.orders[0]
    assert (order.shop, order.receiver.zip, order.receiver.phone) == (
        "shopify",
        "02134",
        "+1 617 555 0100",
    )
    assert (order.receiver.address, order.receiver.state) == ("1 Main St, Apt 2", "MA")
    assert [line.row for line in order.lines] == [2, 3]
    assert str(parsed.warnings[0]) == (
        "the file: of this Shopify orders_export.csv 3 lines must not be bought: 1 with Lineitem requires shipping "
        "false, 1 with Financial Status pending, 1 with Lineitem fulfillment status fulfilled"
    )


def test_the_spelling_of_the_help_page_and_a_spreadsheet_are_the_same_export(
    tmp_path: Path,
) -> None:
    from openpyxl import Workbook

    header = [
        "Canceled at" if name == "Cancelled at" else name for name in SHOPIFY_HEADER
    ]
    book = Workbook()
    sheet = book.active
    assert sheet is not None
    sheet.append(header)
    sheet.append([SHOPIFY.get(name) for name in header])
    sheet.append(
        [
            (SHOPIFY | {"Name": "#1002", "Canceled at": "2026-11-28"}).get(name)
            for name in header
        ]
    )
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
    "recipient-name": "髙田太郎",
    "ship-address-1": "丸の内1-1",
    "ship-city": "千代田区",
    "ship-state": "東京都",
    "ship-postal-code": "100-0005",
    "ship-country": "JP",
    "buyer-phone-number": "03-5555-0100",
}


def test_amazon(tmp_path: Path) -> None:
    """Japan's file is Shift-JIS, which is never guessed: the refusal names shop, line
    and remedy.
    """
    rows = [
        AMAZON,
        AMAZON | {"sku": "MOSS-1", "quantity-to-ship": "2"},
        AMAZON | {"quantity-to-ship": "0"},
    ]
    content = text_of(AMAZON_HEADER, rows, "\t").encode("cp932")
    parsed = read(tmp_path, "unshipped.txt", content, encoding="cp932")
    ref = "503-1234567-1234567"
    assert lines(parsed) == {(f"AMZ-{ref}", ref): [("FERN-1", 1), ("MOSS-1", 2)]}
    assert parsed.orders[0].receiver.name == "髙田太郎"
    with pytest.raises(
        UnreadableFile,
        match=r"Amazon unshipped orders report: line 2 is no UTF-8 text; .*--encoding",
    ):
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
    """Blank lines around the header, a line of sums above an order's items, and what is
    counted at the end.
    """
    second = {**EBAY, "Order Number": "12-34567-89013"}
    rows = [
        EBAY,
        second | {"Item Number": "", "Custom Label": "", "Quantity": "3"},
        {name: second[name] for name in ITEM},
        {name: second[name] for name in ITEM}
        | {"Custom Label": "MOSS-1", "Quantity": "2"},
    ]
    header, *body = text_of(EBAY_HEADER, rows).splitlines()
    report = "\r\n".join(
        ["", header, "", *body, "", "4,record(s) downloaded", "Seller ID : green-shop"]
    )
    assert lines(read(tmp_path, "ebay.csv", report)) == {
        ("EBAY-12-34567-89012", "12-34567-89012"): [("FERN-1", 1)],
        ("EBAY-12-34567-89013", "12-34567-89013"): [("FERN-1", 1), ("MOSS-1", 2)],
    }
    (fault,) = read(
        tmp_path, "ebay.csv", report.replace(",02134,", ",,").replace("Jane Doe", "")
    ).faults[:1]
    assert (fault.row, fault.column, fault.message) == (
        4,
        "Ship To Name",
        "this cell is empty; fill it in",
    )


def test_a_report_in_another_language_is_refused_by_name(tmp_path: Path) -> None:
    german = "Verkaufsprotokollnummer;Bestellnummer;Nutzername;Artikelnummer;Angebotstitel;Anzahl\n1;2;3;4;5;6"
    (fault,) = read(tmp_path, "ebay.csv", german).faults
    assert str(fault).startswith(
        "row 1: this resembles eBay orders report, and lacks Order Number, Custom Label, Quantity"
    )
    missing = [name for name in SHOPIFY_HEADER if name != "Lineitem sku"]
    (fault,) = read(tmp_path, "orders.csv", text_of(missing, [{"Name": "#1"}])).faults
    assert str(fault).startswith(
        "row 1: this resembles Shopify orders_export.csv, and lacks Lineitem sku: export it"
    )


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
    rows = [
        row,
        {
            **row,
            "Order ID": "3100000002",
            "Transaction ID": "5",
            "Date Shipped": "07/26/2026",
        },
    ]
    red = row | {"SKU": "", "Item Name": "Linen scarf", "Variations": "Color:Red"}
    variants = [
        red,
        red | {"Transaction ID": "5", "Variations": "Color:Blue", "Quantity": "2"},
    ]
    variants += [red | {"Transaction ID": "6", "Variations": ""}]
    variants += [
        red | {"Transaction ID": at, "Variations": f"Text:For\n{'x' * 300}{at}"}
        for at in ("7", "8")
    ]
    read_so = lines(
        read(tmp_path, "variants.csv", text_of([*header, "Variations"], variants))
    )
    (bought,) = read_so.values()
    assert bought[:3] == [
        ("Linen scarf, Color:Red", 1),
        ("Linen scarf, Color:Blue", 2),
        ("Linen scarf", 1),
    ]
    assert [text.partition("…")[2] for text, _ in bought[3:]] == [
        " a5117742",
        " 70270dea",
    ]
    titles = [
        "Linen  scarf",
        "Linen\u00a0scarf",
        "👩\u200d🍳 apron",
        "Two\nlines",
        "Hid\u200bden",
    ]
    bare = [
        red | {"Transaction ID": str(at), "Item Name": title}
        for at, title in enumerate(titles)
    ]
    bare = [row | {"Variations": ""} for row in bare]
    (stay,) = lines(
        read(tmp_path, "titles.csv", text_of([*header, "Variations"], bare))
    ).values()
    assert [title for title, _ in stay] == [*titles[:3], "Two lines", "Hid den"]
    parsed = read(tmp_path, "EtsySoldOrderItems2026-7.csv", text_of(header, rows))
    assert lines(parsed) == {("ETSY-3100000001", "3100000001"): [("FERN-1", 1)]}
    assert (parsed.orders[0].receiver.country, parsed.orders[0].receiver.phone) == (
        "US",
        "",
    )


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
    text = {name: f"Platform's {name.lower()}" for name in header}
    rows = [
        text,
        row,
        {**row, "Order ID": "576460000000000002\t", "Order Status": "Cancelled"},
    ]
    parsed = read(tmp_path, "To Ship order.csv", text_of(header, rows))
    assert lines(parsed) == {
        ("TT-576460000000000001", "576460000000000001"): [("FERN-1", 1)]
    }
    variant = row | {"Seller SKU": "", "Product Name": "Scarf", "Variation": "Red"}
    parsed = read(
        tmp_path, "variants.csv", text_of([*header, "Variation"], [text, variant])
    )
    assert [*lines(parsed).values()] == [[("Scarf, Red", 1)]]


TIKTOK_HEADER = names(
    "Order ID,Order Status,Order Substatus,SKU ID,Seller SKU,Product Name,Quantity,Created Time,Paid Time,"
    "Cancelled Time,Tracking ID,Fulfillment Type,Recipient,Phone #,Country,State,City,Zipcode,Detail Address"
)
TIKTOK = {
    "Order ID": "576460000000000001",
    "Order Status": "To ship",
    "Seller SKU": "FERN-1",
    "Quantity": "1",
    "Paid Time": "07/25/2026 1:00:00 PM",
    "Recipient": "Jane Doe",
    "Phone #": "(+1)6175550100",
    "Country": "United States",
    "State": "Massachusetts",
    "City": "Boston",
    "Zipcode": "02134",
    "Detail Address": "1 Main St",
}
BACK = ("Cancel", "Return/Refund")


@pytest.mark.parametrize(
    "rounded", ["5.76461E+17", "5,76461E+17", "5.7646100000000000e+17", "5.76461E17"]
)
def test_a_rounded_id_names_no_order(tmp_path: Path, rounded: str) -> None:
    faults = read(
        tmp_path, "tiktok.csv", text_of(TIKTOK_HEADER, [TIKTOK | {"Order ID": rounded}])
    ).faults
    assert (2, "Order ID") in {
        (item.row, item.column) for item in faults if "cut short" in item.message
    }


@pytest.mark.parametrize(
    ("written", "meant"),
    [
        *(
            (item, "3123456789")
            for item in (
                "3123456789.0",
                "3,123,456,789",
                "3.123.456.789",
                "3'123'456'789.00",
            )
        ),
        *(("1,001", "1001"), ("12,0", "12"), ("3 123 456 789", "3123456789")),
    ],
)
def test_an_id_that_a_program_wrote_as_a_number_is_refused_and_still_known(
    tmp_path: Path, written: str, meant: str
) -> None:
    """It would be bought a second time. What the file turns away is turned away under
    its own name.
    """
    for cells, turned_away in (
        ({}, {}),
        ({"Cancelled Time": "07/26/2026 1:00:00 PM"}, {f"TT-{meant}": "void"}),
    ):
        parsed = read(
            tmp_path,
            "tiktok.csv",
            text_of(TIKTOK_HEADER, [TIKTOK | {"Order ID": written} | cells]),
        )
        notices = Fault(
            2,
            "Order ID",
            "a program wrote this id as a number; use the shop's file untouched",
        )
        assert notices in parsed.faults
        assert parsed.turned_away == turned_away


@pytest.mark.parametrize("ref", ["24.001", "12345e67", "1e345678", "3E"])
def test_an_id_with_points_or_of_hexadecimal_digits_is_none_that_was_rewritten(
    tmp_path: Path, ref: str
) -> None:
    parsed = read(
        tmp_path, "tiktok.csv", text_of(TIKTOK_HEADER, [TIKTOK | {"Order ID": ref}])
    )
    assert (parsed.faults, parsed.turned_away) == ((), {})
    assert [order.order_ref for order in parsed.orders] == [f"TT-{ref}"]


@pytest.mark.parametrize("written", ["456.0", "4,567"])
def test_an_id_of_a_line_that_a_program_wrote_as_a_number_is_refused(
    tmp_path: Path, written: str
) -> None:
    row = AMAZON | {"order-item-id": written}
    assert [
        (item.row, item.column)
        for item in read(tmp_path, "u.txt", text_of(AMAZON_HEADER, [row], "\t")).faults
    ] == [(2, "order-item-id")]


@pytest.mark.parametrize("other", ["1.23457E+13", "6.83457E+13"])
def test_a_rounded_id_of_a_line_is_refused_by_its_column(
    tmp_path: Path, other: str
) -> None:
    """The shop would take no tracking number for it; and two that are the same by then
    are no two exports.
    """
    rows = [
        AMAZON | {"order-item-id": text, "sku": sku}
        for text, sku in (("1.23457E+13", "FERN-1"), (other, "MOSS-1"))
    ]
    faults = read(tmp_path, "unshipped.txt", text_of(AMAZON_HEADER, rows, "\t")).faults
    message = (
        "this is a number that a spreadsheet cut short; use the shop's file untouched"
    )
    assert [str(item) for item in faults] == [
        f"row {row}, column order-item-id: {message}" for row in (2, 3)
    ]


def test_a_row_that_a_shop_has_not_yet_left_to_the_seller_is_not_bought(
    tmp_path: Path,
) -> None:
    """Words of states that no profile knows leave a line, told with its word."""
    rows = [
        TIKTOK,
        TIKTOK | {"Order ID": "576460000000000002", "Order Status": "On hold"},
        TIKTOK | {"Order ID": "576460000000000003", "Order Substatus": "On hold"},
        TIKTOK
        | {
            "Order ID": "576460000000000004",
            "Fulfillment Type": "Fulfillment by TikTok",
        },
    ]
    parsed = read(tmp_path, "tiktok.csv", text_of(TIKTOK_HEADER, rows))
    assert list(lines(parsed)) == [("TT-576460000000000001", "576460000000000001")]
    rows = [
        SHOPIFY,
        SHOPIFY | {"Name": "#1002", "Lineitem fulfillment status": "partial"},
    ]
    assert list(lines(read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, rows)))) == [
        ("S-1001", "#1001")
    ]
    shipped_order = {
        **EBAY,
        "Item Number": "",
        "Custom Label": "",
        "Quantity": "1",
        "Shipped On Date": "Jul-26-26",
    }
    rows = [
        shipped_order,
        {name: EBAY[name] for name in ITEM},
        EBAY | {"Order Number": "12-34567-89013"},
    ]
    assert list(lines(read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, rows)))) == [
        ("EBAY-12-34567-89013", "12-34567-89013")
    ]


def test_what_a_buyer_wants_to_cancel_or_has_given_back_is_not_bought(
    tmp_path: Path,
) -> None:
    """The shop keeps such an order among those that wait until the seller has
    answered.
    """
    query = "is-buyer-requested-cancellation"
    rows = [AMAZON | {query: "false"}, AMAZON | {"order-id": "113-1", query: "true"}]
    parsed = read(
        tmp_path, "unshipped.txt", text_of([*AMAZON_HEADER, query], rows, "\t")
    )
    assert list(lines(parsed)) == [("AMZ-503-1234567-1234567", "503-1234567-1234567")]
    assert str(parsed.warnings[0]) == (
        "the file: of this Amazon unshipped orders report 1 line must not be bought: 1 with "
        "is-buyer-requested-cancellation true"
    )
    back = "Cancelation/Return Type"
    rows = [
        TIKTOK,
        *(
            TIKTOK | {"Order ID": f"57646000000000000{at}", back: text}
            for at, text in enumerate(BACK, 2)
        ),
    ]
    parsed = read(tmp_path, "tiktok.csv", text_of([*TIKTOK_HEADER, back], rows))
    assert list(lines(parsed)) == [("TT-576460000000000001", "576460000000000001")]


ASKED = "is-buyer-requested-cancellation"


@pytest.mark.parametrize(
    ("column", "cell", "end"),
    [
        ("quantity-to-ship", "0", "void"),
        *(("quantity-to-ship", cell, "") for cell in ("1.0", "1,0", "")),
        (ASKED, "true", "void"),
        *((ASKED, cell, "") for cell in ("WAHR?", "0", "n/a")),
    ],
)
def test_a_word_that_is_not_understood_turns_an_order_away_and_ends_none(
    tmp_path: Path, column: str, cell: str, end: str
) -> None:
    """A spreadsheet or a program rewrote it: the next export shows what is meant."""
    text = text_of(
        [*AMAZON_HEADER, ASKED], [AMAZON | {ASKED: "false"} | {column: cell}], "\t"
    )
    turned_away = {"AMZ-503-1234567-1234567": end} if end else {}
    parsed = read(tmp_path, "unshipped.txt", text)
    assert (parsed.orders, parsed.turned_away) == ((), turned_away)


@pytest.mark.parametrize(
    ("cells", "end"),
    [
        ({"Financial Status": "refunded"}, "void"),
        ({"Financial Status": "partially_refunded"}, ""),
        ({"Cancelled at": "2026-11-28 10:00:00 +0100"}, "void"),
        ({"Cancelled at": "#NV"}, ""),
        ({"Lineitem requires shipping": "false"}, "void"),
        ({"Lineitem requires shipping": "FALSCH?"}, ""),
        ({"Lineitem fulfillment status": "fulfilled"}, "void"),
        ({"Lineitem fulfillment status": "partial"}, ""),
        (
            {"Lineitem fulfillment status": "partial", "Financial Status": "voided"},
            "void",
        ),
    ],
)
def test_only_words_that_are_known_end_an_order_of_shopify(
    tmp_path: Path, cells: dict[str, str], end: str
) -> None:
    text = text_of(SHOPIFY_HEADER, [SHOPIFY | cells])
    parsed = read(tmp_path, "orders.csv", text)
    turned_away = {"S-1001": end} if end else {}
    assert (parsed.orders, parsed.turned_away) == ((), turned_away)


@pytest.mark.parametrize(
    ("rows", "end"),
    [
        ([EBAY | {"Shipped On Date": "Jul-26-26"}], "sent"),
        ([EBAY | {"Tracking Number": "-"}], ""),
        (
            [
                EBAY | {"Item Number": "", "Shipped On Date": "Jul-26-26"},
                {name: EBAY[name] for name in ITEM},
            ],
            "sent",
        ),
        ([EBAY | {"Item Number": ""}, EBAY | {"Shipped On Date": "Jul-26-26"}], "sent"),
        ([EBAY | {"Item Number": ""}], ""),
    ],
)
def test_a_row_of_sums_says_nothing_of_its_order(
    tmp_path: Path, rows: Rows, end: str
) -> None:
    """It is as its other rows; where there are none, that is no end."""
    parsed = read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, rows))
    turned_away = {"EBAY-12-34567-89012": end} if end else {}
    assert (parsed.orders, parsed.turned_away) == ((), turned_away)


@pytest.mark.parametrize(
    "word", ["true", "TRUE", "WAHR", "vrai", "VERDADEIRO", "DOĞRU", "TOSI", ""]
)
def test_what_a_spreadsheet_makes_of_true_is_to_be_shipped(
    tmp_path: Path, word: str
) -> None:
    text = text_of(SHOPIFY_HEADER, [SHOPIFY | {"Lineitem requires shipping": word}])
    assert [*lines(read(tmp_path, "orders.csv", text))] == [("S-1001", "#1001")]


def test_an_order_without_an_address_lets_the_others_be_bought(tmp_path: Path) -> None:
    """What is picked up or was sold in person has none; an address that is given in
    part is a fault.
    """
    picked_up = {
        name: text for name, text in SHOPIFY.items() if not name.startswith("Shipping")
    } | {"Name": "#1002"}
    parsed = read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, [SHOPIFY, picked_up]))
    assert list(lines(parsed)) == [("S-1001", "#1001")]
    assert "1 with Shipping Country empty" in str(parsed.warnings[0])
    rows = [SHOPIFY, SHOPIFY | {"Name": "#1002", "Shipping Name": ""}]
    (fault,) = read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert (fault.row, fault.column) == (3, "Shipping Name")
    for profile in shipped():
        asks = [
            rule.column
            for rule in profile.keep
            if rule.filled and rule.column == profile.columns["country"]
        ]
        assert len(asks) == bool(profile.keep)


def test_pieces_are_added_only_for_rows_that_agree_and_this_is_told(
    tmp_path: Path,
) -> None:
    gift = follow_up(**{"Lineitem quantity": "1", "Lineitem sku": "FERN-1"})
    parsed = read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, [SHOPIFY, gift]))
    assert lines(parsed) == {("S-1001", "#1001"): [("FERN-1", 3)]}
    assert list(map(str, parsed.warnings)) == [
        "row 3: the pieces of this row are added to row 2: both are of one order and SKU"
    ]
    rows = [SHOPIFY, SHOPIFY | {"Shipping Name": "John Doe"}]
    faults = read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert (3, "Shipping Name", "differs from row 2 of order S-1001") in {
        (item.row, item.column, item.message) for item in faults
    }


def test_two_exports_in_one_file_are_refused(tmp_path: Path) -> None:
    """An id of the line shows it, else rows of one order that stand apart."""
    rows = [SHOPIFY, SHOPIFY | {"Name": "#1002"}, SHOPIFY]
    (fault,) = read(tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert str(fault) == (
        "row 4, column Name: rows of this order stand apart, as in a file of two exports; use one, its rows sorted by "
        "order"
    )
    row = AMAZON | {"order-item-id": "1"}
    (fault,) = read(
        tmp_path, "amazon.txt", text_of(AMAZON_HEADER, [row, row], "\t")
    ).faults
    assert (
        str(fault)
        == "row 3, column order-item-id: the same line as row 2; use one export at a time"
    )
    apart = [row, AMAZON | {"order-id": "9"}, row | {"order-item-id": "2"}]
    assert (
        read(tmp_path, "amazon.txt", text_of(AMAZON_HEADER, apart, "\t")).faults == ()
    )


def test_what_a_row_of_sums_leaves_blank_is_said_by_the_order_s_first_item(
    tmp_path: Path,
) -> None:
    sums = EBAY | {"Item Number": "", "Paid On Date": ""}
    item = {name: EBAY[name] for name in ITEM}
    paid = item | {"Paid On Date": "Jul-25-26"}
    further = item | {"Item Number": "2", "Custom Label": "MOSS-1"}
    parsed = read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, [sums, paid, further]))
    assert (parsed.faults, [*lines(parsed).values()]) == (
        (),
        [[("FERN-1", 1), ("MOSS-1", 1)]],
    )
    rows = [sums, paid | {"Shipped On Date": "Jul-26-26"}, further]
    assert [
        *lines(read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, rows))).values()
    ] == [[("MOSS-1", 1)]]
    later = further | {"Paid On Date": "Jul-25-26"}
    (fault, *_) = read(
        tmp_path, "ebay.csv", text_of(EBAY_HEADER, [sums, item, later])
    ).faults
    assert (fault.row, fault.column) == (4, "Paid On Date")


def test_an_export_that_was_sorted_anew_is_refused(tmp_path: Path) -> None:
    """The row with status and receiver no longer comes first: the rows above it would
    be left out.
    """
    further = follow_up(
        **{
            "Lineitem quantity": "3",
            "Lineitem sku": "CARD-1",
            "Lineitem requires shipping": "true",
        }
    )
    message = "blank in this order's first row, which says it of all: use the shop's file as it is, not sorted"
    faults = read(
        tmp_path, "orders.csv", text_of(SHOPIFY_HEADER, [further, SHOPIFY])
    ).faults
    assert [str(item) for item in faults] == [
        f"row 3, column {name}: {message}"
        for name in ("Financial Status", "Shipping Country")
    ]
    sums = EBAY | {"Item Number": ""}
    item = {name: EBAY[name] for name in ITEM}
    faults = read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, [item, sums])).faults
    assert (3, "Paid On Date") in [(item.row, item.column) for item in faults]
    sent = item | {"Tracking Number": "LX1"}
    rows = [sums, item, sent | {"Item Number": "2", "Custom Label": "MOSS-1"}]
    assert [
        *lines(read(tmp_path, "ebay.csv", text_of(EBAY_HEADER, rows))).values()
    ] == [[("FERN-1", 1)]]


@pytest.mark.parametrize(
    "column", ["Financial Status", "Cancelled at", "Lineitem fulfillment status"]
)
def test_a_file_without_the_column_of_a_rule_is_refused(
    tmp_path: Path, column: str
) -> None:
    header = [name for name in SHOPIFY_HEADER if name != column]
    row = {name: text for name, text in SHOPIFY.items() if name != column}
    (fault, *_) = read(tmp_path, "orders.csv", text_of(header, [row])).faults
    assert (fault.row, column in str(fault)) == (1, True)


def test_a_column_that_stands_twice_is_refused(tmp_path: Path) -> None:
    """Plugins name columns of the shipping and the billing address alike, and merchants
    add some of their own.
    """
    header = [*SHOPIFY_HEADER, "Shipping City", "Lineitem sku", "Vendor", "Vendor"]
    faults = read(tmp_path, "orders.csv", text_of(header, [SHOPIFY])).faults
    assert [str(item) for item in faults] == [
        f"row 1, column {name}: this column is there more than once; keep one of them"
        for name in ("Lineitem sku", "Shipping City")
    ]


@pytest.mark.parametrize("state_first", [True, False])
def test_of_two_names_of_one_column_the_filled_one_counts(
    tmp_path: Path, *, state_first: bool
) -> None:
    """British reports of eBay have a state and a county."""
    two = ("Post To State", "Post To County")
    at = EBAY_HEADER.index("Ship To State")
    header = [
        *EBAY_HEADER[:at],
        *(two if state_first else two[::-1]),
        *EBAY_HEADER[at + 1 :],
    ]
    row = {name: cell for name, cell in EBAY.items() if name != "Ship To State"} | {
        "Post To County": "Kent"
    }
    (order,) = read(tmp_path, "ebay.csv", text_of(header, [row])).orders
    assert order.receiver.state == "Kent"


def test_british_ebay_dispatches(tmp_path: Path) -> None:
    header = [
        "Dispatched On Date" if name == "Shipped On Date" else name
        for name in EBAY_HEADER
    ]
    rows = [
        EBAY,
        EBAY | {"Order Number": "12-34567-89013", "Dispatched On Date": "Jul-26-26"},
    ]
    parsed = read(tmp_path, "ebay.csv", text_of(header, rows))
    assert list(lines(parsed)) == [("EBAY-12-34567-89012", "12-34567-89012")]


def sheet_of(
    folder: Path, header: Sequence[str], row: Mapping[str, object]
) -> ParsedRequests:
    from openpyxl import Workbook

    book = Workbook()
    assert book.active is not None
    book.active.append([*header])
    book.active.append([row.get(name) for name in header])
    book.save(folder / "orders.xlsx")
    return read_request_file(folder / "orders.xlsx", book=BOOK)


def test_cells_of_a_spreadsheet_keep_what_a_rule_asks(tmp_path: Path) -> None:
    """A yes/no value is read; blank cells at the end are there; a postcode that is a
    number has lost its zeros.
    """
    nothing = "no line of this Shopify orders_export.csv is paid and left to be bought"
    (fault,) = sheet_of(
        tmp_path, SHOPIFY_HEADER, {**SHOPIFY, "Lineitem requires shipping": False}
    ).faults
    assert fault.message == nothing
    last = [
        *(name for name in SHOPIFY_HEADER if name != "Financial Status"),
        "Financial Status",
    ]
    (fault,) = sheet_of(tmp_path, last, {**SHOPIFY, "Financial Status": None}).faults
    assert fault.message == nothing
    (fault,) = sheet_of(
        tmp_path, SHOPIFY_HEADER, {**SHOPIFY, "Shipping Zip": 2134}
    ).faults
    assert str(fault) == (
        "row 2, column Shipping Zip: this is a number and too short for a postcode of US: its first zeros are lost; "
        "write it as text"
    )


@pytest.mark.parametrize(
    ("header", "row", "column", "end"),
    [
        (EBAY_HEADER, EBAY, "Shipped On Date", "sent"),
        (SHOPIFY_HEADER, SHOPIFY, "Cancelled at", "void"),
        (TIKTOK_HEADER, TIKTOK, "Cancelled Time", "void"),
    ],
)
def test_a_date_that_a_spreadsheet_made_of_the_shop_s_ends_the_order_as_that_does(
    tmp_path: Path, header: Sequence[str], row: Mapping[str, str], column: str, end: str
) -> None:
    """An error that it made ends nothing."""
    for cell, ends in (
        (time(13, 5), end),
        (date(2026, 11, 29), end),
        ("#N/A", ""),
        (True, ""),
    ):
        parsed = sheet_of(tmp_path, header, {**row, column: cell})
        assert parsed.orders == ()
        assert [*parsed.turned_away.values()] == [ends] * bool(ends)


def test_a_file_with_a_byte_order_mark_is_named_by_its_shop(tmp_path: Path) -> None:
    content = (
        b"\xef\xbb\xbf"
        + text_of(SHOPIFY_HEADER, [SHOPIFY | {"Shipping City": "X"}]).encode()
    )
    with pytest.raises(
        UnreadableFile, match=r"Shopify orders_export.csv: line 2 is no UTF-8 text"
    ):
        read(tmp_path, "orders.csv", content.replace(b",X,", b",\xff,"))


def test_quotes_in_amazon_s_reports_are_characters(tmp_path: Path) -> None:
    products = ('"Big fern', 'Pot 5"', '"Best" pot')
    rows = [AMAZON | {"order-id": str(at), "product-name": f"P{at}"} for at in range(3)]
    text = text_of(AMAZON_HEADER, rows, "\t")
    for at, product in enumerate(products):
        text = text.replace(f"P{at}", product)
    assert list(lines(read(tmp_path, "amazon.txt", text))) == [
        ("AMZ-0", "0"),
        ("AMZ-1", "1"),
        ("AMZ-2", "2"),
    ]


def test_an_export_with_nothing_to_buy_says_so(tmp_path: Path) -> None:
    rows = [SHOPIFY | {"Financial Status": "refunded"}]
    parsed = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows))
    assert list(map(str, parsed.faults)) == [
        "row 1: no line of this Shopify orders_export.csv is paid and left to be bought"
    ]


def test_rows_without_an_order_s_id_make_none(tmp_path: Path) -> None:
    rows = [SHOPIFY | {"Name": ""}, SHOPIFY | {"Name": "#", "Lineitem sku": "MOSS-1"}]
    faults = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert [
        (item.row, item.column, item.message)
        for item in faults
        if item.column == "Name"
    ] == [
        (2, "Name", "this cell is empty; fill it in"),
        (3, "Name", "this cell is empty; fill it in"),
    ]


def test_two_orders_are_never_one(tmp_path: Path) -> None:
    rows = [SHOPIFY, SHOPIFY | {"Name": "1001"}]
    (fault,) = read(tmp_path, "orders_export.csv", text_of(SHOPIFY_HEADER, rows)).faults
    assert (
        str(fault)
        == "row 3, column Name: this would be called S-1001, as another order of the file is"
    )


def test_a_merchant_s_own_profile_comes_first(tmp_path: Path) -> None:
    """A profile that can't be used is named with what is wrong."""
    folder = tmp_path / "shops"
    folder.mkdir()
    (folder / "mine.toml").write_text(
        'shop = "mine"\ntitle = "my plugin"\nprefix = "W-"\nheader = ["Order", "SKU"]\n'
        '[columns]\norder_ref = "Order"\nown_sku = "SKU"\nquantity = "Qty"\n'
    )
    profiles = profiles_in(tmp_path)
    assert [profile.shop for profile in profiles] == [
        "mine",
        *(profile.shop for profile in shipped()),
    ]
    (folder / "mine.toml").write_text(
        'shop = "mine"\ntitle = "my plugin"\nheader = ["Order", "SKU"]\nkepe = 1\ncolumns = {}'
    )
    with pytest.raises(BadSetting, match=r"mine.toml: .*kepe: Extra inputs"):
        profiles_in(tmp_path)
    (folder / "mine.toml").write_text("shop =")
    with pytest.raises(BadSetting, match=r"mine\.toml: is no TOML in UTF-8"):
        profiles_in(tmp_path)


def test_a_quantity_of_three_decimals_may_be_thousands_and_is_refused() -> None:
    for quantity in ("1.000", "100.000"):
        rows = [SHOPIFY | {"Lineitem quantity": quantity}]
        (fault,) = read_request_text(text_of(SHOPIFY_HEADER, rows), book=BOOK).faults
        assert fault.column == "Lineitem quantity"
