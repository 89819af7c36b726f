"""Refunds of a Taobao line that are allowed, by time, reason and amount
(assumed-all.md, section 2.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import signed
from sandbox.taobao.views import WAIT_BUYER_CONFIRM, WAIT_SELLER_SEND, sub_status

MONEY_ONLY, RETURN_AND_MONEY = 1, 2
NOT_SHIPPED, NOT_RECEIVED, RECEIVED = 1, 3, 4


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the contract's table. `all_of_it`: the fee is exactly the line's cost,
    postage share included.
    """

    refund_type: int
    goods_status: int
    reasons: dict[int, str]
    all_of_it: bool = False

    def limits(self, order: Order, line: OrderLine) -> tuple[int, int]:
        """The lowest and the highest fee, in fen; nothing fits when nothing is left."""
        if self.all_of_it:
            left = order.line_amount_fen(line) - line.returned_fen
            return left, left
        return 1, line.left_fen

    def allows_fee(self, order: Order, line: OrderLine, fee_fen: int) -> bool:
        lowest, highest = self.limits(order, line)
        return 0 < lowest <= fee_fen <= highest


BEFORE_SHIPPING = Row(
    MONEY_ONLY, NOT_SHIPPED, {101: "不想要了", 102: "卖家缺货"}, all_of_it=True
)
NOT_ARRIVED = Row(MONEY_ONLY, NOT_RECEIVED, {201: "未收到货"})
WITHOUT_RETURN = Row(MONEY_ONLY, RECEIVED, {202: "质量问题", 203: "少件"})
WITH_RETURN = Row(RETURN_AND_MONEY, RECEIVED, {301: "质量问题", 302: "与描述不符"})
REASONS = (
    BEFORE_SHIPPING.reasons
    | NOT_ARRIVED.reasons
    | WITHOUT_RETURN.reasons
    | WITH_RETURN.reasons
)


def rows_now(order: Order, line: OrderLine, now: int) -> Sequence[Row]:
    """The rows that apply now; none for a line that is unpaid or closed."""
    status = sub_status(order, line, now)
    if status == WAIT_SELLER_SEND:
        return (BEFORE_SHIPPING,)
    if status != WAIT_BUYER_CONFIRM:
        return ()
    return (WITHOUT_RETURN, WITH_RETURN) if signed(order, now) else (NOT_ARRIVED,)


def row_for(rows: Sequence[Row], refund_type: int, goods_status: int) -> Row | None:
    return next(
        (
            row
            for row in rows
            if (row.refund_type, row.goods_status) == (refund_type, goods_status)
        ),
        None,
    )
