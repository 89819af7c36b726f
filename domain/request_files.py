"""The rows of a request file as orders, and the faults between rows."""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import islice
from sys import intern

from domain.addresses import is_cut_short, is_possible_phone
from domain.cell_table import MOST_FAULTS, CellTable, RowOrRemark, TextRow
from domain.marketplace import ItemId, Marketplace, read_item, sku_of
from domain.money import Money
from domain.orders import OrderRequest, OwnSku, Receiver, RequestLine
from domain.request_cells import (
    COLUMNS,
    EMPTY_WORDS,
    IN_THE_BOOK,
    OWN_SKU,
    WHOLE_AS_FLOAT,
    with_limit,
)
from domain.request_remarks import HEADER_ROW, Fault, Remark, place_of
from domain.sku_book import EMPTY_BOOK, SkuBook, at_rank

RECEIVER = (
    "receiver_name",
    "receiver_phone",
    "receiver_email",
    "country",
    "state",
    "city",
    "zip",
    "address",
)
PERSONAL = {*RECEIVER} - {"country"}
"""Columns that faults don't quote: logs and reports are shown to others, and the file
itself has the text.
"""
SHARED = ("marketplace", *RECEIVER, "freight")


@dataclass(frozen=True, slots=True)
class RequestRow:
    """The faultless cells of one row, in normal form, by column name.

    `item` sets one item and SKU apart from another, however the cells write it; it is
    empty while they don't name one.
    """

    row: int
    cells: dict[str, str]
    item: str


def disagreements(rows: Sequence[RequestRow]) -> Iterator[Fault]:
    """Rows of one order that differ in a column that an order has once."""
    leaders: dict[
        str, list[RequestRow]
    ] = {}  # of an order mostly one, and not one a column: files are large
    for line in rows:
        if not (order_ref := line.cells.get("order_ref")):
            continue
        known = leaders.setdefault(order_ref, [])
        for column in SHARED:
            if column not in line.cells:
                continue
            leader = next((one for one in known if column in one.cells), None)
            if leader is None:
                known.append(line)
            elif line.cells[column] != leader.cells[column]:
                there = (
                    "" if column in PERSONAL else f" ({leader.cells[column]!r} there)"
                )
                yield Fault(
                    line.row,
                    column,
                    f"differs from row {leader.row} of order {order_ref}{there}",
                )


def repetitions(rows: Sequence[RequestRow]) -> Iterator[Fault]:
    """Rows of one order with one and the same item."""
    first: dict[tuple[str, str], int] = {}
    for line in rows:
        order_ref = line.cells.get("order_ref")
        if not order_ref or not line.item or "sku" not in line.cells:
            continue
        row = first.setdefault((order_ref, line.item), line.row)
        if row != line.row:
            message = f"the same item and sku as row {row} of order {order_ref}; put the sum of both in one row"
            yield Fault(line.row, "item", message)


def orders_of(
    rows: list[RequestRow], book: SkuBook = EMPTY_BOOK
) -> tuple[OrderRequest, ...]:
    """The orders, sorted by their first rows. Empties `rows`, which take as much memory
    again.
    """
    grouped: dict[str, list[RequestRow]] = {}
    for line in rows:
        grouped.setdefault(line.cells["order_ref"], []).append(line)
    rows.clear()
    refs = [
        f" {ref}"[1:] for ref in grouped
    ]  # copies that lie together: they outlive the rows, whose memory goes back
    return tuple(_order(order_ref, grouped.pop(order_ref), book) for order_ref in refs)


def _order(order_ref: str, rows: Sequence[RequestRow], book: SkuBook) -> OrderRequest:
    cells = rows[0].cells
    receiver = {column.removeprefix("receiver_"): cells[column] for column in RECEIVER}
    lines = tuple(_request_line(row, book) for row in rows)
    of_book = [
        line.own.marketplace for line in lines if line.own and line.own.marketplace
    ]
    order = OrderRequest(
        order_ref=order_ref,
        marketplace=Marketplace(cells["marketplace"])
        if cells["marketplace"]
        else (*of_book, book.usual)[0],
        receiver=Receiver(**receiver),
        freight=cells["freight"],
        lines=lines,
    )
    return at_rank(order) if order.own_skus else order


def _request_line(row: RequestRow, book: SkuBook) -> RequestLine:
    cells = row.cells
    if own_sku := cells["own_sku"]:
        quantity = int(cells["quantity"])
        entry = book.entries.get(own_sku, OwnSku(sku=own_sku, quantity=1))
        own = replace(entry, quantity=quantity)
        note = cells["note"]
        return RequestLine(
            row=row.row,
            item=own_sku,
            sku="",
            quantity=quantity,
            max_unit_price=None,
            note=note,
            own=own,
        )
    return RequestLine(
        row=row.row,
        item=cells["item"],
        sku=cells["sku"],
        quantity=int(cells["quantity"]),
        max_unit_price=Money.parse(cells["max_unit_price"])
        if cells["max_unit_price"]
        else None,
        note=cells["note"],
    )


NAMES = tuple(column.name for column in COLUMNS)
OFTEN_THE_SAME = frozenset(
    (
        "marketplace",
        "item",
        "sku",
        "quantity",
        "country",
        "state",
        "city",
        "zip",
        "freight",
    )
)
NAMES_AN_ID = ("order_ref", "item", "sku")
LIKE_ROUNDED = re.compile("(?<![0-9])[1-9][0-9]{14}0{3,}$")
MAY_BE_ROUNDED = "this id ends in zeros as one does that a spreadsheet rounded; compare it with the shop's"
ON_THE_PARCEL = ("zip", "receiver_phone", "state", "city", "address")
NO_BOOK = "SOURCING_BOOK names no SKU book to look this up in: name one, or fill in marketplace and item instead"
NO_COLUMN = (
    "own_sku is empty in this row, so this column is needed, and it is missing; add it"
)
IN_BOTH = (
    "own_sku stands in this row, and the SKU book says this: empty the one or the other"
)


