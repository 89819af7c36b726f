"""A Taobao order in answers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import coming_parcel, modified_at, sent_parcel
from sandbox.refund import State
from sandbox.times import SECOND, china_text, china_text_or_none, unix_text
from sandbox.warehouse.views import booked_parcels, international_view
from sandbox.world import World

# RefundStatusEnum (contract 4.1)
REFUND_STATUS = {
    State.ASKED: 10,
    State.AGREED: 20,
    State.RETURNING: 30,
    State.DONE: 100,
    State.REFUSED: -10,
    State.CLOSED: -20,
}
BUILDING_TAKES = 2 * SECOND
BUILDING, WAIT_BUYER_PAY, CLOSED, WAIT_SELLER_SEND, WAIT_BUYER_CONFIRM = (
    12,
    0,
    4,
    10,
    11,
)


def status(order: Order, now: int) -> int:
    """TaoBaoOrderStatusEnum (contract 4.1)."""
    if order.closed_at is not None and order.closed_at <= now:
        return CLOSED
    if order.paid_at is not None and order.paid_at <= now:
        parcel = coming_parcel(order)
        return (
            WAIT_BUYER_CONFIRM
            if parcel and parcel.shipped_at <= now
            else WAIT_SELLER_SEND
        )
    if finance := [step.state for step in order.finance if step.at <= now]:
        return finance[-1]
    return BUILDING if now < order.created_at + BUILDING_TAKES else WAIT_BUYER_PAY


def sub_status(order: Order, line: OrderLine, now: int) -> int:
    """The status of a line. A line that the seller left out stays unsent until its
    money is back, then closed.
    """
    if line.closed_at is not None and line.closed_at <= now:
        return CLOSED
    if line.withdrawn_at is not None and line.withdrawn_at <= now:
        return min(status(order, now), WAIT_SELLER_SEND)
    return status(order, now)


def order_view(world: World, order: Order) -> dict[str, Any]:
    """TaoBaoOrderVO."""
    now = world.now()
    return {
        "purchaseId": order.id,
        "outerPurchaseId": order.reference,
        "status": status(order, now),
        "purchaseAmount": order.amount_fen,
        "productAmount": order.goods_fen,
        "domesticPostFee": order.post_fen,
        "payAmount": order.paid_fen if order.paid_at is not None else None,
        "payCurrency": "CNY",
        "payTime": china_text_or_none(order.paid_at),
        "createdTime": china_text(order.created_at),
        "modifyTime": china_text(modified_at(order, now)),
        "supplierNick": _seller_nick(world, order),
        "receiver": order.receiver,
        "closeReason": order.close_reason,
        "warehouseName": order.warehouse_name,
        "warehouseAddress": order.warehouse_address,
        "subPurchaseOrders": [_sub_order(world, order, line) for line in order.lines],
    }


def _sub_order(world: World, order: Order, line: OrderLine) -> dict[str, Any]:
    now = world.now()
    parcel = sent_parcel(order, now) if line.withdrawn_at is None else None
    refund = world.refunds.newest(line.sub_id)
    domestic = (
        []
        if parcel is None
        else [_logistic_order(parcel.company, parcel.number, parcel.shipped_at)]
    )
    return {
        "subPurchaseOrderId": line.sub_id,
        "purchaseOrderOuterId": taobao_number(order),
        "itemId": line.item_id,
        "skuId": line.sku_id,
        "title": line.title,
        "quantity": line.quantity,
        "status": sub_status(order, line, now),
        "refundId": refund.id if refund else None,
        "refundStatus": REFUND_STATUS[refund.state] if refund else 0,
        "purchaseAmount": order.line_amount_fen(line),
        "logisticOrders": domestic,
        "internationalLogisticOrders": [
            international_view(shipment, parcel)
            for shipment, parcel in booked_parcels(world, order)
            if parcel.carries(line.item_id, line.sku_id)
        ],
    }


def _logistic_order(company: str, number: str, shipped_at: int) -> dict[str, str]:
    return {
        "logisticCompanyName": company,
        "logisticNumber": number,
        "rtsTime": unix_text(shipped_at),
    }


def taobao_number(order: Order) -> str:
    """The order's number on Taobao itself (19 digits), another than the
    distribution's.
    """
    return str(3_400_000_000_000_000_000 + int(order.id))


def _seller_nick(world: World, order: Order) -> str:
    first = world.catalogue.shelf("taobao").by_id[order.lines[0].item_id]
    return first.seller.nick


def created(world: World, orders: Sequence[Order]) -> dict[str, Any]:
    """The orders of one create: several when the goods lie in several depots."""
    return {
        "success": True,
        "outerPurchaseId": orders[0].reference or None,
        "errorCode": None,
        "errorMessage": None,
        "paymentUrl": f"https://distributor.taobao.global/apps/cashier?purchaseId={orders[0].id}",
        "orderList": [_created_order(world, order) for order in orders],
    }


def _created_order(world: World, order: Order) -> dict[str, Any]:
    return {
        "purchaseId": order.id,
        "supplierNick": _seller_nick(world, order),
        "estimateAmount": order.amount_fen,
        "estimateCurrency": "CNY",
        "sourceMarket": "taobao",
        "orderLineList": [_created_line(world, order, line) for line in order.lines],
    }


def _created_line(world: World, order: Order, line: OrderLine) -> dict[str, Any]:
    """Ids as the request named them: the distribution ids."""
    item = world.catalogue.shelf("taobao").by_id[line.item_id]
    sku = item.sku(line.sku_id)
    return {
        "itemId": item.mp_id,
        "skuId": sku.mp_id if sku else None,
        "orderLineNo": line.number,
        "quantity": line.quantity,
        "estimateAmount": order.line_amount_fen(line),
        "estimateCurrency": "CNY",
        "subPurchaseOrderId": line.sub_id,
    }


def not_created(outer_id: str | None, code: str, message: str) -> dict[str, Any]:
    return {
        "success": False,
        "outerPurchaseId": outer_id,
        "errorCode": code,
        "errorMessage": message,
        "paymentUrl": None,
        "orderList": [],
    }
