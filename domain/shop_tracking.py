"""The file by which a shop takes the tracking numbers of its orders."""

from __future__ import annotations

import re
from collections import Counter, deque
from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.orders import OrderLine, OrderRequest, OwnSku, ShopLine
from domain.service_orders import Shipment

OF_A_LINE = ("line", "own_sku", "quantity")
OF_A_PARCEL = (
    "shop_ref",
    "order_ref",
    "number",
    "day",
    "goods",
    "carrier",
    "carrier_code",
    "other_carrier",
)


class Strict(BaseModel):
    """Base of what a file declares: an unknown field is a fault."""

    model_config = ConfigDict(extra="forbid", frozen=True)


class Sheet(Strict):
    """The columns of a file, each a text with facts in braces: those of a parcel, and
    of a line of the shop's order.

    A file with facts of lines has a row a line; another a row a parcel. `above` are
    rows above the header, `other` stands for a carrier without a name there.
    """

    columns: Mapping[str, str] = Field(min_length=1)
    name: str = Field("", pattern="^[A-Za-z0-9_-]{0,40}$")
    suffix: Literal["csv", "txt"] = "csv"
    above: tuple[tuple[str, ...], ...] = ()
    encoding: str = "utf-8"
    other: str = ""

    def model_post_init(self, _context: object) -> None:
        try:
            "".encode(self.encoding)
        except (LookupError, UnicodeError):
            raise ValueError("encoding: not known") from None
        if unknown := self._facts - {*OF_A_LINE, *OF_A_PARCEL}:
            raise ValueError(
                f"columns: {', '.join(sorted(unknown))} not known, use {', '.join(OF_A_PARCEL + OF_A_LINE)}"
            )

    @cached_property
    def _facts(self) -> set[str]:
        text_pieces = [
            text_piece
            for text in self.columns.values()
            for text_piece in Formatter().parse(text)
        ]
        return {
            f"{name}{form or ''}{as_ or ''}"
            for _, name, form, as_ in text_pieces
            if name is not None
        }

    def rows(self, parcel: Parcel, carrier: str, there: str) -> list[list[str]]:
        """The rows of a parcel; none of one whose lines all went back under an earlier
        number, if lines matter.

        `there` is the carrier's name at the shop, if it has one.
        """
        lines = [
            {"line": shop_line.line, "own_sku": sku, "quantity": shop_line.quantity}
            for sku, shop_line in parcel.lines
        ]
        shared: dict[str, object] = {
            "shop_ref": parcel.shop_ref,
            "order_ref": parcel.order_ref,
            "number": parcel.number,
            "day": parcel.day.isoformat(),
            "goods": ", ".join(
                f"{shop_line.quantity} x {sku}" for sku, shop_line in parcel.lines
            ),
            "carrier": there or carrier,
            "carrier_code": there or self.other,
            "other_carrier": "" if there else carrier,
        }
        of_lines = lines if self._facts & {*OF_A_LINE} else [{}]
        return [
            [text.format_map(shared | line) for text in self.columns.values()]
            for line in of_lines
        ]


GENERIC = Sheet(
    columns={
        "order": "{shop_ref}",
        "tracking_number": "{number}",
        "carrier": "{carrier}",
        "shipped_on": "{day}",
        "goods": "{goods}",
        "our_order": "{order_ref}",
    }
)
"""For a shop that imports no such file, or none that is known: it is read by a
person.
"""


class Carrier(Strict):
    """A carrier: its name, the `words` by which the service's name of it is known, and
    its `names` at shops.
    """

    name: str
    words: tuple[str, ...] = Field(min_length=1)
    names: Mapping[str, str] = {}

    def is_of(self, company: str) -> bool:
        """Whether a name of the service has one of the words, as a whole one."""
        name = company.casefold()
        return any(
            re.search(
                f"(?<![a-z0-9]){re.escape(status_word.casefold())}(?![a-z0-9])", name
            )
            for status_word in self.words
        )


def carrier_names(
    company: str, carriers: Sequence[Carrier], shop: str
) -> tuple[str, str]:
    """The name of a carrier, and its name at a shop; the second is empty where the shop
    has none.
    """
    carrier = next((carrier for carrier in carriers if carrier.is_of(company)), None)
    return (carrier.name, carrier.names.get(shop, "")) if carrier else (company, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel abroad, with the own SKUs and lines of the shop that go back under its
    number. `day` is when it left.
    """

    order_ref: str
    shop_ref: str
    number: str
    company: str
    day: date
    lines: Sequence[tuple[str, ShopLine]]


def lines_by_number(
    request: OrderRequest,
    lines: Sequence[OrderLine],
    shipment: Shipment,
    unsent: Collection[int] = (),
) -> dict[str, list[tuple[str, ShopLine]]]:
    """The lines of the shop's order by parcel, with as many pieces as are in each;
    those `unsent` are in none.
    """
    lines_of: dict[str, list[tuple[str, ShopLine]]] = {
        number: [] for number in shipment.tracking_numbers
    }
    pairs = [*zip(request.lines, lines, strict=False)]
    placed = {
        request_line.own.sku
        for request_line, line in pairs
        if request_line.own and line.line_no in unsent
    }
    for request_line, line in pairs:
        if (own := request_line.own) and own.sku not in placed:
            placed.add(own.sku)
            shop_lines = deque(
                own.shop_lines or (ShopLine(line="", quantity=own.quantity),)
            )
            for number, count in _counts(own, line, shipment):
                lines_of[number] += [
                    (own.sku, shop_line) for shop_line in _taken(shop_lines, count)
                ]
    return lines_of


def _counts(own: OwnSku, line: OrderLine, shipment: Shipment) -> list[tuple[str, int]]:
    """How many of an own SKU each parcel has, by its first component; where that is
    unclear, one parcel has all.
    """
    pieces = Counter[str]()
    for item in shipment.items:
        if (item.item_id, item.sku_id) == (
            line.item_id,
            line.sku_id,
        ) and item.tracking_number in shipment.tracking_numbers:
            pieces[item.tracking_number] += item.quantity
    quantity_each = line.quantity // own.quantity
    if (
        quantity_each * own.quantity == pieces.total()
        and quantity_each
        and not any(count % quantity_each for count in pieces.values())
    ):
        return [(number, count // quantity_each) for number, count in pieces.items()]
    return [(next(iter(pieces), shipment.tracking_numbers[0]), own.quantity)]


def _taken(shop_lines: deque[ShopLine], count: int) -> Iterator[ShopLine]:
    """Take so many pieces of the lines that are left."""
    while count and shop_lines:
        shop_line = shop_lines.popleft()
        pieces = min(count, shop_line.quantity)
        if pieces < shop_line.quantity:
            shop_lines.appendleft(
                replace(shop_line, quantity=shop_line.quantity - pieces)
            )
        count -= pieces
        yield replace(shop_line, quantity=pieces)
