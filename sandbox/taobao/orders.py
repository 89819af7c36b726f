"""Taobao orders: render, create, pay, list, details."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import groupby
from typing import Any

from sandbox.entities import Order
from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.operations import Call, Operations
from sandbox.ordering import BALANCE_NOT_ENOUGH, Addresses, Pick, goods_fen, pay_order, place_order, postage_fen
from sandbox.refusals import bad_request, order_not_found, product_not_found
from sandbox.taobao import views
from sandbox.taobao.listing import select_orders
from sandbox.world import World

operations = Operations()

FIRST_ID = 200_000_000_000_000_000
MAX_PAID_AT_ONCE = 10
PAYMENT_PROBLEMS = {
    BALANCE_NOT_ENOUGH: "the balance does not cover the order",
    "ORDER_STATUS_ERROR": "the order is paid or closed already",
    "ORDER_NOT_EXIST": "there is no such order",
}


@dataclass(frozen=True, slots=True)
class WantedLine:
    """One asked line; `problem` is the line's error code, empty when it can be bought."""

    item: Item
    sku: Sku | None
    sku_mp_id: str
    quantity: int
    number: str
    problem: str

    def pick(self) -> Pick:
        assert self.sku is not None, "only what can be bought is picked"
        return Pick(self.item, self.sku, self.quantity, self.sku.price_fen, self.number)


PROBLEMS = {
    "ITEM_OFFLINE": "the item is offline",
    "SKU_NOT_FOUND": "the item has no such SKU",
    "BELOW_MIN_QUANTITY": "below the item's minimum quantity",
    "OUT_OF_STOCK": "not enough stock",
    "SELLER_MISMATCH": "the lines are from more than one seller",
    "ADDRESS_INVALID": "receiver or warehouse address is not complete",
    "DUPLICATE_OUTER_ID": "outerPurchaseId was used for other lines",
    "PRICE_CHANGED": "the order costs more than purchaseAmount",
}


def _read_lines(world: World, entries: Sequence[Fields]) -> list[WantedLine]:
    quantities: dict[str, int] = {}
    for entry in entries:
        sku_id = entry.identifier("skuId")
        quantities[sku_id] = quantities.get(sku_id, 0) + entry.whole("quantity", minimum=1)
    return [_read_line(world, entry, quantities) for entry in entries]


def _read_line(world: World, entry: Fields, quantities: dict[str, int]) -> WantedLine:
    mp_id, sku_mp_id = entry.identifier("itemId"), entry.identifier("skuId")
    item = world.catalogue.shelf("taobao").by_mp_id.get(mp_id)
    if item is None:
        raise product_not_found(mp_id)
    sku, quantity = item.sku_by_mp_id(sku_mp_id), entry.whole("quantity", minimum=1)
    problem = _problem(item, sku, quantity, quantities[sku_mp_id])
    number = entry.identifier("orderLineNo") if entry.has("orderLineNo") else ""
    return WantedLine(item, sku, sku_mp_id, quantity, number, problem)


def _problem(item: Item, sku: Sku | None, quantity: int, of_sku_in_order: int) -> str:
    if item.offline:
        return "ITEM_OFFLINE"
    if sku is None:
        return "SKU_NOT_FOUND"
    if quantity < item.min_quantity:
        return "BELOW_MIN_QUANTITY"
    return "OUT_OF_STOCK" if of_sku_in_order > sku.stock else ""


@operations.post("/open/purchase/render")
def render(world: World, call: Call) -> dict[str, Any]:
    call.body.object("receiver")
    call.body.object("warehouseAddress")
    lines = _read_lines(world, call.body.objects_in_text("renderItemList"))
    lines.sort(key=lambda line: line.item.seller.id)
    by_seller = groupby(lines, key=lambda line: line.item.seller.id)
    return {"orders": [_rendered(list(sellers_lines)) for _, sellers_lines in by_seller]}


def _rendered(lines: list[WantedLine]) -> dict[str, Any]:
    picks = [line.pick() for line in lines if not line.problem]
    goods, post = goods_fen(picks), postage_fen(picks)
    return {
        "supplierNick": lines[0].item.seller.nick,
        "productAmount": goods,
        "domesticPostFee": post,
        "purchaseAmount": goods + post,
        "currency": "CNY",
        "lines": [_rendered_line(line) for line in lines],
    }


def _rendered_line(line: WantedLine) -> dict[str, Any]:
    return {
        "itemId": line.item.mp_id,
        "skuId": line.sku_mp_id,
        "quantity": line.quantity,
        "price": line.sku.price_fen if line.sku else None,
        "available": not line.problem,
        "stock": line.sku.stock if line.sku else None,
        "minQuantity": line.item.min_quantity,
        "errorCode": line.problem or None,
        "errorMessage": PROBLEMS.get(line.problem),
    }