@dataclass(frozen=True, slots=True)
class ParsedRequests:
    """The orders of a file in its order, or its faults: a file with any fault gives no
    orders.

    `warnings` are what was cleaned or skipped, and what a person should check before
    anything is bought. `turned_away` are the orders of a shop's export, also a faulty
    one, that are over there: `sent` or `void`, as `Keep.ends` says.
    """

    orders: tuple[OrderRequest, ...]
    faults: tuple[Fault, ...]
    warnings: tuple[Remark, ...] = ()
    turned_away: Mapping[str, str] = field(default_factory=dict)


def parse_requests(
    found: Iterable[RowOrRemark],
    *,
    require_limit: bool = False,
    book: SkuBook | None = None,
) -> ParsedRequests:
    """Check the rows of a file. With `require_limit` each needs a price limit; own SKUs
    are looked up in the `book`.
    """
    table = CellTable(
        with_limit(COLUMNS) if require_limit else COLUMNS,
        is_kept=False,
        in_place_of=(OWN_SKU.name, IN_THE_BOOK),
    )
    rows = [
        _checked(table, row, has_book=book is not None) for row in table.rows(found)
    ]
    table.faults += islice((*disagreements(rows), *repetitions(rows)), MOST_FAULTS)
    if not rows and not table.faults:
        problem = "the file has no data rows; add one row for each item to buy"
        table.fault(HEADER_ROW, "", problem)
    _warn_of_alike(table, rows)
    return ParsedRequests(
        () if table.faults else orders_of(rows, book or EMPTY_BOOK),
        tuple(sorted(table.faults, key=place_of)),
        tuple(sorted(table.warnings, key=place_of)),
    )


def _checked(table: CellTable, row: TextRow, *, has_book: bool) -> RequestRow:
    """The faultless cells of a row; each other one is a fault of the file."""
    number, texts, faults = row.number, row.texts, row.faults
    of_book = IN_THE_BOOK if texts.get(OWN_SKU.name) else ()
    cells = table.judge(row, but=of_book) | dict.fromkeys(of_book, "")
    faults += [Fault(number, name, IN_BOTH) for name in of_book if texts.get(name)]
    if of_book and not has_book:
        faults.append(Fault(number, OWN_SKU.name, NO_BOOK))
    if not of_book and OWN_SKU.name in texts:
        lacking = {*IN_THE_BOOK} - {*table.names, *cells}
        faults += [Fault(number, name, NO_COLUMN) for name in lacking]
    item = ""
    try:
        item = _item_of(cells)
    except ValueError as error:
        faults.append(Fault(number, "item", str(error)))
    postcode, country = cells.get("zip", ""), cells.get("country", "")
    if is_cut_short(postcode, country):
        value = row.cells[table.names.index("zip")]
        # a number has certainly lost its zeros; a text may be meant as it stands
        if not isinstance(value, str) or WHOLE_AS_FLOAT.fullmatch(value.strip()):
            del cells["zip"]
            problem = (
                f"this is a number and too short for a postcode of {country}: its first zeros are lost; "
                "write it as text"
            )
            faults.append(Fault(number, "zip", problem))
        else:
            problem = f"postcodes of {country} have more digits than this one"
            table.warn(number, "zip", problem)
    for fault in faults:
        table.note(fault)
    _warn_of_doubtful(table, number, cells)
    for name in OFTEN_THE_SAME & cells.keys():
        cells[name] = intern(cells[name])
    return RequestRow(number, cells, item)


def _warn_of_alike(table: CellTable, rows: Sequence[RequestRow]) -> None:
    """Warn of references that differ in case alone: a service that changes case has one
    for the other.
    """
    seen: dict[str, str] = {}
    for line in rows:
        order_ref = line.cells.get("order_ref", "")
        first = seen.setdefault(order_ref.lower(), order_ref)
        if first != order_ref:
            words = f"it differs from {first} in upper and lower case alone, which a service may not keep apart"
            table.warn(line.row, "order_ref", f"{words}; give one of them another name")


def _warn_of_doubtful(table: CellTable, row: int, cells: Mapping[str, str]) -> None:
    """Warn of cells that are readable and yet hardly meant."""
    phone, country = cells.get("receiver_phone"), cells.get("country")
    if phone and country and not is_possible_phone(phone, country):
        doubt = f"this can't be a phone number that is dialled from {country}; it is bought all the same"
        table.warn(row, "receiver_phone", doubt)
    for name in NAMES_AN_ID:
        if LIKE_ROUNDED.search(cells.get(name, "")):
            table.warn(row, name, MAY_BE_ROUNDED)
    for name in ON_THE_PARCEL:
        text = cells.get(name, "")
        if len(text) < 10 and text.casefold() in EMPTY_WORDS:
            doubt = f"{text!r} goes onto the parcel as it is; empty the cell if nothing is meant"
            table.warn(row, name, doubt)


def _item_of(cells: Mapping[str, str]) -> str:
    """What sets one item and SKU apart from another, however the cells write it; empty
    while they don't name one.
    """
    if cells.get(OWN_SKU.name):
        return f"own {cells[OWN_SKU.name]}"
    if not (cells.get("item") and cells.get("marketplace")):
        return ""
    item = read_item(Marketplace(cells["marketplace"]), cells["item"])
    named = item.id if isinstance(item, ItemId) else item.text.casefold()
    return f"{named} {sku_of(cells['item'], cells.get('sku', ''))}"
