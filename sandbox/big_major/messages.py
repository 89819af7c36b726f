"""The messages about a big seller's order: price, status, and its parcel at the
warehouse.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any

from sandbox.big_major.views import PAID, UNPAID, order_number
from sandbox.entities import Order
from sandbox.lifecycle import between, coming_parcel
from sandbox.messages import Message, enveloped
from sandbox.times import china_text, china_text_or_none
from sandbox.world import World

PLATFORM = 1
PRICE, STATUS, INBOUND = 66, 67, 90


def messages(world: World, order: Order) -> Iterator[Message]:
    """The messages of an order. Price and status go to 1688's URLs."""
    yield _message(
        STATUS,
        "ORDER_CREATE",
        order,
        order.created_at,
        "WAITING_FOR_PAYMENT",
        order.first_unit_fens,
    )
    for change in order.repricings[1:]:
        kind = "ORDER_BUYER_VIEW_ORDER_PRICE_MODIFY"
        yield _message(
            PRICE, kind, order, change.at, "WAITING_FOR_PAYMENT", change.unit_fens
        )
    if order.closed_at is not None:
        yield _message(STATUS, "ORDER_CANCEL", order, order.closed_at, "CANCEL")
    if order.paid_at is not None:
        yield _message(
            STATUS, "ORDER_PAY_SUCCESS", order, order.paid_at, "WAITING_FOR_SENT"
        )
    if (parcel := coming_parcel(order)) is not None:
        shipped = "ORDER_BUYER_VIEW_ANNOUNCE_SENDGOODS"
        yield _message(STATUS, shipped, order, parcel.shipped_at, "WAITING_FOR_RECEIVE")
        yield Message(
            parcel.signed_at,
            INBOUND,
            "big_major",
            order.id,
            _inbound(world, order, parcel.number),
        )


def _message(
    nav: int,
    kind: str,
    order: Order,
    at: int,
    status: str,
    unit_fens: Sequence[int] | None = None,
) -> Message:
    """A message with the times, and where given the amounts, of its own moment."""
    units = unit_fens or [line.unit_fen for line in order.lines]
    goods = sum(
        line.quantity * unit for line, unit in zip(order.lines, units, strict=True)
    )
    paid_at = None if status == "WAITING_FOR_PAYMENT" else order.paid_at
    body = {
        "orderId": order.id,
        "orderNo": order_number(order),
        "orderStatus": status,
        "payStatus": UNPAID if paid_at is None else PAID,
        "totalAmount": goods + order.post_fen,
        "productAmount": goods,
        "shippingFee": order.post_fen,
        "refundAmount": 0,
        "refundStatus": None,
        "closeReason": "buyer_no_pay" if status == "CANCEL" else None,
        "tbCreateTime": china_text(order.created_at),
        "payTime": china_text_or_none(paid_at or (at if status == "CANCEL" else None)),
    }
    return Message(at, nav, "big_major", order.id, enveloped(kind, PLATFORM, at, body))


def _inbound(world: World, order: Order, number: str) -> dict[str, Any]:
    """The warehouse's report of a parcel; its width is a text, as on the public
    page.
    """
    shelf = world.catalogue.shelf("big_major")
    grams = sum(shelf.by_id[line.item_id].grams * line.quantity for line in order.lines)
    inspection = {
        "status": "质检通过",
        "weight": grams / 1000,
        "length": between(10, 60, order.id, "length"),
        "width": str(between(10, 60, order.id, "width")),
        "height": between(5, 60, order.id, "height"),
        "failed_remark": "",
        "images": [],
    }
    return {
        "out_order_id": order.reference,
        "alibaba_order_id": order.id,
        "logistics_tracking_number": number,
        "quality_inspection_info": inspection,
    }
