"""1688 orders: preview, create, pay, list, details."""

from __future__ import annotations

from base64 import b64encode
from collections.abc import Callable, Sequence
from typing import Any

from sandbox.alibaba_1688 import views
from sandbox.alibaba_1688.cargo import PROBLEMS, Cargo, check_address, first_problem, read_cargo
from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.lifecycle import modified_at
from sandbox.operations import Call, Operations
from sandbox.ordering import (
    BALANCE_NOT_ENOUGH,
    ORDER_STATUS_ERROR,
    Addresses,
    goods_fen,
    pay_order,
    place_order,
    postage_fen,
)
from sandbox.refusals import UPSTREAM_REFUSED, Refusal, bad_request, order_not_found
from sandbox.times import SECOND, read_china_text
from sandbox.world import World

operations = Operations()

FIRST_ID = 2_500_000_000_000_000_000
FLOW, TRADE_TYPE = "general", "assureTrade"
CASHIER = "https://trade.1688.com/order/cashier.htm?orderId="


@operations.post("/alibaba/order/create/preview")
def preview(world: World, call: Call) -> dict[str, Any]:
    check_address(call.body.object("addressParam"))
    cargo = read_cargo(world, call.body)
    problem = first_problem(cargo)
    return {
        "success": not problem,
        "errorCode": problem or None,
        "errorMsg": PROBLEMS.get(problem),
        "orderPreviewResuslt": [] if problem else [_previewed(cargo)],
        "postFeeByDescOfferList": [],
        "consignOfferList": [],
        "unsupportedCrossBorderPayOfferList": [],
    }


def _previewed(cargo: Sequence[Cargo]) -> dict[str, Any]:
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


@operations.post("/alibaba/order/create", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    """No key makes a repeat harmless: the same request twice makes two orders."""
    if call.body.text("flow") != FLOW:
        raise bad_request("flow", f"must be {FLOW}")
    address, message = call.body.object("addressParam"), call.body.optional_text("message")
    check_address(address)
    trade_type = call.body.optional_text("tradeType", TRADE_TYPE)
    if trade_type != TRADE_TYPE:
        raise Refusal(UPSTREAM_REFUSED, f"not support tradeType:{trade_type}")
    cargo = read_cargo(world, call.body)
    if first_problem(cargo):
        return _not_created(cargo)
    addresses = Addresses(receiver=dict(address.raw), warehouse=dict(address.raw))
    return _created(place_order(world, [line.pick() for line in cargo], message, addresses, FIRST_ID))


def _created(order: Order) -> dict[str, Any]:
    entry = {
        "orderId": order.id,
        "orderAmmount": order.amount_fen,
        "postFee": order.post_fen,
        "success": True,
        "resultCode": "200",
        "message": None,
    }
    return {
        "totalSuccessAmount": order.amount_fen,
        "orderId": order.id,
        "postFee": order.post_fen,
        "success": True,
        "code": None,
        "message": None,
        "failedOfferList": [],
        "orderList": [entry],
    }


def _not_created(cargo: Sequence[Cargo]) -> dict[str, Any]:
    problem = first_problem(cargo)
    return {
        "totalSuccessAmount": None,
        "orderId": None,
        "postFee": None,
        "success": False,
        "code": problem,
        "message": PROBLEMS[problem],
        "failedOfferList": [_failed_offer(line) for line in cargo if line.problem],
        "orderList": [],
    }


def _failed_offer(line: Cargo) -> dict[str, Any]:
    return {
        "offerId": int(line.item.id),
        "specId": line.spec_id,
        "errorCode": line.problem,
        "errorMessage": PROBLEMS[line.problem],
    }


@operations.get("/alibaba/order/pay/url", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order = _order(world, call.query)
    problem = pay_order(world, order, call)
    if problem == ORDER_STATUS_ERROR:
        raise Refusal(UPSTREAM_REFUSED, ORDER_STATUS_ERROR)
    short = problem == BALANCE_NOT_ENOUGH
    return {
        "orderId": order.id,
        "protocolPaySuccess": not short,
        "payUrl": f"{CASHIER}{order.id}" if short else None,
        "cantPayOrderList": [],
    }


@operations.post("/v2/alibaba/order/page")
def page_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("page")
    orders = _selected(world, call.body)
    rows = orders[::-1][page.start : page.stop]
    return {
        "totalRecord": len(orders),
        "page": page.number,
        "pageSize": page.size,
        "result": [views.order_view(world, order) for order in rows],
    }


def _selected(world: World, asked: Fields) -> Sequence[Order]:
    """Oldest first; only filters on status and change scan, and only what was created in the asked time."""
    orders = world.books.created_between("1688", _time(asked, "createStartTime"), _end(asked, "createEndTime"))
    now = world.now()
    tests: list[Callable[[Order], bool]] = []
    if wanted := asked.optional_text("orderStatus"):
        tests.append(lambda order: views.status(order, now) == wanted)
    if (start := _time(asked, "modifyStartTime")) is not None:
        tests.append(lambda order: modified_at(order, now) >= start)
    if (end := _end(asked, "modifyEndTime")) is not None:
        tests.append(lambda order: modified_at(order, now) <= end)
    return [order for order in orders if all(test(order) for test in tests)] if tests else orders


def _time(asked: Fields, name: str) -> int | None:
    text = asked.optional_text(name)
    try:
        return read_china_text(text) if text else None
    except ValueError as error:
        raise bad_request(name, "must be yyyy-MM-dd HH:mm:ss") from error


def _end(asked: Fields, name: str) -> int | None:
    """A time given to the second means all of that second."""
    time = _time(asked, name)
    return None if time is None else time + SECOND - 1


@operations.post("/alibaba/order/detail")
def details(world: World, call: Call) -> dict[str, Any]:
    if call.body.text("webSite") != "1688":
        raise bad_request("webSite", "must be 1688")
    return views.order_view(world, _order(world, call.body))


def _order(world: World, asked: Fields) -> Order:
    order_id = asked.identifier("orderId")
    order = world.books.order("1688", order_id)
    if order is None:
        raise order_not_found(order_id)
    return order
