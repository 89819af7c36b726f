"""Reading rows of an answer: the order line of each row, and each row once however
often it is listed.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType
from typing import Any, TypeVar

from connectors.xportcn.errors import ContractMismatch
from connectors.xportcn.operations.operation import Operation
from connectors.xportcn.operations.warehouse import BookedParcel
from connectors.xportcn.wire import numbers_in
from domain.money import Money, per_unit, total_of
from domain.offers import LineProblem, Problem, Quote, QuoteLine
from domain.orders import OrderLine
from domain.service_orders import (
    DomesticParcel,
    ServiceStatus,
    Shipment,
    ShipmentItem,
    TraceStatus,
    TrackingEvent,
)
from domain.witnessed import FAR, UNIT_FROM

LineIds = tuple[str, str]
Value = TypeVar("Value")
Row = TypeVar("Row")
OFF_SALE = frozenset({"offline", "offsale", "inactive", "deleted", "expired"})
"""Plain words for an offer that can't be bought any more; assumed, since no page of the
contract lists them.
"""
PARTLY_SENT = frozenset({"部分发货", "部分入库"})
OF_PAID_ORDERS = {
    "waitselleracceptorder": ServiceStatus.PAID,
    "waitlogisticstakein": ServiceStatus.SHIPPED,
    "waitbuyersign": ServiceStatus.SHIPPED,
    "signinsuccess": ServiceStatus.SHIPPED,
    "signinfailed": ServiceStatus.SHIPPED,
    "sendgoodsbutnotfund": ServiceStatus.SHIPPED,
    "confirmgoodsbutnotfund": ServiceStatus.FINISHED,
    "confirmgoodsandhassubsidy": ServiceStatus.FINISHED,
    "待发货": ServiceStatus.PAID,
    **dict.fromkeys(["已发货", "已入库", *PARTLY_SENT], ServiceStatus.SHIPPED),
}
"""Plain words of 1688 and of the service's console (upstream) that say nothing of the
money: known beside a payment.
"""
STAGES = {
    **{stage.lower(): stage for stage in TraceStatus},
    "waitingcollect": TraceStatus.WAITING,
    "collected": TraceStatus.ACCEPT,
    "signed": TraceStatus.SIGN,
    "agentsign": TraceStatus.DELIVERING,  # a pick-up point has it
    "waitingcustoms": TraceStatus.CUSTOMS,
    "customsclearance": TraceStatus.CUSTOMS,
    "customsfailed": TraceStatus.EXCEPTION,
    "failed": TraceStatus.EXCEPTION,
}
"""Plain words of the contract and of upstream for the stage of a parcel."""
NO_STAGE = frozenset({"", "unknown", "-1"})
REMARKS = {
    TraceStatus.SIGN: re.compile(
        r"已[^,,。;;待请未备拒]{0,12}签收|^签收$|签收成功|(?:本人|代)签收|(?:^|[。;;,,])签收人[::]|已妥投|妥投成功|已入库|入库成功"
    ),
    TraceStatus.REJECTED: re.compile("拒收|拒签"),
    TraceStatus.RETURNED: re.compile("退回|退件"),
}
"""Carriers' words for the stage of a step that has no status, as 1688's (upstream)."""


def of_lines(
    lines: Iterable[OrderLine],
    ids: Callable[[OrderLine], LineIds],
    rows: Iterable[tuple[LineIds, Row]],
) -> list[tuple[OrderLine | None, Row]]:
    """Each row with its line. A line is given out once: two rows of one SKU get a line
    each.
    """
    free: defaultdict[LineIds, list[OrderLine]] = defaultdict(list)
    for line in lines:
        free[ids(line)].append(line)
    return [(free[key].pop(0) if free[key] else None, row) for key, row in rows]


def sku_ids(line: OrderLine) -> LineIds:
    """Item and variant by the ids of the marketplace's shops."""
    return line.item_id, line.sku_id


def spec_ids(line: OrderLine) -> LineIds:
    """Offer and spec, the ids of a variant on 1688 and bigMajor."""
    return line.item_id, line.spec_id


