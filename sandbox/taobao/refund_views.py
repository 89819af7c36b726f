"""A Taobao refund in answers."""

from __future__ import annotations

from typing import Any

from sandbox.auth import SANDBOX_ACCOUNT
from sandbox.entities import Order, OrderLine
from sandbox.refund import Refund, State
from sandbox.refunds import due_at
from sandbox.return_companies import BY_CODE
from sandbox.taobao.refund_rules import MONEY_ONLY, REASONS, RETURN_AND_MONEY
from sandbox.taobao.views import REFUND_STATUS
from sandbox.times import HOUR, china_text, china_text_or_none
from sandbox.world import World

SELLER_REPLY = "已收到您的留言"
SELLER_REPLIES_AFTER = HOUR
FEE_TIPS = "退款金额以实际支付为准"
RETURN_ADDRESS = "浙江省金华市义乌市稠江街道退货仓"
RETURN_TIPS = "请在包裹内附上退款编号"
WAITING_FOR = {
    State.ASKED: "SELLER_ANSWER",
    State.AGREED: "BUYER_RETURN",
    State.RETURNING: "SELLER_RECEIVE",
    State.REFUSED: "BUYER_MODIFY",
}
STATE_TEXTS = {
    State.ASKED: "买家申请退款",
    State.AGREED: "卖家同意退款",
    State.RETURNING: "买家已退货",
    State.DONE: "退款成功",
    State.REFUSED: "卖家拒绝退款",
    State.CLOSED: "退款关闭",
}


def order_and_line(world: World, refund: Refund) -> tuple[Order, OrderLine]:
    return world.books.orders[refund.order_id], world.refunds.lines(refund)[0]


def refund_type(refund: Refund) -> int:
    return RETURN_AND_MONEY if refund.demand.returns else MONEY_ONLY


def answer(world: World, refund: Refund) -> dict[str, Any]:
    return {
        "distributorId": SANDBOX_ACCOUNT.user_id,
        "currency": "CNY",
        "refundOrderAggregate": aggregate(world, refund),
    }


def aggregate(world: World, refund: Refund) -> dict[str, Any]:
    order, line = order_and_line(world, refund)
    return {
        "logistics": _logistics(refund)
        if refund.demand.returns and refund.was_agreed()
        else None,
        "refundOrder": refund_order(refund, world.now()),
        "purchaseOrderLine": _purchase_line(order, line),
    }


def refund_order(refund: Refund, now: int) -> dict[str, Any]:
    demand = refund.demand
    return {
        "refundId": refund.id,
        "refundFee": demand.goods_fen,
        "refundType": refund_type(refund),
        "refundStatus": REFUND_STATUS[refund.state],
        "goodsStatus": int(demand.goods_status),
        "reasonId": demand.reason_id,
        "reasonDesc": REASONS[demand.reason_id],
        "refundDesc": demand.description or None,
        "canEditFee": refund.state in (State.ASKED, State.REFUSED)
        and not refund.before_shipping,
        "feeTips": FEE_TIPS,
        "payOrderId": refund.order_id,
        **_timeout(refund, now),
        "sellerRefuseReason": refund.refusal,
        "sellerRefuseReasonDescribe": None,
        "createTime": china_text(refund.created_at),
        "modifyTime": china_text(refund.changed_at),
    }


def _timeout(refund: Refund, now: int) -> dict[str, Any]:
    """The party that must act and its deadline; empty while agreed money is on its
    way.
    """
    waits = refund.state is not State.AGREED or refund.demand.returns
    due = due_at(refund) if waits else None
    return {
        "timeoutType": WAITING_FOR[refund.state] if due is not None else None,
        "timeoutDate": china_text_or_none(due),
        "remainingTime": None if due is None else due - now,
    }


def _purchase_line(order: Order, line: OrderLine) -> dict[str, Any]:
    return {
        "salesOrderId": order.reference,
        "purchaseOrderId": order.id,
        "purchaseOrderLineId": line.sub_id,
        "supplierId": order.seller_id,
        "itemTitle": line.title,
        "quantity": line.quantity,
        "price": line.unit_fen,
        "productFee": line.goods_fen,
        "postFee": order.line_amount_fen(line) - line.goods_fen,
        "totalPrice": order.line_amount_fen(line),
        "salesMarket": "taobao",
        "createTime": china_text(order.created_at),
    }


def _logistics(refund: Refund) -> dict[str, Any]:
    parcel = refund.parcel
    company = BY_CODE[parcel.company] if parcel else None
    return {
        "receiverAddress": RETURN_ADDRESS,
        "returnGoodsDesc": parcel.description if parcel else None,
        "buyerPhone": parcel.phone if parcel else None,
        "logisticsCompany": company_view(company.code, company.name)
        if company
        else None,
        "mailNo": parcel.number if parcel else None,
        "sellerAgreeReturnDescribe": RETURN_TIPS,
    }


def company_view(code: str, name: str) -> dict[str, str]:
    return {"logisticsCompanyCode": code, "logisticsCompanyName": name}


def messages(refund: Refund, now: int) -> list[dict[str, Any]]:
    """Words and events of a refund, oldest first."""
    said: list[tuple[int, dict[str, Any]]] = []
    for number, step in enumerate(refund.steps, 1):
        said.append(
            (
                step.at,
                _message(
                    refund, f"1{number:04d}", "system", STATE_TEXTS[step.state], step.at
                ),
            )
        )
        said[-1][1]["refundStatus"] = REFUND_STATUS[step.state]
    for number, note in enumerate(refund.notes, 1):
        said.append(
            (
                note.at,
                _message(
                    refund, f"2{number:04d}", "buyer", note.text, note.at, note.images
                ),
            )
        )
        replied_at = note.at + SELLER_REPLIES_AFTER
        said.append(
            (
                replied_at,
                _message(refund, f"3{number:04d}", "seller", SELLER_REPLY, replied_at),
            )
        )
    said.sort(key=lambda entry: entry[0])
    return [message for at, message in said if at <= now]


def _message(
    refund: Refund,
    number: str,
    role: str,
    content: str,
    at: int,
    images: list[str] | None = None,
) -> dict[str, Any]:
    return {
        "messageId": refund.id + number,
        "role": role,
        "content": content,
        "images": images or [],
        "refundStatus": None,
        "createTime": china_text(at),
    }
