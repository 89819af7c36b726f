"""The messages about a Taobao order: price, status, refunds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import coming_parcel, sent_parcel
from sandbox.messages import Message, enveloped
from sandbox.refund import Refund, Step
from sandbox.taobao.refund_views import refund_type
from sandbox.taobao.views import (
    BUILDING,
    BUILDING_TAKES,
    REFUND_STATUS,
    status,
    sub_status,
)
from sandbox.world import World

PLATFORM = 0
PRICE, STATUS, REFUND = 35, 36, 37


def messages(world: World, order: Order) -> Iterator[Message]:
    yield from _prices(order)
    yield from _statuses(order, world.now())
    for refund in world.refunds.of_order(order):
        yield from (_refund(order, refund, step) for step in refund.steps)


def _message(
    nav: int, kind: str, order: Order, at: int, body: dict[str, Any]
) -> Message:
    return Message(at, nav, "taobao", order.id, enveloped(kind, PLATFORM, at, body))


def _prices(order: Order) -> Iterator[Message]:
    for change in order.repricings[1:]:
        goods = sum(
            line.quantity * unit
            for line, unit in zip(order.lines, change.unit_fens, strict=True)
        )
        total = {
            "purchaseCurrency": "CNY",
            "purchaseTotalFee": goods + order.post_fen,
            "purchaseProductFee": goods,
            "purchaseShippingFee": order.post_fen,
        }
        body = {
            "purchaseOrderId": order.id,
            "salesOrderId": order.reference,
            "purchaseMarket": "PANAMA",
            "purchaseOrderPriceDTO": total,
            "purchaseOrderLinePriceChangeMessageDTOList": [
                _line_price(line, unit)
                for line, unit in zip(order.lines, change.unit_fens, strict=True)
            ],
        }
        yield _message(PRICE, "TAOBAO_ORDER_PRICE_MODIFY", order, change.at, body)


def _line_price(line: OrderLine, unit_fen: int) -> dict[str, Any]:
    price = {"purchaseCurrency": "CNY", "purchaseProductUnitFee": unit_fen}
    return {"purchaseOrderLineId": line.sub_id, "purchaseOrderItemPriceDTO": price}


def _statuses(order: Order, now: int) -> Iterator[Message]:
    """A message at each change of status; none for the seconds in which an order is
    being built.
    """
    shown = BUILDING
    for moment in sorted(_moments(order)):
        if moment <= now and (reached := status(order, moment)) != shown:
            shown = reached
            yield _message(
                STATUS,
                "TAOBAO_ORDER_STATUS_MODIFY",
                order,
                moment,
                _status_body(order, moment),
            )


def _moments(order: Order) -> Iterator[int]:
    yield order.created_at + BUILDING_TAKES
    yield from (step.at for step in order.finance)
    yield from (
        moment for moment in (order.paid_at, order.closed_at) if moment is not None
    )
    if (parcel := coming_parcel(order)) is not None:
        yield parcel.shipped_at


def _status_body(order: Order, at: int) -> dict[str, Any]:
    return {
        "purchaseId": order.id,
        "outerPurchaseId": order.reference,
        "businessTime": at,
        "status": status(order, at),
        "skuList": [_sku(order, line, at) for line in order.lines],
    }


def _sku(order: Order, line: OrderLine, at: int) -> dict[str, Any]:
    parcel = sent_parcel(order, at) if line.withdrawn_at is None else None
    return {
        "itemId": line.item_id,
        "skuId": line.sku_id,
        "orderLineNo": line.number,
        "logisticCompanyName": parcel.company if parcel else None,
        "logisticNumber": parcel.number if parcel else None,
        "status": sub_status(order, line, at),
    }


def _refund(order: Order, refund: Refund, step: Step) -> Message:
    body = {
        "refundId": refund.id,
        "purchaseId": order.id,
        "outerPurchaseId": order.reference,
        "subPurchaseOrderId": refund.sub_ids[0],
        "refundType": refund_type(refund),
        "refundStatus": REFUND_STATUS[step.state],
        "refundFee": refund.demand.goods_fen,
        "businessTime": step.at,
    }
    return _message(REFUND, "TAOBAO_ORDER_REFUND", order, step.at, body)
