"""The messages about a 1688 order: price, status, refunds."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from sandbox.alibaba_1688.refund_rules import AFTER_SALE
from sandbox.alibaba_1688.refund_views import actions
from sandbox.alibaba_1688.views import status
from sandbox.auth import SANDBOX_ACCOUNT
from sandbox.entities import Order
from sandbox.lifecycle import SUCCESS_TAKES, coming_parcel
from sandbox.messages import Message, enveloped
from sandbox.refund import Refund, Step
from sandbox.times import china_text
from sandbox.world import World

PLATFORM = 1
PREFIX = "ORDER_BUYER_VIEW_"
UNPAID = "waitbuyerpay"
AFTER_SALE_STATES = frozenset(row.goods_status for row in AFTER_SALE)
PRICE, STATUS, REFUND = 66, 67, 68


def messages(world: World, order: Order) -> Iterator[Message]:
    """The messages of an order, in the order of events even within one millisecond."""
    yield _message(STATUS, "BUYER_MAKE", order, order.created_at, UNPAID)
    for change in order.repricings[1:]:
        yield _message(PRICE, "ORDER_PRICE_MODIFY", order, change.at, UNPAID)
    for moment, kind in _events(order):
        yield _message(STATUS, kind, order, moment, status(order, moment))
    yield from _refunds(world, order)


def _message(
    nav: int,
    kind: str,
    order: Order,
    at: int,
    current_status: str,
    more: dict[str, str] | None = None,
) -> Message:
    body: dict[str, Any] = {
        "orderId": int(order.id),
        "currentStatus": current_status,
        "msgSendTime": china_text(at),
        "buyerMemberId": f"b2b-{SANDBOX_ACCOUNT.user_id}",
        "sellerMemberId": f"b2b-{order.seller_id}",
        **(more or {}),
    }
    return Message(
        at, nav, "1688", order.id, enveloped(PREFIX + kind, PLATFORM, at, body)
    )


def _events(order: Order) -> Iterator[tuple[int, str]]:
    if order.paid_at is not None:
        yield order.paid_at, "ORDER_PAY"
    if (parcel := coming_parcel(order)) is not None:
        yield parcel.shipped_at, "ANNOUNCE_SENDGOODS"
    if order.confirmed_at is not None:
        yield order.confirmed_at, "ORDER_COMFIRM_RECEIVEGOODS"
        yield order.confirmed_at + SUCCESS_TAKES, "ORDER_SUCCESS"
    if order.closed_at is not None:
        by_buyer = order.close_reason == "BUYER_CANCEL"
        yield order.closed_at, "ORDER_BUYER_CLOSE" if by_buyer else "ORDER_BOPS_CLOSE"


def _refunds(world: World, order: Order) -> Iterator[Message]:
    for refund in world.refunds.of_order(order):
        for step, action in actions(refund):
            kind = (
                "ORDER_REFUND_AFTER_SALES"
                if _after_sale(order, refund, step)
                else "ORDER_BUYER_REFUND_IN_SALES"
            )
            more = {
                "refundId": refund.id,
                "refundAction": action,
                "operator": str(step.actor),
            }
            yield _message(REFUND, kind, order, step.at, status(order, step.at), more)


def _after_sale(order: Order, refund: Refund, step: Step) -> bool:
    """Whether the receipt had been confirmed; within one millisecond the goods status
    decides.
    """
    if order.confirmed_at is None or order.confirmed_at == step.at:
        return refund.demand.goods_status in AFTER_SALE_STATES
    return order.confirmed_at < step.at
