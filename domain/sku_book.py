"""The SKU book: what the merchant's own SKUs are, at which marketplace, and what is
bought in their place.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from domain.marketplace import Marketplace
from domain.orders import Component, OrderRequest, OwnSku, RequestLine
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
