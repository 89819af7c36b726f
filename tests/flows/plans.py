"""Planned orders for tests of the gate."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from typing import Any

from connectors.ledger.plans import (
    NO_TOLERANCE,
    approval_columns,
    ledger_row,
    plan_hash,
    put_rows,
)
from connectors.ledger.records import Approval
from connectors.ledger.store import Ledger
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import FreightService, Quote
from domain.orders import OrderLine, OrderRequest, Receiver, RequestLine
from domain.plan import PlannedOrder
from flows.approval.request import ApprovalRequest
from flows.batch.plan_sources import summary_of
from tests.verdicts import in_these_words

RECEIVER = Receiver(
    name="Jane",
    phone="1",
    email="",
    country="US",
    state="CA",
    city="LA",
    zip="9",
    address="a street",
)


def planned(order_ref: str, fen: int = 1000, freight_cents: int = 500) -> PlannedOrder:
    line = RequestLine(row=2, item="1", sku="", quantity=2, max_unit_price=None)
    return PlannedOrder(
        request=OrderRequest(
            order_ref=order_ref,
            marketplace=Marketplace.TAOBAO,
            receiver=RECEIVER,
            freight="cheapest",
            lines=(line,),
        ),
        seller_id="seller",
        lines=(
            OrderLine(
                line_no=1,
                item_id="1",
                sku_id="2",
                title="Cup | blue",
                image_url="",
                quantity=2,
                unit_price=Money(500),
            ),
        ),
        quote=Quote(
            goods=Money(fen), postage=Money(0), total=Money(fen), lines=(), problems=()
        ),
        freight_service=FreightService(
            service_id="s",
            company="Line",
            category="air",
            price=Money(freight_cents, "USD"),
            min_days=4,
            max_days=7,
        ),
    )


def approval_of(plan: PlannedOrder) -> Approval:
    freight = plan.freight_service.price if plan.freight_service else None
    return Approval(
        order_ref=plan.order_ref,
        plan_hash=plan_hash(plan),
        total=plan.total,
        freight=freight,
        why=in_these_words("yes"),
    )


def put_approved(ledger: Ledger, *plans: PlannedOrder, batch_id: str = "batch") -> None:
    """Plans with the amounts of an approval, and without its words."""
    put_rows(
        ledger,
        [
            ledger_row(plan, batch_id)
            | approval_columns(approval_of(plan), NO_TOLERANCE)
            for plan in plans
        ],
    )


def request_for(
    *,
    to_buy: Sequence[PlannedOrder],
    to_ship: Sequence[PlannedOrder] = (),
    **given: Any,
) -> ApprovalRequest:
    return ApprovalRequest(
        to_buy=to_buy,
        summaries=[summary_of(plan) for plan in to_buy],
        to_ship=[replace(plan, is_begun=True) for plan in to_ship],
        **given,
    )
