"""The answers of a 1688 preview and create, for one seller or several."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Sequence
from itertools import groupby
from typing import Any

from sandbox.alibaba_1688 import views
from sandbox.alibaba_1688.cargo import (
    PROBLEMS,
    SOLD_OUT,
    Cargo,
    failed_offer,
    first_problem,
)
from sandbox.dialects.refuses_duplicates import REFUSES_DUPLICATES
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.ordering import Addresses, by_depot, goods_fen, place_orders, postage_fen
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request, upstream_refused
from sandbox.world import World

FIRST_ID = 2_500_000_000_000_000_000
FLOW, TRADE_TYPE = "general", "assureTrade"
FAILED_PART = {
    **dict.fromkeys(("orderId", "orderAmmount", "postFee")),
    **{"success": False, "resultCode": SOLD_OUT, "message": PROBLEMS[SOLD_OUT]},
}
"""An entry of a create that failed by itself."""


def previewed(cargo: Sequence[Cargo]) -> dict[str, Any]:
    """The answer of a preview: one entry a seller and depot, none when a line can't be
    bought.
    """
    problem = first_problem(cargo)
    orders = [] if problem else as_orders(cargo)
    return {
        "success": not problem,
        "errorCode": problem or None,
        "errorMsg": PROBLEMS.get(problem),
        "orderPreviewResuslt": [_previewed_order(order) for order in orders],
        "postFeeByDescOfferList": [],
        "consignOfferList": [],
        "unsupportedCrossBorderPayOfferList": [],
    }


def by_seller(cargo: Sequence[Cargo]) -> list[list[Cargo]]:
    """The lines of each seller, in order of first appearance."""
    sellers = list(dict.fromkeys(line.item.seller.id for line in cargo))
    ordered = sorted(cargo, key=lambda line: sellers.index(line.item.seller.id))
    return [
        list(lines)
        for _, lines in groupby(ordered, key=lambda line: line.item.seller.id)
    ]


def as_orders(cargo: Sequence[Cargo]) -> list[list[Cargo]]:
    return [
        depot
        for lines in by_seller(cargo)
        for depot in by_depot(lines, lambda line: line.item)
    ]


def _previewed_order(cargo: Sequence[Cargo]) -> dict[str, Any]:
    picks = [line.pick() for line in cargo]
    goods, post = goods_fen(picks), postage_fen(picks)
    return {
        "status": True,
        "resultCode": "200",
        "message": None,
        "sumPayment": goods + post,
        "sumCarriage": post,
        "sumPaymentNoCarriage": goods,
        "discountFee": 0,
        "additionalFee": 0,
        "flowFlag": FLOW,
        "tradeModeNameList": [TRADE_TYPE],
        "cargoList": [_previewed_line(line) for line in cargo],
        "shopPromotionList": [],
        "tradeModelList": [],
        "payChannelInfos": [],
    }


def _previewed_line(line: Cargo) -> dict[str, Any]:
    return {
        "offerId": int(line.item.id),
        "openOfferId": b64encode(line.item.id.encode()).decode(),
        "specId": line.spec_id,
        "skuId": int(line.sku.id) if line.sku else None,
        "amount": views.yuan(line.quantity * line.unit_fen),
        "finalUnitPrice": views.yuan(line.unit_fen),
        "resultCode": "200",
        "message": None,
        "cargoPromotionList": [],
    }


def read_out_order_id(world: World, marketplace: str, body: Fields) -> str:
    """The caller's own id of an order (assumed from 1688's manual and Xportcn's KA
    preview page).
    """
    out_order_id = body.optional_text("outOrderId")
    if REFUSES_DUPLICATES in world.dialects and world.books.has_out_order_id(
        marketplace, out_order_id
    ):
        raise upstream_refused(
            "DUPLICATE_OUT_ORDER_ID",
            f"there is an order with outOrderId {out_order_id}",
        )
    return out_order_id


def check_trade(body: Fields) -> None:
    """Flow, message and trade type of a create."""
    if body.text("flow") != FLOW:
        raise bad_request("flow", f"must be {FLOW}")
    body.optional_text("message")
    trade_type = body.optional_text("tradeType", TRADE_TYPE)
    if trade_type != TRADE_TYPE:
        raise Refusal(UPSTREAM_REFUSED, f"not support tradeType:{trade_type}")


def place(
    world: World,
    cargo: Sequence[Cargo],
    message: str,
    address: Fields,
    *,
    out_order_id: str = "",
) -> list[Order]:
    """Order one seller's lines that can all be bought."""
    addresses = Addresses(receiver=dict(address.raw), warehouse=dict(address.raw))
    picks = [line.pick() for line in cargo]
    return place_orders(
        world, picks, message, addresses, FIRST_ID, out_order_id=out_order_id
    )


def created(orders: Sequence[Order], failed: Sequence[Cargo] = ()) -> dict[str, Any]:
    """The answer of a create. With several orders the fields of a single order are
    null.
    """
    only = orders[0] if len(orders) == 1 else None
    problem = first_problem(failed) if not orders else ""
    return {
        "totalSuccessAmount": only.amount_fen if only else None,
        "orderId": only.id if only else None,
        "postFee": only.post_fen if only else None,
        "success": bool(orders),
        "code": problem or None,
        "message": PROBLEMS.get(problem),
        "failedOfferList": [failed_offer(line) for line in failed if line.problem],
        "orderList": [_created_order(order) for order in orders],
        **(views.own_id(only) if only else {}),
    }


def _created_order(order: Order) -> dict[str, Any]:
    return {
        "orderId": order.id,
        "orderAmmount": order.amount_fen,
        "postFee": order.post_fen,
        "success": True,
        "resultCode": "200",
        "message": None,
    }