def distribution_ids(line: OrderLine) -> LineIds:
    """Item and variant by Taobao's distribution ids, which orders need."""
    return line.distribution_item_id, line.distribution_sku_id


PLAIN_PROBLEMS = {
    "OUT_OF_STOCK": Problem.OUT_OF_STOCK,
    "BELOW_MIN_QUANTITY": Problem.BELOW_MIN_QUANTITY,
    **dict.fromkeys(["ITEM_OFFLINE", "SPU_OFF_SALE", "40401"], Problem.OFFLINE),
    "SKU_NOT_FOUND": Problem.SKU_UNKNOWN,
    "SELLER_MISMATCH": Problem.SELLERS_DIFFER,
    "ADDRESS_INVALID": Problem.ADDRESS_INVALID,
    "PRICE_CHANGED": Problem.PRICE_CHANGED,
}
"""What Taobao's and Poizon's codes say of a line or an order."""


def problem_of(
    problem: Problem, words: str, line: OrderLine | None = None
) -> LineProblem:
    """A problem of a line, or of the whole order."""
    line_no = line.line_no if line else 0
    return LineProblem(problem=problem, message=words, line_no=line_no)


def plain_problem(code: str, words: str, line: OrderLine | None = None) -> LineProblem:
    """The problem of a code that names it in plain words, as Taobao's and Poizon's."""
    return problem_of(PLAIN_PROBLEMS.get(code, Problem.OTHER), words or code, line)


def unmentioned(
    lines: Iterable[OrderLine], rows: Iterable[tuple[OrderLine | None, object]]
) -> tuple[LineProblem, ...]:
    """The problems of lines that the preview leaves out: a line without a price is no
    gift.
    """
    mentioned = [line.line_no for line, _ in rows if line]
    return tuple(
        problem_of(Problem.OTHER, "the preview does not mention this line", line)
        for line in lines
        if line.line_no not in mentioned
    )


Amounts = tuple[Money | None, Money | None, Money]
"""Goods, postage and total of an order in a preview."""


def quote_of(
    preview: Operation,
    amounts: Sequence[Amounts],
    lines: tuple[QuoteLine, ...],
    problems: tuple[LineProblem, ...],
    **more: Any,
) -> Quote:
    """The quote of all orders of a preview. Where it tells a total alone, goods are its
    lines, postage the rest.

    Without a price of a line goods are 0: there is nothing to compare the total with.
    Raises `ContractMismatch` for a total far from its lines, which may be in another
    unit.
    """
    goods = [amount for amount, _, _ in amounts if amount is not None]
    postage = [amount for _, amount, _ in amounts if amount is not None]
    costs = total_of(goods), total_of(postage)
    total = total_of([amount for _, _, amount in amounts])
    if len(goods) < len(amounts) or len(postage) < len(amounts):
        priced = total_of([line.amount for line in lines])
        if priced.minor and (total >= priced * UNIT_FROM or priced > total * FAR):
            words = f"the preview tells a total of {total} alone, and prices of {priced}: is one in another unit?"
            raise ContractMismatch(f"{words} (XPORTCN_UNITS)", operation=preview.name)
        costs = priced, max(total - priced, Money(0)) if priced.minor else Money(0)
    return Quote(
        goods=costs[0],
        postage=costs[1],
        total=total,
        lines=lines,
        problems=problems,
        order_count=max(1, len(amounts)),
        **more,
    )


def priced_line(line: OrderLine, amount: Money) -> QuoteLine:
    """A line that costs so much in all."""
    return QuoteLine(
        line_no=line.line_no,
        unit_price=per_unit(amount, line.quantity),
        amount=amount,
    )


def other_pieces(line: OrderLine, previewed: int) -> LineProblem:
    """The problem of a line whose price is for another number of pieces than asked
    for.
    """
    words = f"the preview is for {previewed} pieces, asked {line.quantity}"
    return problem_of(Problem.OTHER, words, line)


