"""The SKU book: what the merchant's own SKUs are, at which marketplace, and what is
bought in their place.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial

from domain.cell_table import CellTable, RowOrRemark
from domain.cells import half_width, with_formula
from domain.marketplace import ItemId, Marketplace, read_item, sku_of
from domain.money import Money
from domain.orders import Component, OrderRequest, OwnSku, RequestLine
from domain.request_cells import BY_NAME, LIMIT, OWN_SKU, Column, with_limit
from domain.request_remarks import HEADER_ROW
from domain.wording import shorten


@dataclass(frozen=True, slots=True, kw_only=True)
class BookRow:
    """One row of the SKU book; rows of one rank are a bundle."""

    row: int
    own_sku: str
    rank: int
    marketplace: Marketplace
    component: Component
    group: str


class SkuBook:
    """The entries of the SKU book by own SKU."""

    def __init__(self, rows: Iterable[BookRow] = ()) -> None:
        self.rows = tuple(rows)
        by_own_sku: dict[str, list[BookRow]] = {}
        for row in sorted(self.rows, key=lambda row: (row.rank, row.row)):
            by_own_sku.setdefault(row.own_sku, []).append(row)
        self.entries = {sku: _entry(rows) for sku, rows in by_own_sku.items()}

    @property
    def usual(self) -> Marketplace:
        """The marketplace under which an order stands whose own SKUs are in no
        entry.
        """
        return self.rows[0].marketplace if self.rows else Marketplace.ALIBABA_1688


EMPTY_BOOK = SkuBook()


def _entry(rows: Sequence[BookRow]) -> OwnSku:
    ranks: dict[int, list[Component]] = {}
    for row in rows:
        ranks.setdefault(row.rank, []).append(row.component)
    first = rows[0]
    return OwnSku(
        sku=first.own_sku,
        quantity=1,
        marketplace=first.marketplace,
        group=first.group,
        ranks=tuple(map(tuple, ranks.values())),
    )


RANK = re.compile("[1-9][0-9]?")
GROUP = re.compile("[A-Za-z0-9._-]{1,20}")


def _rank(text: str) -> str:
    if not RANK.fullmatch(half_width(text)):
        raise ValueError(
            "a rank is 1 for what is bought, 2 for the first spare, and so on"
        )
    return half_width(text)


def _group(text: str) -> str:
    if not GROUP.fullmatch(text):
        raise ValueError(
            "a group is 1 to 20 of the characters A-Z, a-z, 0-9, '-', '_' and '.'"
        )
    return text.lower()


def _own_sku(text: str) -> str:
    """Without the `'` that keeps a spreadsheet from taking it for a formula."""
    return OWN_SKU.check(with_formula(text))


LOST = "this cell holds blanks alone, or a formula that gives an empty text; empty it, or write what is meant"
optional = partial(
    replace, empty_means="cells may be empty", may_be_absent=True, if_blank=LOST
)
COLUMNS = (
    replace(
        OWN_SKU,
        words="your own SKU",
        example="FERN-1",
        empty_means=None,
        may_be_absent=False,
        check=_own_sku,
    ),
    Column(
        name="rank",
        words="1, or 2 and more for what is bought where the rank before can't be; rows of one rank are a bundle",
        example="1",
        most=10,
        check=_rank,
        empty_means="cells may be empty, which is 1",
        may_be_absent=True,
        default="1",
        if_blank=LOST,
    ),
    BY_NAME["marketplace"],
    replace(BY_NAME["item"], words="an id or a product URL"),
    BY_NAME["sku"],
    optional(
        BY_NAME["quantity"],
        name="pieces",
        words="how many pieces make one own SKU; empty is 1",
        default="1",
    ),
    optional(LIMIT, words="the most one piece may cost, in yuan; empty is no limit"),
    Column(
        name="group",
        words="what is bought together, such as the seller: each group of a shop's order becomes an order",
        example="b",
        most=100,
        check=_group,
        empty_means="cells may be empty",
        may_be_absent=True,
        if_blank=LOST,
    ),
    BY_NAME["note"],
)


def parse_book(found: Iterable[RowOrRemark], *, require_limit: bool = False) -> SkuBook:
    """The book; a header alone is a book too. Raises `BadTable` with every fault. With
    `require_limit` each row needs a price limit.
    """
    table = CellTable(with_limit(COLUMNS) if require_limit else COLUMNS)
    rows: list[BookRow] = []
    first_rows: dict[str, BookRow] = {}
    bought: dict[tuple[str, int, str, str], int] = {}
    for number, cells in table.complete_rows(found):
        marketplace = Marketplace(cells["marketplace"])
        try:
            item = read_item(marketplace, cells["item"])
            sku = sku_of(cells["item"], cells["sku"])
        except ValueError as error:
            table.fault(number, "item", str(error))
            continue
        if not isinstance(item, ItemId):
            problem = (
                "words may mean another item tomorrow; give an id or a product URL"
            )
            table.fault(number, "item", problem)
            continue
        limit = cells["max_unit_price"]
        component = Component(
            item=item.id,
            sku=sku,
            pieces=int(cells["pieces"]),
            max_unit_price=Money.parse(limit) if limit else None,
        )
        row = BookRow(
            row=number,
            own_sku=cells["own_sku"],
            rank=int(cells["rank"]),
            marketplace=marketplace,
            component=component,
            group=cells["group"],
        )
        rows.append(row)
        first = first_rows.setdefault(row.own_sku, row)
        for column in ("marketplace", "group"):
            if (there := str(getattr(first, column))) != getattr(row, column):
                problem = (
                    f"differs from row {first.row} of {row.own_sku} ({there!r} there)"
                )
                table.fault(number, column, problem)
        key = (row.own_sku, row.rank, item.id, sku)
        if (before := bought.setdefault(key, number)) != number:
            problem = f"row {before} has it already at this rank; put the sum of pieces in one row"
            table.fault(number, "item", problem)
    if not table.names:
        table.fault(HEADER_ROW, "", "the file is empty: it has no header")
    table.raise_faults()
    return SkuBook(rows)


def at_rank(
    request: OrderRequest, ranks: Mapping[str, int] | None = None
) -> OrderRequest:
    """The request with a line for each component of its own SKUs, at these ranks, else
    at those where they stand.
    """
    lines: list[RequestLine] = []
    expanded = set[str]()
    for line in request.lines:
        if (own := line.own) is None or not own.ranks:
            lines.append(line)
        elif own.sku not in expanded:
            expanded.add(own.sku)
            own = replace(own, rank=(ranks or {}).get(own.sku, own.rank))
            lines += [_line(line, own, component) for component in own.ranks[own.rank]]
    return replace(request, lines=tuple(lines))


def _line(line: RequestLine, own: OwnSku, component: Component) -> RequestLine:
    return replace(
        line,
        item=component.item,
        sku=component.sku,
        quantity=own.quantity * component.pieces,
        max_unit_price=component.max_unit_price,
        own=own,
    )


def at_next_rank(
    request: OrderRequest, own_skus: Collection[str]
) -> OrderRequest | None:
    """The request with the next rank of these own SKUs; None where one of them has no
    further rank.
    """
    next_ranks = {
        own.sku: own.rank + 1
        for own in request.own_skus
        if own.sku in own_skus and own.rank + 1 < len(own.ranks)
    }
    return at_rank(request, next_ranks) if {*next_ranks} == {*own_skus} else None


def by_seller(
    request: OrderRequest, stands: Mapping[str, str], begun: Collection[str] = ()
) -> list[OrderRequest]:
    """The orders of a request with own SKUs: one a group and marketplace, the first
    under the request's own name.

    `stands` has the order that each own SKU went to in an earlier run: nothing is split
    anew then, and what is new in the request counts as a change of an order that was
    `begun`, or of its first one. A request that the SKU book lacks an entry for stays
    whole. Two orders of one name are the caller's to refuse.
    """
    first = request.order_ref
    if not request.own_skus or (request.lacks_an_entry and not stands):
        return [request]
    names = {} if stands else _names(request)
    changed = next((ref for ref in (first, *stands.values()) if ref in begun), first)
    parts: dict[tuple[str, object], list[RequestLine]] = {}
    for line in request.lines:
        assert line.own is not None  # a row has an own SKU like the others of its order
        key = line.own.group, line.own.marketplace
        part = (
            (stands.get(line.own.sku, changed), None) if stands else (names[key], key)
        )
        parts.setdefault(part, []).append(line)
    return [_part(request, name, lines) for (name, _), lines in parts.items()]


def _part(
    request: OrderRequest, name: str, lines: Sequence[RequestLine]
) -> OrderRequest:
    of_book = [
        line.own.marketplace for line in lines if line.own and line.own.marketplace
    ]
    marketplace = (*of_book, request.marketplace)[0]
    return replace(request, order_ref=name, marketplace=marketplace, lines=tuple(lines))


def parts_of(orders: Sequence[OrderRequest]) -> dict[str, str]:
    """The order of each own SKU."""
    return {own.sku: order.order_ref for order in orders for own in order.own_skus}


def _names(request: OrderRequest) -> dict[tuple[str, Marketplace | None], str]:
    keys = list(dict.fromkeys((own.group, own.marketplace) for own in request.own_skus))
    keys.sort(
        key=lambda key: key[0] != ""
    )  # what has no group keeps the name of the order
    groups = [group for group, _ in keys]
    names = {keys[0]: request.order_ref}
    for group, marketplace in keys[1:]:
        parts = [
            request.order_ref,
            group,
            marketplace if not group or groups.count(group) > 1 else "",
        ]
        names[group, marketplace] = "-".join(filter(None, parts))
    return names


def missing_entries(held: Iterable[tuple[str, Sequence[str]]]) -> list[dict[str, str]]:
    """Rows of a SKU book to be filled in, one an own SKU that it lacks; `held` has
    orders with theirs.
    """
    waiting: dict[str, list[str]] = {}
    for order_ref, own_skus in held:
        for own_sku in own_skus:
            waiting.setdefault(own_sku, []).append(order_ref)
    return [
        {"own_sku": own_sku, "rank": "1", "pieces": "1", "note": f"for {shorten(refs)}"}
        for own_sku, refs in waiting.items()
    ]
