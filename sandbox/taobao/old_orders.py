"""Taobao's older order family: list, voucher, cancel, warehouse, pay, chat link. Its
orderId is the purchaseId.
"""

from __future__ import annotations

from hashlib import sha256
from typing import Any

from sandbox.entities import Order, Voucher
from sandbox.fields import Fields
from sandbox.operations import Call, Operations
from sandbox.ordering import ORDER_STATUS_ERROR, order_named, pay_order
from sandbox.refusals import bad_request, product_not_found, upstream_refused
from sandbox.taobao import views
from sandbox.taobao.listing import select_orders
from sandbox.taobao.orders import PAYMENT_PROBLEMS
from sandbox.world import World

operations = Operations()

MAX_VOUCHERS = 5
CHAT = "https://distributor.taobao.global/apps/open/imchat?loginToken="
NUMBERS = ("pageNo", "pageSize", "status", "createTimeStart", "createTimeEnd")
NOT_SENT_YET = (
    views.BUILDING,
    views.WAIT_BUYER_PAY,
    1,
    2,
    3,
    5,
    views.WAIT_SELLER_SEND,
)


def _order(world: World, call: Call) -> Order:
    return order_named(world, "taobao", call.body.identifier("orderId"))


def _check_payable(order: Order) -> None:
    if not order.payable:
        raise upstream_refused(ORDER_STATUS_ERROR)


@operations.get("/open/order/page")
def order_list(world: World, call: Call) -> dict[str, Any]:
    asked = call.query.with_numbers(*NUMBERS)
    page = asked.page("pageNo")
    filters = {
        name: asked.raw[name]
        for name in (*NUMBERS, "outerPurchaseId")
        if asked.has(name)
    }
    if order_id := asked.optional_identifier("purchaseOrderId"):
        filters["purchaseIds"] = [order_id]
    orders = select_orders(world, Fields(filters))
    return page.answer(
        len(orders),
        [views.order_view(world, order) for order in orders[page.start : page.stop]],
    )


@operations.post("/open/order/voucher/upload", effect=True)
def upload_voucher(world: World, call: Call) -> bool:
    """Upload the proof of an offline payment; finance checks it later."""
    urls = call.body.texts("voucherUrls", at_least=1, at_most=MAX_VOUCHERS)
    voucher = Voucher(
        call.body.whole("amount"), call.body.optional_text("remark"), urls
    )
    order = _order(world, call)
    _check_payable(order)
    world.offline.upload(order, voucher, world.now())
    return True


@operations.post("/open/order/cancel", effect=True)
def cancel(world: World, call: Call) -> bool:
    call.body.optional_text("cancelReason")
    order = _order(world, call)
    _check_payable(order)
    world.close(order, "BUYER_CANCEL")
    return True


@operations.post("/open/order/pay", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order = _order(world, call)
    problem = pay_order(world, order, call)
    return {
        "orderId": order.id,
        "paySuccess": problem is None,
        "errorCode": problem,
        "errorMessage": PAYMENT_PROBLEMS[problem] if problem else None,
    }


@operations.post("/open/order/updateWarehouse", effect=True)
def update_warehouse(world: World, call: Call) -> bool:
    name, address = call.body.text("warehouseName"), call.body.text("warehouseAddress")
    order = _order(world, call)
    if views.status(order, world.now()) not in NOT_SENT_YET:
        raise upstream_refused(ORDER_STATUS_ERROR)
    order.warehouse_name, order.warehouse_address = name, address
    world.books.touch(order, world.now())
    return True


@operations.post("/open/order/page/link/get")
def chat_link(world: World, call: Call) -> str:
    """A page to talk to the seller of an item or an order."""
    about = call.body.object_in_text("pageParamMap")
    kind, biz_id = about.text("sourceType"), about.identifier("bizId")
    if kind == "order":
        order_named(world, "taobao", biz_id)
    elif kind != "item":
        raise bad_request("pageParamMap", "sourceType must be item or order")
    elif biz_id not in world.catalogue.shelf("taobao").by_id:
        raise product_not_found(biz_id)
    return CHAT + sha256(f"chat {world.seed} {kind} {biz_id}".encode()).hexdigest()[:40]
