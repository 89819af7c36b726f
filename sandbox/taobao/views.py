"""How a Taobao order looks in answers."""

from __future__ import annotations

from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import domestic_parcel, modified_at, sent_parcel
from sandbox.times import SECOND, china_text, china_text_or_none, unix_text
from sandbox.warehouse.views import booked_parcels, international_view
from sandbox.world import World

BUILDING_TAKES = 2 * SECOND
BUILDING, WAIT_BUYER_PAY, CLOSED, WAIT_SELLER_SEND, WAIT_BUYER_CONFIRM = 12, 0, 4, 10, 11


def status(order: Order, now: int) -> int:
    """TaoBaoOrderStatusEnum (contract 4.1)."""
    if order.closed_at is not None:
        return CLOSED
    if order.paid_at is not None:
        return WAIT_BUYER_CONFIRM if domestic_parcel(order.id, order.paid_at).shipped_at <= now else WAIT_SELLER_SEND
    return BUILDING if now < order.created_at + BUILDING_TAKES else WAIT_BUYER_PAY


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
        "subPurchaseOrders": [_sub_order(world, order, line) for line in order.lines],
    }


def _sub_order(world: World, order: Order, line: OrderLine) -> dict[str, Any]:
    now = world.now()
    parcel = sent_parcel(order, now)
    domestic = [] if parcel is None else [_logistic_order(parcel.company, parcel.number, parcel.shipped_at)]
    return {
        "subPurchaseOrderId": line.sub_id,
        "purchaseOrderOuterId": taobao_number(order),
        "itemId": line.item_id,
        "skuId": line.sku_id,
        "title": line.title,
        "quantity": line.quantity,
        "status": status(order, now),
        "refundStatus": 0,
        "purchaseAmount": order.line_amount_fen(line),
        "logisticOrders": domestic,
        "internationalLogisticOrders": [
            international_view(shipment, parcel)
            for shipment, parcel in booked_parcels(world, order)
            if parcel.carries(line.item_id, line.sku_id)
        ],
    }


def _logistic_order(company: str, number: str, shipped_at: int) -> dict[str, str]:
    return {"logisticCompanyName": company, "logisticNumber": number, "rtsTime": unix_text(shipped_at)}


def taobao_number(order: Order) -> str:
    """The order's number on Taobao itself (19 digits), another than the distribution's."""
    return str(3_400_000_000_000_000_000 + int(order.id))


def _seller_nick(world: World, order: Order) -> str:
    first = world.catalogue.shelf("taobao").by_id[order.lines[0].item_id]
    return first.seller.nick


def created(world: World, order: Order) -> dict[str, Any]:
    return {
        "success": True,
        "outerPurchaseId": order.reference,
        "errorCode": None,
        "errorMessage": None,
        "paymentUrl": f"https://distributor.taobao.global/apps/cashier?purchaseId={order.id}",
        "orderList": [
            {
                "purchaseId": order.id,
                "supplierNick": _seller_nick(world, order),
                "estimateAmount": order.amount_fen,
                "estimateCurrency": "CNY",
                "sourceMarket": "taobao",
                "orderLineList": [_created_line(world, order, line) for line in order.lines],
            }
        ],
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


def not_created(outer_id: str, code: str, message: str) -> dict[str, Any]:
    return {
        "success": False,
        "outerPurchaseId": outer_id,
        "errorCode": code,
        "errorMessage": message,
        "paymentUrl": None,
        "orderList": [],
    }
