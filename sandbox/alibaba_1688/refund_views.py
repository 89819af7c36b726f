"""A 1688 refund in answers and messages."""

from __future__ import annotations

from typing import Any

from sandbox.alibaba_1688.refund_rules import MONEY_ONLY, REASON_NAMES, WITH_RETURN
from sandbox.alibaba_1688.views import REFUND_STATUS
from sandbox.refund import Refund, State, Step
from sandbox.return_companies import BY_CODE
from sandbox.times import china_text


def refund_info(refund: Refund) -> dict[str, Any]:
    demand, parcel = refund.demand, refund.parcel
    return {
        "refundId": refund.id,
        "id": int(refund.id.removeprefix("TQ")),
        "orderId": refund.order_id,
        "orderEntryIds": refund.sub_ids,
        "status": REFUND_STATUS[refund.state],
        "disputeRequest": WITH_RETURN if demand.returns else MONEY_ONLY,
        "goodsStatus": demand.goods_status,
        "applyPayment": demand.goods_fen,
        "applyCarriage": demand.carriage_fen,
        "refundPayment": refund.refunded_fen,
        "applyReason": REASON_NAMES[demand.reason_id],
        "applyReasonId": demand.reason_id,
        "remark": demand.description,
        "vouchers": demand.images,
        "rejectReason": refund.refusal,
        "buyerLogisticsName": BY_CODE[parcel.company].name if parcel else None,
        "freightBill": parcel.number if parcel else None,
        "createTime": china_text(refund.created_at),
        "updateTime": china_text(refund.changed_at),
        "operations": [_operation(step, action) for step, action in actions(refund)],
    }


def _operation(step: Step, action: str) -> dict[str, str]:
    return {
        "action": action,
        "operator": step.actor,
        "time": china_text(step.at),
        "status": REFUND_STATUS[step.state],
    }


def actions(refund: Refund) -> list[tuple[Step, str]]:
    """Each step with 1688's name for it (contract 3.4)."""
    before = [None, *(step.state for step in refund.steps)]
    return [
        (step, _action(previous, step))
        for previous, step in zip(before, refund.steps, strict=False)
    ]


def _action(previous: State | None, step: Step) -> str:
    if step.state is State.CLOSED:
        return (
            "SELLER_REJECT_REFUND" if previous is State.ASKED else "BUYER_RECEIVE_CLOSE"
        )
    if step.state is State.DONE:
        return (
            "SELLER_AGREE_REFUND" if previous is State.ASKED else "SELLER_RECEIVE_GOODS"
        )
    return {
        State.ASKED: "BUYER_APPLY_REFUND",
        State.AGREED: "SELLER_AGREE_REFUND_PROCOTOL",
        State.RETURNING: "BUYER_SEND_GOODS",
    }[step.state]
