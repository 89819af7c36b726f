"""A Poizon order in answers. Amounts are yuan as text, times UTC milliseconds."""

from __future__ import annotations

from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.goods import decimal_text
from sandbox.lifecycle import past, sent_parcel
from sandbox.traces import international_logistics, trace_modified_at, trace_rows
from sandbox.world import World

CURRENCY = "CNY"


def status(order: Order, now: int) -> str:
    if order.closed_at is not None:
        return "CLOSED"
    if order.paid_at is None:
        return "UNPAID"
    return "SHIPPED" if sent_parcel(order, now) else "PAID"


def customer_number(order: Order) -> str:
    """The marketplace's own number for the customer, which is not the caller's request
    id.
    """
    return f"OA{order.sequence:08d}"


def created(world: World, order: Order) -> dict[str, Any]:
    """An order in the answer of its create."""
    return {
        "distOrderNo": order.id,
        "customerOrderNo": customer_number(order),
        **_amounts(order),
        "currency": CURRENCY,
        "orderItems": _items(world, order),
    }


def order_view(world: World, order: Order) -> dict[str, Any]:
    now = world.now()
    return {
        "requestId": order.reference,
        "distOrderNo": order.id,
        "customerOrderNo": customer_number(order),
        "orderStatus": status(order, now),
        **_amounts(order),
        "realPayAmount": decimal_text(order.paid_fen)
        if order.paid_at is not None
        else None,
        "currency": CURRENCY,
        "sellerId": order.seller_id,
        "createTime": order.created_at,
        "modifyTime": trace_modified_at(world, order),
        "payTime": order.paid_at,
        "closeReason": order.close_reason,
        "orderItems": _items(world, order),
        "logisticsList": _domestic(order, now),
        "internationalLogistics": international_logistics(world, order, int),
    }


def _amounts(order: Order) -> dict[str, str]:
    return {
        "goodsAmount": decimal_text(order.goods_fen),
        "freightAmount": decimal_text(order.post_fen),
        "totalAmount": decimal_text(order.amount_fen),
    }


def _items(world: World, order: Order) -> list[dict[str, Any]]:
    now, modified = world.now(), trace_modified_at(world, order)
    return [
        _item(world, order, line, status(order, now), modified) for line in order.lines
    ]


def _item(
    world: World, order: Order, line: OrderLine, order_status: str, modified: int
) -> dict[str, Any]:
    sku = world.catalogue.shelf("poizon").by_id[line.item_id].sku(line.sku_id)
    return {
        "distSubOrderNo": line.sub_id,
        "orderStatus": order_status,
        "dwSpuId": line.item_id,
        "dwSkuId": line.sku_id,
        "distSkuId": sku.mp_id if sku else None,
        "title": line.title,
        "quantity": line.quantity,
        "price": decimal_text(line.unit_fen),
        "realPayAmount": decimal_text(line.goods_fen)
        if order.paid_at is not None
        else None,
        "currency": CURRENCY,
        "createTime": order.created_at,
        "modifyTime": modified,
    }


def _domestic(order: Order, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    if parcel is None:
        return []
    return [
        {
            "expressNo": parcel.number,
            "expressCompany": parcel.company,
            "sentTime": parcel.shipped_at,
            "traces": trace_rows(past(parcel.events, now), int),
        }
    ]
