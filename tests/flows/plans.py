"""Planned orders for tests of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import FreightService, Quote
from domain.orders import OrderLine, OrderRequest, Receiver, RequestLine
from domain.plan import PlannedOrder
from flows.approval.request import ApprovalRequest
from flows.batch.plan_sources import summary_of

RECEIVER = Receiver(name="Jane", phone="1", email="", country="US", state="CA", city="LA", zip="9", address="a street")


def planned(order_ref: str, fen: int = 1000, freight_cents: int = 500) -> PlannedOrder:
    line = RequestLine(row=2, item="1", sku="", quantity=2, max_unit_price=None)
    return PlannedOrder(
        request=OrderRequest(
            order_ref=order_ref, marketplace=Marketplace.TAOBAO, receiver=RECEIVER, freight="cheapest", lines=(line,)
        ),
        seller_id="seller",
        lines=(
            OrderLine(
                line_no=1, item_id="1", sku_id="2", title="Cup | blue", image_url="", quantity=2, unit_price=Money(500)
            ),
        ),
        quote=Quote(goods=Money(fen), postage=Money(0), total=Money(fen), lines=(), problems=()),
        freight_service=FreightService(
            service_id="s", company="Line", category="air", price=Money(freight_cents, "USD"), min_days=4, max_days=7
        ),
    )


def request_for(*, to_buy: Sequence[PlannedOrder], **given: Any) -> ApprovalRequest:
    return ApprovalRequest(to_buy=to_buy, summaries=[summary_of(plan) for plan in to_buy], **given)
