"""The SKU book: its rows, what an own SKU becomes, and the orders that a request is
split into.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import pytest

from domain.cell_table import BadTable, Row
from domain.money import Money
from domain.orders import OrderRequest
from domain.request_files import ParsedRequests, parse_requests
from domain.sku_book import (
    SkuBook,
    at_next_rank,
    by_seller,
    missing_entries,
    parse_book,
)
from tests.connectors.request_files.writing import GOOD

COLUMNS = (
    "own_sku",
    "rank",
    "marketplace",
    "item",
    "sku",
    "pieces",
    "max_unit_price",
    "group",
    "note",
)
FERN = "610000000001"
MOSS = "610000000002"
IN_THE_BOOK = {"marketplace": "", "item": "", "sku": "", "max_unit_price": ""}


def row(own_sku: str, item: str, **cells: str) -> dict[str, str]:
    return {"own_sku": own_sku, "marketplace": "1688", "item": item} | cells


def book(*rows: Mapping[str, object], require_limit: bool = False) -> SkuBook:
    return parse_book(table_of(rows, COLUMNS), require_limit=require_limit)


def table_of(rows: Sequence[Mapping[str, object]], columns: Sequence[str]) -> list[Row]:
    cells = [[row.get(name) for name in columns] for row in rows]
    return [Row(number, row) for number, row in enumerate([columns, *cells], start=1)]


def faults(*rows: Mapping[str, object], **options: bool) -> list[str]:
    with pytest.raises(BadTable) as raised:
        book(*rows, **options)
    return [str(fault) for fault in raised.value.faults]


def parsed(lines: Sequence[Mapping[str, object]], of: SkuBook | None) -> ParsedRequests:
    rows = [{**GOOD, **IN_THE_BOOK, **line} for line in lines]
    return parse_requests(table_of(rows, [*GOOD, "own_sku"]), book=of)


def request(*own_skus: str, of: SkuBook) -> OrderRequest:
    (order,) = parsed(
        [{"own_sku": own_sku, "quantity": "3"} for own_sku in own_skus], of
    ).orders
    return order


def bought(order: OrderRequest) -> list[tuple[str, int]]:
    return [(line.item, line.quantity) for line in order.lines]


def test_a_bad_cell_is_told_by_its_row() -> None:
    assert faults(
        row("FERN-1", "a green fern"),
        row("FERN-2", "https://www.example.com/1"),
        row("FERN-3", FERN, rank="0"),
        row("FERN-4", FERN, pieces="1.5"),
        row("FERN-6", FERN, group="two words"),
        row("FERN-7", FERN, pieces="6.000"),
        row("", FERN),
    ) == [
        "row 2, column item: words may mean another item tomorrow; give an id or a product URL",
        "row 3, column item: 'https://www.example.com/1' leads to www.example.com, not to 1688; give a 1688 link or "
        "item id",
        "row 4, column rank: a rank is 1 for what is bought, 2 for the first spare, and so on",
        "row 5, column pieces: 1.5 is not a whole number of at least 1",
        "row 6, column group: a group is 1 to 20 of the characters A-Z, a-z, 0-9, '-', '_' and '.'",
        "row 7, column pieces: 6.000 may be a whole number or thousands; write it without the point",
        "row 8, column own_sku: this cell is empty; fill it in",
    ]


def test_the_variant_of_a_link_is_that_of_its_row() -> None:
    link = f"https://detail.1688.com/offer/{FERN}.html?skuId=5736673805656"
    entry = book(row("FERN-1", link)).entries["FERN-1"]
    assert [(rank.item, rank.sku) for rank in entry.ranks[0]] == [
        (FERN, "5736673805656")
    ]
    assert faults(row("FERN-1", link, sku="5736673805657"), row("MOSS-1", link)) == [
        "row 2, column item: this link names SKU 5736673805656, and column sku 5736673805657; leave the one that is "
        "meant"
    ]


def test_rows_of_one_own_sku_agree_on_marketplace_and_group() -> None:
    assert faults(
        row("FERN-1", FERN),
        row("FERN-1", MOSS, rank="2", group="b", marketplace="taobao"),
        row("FERN-1", FERN),
    ) == [
        "row 3, column marketplace: differs from row 2 of FERN-1 ('1688' there)",
        "row 3, column group: differs from row 2 of FERN-1 ('' there)",
        "row 4, column item: row 2 has it already at this rank; put the sum of pieces in one row",
    ]


def test_a_book_obeys_the_rule_that_each_row_has_a_limit() -> None:
    assert faults(row("FERN-1", FERN), require_limit=True) == [
        "row 2, column max_unit_price: this cell is empty, and SOURCING_REQUIRE_PRICE_LIMIT asks for a limit in every "
        "row; write it"
    ]


def test_a_cell_of_blanks_or_of_a_formula_with_an_empty_text_is_no_empty_one() -> None:
    """Its value is lost: it would be no limit, or one piece."""
    lost = [
        row("FERN-1", FERN, **{column: " "})
        for column in ("max_unit_price", "pieces", "rank", "group")
    ]
    assert faults(*lost, row("FERN-2", FERN, max_unit_price="\u200b")) == [
        f"row {number}, column {column}: this cell holds blanks alone, or a formula that gives an empty text; "
        "empty it, or write what is meant"
        for number, column in enumerate(
            ("max_unit_price", "pieces", "rank", "group", "max_unit_price"),
            start=2,
        )
    ]
    assert book(row("FERN-1", FERN, note=" ", sku=" ")).rows[0].component.sku == ""


def test_an_own_sku_becomes_the_bundle_of_its_first_rank() -> None:
    """Its pieces are multiplied, and each component has the limit of its row; the
    file's words stay.
    """
    of = book(
        row("SET-1", FERN, rank="2"),
        row("SET-1", FERN, rank="1", pieces="2", max_unit_price="4.50"),
        row("SET-1", MOSS, rank="1", sku="77"),
    )
    order = request("SET-1", of=of)
    assert bought(order) == [(FERN, 6), (MOSS, 3)]
    assert [line.max_unit_price for line in order.lines] == [Money(450), None]
    assert [line.wanted for line in order.lines] == ["SET-1", "SET-1"]
    spare = at_next_rank(order, {"SET-1"})
    assert spare is not None
    assert bought(spare) == [(FERN, 3)]
    assert spare.fingerprint == order.fingerprint
    assert at_next_rank(spare, {"SET-1"}) is None


def test_an_own_sku_stands_in_place_of_item_and_limit() -> None:
    of = book(row("FERN-1", FERN))
    assert [
        str(item)
        for item in parsed(
            [{"own_sku": "FERN-1", "item": FERN, "max_unit_price": "3"}], of
        ).faults
    ] == [
        "row 2, column item: own_sku stands in this row, and the SKU book says this: empty the one or the other",
        "row 2, column max_unit_price: own_sku stands in this row, and the SKU book says this: empty the one or the "
        "other",
    ]
    (fault,) = parsed([{"own_sku": "FERN-1"}], None).faults
    assert str(fault).startswith(
        "row 2, column own_sku: SOURCING_BOOK names no SKU book to look this up in"
    )
    assert [item.column for item in parsed([{}], of).faults] == ["marketplace", "item"]
    (fault,) = parsed([{"own_sku": "FERN-1"}, {"own_sku": "FERN-1"}], of).faults
    assert str(fault).startswith(
        "row 3, column item: the same item and sku as row 2 of order A-1"
    )


def test_a_file_with_own_skus_alone_needs_no_column_of_the_book() -> None:
    names = [*(name for name in GOOD if name not in IN_THE_BOOK), "own_sku"]
    rows = [GOOD | {"own_sku": "FERN-1"}, GOOD | {"own_sku": "", "order_ref": "A-2"}]
    parsed = parse_requests(table_of(rows, names), book=book(row("FERN-1", FERN)))
    assert [(item.row, item.column) for item in parsed.faults] == [
        (3, "marketplace"),
        (3, "item"),
        (3, "max_unit_price"),
    ]


def test_each_group_becomes_an_order_and_what_has_none_keeps_the_name() -> None:
    of = book(
        row("MOSS-1", MOSS, group="b"),
        row("FERN-1", FERN),
        row("IVY-1", "610000000003", marketplace="taobao"),
    )
    orders = by_seller(request("MOSS-1", "FERN-1", "IVY-1", of=of), {})
    assert {
        order.order_ref: (str(order.marketplace), bought(order)) for order in orders
    } == {
        "A-1-b": ("1688", [(MOSS, 3)]),
        "A-1": ("1688", [(FERN, 3)]),
        "A-1-taobao": ("taobao", [("610000000003", 3)]),
    }
    assert [item.order_ref for item in by_seller(request("MOSS-1", of=of), {})] == [
        "A-1"
    ]


def test_a_changed_book_moves_nothing_to_another_order() -> None:
    """What went to an order stays there; what is new in the request counts as a change
    of its first order.
    """
    before = book(row("FERN-1", FERN), row("MOSS-1", MOSS, group="b"))
    first = by_seller(request("FERN-1", "MOSS-1", of=before), {})
    sku_book = {"FERN-1": "A-1", "MOSS-1": "A-1-b"}
    after = book(row("FERN-1", MOSS, group="c"), row("IVY-1", FERN, group="d"))
    repeated = by_seller(request("FERN-1", "MOSS-1", of=after), sku_book)
    assert [run_case.fingerprint for run_case in repeated] == [
        item.fingerprint for item in first
    ]
    requests = by_seller(request("FERN-1", "MOSS-1", "IVY-1", of=after), sku_book)
    assert {
        request.order_ref: [line.wanted for line in request.lines]
        for request in requests
    } == {
        "A-1": ["FERN-1", "IVY-1"],
        "A-1-b": ["MOSS-1"],
    }


def test_what_is_new_in_a_request_changes_the_order_that_was_begun() -> None:
    """`MOSS-1` was bought, and its shop calls it `MOSS-2` now: in an order not begun
    yet it would be bought again.
    """
    of = book(row("FERN-1", FERN), row("MOSS-2", MOSS, group="b"))
    orders = by_seller(
        request("FERN-1", "MOSS-2", of=of),
        {"FERN-1": "A-1", "MOSS-1": "A-1-b"},
        {"A-1-b"},
    )
    assert {
        order.order_ref: [line.wanted for line in order.lines] for order in orders
    } == {
        "A-1": ["FERN-1"],
        "A-1-b": ["MOSS-2"],
    }


def test_a_request_that_lacks_an_entry_stays_whole() -> None:
    of = book(row("FERN-1", FERN, group="a"))
    (order,) = by_seller(request("FERN-1", "MOSS-1", of=of), {})
    assert (order.order_ref, order.lacks_an_entry) == ("A-1", True)
    assert missing_entries([("A-1", ["MOSS-1"]), ("A-2", ["MOSS-1", "IVY-1"])]) == [
        {"own_sku": "MOSS-1", "rank": "1", "pieces": "1", "note": "for A-1, A-2"},
        {"own_sku": "IVY-1", "rank": "1", "pieces": "1", "note": "for A-2"},
    ]
