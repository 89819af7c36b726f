"""From rows to orders, or to every fault at once."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from domain import request_files
from domain.cell_table import Row
from domain.marketplace import Marketplace
from domain.money import Money
from domain.orders import OrderRequest, Receiver, RequestLine
from domain.request_cells import BY_NAME, check_cell, respelled
from domain.request_files import ParsedRequests
from tests.connectors.request_files.writing import GOOD
from tests.in_turn import in_turn

NAMES = list(GOOD)
CUT_SHORT = "this is a number that a spreadsheet cut short; format the column as text and enter it again"


def parse_requests(
    rows: Iterable[Mapping[str, object]],
    columns: Sequence[str],
    *,
    require_limit: bool = False,
) -> ParsedRequests:
    """Check rows that are mappings from the columns, as they are spelled there, to
    cells. The first is row 2.
    """
    result = [
        Row(number, [row.get(column) for column in columns])
        for number, row in enumerate(rows, start=2)
    ]
    if columns or result:
        result.insert(0, Row(1, columns))
    return request_files.parse_requests(result, require_limit=require_limit)


def faults_of(*changes: dict[str, object], columns: list[str] = NAMES) -> list[str]:
    """The faults of a file whose rows are the good row with these changes."""
    return [
        str(fault)
        for fault in parse_requests(
            [GOOD | change for change in changes], columns
        ).faults
    ]


def order_of(**change: object) -> OrderRequest:
    parsed = parse_requests([GOOD | change], NAMES)
    assert parsed.faults == ()
    return parsed.orders[0]


def test_rows_become_orders_in_file_order() -> None:
    rows = [
        GOOD | {"order_ref": "B"},
        GOOD,
        GOOD
        | {
            "order_ref": "B",
            "item": "红色 杯子",
            "sku": "",
            "quantity": 1,
            "max_unit_price": "",
            "note": "",
        },
    ]
    receiver = Receiver(
        name="Jane Doe",
        phone="+4915112345678",
        email="jane@example.com",
        country="DE",
        state="Berlin",
        city="Berlin",
        zip="10115",
        address="Invalidenstr. 1",
    )

    def line(row: int) -> RequestLine:
        return RequestLine(
            row=row,
            item="672991141190",
            sku="3452545926724",
            quantity=2,
            max_unit_price=Money(1990),
            note="gift",
        )

    request_line = RequestLine(
        row=4, item="红色 杯子", sku="", quantity=1, max_unit_price=None
    )

    assert parse_requests(rows, NAMES).orders == (
        OrderRequest(
            order_ref="B",
            marketplace=Marketplace.TAOBAO,
            receiver=receiver,
            freight="fastest",
            lines=(line(2), request_line),
        ),
        OrderRequest(
            order_ref="A-1",
            marketplace=Marketplace.TAOBAO,
            receiver=receiver,
            freight="fastest",
            lines=(line(3),),
        ),
    )


def test_optional_columns_may_be_absent() -> None:
    columns = [
        name
        for name in NAMES
        if name not in ("sku", "receiver_email", "freight", "note")
    ]
    order = parse_requests([{name: GOOD[name] for name in columns}], columns).orders[0]
    assert (
        order.freight,
        order.receiver.email,
        order.lines[0].sku,
        order.lines[0].note,
    ) == ("cheapest", "", "", "")


@pytest.mark.parametrize(
    ("column", "cell", "message"),
    [
        ("order_ref", "", "this cell is empty; fill it in"),
        (
            "order_ref",
            "A:1",
            "'A:1' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        ),
        (
            "order_ref",
            "..",
            "'..' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        ),
        (
            "order_ref",
            "订单1",
            "'订单1' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        ),
        (
            "order_ref",
            "x" * 65,
            f"'{'x' * 65}' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        ),
        (
            "marketplace",
            "ebay",
            f"'ebay' is not a marketplace; choose one of {', '.join(Marketplace)}",
        ),
        ("item", None, "this cell is empty; fill it in"),
        (
            "item",
            "6.72991E+11",
            CUT_SHORT,
        ),
        (
            "item",
            "https://detail.1688.com/offer/889512351602.html",
            "'https://detail.1688.com/offer/889512351602.html' belongs to 1688, not to taobao; "
            "give a taobao link or item id",
        ),
        (
            "sku",
            5736673805656123456.0,
            CUT_SHORT,
        ),
        ("quantity", "-3", "-3 is not a whole number of at least 1"),
        ("quantity", "0", "0 is not a whole number of at least 1"),
        ("quantity", 2.5, "2.5 is not a whole number of at least 1"),
        ("quantity", "two", "two is not a whole number of at least 1"),
        (
            "quantity",
            "1.000",
            "1.000 may be a whole number or thousands; write it without the point",
        ),
        (
            "quantity",
            "１２.000",
            "１２.000 may be a whole number or thousands; write it without the point",
        ),
        ("quantity", "1.000.000", "1.000.000 is not a whole number of at least 1"),
        ("quantity", "1e3", "1e3 is not a whole number of at least 1"),
        (
            "quantity",
            "9" * 5000,
            f"{'9' * 97}... is too large: an order takes up to 1000000 pieces of an item",
        ),
        (
            "quantity",
            "9" * 30,
            f"{'9' * 30} is too large: an order takes up to 1000000 pieces of an item",
        ),
        (
            "quantity",
            1e30,
            "1.0000000000000000e+30 is too large: an order takes up to 1000000 pieces of an item",
        ),
        (
            "quantity",
            1_000_001,
            "1000001 is more than 1000000; split it over several orders",
        ),
        (
            "quantity",
            float("nan"),
            "nan is no number; empty the cell, or put the value in its place",
        ),
        ("max_unit_price", "0", "0 is not an amount in yuan above 0, such as 12.50"),
        (
            "max_unit_price",
            "9" * 13 + ".50",
            "9999999999999.50 is too large: up to 12 digits are possible before the point",
        ),
        (
            "max_unit_price",
            1e30,
            "1.0000000000000000e+30 is too large: up to 12 digits are possible before the point",
        ),
        ("max_unit_price", "-1", "-1 is not an amount in yuan above 0, such as 12.50"),
        (
            "max_unit_price",
            "1,200.50",
            "1,200.50 is not an amount in yuan above 0, such as 12.50",
        ),
        (
            "max_unit_price",
            "NaN",
            "NaN is not an amount in yuan above 0, such as 12.50",
        ),
        (
            "max_unit_price",
            "1e999999999",
            "1e999999999 is too large: up to 12 digits are possible before the point",
        ),
        (
            "max_unit_price",
            12.345,
            "12.345 has more than 2 decimals; round it to whole fen",
        ),
        ("receiver_name", " \u3000", "this cell is empty; fill it in"),
        (
            "receiver_name",
            "Jane\x00",
            "this cell holds an unprintable character; type it again",
        ),
        (
            "receiver_name",
            "Jane\ud83d",
            "this cell holds an unprintable character; type it again",
        ),
        (
            "receiver_name",
            "#N/A",
            "#N/A is a spreadsheet's error or placeholder; put the value in its place",
        ),
        (
            "receiver_phone",
            "4.91511E+12",
            CUT_SHORT,
        ),
        (
            "receiver_email",
            "jane at example.com",
            "this does not look like an e-mail address",
        ),
        ("country", "", "this cell is empty; fill it in"),
        ("country", "Germny", "'Germny' is not a country; did you mean Germany (DE)?"),
        (
            "country",
            "ZZ",
            "'ZZ' is not a country; give its two-letter code, such as DE",
        ),
        ("address", "", "this cell is empty; fill it in"),
        (
            "freight",
            "by air!",
            "'by air!' is not cheapest, fastest or a service id (letters, digits, '-' and '_')",
        ),
    ],
)
def test_a_bad_cell_is_named_with_its_remedy(
    column: str, cell: object, message: str
) -> None:
    assert faults_of({}, {"order_ref": "A-2", column: cell}) == [
        f"row 3, column {column}: {message}"
    ]


@pytest.mark.parametrize(
    "column",
    [
        "sku",
        "max_unit_price",
        "receiver_phone",
        "receiver_email",
        "state",
        "city",
        "zip",
        "note",
    ],
)
@pytest.mark.parametrize("cell", ["", None])
def test_cells_that_may_be_empty(column: str, cell: object) -> None:
    assert faults_of({column: cell}) == []


@pytest.mark.parametrize(
    "column",
    ["sku", "receiver_phone", "receiver_email", "state", "city", "zip", "note"],
)
def test_blanks_alone_are_an_empty_cell(column: str) -> None:
    assert faults_of({column: " \t\u3000"}) == []


@pytest.mark.parametrize("cell", [" ", " \t\u3000", "\u200b", "\u3164"])
def test_an_empty_limit_is_only_what_is_truly_empty(cell: str) -> None:
    assert faults_of({"max_unit_price": cell}) == [
        "row 2, column max_unit_price: this cell holds blanks, and no limit; empty it where there is none, or write it"
    ]


@in_turn("column", NAMES)
@in_turn("cell", [float("nan"), Decimal("nan"), float("inf"), True, [], {}, b"x"])
def test_what_is_neither_text_nor_a_number_is_refused_in_every_column(
    column: str, cell: object
) -> None:
    assert any(
        fault.startswith(f"row 2, column {column}: ")
        for fault in faults_of({column: cell})
    )


@pytest.mark.parametrize(
    ("cell", "code"),
    [("de", "DE"), ("DEU", "DE"), ("germany", "DE"), ("Viet Nam", "VN"), ("Vietnam", "VN"), ("South Korea", "KR"),
     ("UK", "GB"), ("The Netherlands", "NL"), ("Russia", "RU"), ("Côte d’Ivoire", "CI"), ("Turkey", "TR"),
     ("Kosovo", "XK"), ("xk", "XK"), ("Korea, South", "KR"), ("Virgin Islands (U.S.)", "VI")],
)  # fmt: skip
def test_a_country_may_be_a_code_or_a_name(cell: str, code: str) -> None:
    assert order_of(country=cell).receiver.country == code


@pytest.mark.parametrize(
    ("cell", "quantity"),
    [
        ("3", 3),
        (3, 3),
        (3.0, 3),
        ("3.0", 3),
        (Decimal("3.000"), 3),
        ("3.0000", 3),
        ("\u300012 ", 12),
        ("１２", 12),
        ("007", 7),
    ],
)
def test_a_quantity_may_be_text_or_a_whole_number(cell: object, quantity: int) -> None:
    assert order_of(quantity=cell).lines[0].quantity == quantity


@pytest.mark.parametrize(
    ("cell", "fen"),
    [
        ("12.5", 1250),
        ("12.50", 1250),
        (12, 1200),
        (12.0, 1200),
        (0.1, 10),
        (Decimal("9.90"), 990),
        ("12.500", 1250),
    ],
)
def test_a_price_limit_is_read_in_yuan(cell: object, fen: int) -> None:
    assert order_of(max_unit_price=cell).lines[0].max_unit_price == Money(fen)


@pytest.mark.parametrize(
    ("cell", "sku"),
    [
        (5736673805656123457, "5736673805656123457"),
        (5736673805656.0, "5736673805656"),
        ("5736673805656.0", "5736673805656"),
        ("b266e0726506185beaf205cbae88530d", "b266e0726506185beaf205cbae88530d"),
        ("\ufeff5736673805656\u200b", "5736673805656"),
    ],
)
def test_an_id_keeps_every_digit(cell: object, sku: str) -> None:
    assert order_of(sku=cell).lines[0].sku == sku


@pytest.mark.parametrize(
    ("column", "cell", "read"),
    [
        ("sku", "３４０８８１０", "3408810"),
        ("zip", "１６０−００２２", "160-0022"),
        ("zip", "SW1A\u00a01AA", "SW1A 1AA"),
        ("receiver_phone", "＋８１　０３\u00a0５５５５", "+81 03 5555"),
        ("freight", "２１", "21"),
    ],
)
def test_an_input_method_and_a_web_page_change_no_id_phone_or_postcode(
    column: str, cell: str, read: str
) -> None:
    """A label that has full-width digits, or a SKU of them, is another one to
    machines.
    """
    order = order_of(**{column: cell})
    stored = {
        "sku": order.lines[0].sku,
        "zip": order.receiver.zip,
        "freight": order.freight,
    }
    assert stored.get(column, order.receiver.phone) == read


@pytest.mark.parametrize(
    ("cell", "wish"),
    [
        ("", "cheapest"),
        ("Cheapest", "cheapest"),
        ("FASTEST", "fastest"),
        (21, "21"),
        (21.0, "21"),
        ("yun_EX-1", "yun_EX-1"),
    ],
)
def test_freight_is_a_wish_or_a_service_id(cell: object, wish: str) -> None:
    assert order_of(freight=cell).freight == wish


def test_a_missing_column_does_not_hide_the_faults_of_the_others() -> None:
    columns = [
        name for name in NAMES if name not in ("quantity", "zip", "max_unit_price")
    ]
    assert faults_of({"country": "ZZ"}, columns=columns) == [
        "row 1, column quantity: this column is missing; add it",
        "row 1, column max_unit_price: this column is missing; add it (cells may be empty where there is no limit)",
        "row 1, column zip: this column is missing; add it (cells may be empty, but such an order waits for a person)",
        "row 2, column country: 'ZZ' is not a country; give its two-letter code, such as DE",
    ]


def test_a_header_without_any_known_column_is_not_called_a_file_without_rows() -> None:
    faults = faults_of({}, columns=["order_ref|marketplace"])
    assert faults[0] == "row 1, column order_ref: this column is missing; add it"
    assert len(faults) == 12


def test_header_names_are_trimmed_and_their_case_does_not_matter() -> None:
    columns = [f" {name.upper()}\u3000" for name in NAMES]
    columns[0] = "\ufeffOrder_Ref"
    row = dict(zip(columns, GOOD.values(), strict=True))
    assert parse_requests([row], columns).orders == parse_requests([GOOD], NAMES).orders


def test_a_column_that_is_there_twice_is_a_fault() -> None:
    assert faults_of({}, columns=[*NAMES, "Zip"]) == [
        "row 1, column zip: this column is there more than once; keep one of them"
    ]


def test_unknown_columns_are_ignored_unless_they_look_like_an_absent_optional_one() -> (
    None
):
    columns = [
        *(name for name in NAMES if name != "freight"),
        "freigth",
        "internal cost centre",
    ]
    assert faults_of({"freigth": "fastest"}, columns=columns) == [
        "row 1, column freigth: this column is not known; rename it to freight, or remove it"
    ]


@pytest.mark.parametrize(
    ("column", "cell", "there"),
    [
        ("marketplace", "1688", " ('taobao' there)"),
        ("country", "FR", " ('DE' there)"),
        ("freight", "", " ('fastest' there)"),
        ("zip", "", ""),
        ("receiver_phone", "0170 1234567", ""),
    ],
)
def test_rows_of_one_order_must_agree_and_personal_cells_are_not_quoted(
    column: str, cell: str, there: str
) -> None:
    changes: list[dict[str, object]] = [
        {},
        {"order_ref": "A-2"},
        {"sku": "7", column: cell},
    ]
    assert faults_of(*changes) == [
        f"row 4, column {column}: differs from row 2 of order A-1{there}"
    ]


def test_rows_agree_when_only_the_spelling_differs() -> None:
    assert (
        faults_of(
            {},
            {
                "sku": "7",
                "country": "Germany",
                "marketplace": " Taobao",
                "zip": 10115.0,
            },
        )
        == []
    )


def test_a_faulty_cell_is_not_compared() -> None:
    assert faults_of(
        {"country": "ZZ"}, {"sku": "7"}, {"sku": "8", "country": "FR"}
    ) == [
        "row 2, column country: 'ZZ' is not a country; give its two-letter code, such as DE",
        "row 4, column country: differs from row 3 of order A-1 ('DE' there)",
    ]


def test_the_same_item_twice_in_one_order_is_a_fault_however_it_is_written() -> None:
    link = "https://item.taobao.com/item.htm?id=672991141190"
    assert faults_of({}, {"item": link}, {"sku": "7"}, {"order_ref": "A-2"}) == [
        "row 3, column item: the same item and sku as row 2 of order A-1; put the sum of both in one row"
    ]


def test_links_of_two_variants_are_two_lines_of_an_order() -> None:
    red, blue = (
        f"https://item.taobao.com/item.htm?id=672991141190&skuId={sku}"
        for sku in ("111111", "222222")
    )
    assert faults_of({"item": red, "sku": ""}, {"item": blue, "sku": ""}) == []
    assert faults_of(
        {"item": red, "sku": ""}, {"sku": "111111"}, {"item": blue, "sku": "111111"}
    ) == [
        "row 3, column item: the same item and sku as row 2 of order A-1; put the sum of both in one row",
        "row 4, column item: this link names SKU 222222, and column sku 111111; leave the one that is meant",
    ]


def test_the_same_item_twice_is_a_fault_without_a_sku_column_too() -> None:
    columns = [name for name in NAMES if name != "sku"]
    assert faults_of({}, {}, columns=columns) == [
        "row 3, column item: the same item and sku as row 2 of order A-1; put the sum of both in one row"
    ]


def test_every_fault_comes_at_once_by_row_then_column() -> None:
    changes: list[dict[str, object]] = [
        {"address": "", "quantity": "-3", "order_ref": "A:1"},
        {"sku": "7"},
        {"sku": "8", "zip": "x", "item": ""},
    ]
    assert faults_of(*changes) == [
        "row 2, column order_ref: 'A:1' is not 1 to 64 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        "row 2, column quantity: -3 is not a whole number of at least 1",
        "row 2, column address: this cell is empty; fill it in",
        "row 4, column item: this cell is empty; fill it in",
        "row 4, column zip: differs from row 3 of order A-1",
    ]


def test_a_file_with_a_fault_gives_no_orders() -> None:
    assert (
        parse_requests(
            [GOOD, GOOD | {"order_ref": "A-2", "quantity": "0"}], NAMES
        ).orders
        == ()
    )


def test_blank_rows_are_passed_over_and_keep_their_numbers() -> None:
    rows: list[dict[str, object]] = [
        GOOD,
        {},
        dict.fromkeys(NAMES, " "),
        GOOD | {"order_ref": "A-2", "quantity": "x"},
    ]
    assert [str(fault) for fault in parse_requests(rows, NAMES).faults] == [
        "row 5, column quantity: x is not a whole number of at least 1"
    ]


@pytest.mark.parametrize(("rows", "columns"), [([], NAMES), ([], []), ([{}], NAMES)])
def test_a_file_without_rows_is_a_fault(
    rows: list[dict[str, object]], columns: list[str]
) -> None:
    assert [str(fault) for fault in parse_requests(rows, columns).faults] == [
        "row 1: the file has no data rows; add one row for each item to buy"
    ]


CELLS = st.one_of(
    st.text(),
    st.none(),
    st.integers(),
    st.floats(),
    st.booleans(),
    st.decimals(),
    st.sampled_from(list(GOOD.values())),
)


@given(st.lists(st.dictionaries(st.sampled_from(NAMES), CELLS), max_size=4))
def test_no_row_of_any_cells_crashes(rows: list[dict[str, object]]) -> None:
    parsed = parse_requests(rows, NAMES)
    assert bool(parsed.orders) != bool(parsed.faults)


@given(st.sampled_from(NAMES), st.text())
def test_one_strange_cell_never_crashes_and_faults_name_its_row(
    column: str, cell: str
) -> None:
    parsed = parse_requests([GOOD | {column: cell}], NAMES)
    assert bool(parsed.orders) != bool(parsed.faults)
    assert all(fault.row in (1, 2) for fault in parsed.faults)


@given(st.lists(st.text(), max_size=20))
def test_no_header_crashes(columns: list[str]) -> None:
    assert parse_requests([], columns).faults


@pytest.mark.parametrize(
    ("column", "cell", "words"),
    [
        (
            "zip",
            "91607.5",
            "this is a number with a fraction, and no postcode; format the column as text, enter it again",
        ),
        (
            "receiver_phone",
            "-5083326888",
            "a phone number begins with no minus; format the column as text, enter it again",
        ),
        (
            "zip",
            "1067.0",
            "this is a number and too short for a postcode of DE: its first zeros are lost; write it as text",
        ),
        (
            "receiver_name",
            "b'Jane Doe'",
            "this is what a program prints of bytes, b'…'; write the words themselves",
        ),
        (
            "address",
            'b"1 Oak Street"',
            "this is what a program prints of bytes, b'…'; write the words themselves",
        ),
    ],
)
def test_what_a_program_made_of_a_cell_is_a_fault(
    column: str, cell: str, words: str
) -> None:
    assert faults_of({column: cell}) == [f"row 2, column {column}: {words}"]


@pytest.mark.parametrize(
    ("column", "cell", "is_told"),
    [
        ("item", "672991141190123000", True),
        ("item", "https://item.taobao.com/item.htm?id=2048020617114730000", True),
        ("order_ref", "TT-576461000000000000", True),
        ("sku", "672991141190123456", False),
        ("sku", "4137327200000", False),
        ("sku", "6729911411901234000", False),
    ],
)
def test_an_id_whose_digits_after_the_15th_are_zeros_is_told(
    column: str,
    cell: str,
    is_told: bool,  # noqa: FBT001
) -> None:
    """As a spreadsheet leaves a longer one when it saves a CSV."""
    message = "this id ends in zeros as one does that a spreadsheet rounded; compare it with the shop's"
    warnings = parse_requests([GOOD | {column: cell}], NAMES).warnings
    assert [str(warning) for warning in warnings] == [
        f"row 2, column {column}: {message}"
    ] * is_told


def test_references_that_differ_in_case_alone_are_told() -> None:
    parsed = parse_requests(
        [GOOD | {"order_ref": ref} for ref in ("R-1", "r-1", "R-2")], NAMES
    )
    assert [
        str(warning) for warning in parsed.warnings if warning.column == "order_ref"
    ] == [
        "row 3, column order_ref: it differs from R-1 in upper and lower case alone, which a service may not keep "
        "apart; give one of them another name"
    ]


@pytest.mark.parametrize(
    ("typed", "made"),
    [
        ("000123", "123"),
        ("000123-b", "123-b"),
        ("3-11", "11-Mar"),
        ("3-11", "03-nov"),
        ("03-11", "11-mars"),
        ("3-11-b", "11-mrt-b"),
        ("8-2", "02-ago"),
        ("5-2", "02-mag"),
        ("1-1", "01-janv."),
        ("12-26", "dez-26"),
        ("2026-03", "Mar-26"),
        ("Dec-2026", "Dec-26"),
        ("SEP-1", "1-Sep"),
        ("2026-03-11", "11.03.2026"),
        ("2026-03-11-taobao", "11-3-2026-taobao"),
    ],
)
def test_what_a_spreadsheet_makes_of_a_reference_is_known_both_ways(
    typed: str, made: str
) -> None:
    assert made in respelled(typed)
    assert typed in respelled(made)


@pytest.mark.parametrize(
    ("ref", "taken"),
    [
        ("1001", "1001.0"),
        ("1001", "1001.00"),
        ("S-1001", "S-1001-0"),
        ("S-1001", "S-1-001"),
        ("S-1001", "S-1.001"),
        ("S-1.001", "S-1001"),
        ("S-1001-b", "S-1001.0-b"),
        ("S-1001-7", "S-1001.00-7"),
        ("ETSY-3123456789", "ETSY-3123456789.0"),
        ("ETSY-3123456789", "ETSY-3-123-456-789"),
        ("ETSY-3123456789", "ETSY-3-123-456-789.00"),
        ("ETSY-3123456789", "ETSY-3.123.456.789"),
        ("ETSY-3123456789-taobao", "ETSY-3.123.456.789-0-taobao"),
        ("3123456789", "3-123-456-789"),
    ],
)
def test_a_reference_that_an_earlier_program_took_as_a_number_is_known(
    ref: str, taken: str
) -> None:
    """Also of a part of an order. The file as the shop wrote it is read since, and
    would be bought once more.
    """
    assert taken in respelled(ref)


@pytest.mark.parametrize("ref", ["1001.0", "1001.00"])
def test_a_reference_that_a_program_made_a_number_of_is_refused(ref: str) -> None:
    """It would be another order than 1001, and bought a second time."""
    with pytest.raises(ValueError, match="a program made a number of this"):
        check_cell(BY_NAME["order_ref"], ref)


@pytest.mark.parametrize(
    ("ref", "other"),
    [
        ("S-0123", "S-123"),
        ("123", "1230"),
        ("3-11", "11-3"),
        ("3-11", "3-12"),
        ("11-03-26", "26-03-11"),
        ("SET-1", "SEP-1"),
        ("Mar-26", "May-26"),
        ("11-Mar", "11-Mar-b"),
        ("3-11-2", "11-Mar-2"),
        ("ABC-3", "3-3"),
        ("2001", "2-001"),
        ("2001", "2001-0"),
    ],
)
def test_names_that_no_spreadsheet_makes_of_each_other_stay_apart(
    ref: str, other: str
) -> None:
    assert other not in respelled(ref)
    assert ref not in respelled(other)
    assert ref not in respelled(ref)
