"""Reading rows of an answer: the order line of each row, and each row once however often it is listed."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping
from types import MappingProxyType
from typing import TypeVar

from connectors.xportcn.operations.warehouse import BookedParcel
from domain.orders import OrderLine
from domain.quotes import LineProblem, Problem
from domain.service_orders import ServiceStatus, Shipment, ShipmentItem, TraceStatus, TrackingEvent

LineIds = tuple[str, str]
Value = TypeVar("Value")
OFF_SALE = frozenset({"offline", "offsale", "inactive", "deleted", "expired"})
"""Plain words for an offer that can't be bought any more; assumed, since no page of the contract lists them."""


class LinesByIds:
    """Gives out each line once, so that two rows of one SKU get a line each, and no line stands for many."""

    def __init__(self, lines: Iterable[OrderLine], ids: Callable[[OrderLine], LineIds]) -> None:
        self._lines: defaultdict[LineIds, list[OrderLine]] = defaultdict(list)
        for line in lines:
            self._lines[ids(line)].append(line)

    def take(self, ids: LineIds) -> OrderLine | None:
        lines = self._lines.get(ids)
        return lines.pop(0) if lines else None


def sku_ids(line: OrderLine) -> LineIds:
    """Item and variant by the ids of the marketplace's shops."""
    return line.item_id, line.sku_id


def spec_ids(line: OrderLine) -> LineIds:
    """Offer and spec, the ids of a variant on 1688 and bigMajor."""
    return line.item_id, line.spec_id


def distribution_ids(line: OrderLine) -> LineIds:
    """Item and variant by Taobao's distribution ids, which orders need."""
    return line.distribution_item_id, line.distribution_sku_id


def unmentioned(lines: Iterable[OrderLine], previewed: Iterable[OrderLine | None]) -> tuple[LineProblem, ...]:
    """The problems of lines that the preview leaves out: a line without a price is no gift."""
    heard = {line.line_no for line in previewed if line}
    return tuple(
        LineProblem(problem=Problem.OTHER, message="the preview does not mention this line", line_no=line.line_no)
        for line in lines
        if line.line_no not in heard
    )


def other_pieces(line: OrderLine, previewed: int) -> LineProblem:
    """The problem of a line whose price is for another number of pieces than asked for."""
    words = f"the preview is for {previewed} pieces, asked {line.quantity}"
    return LineProblem(problem=Problem.OTHER, message=words, line_no=line.line_no)


def distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    """Each value once, in order: a row that is listed three thousand times is one row."""
    return tuple(dict.fromkeys(values))


def oldest_first(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Events in order of time, each once: parcels shared by two parts of an order are listed twice."""
    return sorted(dict.fromkeys(events), key=lambda event: event.occurred_at)


def status_of(word: str, known: Mapping[str, ServiceStatus]) -> ServiceStatus:
    """The meaning of a marketplace's word, in any capitals, with or without underscores; `OTHER` for an unknown word.

    `known` has plain words: lower case, without underscores.
    """
    return known.get(_plain(word), ServiceStatus.OTHER)


def _plain(word: str) -> str:
    return word.replace("_", "").lower()


def unknown_sale(on_sale: str, *words: str) -> str:
    """The first state of an offer, then of its variants, that means neither on nor off sale; or ""."""
    if _plain(words[0]) in OFF_SALE:
        return ""
    return next((word or "none told" for word in words if word != on_sale and _plain(word) not in OFF_SALE), "")


def trace_status(text: str) -> TraceStatus:
    """The stage of an event; `OTHER` for words that the contract does not list."""
    return TraceStatus(text) if text in set(TraceStatus) else TraceStatus.OTHER


def shipments(
    parcels: Iterable[BookedParcel], items: Mapping[str, Iterable[ShipmentItem]] = MappingProxyType({})
) -> tuple[Shipment, ...]:
    """Our bookings, each with all its parcels, and the `items` that an order names for a booking."""
    bookings: defaultdict[str, list[BookedParcel]] = defaultdict(list)
    for parcel in parcels:
        bookings[parcel.order_id].append(parcel)
    return tuple(
        Shipment(
            shipment_order_id=booking_id,
            tracking_numbers=distinct(one.logistic_number for one in booked if one.logistic_number),
            company=booked[0].logistic_company_name,
            tracking_urls=distinct(one.tracking_url for one in booked if one.tracking_url),
            render_id=booked[0].render_id,
            items=tuple(items.get(booking_id, ())),
        )
        for booking_id, booked in sorted(bookings.items())
    )
