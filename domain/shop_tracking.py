"""The file by which a shop takes the tracking numbers of its orders."""

from __future__ import annotations

import codecs
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date
from functools import cached_property
from string import Formatter
from typing import Literal

from pydantic import BaseModel, ConfigDict, Field

from domain.orders import OrderLine, OrderRequest, ShopLine
from domain.service_orders import Shipment

OF_A_LINE = ("line", "own_sku", "quantity")
OF_A_PARCEL = ("shop_ref", "order_ref", "number", "day", "goods", "carrier", "carrier_code", "other_carrier")


class Sheet(BaseModel):
    """The columns of a file, each a text with facts in braces: those of a parcel, and of a line of the shop's order.

    A file with facts of lines has a row a line; another a row a parcel. `above` are rows above the header, `carriers`
    names the column of carriers' names where it is not the shop's, `other` stands for a carrier without a name there.
    A number is written after its first `scan`, or from the `booking` on.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    columns: Mapping[str, str] = Field(min_length=1)
    name: str = Field("", pattern="^[A-Za-z0-9_-]{0,40}$")
    suffix: Literal["csv", "txt"] = "csv"
    above: tuple[tuple[str, ...], ...] = ()
    encoding: str = "utf-8"
    carriers: str = ""
    other: str = ""
    after: Literal["scan", "booking"] = "scan"

    def model_post_init(self, _context: object) -> None:
        try:
            codecs.lookup(self.encoding)
        except LookupError:
            raise ValueError("encoding: not known") from None
        if unknown := self._facts - {*OF_A_LINE, *OF_A_PARCEL}:
            raise ValueError(
                f"columns: {', '.join(sorted(unknown))} not known, use {', '.join(OF_A_PARCEL + OF_A_LINE)}"
            )

    @cached_property
    def _facts(self) -> set[str]:
        parts = [part for text in self.columns.values() for part in Formatter().parse(text)]
        return {f"{name}{form or ''}{as_ or ''}" for _, name, form, as_ in parts if name is not None}

    def rows(self, parcel: Parcel, carrier: str, there: str) -> list[list[str]]:
        """The rows of a parcel; none of one whose lines all went back under an earlier number, if lines matter.

        `there` is the carrier's name at the shop, if it has one.
        """
        lines = [{"line": one.line, "own_sku": sku, "quantity": one.quantity} for sku, one in parcel.lines]
        shared: dict[str, object] = {
            "shop_ref": parcel.shop_ref,
            "order_ref": parcel.order_ref,
            "number": parcel.number,
            "day": parcel.day.isoformat(),
            "goods": ", ".join(f"{one.quantity} x {sku}" for sku, one in parcel.lines),
            "carrier": there or carrier,
            "carrier_code": there or self.other,
            "other_carrier": "" if there else carrier,
        }
        of_lines = lines if self._facts & {*OF_A_LINE} else [{}]
        return [[text.format_map(shared | line) for text in self.columns.values()] for line in of_lines]


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
"""For a shop that imports no such file, or none that is known: it is read by a person."""


class Carrier(BaseModel):
    """A carrier: its name, the `words` by which the service's name of it is known, and its `names` at shops."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str
    words: tuple[str, ...] = Field(min_length=1)
    names: Mapping[str, str] = {}

    def is_of(self, company: str) -> bool:
        """Whether a name of the service has one of the words, as a whole one."""
        name = company.casefold()
        return any(re.search(f"(?<![a-z0-9]){re.escape(word.casefold())}(?![a-z0-9])", name) for word in self.words)


def carrier_names(company: str, carriers: Sequence[Carrier], shop: str) -> tuple[str, str]:
    """The name of a carrier, and its name at a shop; the second is empty where the shop has none."""
    known = next((one for one in carriers if one.is_of(company)), None)
    return (known.name, known.names.get(shop, "")) if known else (company, "")


@dataclass(frozen=True, slots=True, kw_only=True)
class Parcel:
    """A parcel abroad, with the own SKUs and lines of the shop that go back under its number. `day` is when it left."""

    order_ref: str
    shop_ref: str
    number: str
    company: str
    day: date
    lines: Sequence[tuple[str, ShopLine]]


def lines_by_number(
    request: OrderRequest, lines: Sequence[OrderLine], shipment: Shipment
) -> dict[str, list[tuple[str, ShopLine]]]:
    """The lines of the shop's order, each under the first parcel that has goods of it, else under the first of all."""
    holds = {(one.item_id, one.sku_id): one.tracking_number for one in reversed(shipment.items)}
    found: dict[str, list[tuple[str, ShopLine]]] = {number: [] for number in shipment.tracking_numbers}
    first, placed = next(iter(found)), set[str]()
    for wanted, line in zip(request.lines, lines, strict=False):
        if (own := wanted.own) and own.sku not in placed:
            placed.add(own.sku)
            number = holds.get((line.item_id, line.sku_id), first)
            of_shop = own.shop_lines or (ShopLine(line="", quantity=own.quantity),)
            found.get(number, found[first]).extend((own.sku, one) for one in of_shop)
    return found