def distinct(values: Iterable[Value]) -> tuple[Value, ...]:
    """Each value once, in order: a row that is listed three thousand times is one
    row.
    """
    return tuple(dict.fromkeys(values))


def oldest_first(events: Iterable[TrackingEvent]) -> list[TrackingEvent]:
    """Events in order of time, each once: parcels shared by two parts of an order are
    listed twice.
    """
    return sorted(dict.fromkeys(events), key=lambda event: event.occurred_at)


def status_of(
    status_word: str,
    service_statuses: Mapping[str, ServiceStatus],
    *,
    is_paid: bool = False,
) -> ServiceStatus:
    """The meaning of a marketplace's word, in any capitals, with or without
    underscores; `OTHER` for an unknown word.

    `known` has plain words: lower case, without underscores. `is_paid`: the order shows
    when it was paid.
    """
    plain = _plain(status_word)
    return (
        service_statuses.get(plain)
        or (OF_PAID_ORDERS.get(plain) if is_paid else None)
        or ServiceStatus.OTHER
    )


def _plain(text: str) -> str:
    return text.replace("_", "").strip().lower()


def unknown_sale(on_sale: str, *remark: str) -> str:
    """The first state of an offer, then of its variants, that means neither on nor off
    sale; or "".
    """
    if _plain(remark[0]) in OFF_SALE:
        return ""
    return next(
        (
            text or "none told"
            for text in remark
            if text != on_sale and _plain(text) not in OFF_SALE
        ),
        "",
    )


def scan(
    number: str, at: datetime, word: str, words: str, place: str = ""
) -> TrackingEvent:
    """A tracking event: its stage by the carrier's word or, where there is none, by its
    words.
    """
    plain = _plain(word)
    stage = _stage_by(words) if plain in NO_STAGE else STAGES.get(plain)
    return TrackingEvent(
        tracking_number=number,
        occurred_at=at,
        status=stage or TraceStatus.OTHER,
        description=words,
        place=place,
        unknown_word="" if stage else word,
    )


def scans(*parcels: tuple[str, Iterable[Any]]) -> tuple[TrackingEvent, ...]:
    """The events of parcels, each with its number."""
    return tuple(
        scan(number, trace.time, trace.status, trace.desc)
        for number, traces in parcels
        for trace in traces
    )


def domestic(*parcels: tuple[str, str, datetime | None]) -> tuple[DomesticParcel, ...]:
    """The parcels in China that have a number, by numbers, carrier and time of
    sending.
    """
    return tuple(
        DomesticParcel(tracking_number=number, company=company, sent_at=sent_at)
        for numbers, company, sent_at in parcels
        for number in numbers_in(numbers)
        if number
    )


def _stage_by(message: str) -> TraceStatus:
    """The one stage that words tell of; `OTHER` for none or several."""
    stages = [stage for stage, pattern in REMARKS.items() if pattern.search(message)]
    return stages[0] if len(stages) == 1 else TraceStatus.OTHER


def shipments(
    parcels: Iterable[BookedParcel],
    items: Mapping[str, Iterable[ShipmentItem]] = MappingProxyType({}),
) -> tuple[Shipment, ...]:
    """Our bookings, each with all its parcels, and the `items` that an order names for
    a booking.
    """
    bookings: defaultdict[str, list[BookedParcel]] = defaultdict(list)
    for parcel in parcels:
        bookings[parcel.order_id].append(parcel)
    return tuple(
        Shipment(
            shipment_order_id=booking_id,
            tracking_numbers=distinct(
                booked_parcel.logistic_number
                for booked_parcel in booked
                if booked_parcel.logistic_number
            ),
            company=booked[0].logistic_company_name,
            tracking_urls=distinct(
                booked_parcel.tracking_url
                for booked_parcel in booked
                if booked_parcel.tracking_url
            ),
            render_id=booked[0].render_id,
            items=tuple(items.get(booking_id, ())),
        )
        for booking_id, booked in sorted(bookings.items())
    )
