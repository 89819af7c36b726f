"""The rows of a request file as orders, and the faults between rows."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from difflib import get_close_matches
from functools import lru_cache
from itertools import islice
from sys import intern

from domain.addresses import is_cut_short, is_possible_phone
from domain.cells import BLANKS
from domain.marketplace import ItemId, Marketplace, read_item, shortened, sku_of
from domain.money import Money
from domain.orders import OrderRequest, OwnSku, Receiver, RequestLine
from domain.request_cells import (
    COLUMNS,
    EMPTY_WORDS,
    IN_THE_BOOK,
    LIMIT,
    OWN_SKU,
    WHOLE_AS_FLOAT,
    Column,
    check_cell,
    read_cell,
)
from domain.request_remarks import HEADER_ROW, TWICE, Fault, Remark, place_of
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


LIKE = 0.8
LONGEST = 40  # no column's name is half as long, and comparing takes time


@lru_cache(maxsize=1024)
def likely_column(name: str) -> str:
    """The column that is spelled much like `name`: passing over `freigth` would ship by
    the wrong service.
    """
    if len(name) > LONGEST:
        return ""
    near = get_close_matches(
        name, [column.name for column in COLUMNS], n=1, cutoff=LIKE
    )
    return near[0] if near else ""


MOST_ROWS = 100_000
MOST_BLANK_ROWS = 1_048_576  # as many as a sheet has
MOST_COLUMNS = 256
MOST_FAULTS = 1_000
MOST_WARNINGS = 1_000
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
NOT_ASKED = "this cell is empty, and SOURCING_REQUIRE_PRICE_LIMIT asks for a limit in every row; write it"
NO_BOOK = "SOURCING_BOOK names no SKU book to look this up in: name one, or fill in marketplace and item instead"
NO_COLUMN = (
    "own_sku is empty in this row, so this column is needed, and it is missing; add it"
)
IN_BOTH = (
    "own_sku stands in this row, and the SKU book says this: empty the one or the other"
)
ONLY_BLANKS = (
    "this cell holds blanks, and no limit; empty it where there is none, or write it"
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


class RequestTable:
    """Takes the rows of one file as a reader finds them: `begin` with the header, `add`
    each row, then `finish`.

    A reader stops once `is_full`: further rows or faults are of no use.
    """

    is_quoted = True

    def __init__(
        self, *, require_limit: bool = False, book: SkuBook | None = None
    ) -> None:
        self.require_limit = require_limit
        self.book = book
        self.is_full = False
        self._columns: list[tuple[Column, int]] = []
        self._absent: dict[str, str] = {}
        self._rows: list[RequestRow] = []
        self._faults: list[Fault] = []
        self._warnings: dict[tuple[int, str, str], Remark] = {}
        self._faulty_rows = 0
        self._is_bare = True

    def begin(self, columns: Sequence[str]) -> None:
        """Take the header as it stands in the file; cells of unknown columns are
        skipped with a warning.
        """
        names = [normal_name(column) for column in columns]
        self._columns = [
            (column, names.index(column.name))
            for column in COLUMNS
            if column.name in names
        ]
        self._absent = {
            c.name: c.default
            for c in COLUMNS
            if c.may_be_absent and c.name not in names
        }
        for name, times in Counter(names).items():
            if times > 1 and name in NAMES:
                self.fault(HEADER_ROW, name, TWICE)
        self.pass_over(
            (name for name in names if name and name not in NAMES), HEADER_ROW
        )

    def pass_over(self, names: Iterable[str], row: int) -> None:
        """Warn of unknown columns; a name much like a known one is a fault, since its
        cells would be lost unseen.
        """
        ignored = []
        for name in dict.fromkeys(
            name if name.isprintable() else ascii(name) for name in names
        ):
            if near := likely_column(name):
                self.fault(
                    row,
                    shortened(name),
                    f"this column is not known; rename it to {near}, or remove it",
                )
            else:
                ignored.append(shortened(name, 40))
        if ignored:
            listed = ", ".join(repr(name) for name in ignored[:10]) + (
                ", ..." if len(ignored) > 10 else ""
            )
            what = (
                "a column is not known and is"
                if len(ignored) == 1
                else "columns are not known and are"
            )
            self.warn(row, "", f"{what} passed over: {listed}")

    def lack(self, found: Iterable[str]) -> None:
        """Blame the file for the needed columns that are not among those `found`."""
        names = {normal_name(name) for name in found}
        if OWN_SKU.name in names:
            names.update(IN_THE_BOOK)
        for column in COLUMNS:
            if not column.may_be_absent and column.name not in names:
                hint = f" ({column.empty_means})" if column.empty_means else ""
                self.fault(
                    HEADER_ROW, column.name, f"this column is missing; add it{hint}"
                )

    def add(self, row: int, cells: Sequence[object]) -> None:
        """Check one row: `cells` stand under the columns of `begin`, and a blank row
        counts for nothing.
        """
        self._is_bare = False
        if not any(cells) and all(cell is None or cell == "" for cell in cells):
            self._blank(row)
            return
        texts: dict[str, str] = {}
        faults: list[Fault] = []
        for column, at in self._columns:
            value = cells[at] if at < len(cells) else None
            try:
                text, said = read_cell(column, value)
            except ValueError as error:
                faults.append(Fault(row, column.name, str(error)))
                continue
            texts[column.name] = text
            for words in said:
                self.warn(row, column.name, words)
            if not text and value and column is LIMIT:
                faults.append(Fault(row, column.name, ONLY_BLANKS))
        if any(texts.values()) or any(
            fault.message is not ONLY_BLANKS for fault in faults
        ):
            self._check(row, texts, faults, cells)
        else:
            self._blank(row)

    def _blank(self, row: int) -> None:
        if row > MOST_BLANK_ROWS:
            self.stop(row, f"more than {MOST_BLANK_ROWS:,} rows; delete the blank ones")

    def fault(self, row: int, column: str, message: str) -> None:
        """Note a fault; it makes the whole file unusable."""
        self._faults.append(Fault(row, column, message))
        if len(self._faults) >= MOST_FAULTS:
            self.stop(
                row,
                f"{MOST_FAULTS:,} faults are enough to begin with: later rows were not checked",
            )

    def warn(self, row: int, column: str, message: str) -> None:
        """Note a warning for a person to read before anything is bought."""
        if len(self._warnings) < MOST_WARNINGS:
            self._warnings[row, column, message] = Remark(row, column, message)

    def stop(self, row: int, message: str) -> None:
        """Take no more rows; the message says why."""
        if not self.is_full:
            self.is_full = True
            self._faults.append(Fault(row, "", message))

    def skips(self, cells: Sequence[str]) -> bool:
        """Whether a row of another length than the header is no data."""
        return False

    def broken_row(self, row: int, message: str) -> None:
        """A row whose cells can't be separated: it is a fault, and none of its cells is
        judged.
        """
        self._faulty_rows += 1
        self.fault(row, "", message)

    def finish(self) -> ParsedRequests:
        """The orders, or every fault."""
        has_rows = self._rows or self._faulty_rows or self.is_full
        if not has_rows and (self._columns or self._is_bare):
            self.fault(
                HEADER_ROW,
                "",
                "the file has no data rows; add one row for each item to buy",
            )
        self._faults += islice(
            (*disagreements(self._rows), *repetitions(self._rows)), MOST_FAULTS
        )
        self._warn_of_alike()
        warnings = tuple(sorted(self._warnings.values(), key=place_of))
        if self._faults:
            return ParsedRequests(
                (), tuple(sorted(self._faults, key=place_of)), warnings
            )
        return ParsedRequests(
            orders_of(self._rows, self.book or EMPTY_BOOK), (), warnings
        )

    def _warn_of_alike(self) -> None:
        """Warn of references that differ in case alone: a service that changes case has
        one for the other.
        """
        seen: dict[str, str] = {}
        for line in self._rows:
            order_ref = line.cells.get("order_ref", "")
            first = seen.setdefault(order_ref.lower(), order_ref)
            if first != order_ref:
                words = f"it differs from {first} in upper and lower case alone, which a service may not keep apart"
                self.warn(
                    line.row, "order_ref", f"{words}; give one of them another name"
                )

    def _check(
        self,
        row: int,
        texts: Mapping[str, str],
        faults: list[Fault],
        cells: Sequence[object],
    ) -> None:
        """Judge the texts of a row that is not blank."""
        if len(self._rows) >= MOST_ROWS:
            self.stop(row, f"more than {MOST_ROWS:,} rows; split the file")
            return
        judged = dict(self._absent)
        unclear = {fault.column for fault in faults}
        of_book: Sequence[str] = ()
        if texts.get(OWN_SKU.name):
            of_book = IN_THE_BOOK
            judged |= dict.fromkeys(of_book, "")
            faults += [Fault(row, name, IN_BOTH) for name in of_book if texts.get(name)]
            faults += [Fault(row, OWN_SKU.name, NO_BOOK)] if self.book is None else []
        elif OWN_SKU.name in texts:
            faults += [
                Fault(row, name, NO_COLUMN)
                for name in IN_THE_BOOK
                if name not in {*texts, *judged}
            ]
        for column, at in self._columns:
            name = column.name
            if name in unclear or name in of_book:
                continue
            try:
                text = check_cell(column, texts[name])
                judged[name] = intern(text) if name in OFTEN_THE_SAME else text
                if column is LIMIT and self.require_limit and not judged[name]:
                    raise ValueError(NOT_ASKED)
                if name == "zip" and is_cut_short(
                    judged[name], judged.get("country", "")
                ):
                    self._cut_short(row, judged["country"], cells[at])
            except ValueError as error:
                judged.pop(name, None)
                faults.append(Fault(row, name, str(error)))
        try:
            item = _item_of(judged)
        except ValueError as error:
            item = ""
            faults.append(Fault(row, "item", str(error)))
        self._rows.append(RequestRow(row, judged, item))
        for fault in faults:
            self.fault(fault.row, fault.column, fault.message)
        self._warn_of_doubtful(row, judged)

    def _cut_short(self, row: int, country: str, value: object) -> None:
        """A number has certainly lost its zeros; a text may be meant as it stands."""
        if not isinstance(value, str) or WHOLE_AS_FLOAT.fullmatch(value.strip()):
            raise ValueError(
                f"this is a number and too short for a postcode of {country}: its first zeros are lost; "
                "write it as text"
            )
        self.warn(row, "zip", f"postcodes of {country} have more digits than this one")

    def _warn_of_doubtful(self, row: int, cells: Mapping[str, str]) -> None:
        """Warn of cells that are readable and yet hardly meant."""
        phone = cells.get("receiver_phone")
        country = cells.get("country")
        if phone and country and not is_possible_phone(phone, country):
            doubt = f"this can't be a phone number that is dialled from {country}; it is bought all the same"
            self.warn(row, "receiver_phone", doubt)
        for name in NAMES_AN_ID:
            if LIKE_ROUNDED.search(cells.get(name, "")):
                self.warn(row, name, MAY_BE_ROUNDED)
        for name in ON_THE_PARCEL:
            if (
                (text := cells.get(name))
                and len(text) < 10
                and text.casefold() in EMPTY_WORDS
            ):
                self.warn(
                    row,
                    name,
                    f"{text!r} goes onto the parcel as it is; empty the cell if nothing is meant",
                )


def normal_name(column: str) -> str:
    """A column's name without the blanks and marks around it, in small letters."""
    return column.strip(BLANKS + "\u200b\u200c\u200d\u2060\ufeff").lower()


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
