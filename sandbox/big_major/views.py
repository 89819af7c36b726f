"""A big seller's order in answers. Amounts are fen."""

from __future__ import annotations

from typing import Any

from sandbox.alibaba_1688.views import own_id
from sandbox.dialects.list_without_reference import hidden_in_lists
from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import modified_at, sent_parcel
from sandbox.times import china_text, china_text_or_none
from sandbox.warehouse.views import booked_parcels, international_view
from sandbox.world import World

UNPAID, PAID = 1, 2


def status(order: Order, now: int) -> str:
    """Contract 4.2."""
    if order.closed_at is not None:
        return "CANCEL"
    if order.paid_at is None:
        return "WAITING_FOR_PAYMENT"
    return "WAITING_FOR_RECEIVE" if sent_parcel(order, now) else "WAITING_FOR_SENT"


def order_number(order: Order) -> str:
    """The number shown to people: the order's day in China and its place in the
    books.
    """
    return f"PO{china_text(order.created_at)[:10].replace('-', '')}{order.sequence:06d}"


def head(order: Order) -> dict[str, Any]:
    """The answer of a create, and the first fields of lists and details."""
    return {
        "orderId": order.id,
        "orderNo": order_number(order),
        "totalAmount": order.goods_and_post_fen,
        "productAmount": order.goods_fen,
        "shippingFee": order.post_fen,
        "serviceFee": order.fee_fen,
        "totalPayment": order.amount_fen,
        **own_id(order),
    }


def order_view(world: World, order: Order) -> dict[str, Any]:
    now = world.now()
    return {
        **head(order),
        "orderStatus": status(order, now),
        "payStatus": UNPAID if order.paid_at is None else PAID,
        "refundAmount": 0,
        "refundStatus": None,
        "closeReason": None if order.closed_at is None else "buyer_no_pay",
        "tbCreateTime": china_text(order.created_at),
        "payTime": china_text_or_none(order.paid_at or order.closed_at),
        "modifyTime": china_text(modified_at(order, now)),
        "message": order.reference,
        "sellerOpenId": order.seller_id,
        "orderItems": [_item(line) for line in order.lines],
        "logisticsItems": _logistics_items(order, now),
        "internationalLogistics": [
            international_view(shipment, parcel)
            for shipment, parcel in booked_parcels(world, order)
        ],
    }


def listed(world: World, order: Order) -> dict[str, Any]:
    """The order in lists, which leave out its references in some dialects."""
    return order_view(world, order) | dict.fromkeys(hidden_in_lists(world.dialects))


def _item(line: OrderLine) -> dict[str, Any]:
    return {
        "orderEntryId": line.sub_id,
        "offerId": int(line.item_id),
        "skuId": int(line.sku_id),
        "specId": line.spec_id,
        "title": line.title,
        "quantity": line.quantity,
        "unitPrice": line.unit_fen,
        "amount": line.goods_fen,
    }


def _logistics_items(order: Order, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    if parcel is None:
        return []
    sent_at = china_text(parcel.shipped_at)
    return [
        {
            "logisticsBillNo": parcel.number,
            "logisticsCompanyName": parcel.company,
            "deliveredTime": sent_at,
        }
    ]