@operations.post("/open/purchase/create/v2", effect=True)
def create(world: World, call: Call) -> dict[str, Any]:
    outer_id = call.body.text("outerPurchaseId")
    planned_fen = call.body.whole("purchaseAmount")
    entries = call.body.objects_in_text("orderLineList")
    addresses = Addresses(
        receiver=dict(call.body.object("receiver").raw), warehouse=dict(call.body.object("warehouseAddressInfo").raw)
    )
    _check_create_form(call.body, entries)
    lines = _read_lines(world, entries)
    if earlier := world.books.referenced("taobao", outer_id):
        if _same_lines(earlier[0], lines):
            return views.created(world, earlier[0])
        return views.not_created(outer_id, "DUPLICATE_OUTER_ID", PROBLEMS["DUPLICATE_OUTER_ID"])
    if problem := _create_problem(lines, addresses, planned_fen):
        return views.not_created(outer_id, problem, PROBLEMS[problem])
    picks = [line.pick() for line in lines]
    return views.created(world, place_order(world, picks, outer_id, addresses, FIRST_ID))


def _check_create_form(body: Fields, entries: Sequence[Fields]) -> None:
    if body.text("channelOrderType") not in ("PANAMA", "PANAMA_DG"):
        raise bad_request("channelOrderType", "must be PANAMA or PANAMA_DG")
    if body.raw.get("supportPartialSuccess", False) is not False:
        raise bad_request("supportPartialSuccess", "must be false")
    for entry in entries:
        entry.identifier("orderLineNo")
        entry.text("title")
        entry.whole("price")
        if entry.text("currency") != "CNY":
            raise bad_request(entry.named("currency"), "must be CNY")
    if len({entry.identifier("orderLineNo") for entry in entries}) < len(entries):
        raise bad_request("orderLineList", "orderLineNo must differ between lines")


def _create_problem(lines: list[WantedLine], addresses: Addresses, planned_fen: int) -> str:
    if not _complete(addresses.receiver, "country") or not _complete(addresses.warehouse):
        return "ADDRESS_INVALID"
    if len({line.item.seller.id for line in lines}) > 1:
        return "SELLER_MISMATCH"
    if problem := next((line.problem for line in lines if line.problem), ""):
        return problem
    picks = [line.pick() for line in lines]
    return "PRICE_CHANGED" if goods_fen(picks) + postage_fen(picks) > planned_fen else ""


def _complete(address: dict[str, Any], *more: str) -> bool:
    needed = ("state", "city", "address", "name", *more)
    filled = all(isinstance(address.get(name), str) and address[name].strip() for name in needed)
    return filled and bool(address.get("phone") or address.get("mobilePhone"))


def _same_lines(order: Order, lines: list[WantedLine]) -> bool:
    asked = sorted((line.item.id, line.sku.id if line.sku else "", line.quantity) for line in lines)
    return asked == sorted((line.item_id, line.sku_id, line.quantity) for line in order.lines)


@operations.post("/open/purchase/pay", effect=True)
def pay(world: World, call: Call) -> dict[str, Any]:
    order_ids = call.body.identifiers("purchaseOrderIdList")
    if not 1 <= len(order_ids) <= MAX_PAID_AT_ONCE:
        raise bad_request("purchaseOrderIdList", f"from 1 to {MAX_PAID_AT_ONCE} ids")
    problems = [_pay_one(world, order_id, call) for order_id in order_ids]
    failed = [(order_id, problem) for order_id, problem in zip(order_ids, problems, strict=True) if problem]
    return {
        "willPayPurchaseOrderIds": [
            order_id for order_id, problem in zip(order_ids, problems, strict=True) if not problem
        ],
        "payFailurePurchaseOrderIds": [order_id for order_id, _ in failed],
        "payFailedResults": [
            {"gspOrderId": order_id, "errorCode": problem, "errorMessage": PAYMENT_PROBLEMS[problem]}
            for order_id, problem in failed
        ],
    }


def _pay_one(world: World, order_id: str, call: Call) -> str:
    order = world.books.order("taobao", order_id)
    return (pay_order(world, order, call) or "") if order else "ORDER_NOT_EXIST"


@operations.post("/open/purchase/page")
def page_list(world: World, call: Call) -> dict[str, Any]:
    page = call.body.page("pageNo")
    orders = select_orders(world, call.body)
    rows = [views.order_view(world, order) for order in orders[page.start : page.stop]]
    return page.answer(len(orders), rows)


@operations.get("/open/order/detail/get")
def details(world: World, call: Call) -> dict[str, Any]:
    order_id = call.query.identifier("purchaseOrderId")
    order = world.books.order("taobao", order_id)
    if order is None:
        raise order_not_found(order_id)
    return views.order_view(world, order)
