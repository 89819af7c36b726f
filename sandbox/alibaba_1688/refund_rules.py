"""Refunds of 1688 entries that are allowed, by time, reason and amount (assumed-all.md,
section 3.3).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from sandbox.alibaba_1688.views import status
from sandbox.entities import Order, OrderLine
from sandbox.lifecycle import signed
from sandbox.refund import Demand
from sandbox.refunds import Refunds

MONEY_ONLY, WITH_RETURN = "refund", "returnRefund"


@dataclass(frozen=True, slots=True)
class Reason:
    id: int
    name: str
    needs_voucher: bool = False
    no_carriage: bool = False


@dataclass(frozen=True, slots=True)
class Row:
    """One row of the contract's table."""

    goods_status: str
    demands: tuple[str, ...]
    reasons: tuple[Reason, ...]

    def reason(self, reason_id: int) -> Reason | None:
        return next((reason for reason in self.reasons if reason.id == reason_id), None)


NOT_WANTED, NOT_ARRIVED = Reason(20001, "不想要了"), Reason(20002, "未收到货")
BAD_QUALITY = Reason(20003, "质量问题", needs_voucher=True)
TOO_FEW = Reason(20004, "少货", needs_voucher=True, no_carriage=True)
NO_LONGER_WANTED = Reason(20005, "不想要了", no_carriage=True)
AFTER_RECEIPT = (BAD_QUALITY, TOO_FEW, NO_LONGER_WANTED)
REASON_NAMES = {
    reason.id: reason.name for reason in (NOT_WANTED, NOT_ARRIVED, *AFTER_RECEIPT)
}

UNSENT = Row("refundWaitSellerSend", (MONEY_ONLY,), (NOT_WANTED,))
SENT = Row("refundWaitBuyerReceive", (MONEY_ONLY,), (NOT_ARRIVED,))
RECEIVED = Row("refundBuyerReceived", (MONEY_ONLY, WITH_RETURN), AFTER_RECEIPT)
AFTER_SALE = (
    Row("aftersaleBuyerReceived", (MONEY_ONLY, WITH_RETURN), AFTER_RECEIPT),
    Row("aftersaleBuyerNotReceived", (MONEY_ONLY,), (NOT_ARRIVED,)),
)


def rows_now(order: Order, now: int) -> Sequence[Row]:
    """The rows that apply now; none for an order that is unpaid or closed."""
    return {
        "waitsellersend": (UNSENT,),
        "waitbuyerreceive": (RECEIVED,) if signed(order, now) else (SENT,),
        "confirm_goods": AFTER_SALE,
        "success": AFTER_SALE,
    }.get(status(order, now), ())


def row_named(rows: Sequence[Row], goods_status: str) -> Row | None:
    return next((row for row in rows if row.goods_status == goods_status), None)


def carriage_left_fen(order: Order, refunds: Refunds) -> int:
    """Postage that is neither given back nor asked for."""
    asked = sum(
        refund.demand.carriage_fen
        for refund in refunds.of_order(order)
        if refund.counts
    )
    return max(0, order.post_fen - asked)


def payment_fits(row: Row, lines: Sequence[OrderLine], demand: Demand) -> bool:
    left = sum(line.left_fen for line in lines)
    lowest = left if row is UNSENT else 1
    return 0 < lowest <= demand.goods_fen <= left


def carriage_fits(
    row: Row,
    order: Order,
    lines: Sequence[OrderLine],
    demand: Demand,
    reason: Reason,
    left_fen: int,
) -> bool:
    if row is UNSENT:
        return demand.carriage_fen == (
            left_fen if len(lines) == len(order.lines) else 0
        )
    return demand.carriage_fen <= (0 if reason.no_carriage else left_fen)
