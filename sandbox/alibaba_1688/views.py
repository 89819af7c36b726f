"""A 1688 order in answers. Amounts are yuan as numbers."""

from __future__ import annotations

from typing import Any

from sandbox.dialects.list_without_reference import hidden_in_lists
from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import SUCCESS_TAKES, coming_parcel, modified_at, sent_parcel
from sandbox.refund import State
from sandbox.times import alibaba_text
from sandbox.warehouse.views import booked_parcels, international_view
from sandbox.world import World

# contract 4.3; a refused refund is closed at once
REFUND_STATUS = {
    State.ASKED: "waitselleragree",
    State.AGREED: "waitbuyersend",
    State.RETURNING: "waitsellerreceive",
    State.DONE: "refundsuccess",
    State.REFUSED: "refundclose",
    State.CLOSED: "refundclose",
}


def yuan(fen: int) -> float:
    """Yuan as a float: the nearest float prints with exactly two digits."""
    return fen / 100


def status(order: Order, now: int) -> str:
    """Contract 4.3."""
    if order.closed_at is not None and order.closed_at <= now:
        return "terminated" if order.close_reason == "REFUNDED" else "cancel"
    if order.paid_at is None or order.paid_at > now:
        return "waitbuyerpay"
    if order.confirmed_at is not None and order.confirmed_at <= now:
        return (
            "success" if order.confirmed_at + SUCCESS_TAKES <= now else "confirm_goods"
        )
    parcel = coming_parcel(order)
    return (
        "waitbuyerreceive" if parcel and parcel.shipped_at <= now else "waitsellersend"
    )


def order_view(world: World, order: Order) -> dict[str, Any]:
    now = world.now()
    return {
        "baseInfo": _base_info(world, order, now),
        "productItems": [
            _product_item(world, order, line, now) for line in order.lines
        ],
        "nativeLogistics": {"logisticsItems": _native_logistics(order, now)},
        "internationalLogistics": [
            international_view(shipment, parcel)
            for shipment, parcel in booked_parcels(world, order)
        ],
    }


def listed(world: World, order: Order) -> dict[str, Any]:
    """The order in lists, which leave out its references in some dialects."""
    view, hidden = order_view(world, order), hidden_in_lists(world.dialects)
    names = {"message": "buyerFeedback", "outOrderId": "outOrderId"}
    view["baseInfo"] |= {names[name]: None for name in hidden}
    return view


def own_id(order: Order) -> dict[str, Any]:
    """The caller's own id, which answers carry if it was sent: the written contract
    does not have it.
    """
    return {"outOrderId": order.out_order_id} if order.out_order_id else {}


def _base_info(world: World, order: Order, now: int) -> dict[str, Any]:
    sent = sent_parcel(order, now)
    refunds = world.refunds.of_order(order)
    return {
        "id": int(order.id),
        "idOfStr": order.id,
        "status": status(order, now),
        "totalAmount": yuan(order.amount_fen),
        "sumProductPayment": yuan(order.goods_fen),
        "shippingFee": yuan(order.post_fen),
        "refund": yuan(order.refunded_fen),
        "refundStatus": REFUND_STATUS[refunds[-1].state] if refunds else None,
        "createTime": alibaba_text(order.created_at),
        "payTime": alibaba_text(order.paid_at),
        "allDeliveredTime": alibaba_text(sent.shipped_at if sent else None),
        "modifyTime": alibaba_text(modified_at(order, now)),
        "buyerFeedback": order.reference,
        "sellerOpenId": order.seller_id,
        "closeReason": order.close_reason,
        **own_id(order),
    }


def _product_item(
    world: World, order: Order, line: OrderLine, now: int
) -> dict[str, Any]:
    refund = world.refunds.newest(line.sub_id)
    return {
        "productID": int(line.item_id),
        "skuID": int(line.sku_id),
        "specId": line.spec_id,
        "name": line.title,
        "quantity": line.quantity,
        "price": yuan(line.unit_fen),
        "itemAmount": yuan(line.goods_fen),
        "subItemIDString": line.sub_id,
        "status": status(order, now),
        "refundId": refund.id if refund else None,
        "refundStatus": REFUND_STATUS[refund.state] if refund else None,
    }


def _native_logistics(order: Order, now: int) -> list[dict[str, Any]]:
    parcel = sent_parcel(order, now)
    if parcel is None:
        return []
    sent_at = alibaba_text(parcel.shipped_at)
    return [
        {
            "logisticsBillNo": parcel.number,
            "logisticsCompanyName": parcel.company,
            "deliveredTime": sent_at,
        }
    ]
