"""An Alibaba.com order in answers. Amounts are decimal text."""

from __future__ import annotations

from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.goods import decimal_text
from sandbox.lifecycle import past, sent_parcel
from sandbox.times import china_text, china_text_or_none
from sandbox.traces import international_logistics, trace_modified_at, trace_rows
from sandbox.world import World

CURRENCY = "CNY"


def status(order: Order, now: int) -> str:
    """Contract 4.4."""
    if order.closed_at is not None:
        return "trade_close"
    if order.paid_at is None:
        return "unpay"
    parcel = sent_parcel(order, now)
    if parcel is None:
        return "undeliver"
    return "wait_confirm_receipt" if parcel.signed_at <= now else "delivering"


def order_view(world: World, order: Order) -> dict[str, Any]:
    now = world.now()
    return {
        "tradeId": order.id,
        "channelReferId": order.reference,
        "tradeStatus": status(order, now),
        "productAmount": decimal_text(order.goods_fen),
        "freightAmount": decimal_text(order.post_fen),
        "totalAmount": decimal_text(order.amount_fen),
        "paidAmount": decimal_text(order.paid_fen)
        if order.paid_at is not None
        else None,
        "currency": CURRENCY,
        "createDate": china_text(order.created_at),
        "modifyDate": china_text(trace_modified_at(world, order)),
        "payDate": china_text_or_none(order.paid_at),
        "closeReason": order.close_reason,
        "eCompanyId": order.seller_id,
        "carrierCode": order.carrier,
        "products": [_product(line) for line in order.lines],
        "logisticsList": _domestic(order, now),
        "internationalLogistics": international_logistics(world, order, china_text),
    }


def _product(line: OrderLine) -> dict[str, Any]:
    return {
        "productId": line.item_id,
        "skuId": line.sku_id,
        "title": line.title,
        "quantity": line.quantity,
        "unitPrice": decimal_text(line.unit_fen),
        "amount": decimal_text(line.goods_fen),
    }


def _domestic(order: Order, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    if parcel is None:
        return []
    return [
        {
            "trackingNumber": parcel.number,
            "carrierName": parcel.company,
            "sentDate": china_text(parcel.shipped_at),
            "traces": trace_rows(past(parcel.events, now), china_text),
        }
    ]
