"""The Taobao cart: rows in, rows out, and orders of some of them."""

from __future__ import annotations

from collections import Counter
from typing import Any

import orjson

from sandbox import cart_rows
from sandbox.cart_rows import goods, put_in, row_named, take_out
from sandbox.carts import CartRow
from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.operations import Call, Operations
from sandbox.ordering import Addresses
from sandbox.refusals import product_not_found
from sandbox.taobao import views
from sandbox.taobao.lines import (
    PROBLEMS,
    WantedLine,
    check_address,
    first_problem,
    is_complete,
    problem_of,
    rendered,
)
from sandbox.taobao.orders import place
from sandbox.taobao.products import picture_url, properties
from sandbox.world import World

operations = Operations()

TEXTS_FOR_SHOW = ("itemTitle", "itemPic", "shopName")


@operations.get("/open/cart/list")
def cart_list(world: World, call: Call) -> dict[str, Any]:
    shops: dict[str, dict[str, Any]] = {}
    disabled = []
    for row in world.carts.rows("taobao"):
        item, sku = goods(world, row)
        if item.offline or not sku.stock:
            disabled.append(_row_view(row, item, sku))
            continue
        seller = item.seller
        shop = shops.setdefault(
            seller.id,
            {"shopId": seller.id, "shopName": seller.name, "cartItemInfos": []},
        )
        shop["cartItemInfos"].append(_row_view(row, item, sku))
    return {"enableList": list(shops.values()), "disableList": disabled}


def _row_view(row: CartRow, item: Item, sku: Sku) -> dict[str, Any]:
    return {
        "id": row.id,
        "itemId": item.id,
        "skuId": sku.id,
        "mpId": item.mp_id,
        "mpSkuId": sku.mp_id,
        "itemTitle": item.title,
        "itemPic": picture_url(item.id),
        "price": sku.price_fen,
        "quantity": row.quantity,
        "skuQuantity": sku.stock,
        "properties": orjson.dumps(properties(sku)).decode(),
    }


@operations.post("/open/cart/add", effect=True)
def add(world: World, call: Call) -> int:
    """Add a row. Prices and texts of the request are ignored; the four ids decide."""
    for name in TEXTS_FOR_SHOW:
        call.body.text(name)
    call.body.whole("price")
    call.body.identifier("shopId")
    quantity = call.body.whole("quantity", minimum=1)
    item, sku = _named_goods(world, call.body)
    return put_in(world, item, sku, quantity)


def _named_goods(world: World, body: Fields) -> tuple[Item, Sku]:
    item_id, sku_id = body.identifier("itemId"), body.identifier("skuId")
    mp_id, mp_sku_id = body.identifier("mpId"), body.identifier("mpSkuId")
    item = world.catalogue.shelf("taobao").by_id.get(item_id)
    sku = item.sku(sku_id) if item else None
    if item is None or sku is None or (item.mp_id, sku.mp_id) != (mp_id, mp_sku_id):
        raise product_not_found(
            f"{item_id} with SKU {sku_id} as {mp_id} with {mp_sku_id}"
        )
    return item, sku


@operations.post("/open/cart/delete", effect=True)
def delete(world: World, call: Call) -> bool:
    return take_out(world, "taobao", call.body.row_numbers("ids"))


@operations.post("/open/cart/edit-quantity", effect=True)
def edit_quantity(world: World, call: Call) -> bool:
    return cart_rows.edit_quantity(world, "taobao", call.body)


@operations.post("/open/cart/preview/order")
def preview(world: World, call: Call) -> dict[str, Any]:
    row_ids = call.body.row_numbers("ids")
    check_address(call.body.object("orderAddress"), "mobile_phone")
    return rendered(
        _lines(world, [row_named(world, "taobao", row_id) for row_id in row_ids])
    )


def _lines(world: World, rows: list[CartRow]) -> list[WantedLine]:
    of_sku: Counter[str] = Counter()
    for row in rows:
        of_sku[row.sku_id] += row.quantity
    return [
        _line(world, row, number, of_sku[row.sku_id])
        for number, row in enumerate(rows, 1)
    ]


def _line(world: World, row: CartRow, number: int, of_sku: int) -> WantedLine:
    item, sku = goods(world, row)
    problem = problem_of(item, sku, row.quantity, of_sku)
    return WantedLine(item, sku, sku.mp_id, row.quantity, str(number), problem, row.id)


@operations.post("/open/cart/create/order", effect=True)
def create_order(world: World, call: Call) -> dict[str, Any]:
    """Order all rows or none. There is no idempotency key, but ordered rows leave the
    cart.
    """
    row_ids, asked = call.body.row_numbers("ids"), call.body.object("orderAddress")
    call.body.optional_text("userId")
    rows = [row_named(world, "taobao", row_id) for row_id in row_ids]
    lines = _lines(world, rows)
    receiver = {**asked.raw, "mobilePhone": asked.raw.get("mobile_phone")}
    complete = is_complete(receiver, "country")
    if problem := ("" if complete else "ADDRESS_INVALID") or first_problem(lines):
        return views.not_created(None, problem, PROBLEMS[problem])
    orders = place(world, lines, "", Addresses(receiver, _default_warehouse(world)))
    world.carts.remove(rows)
    return views.created(world, orders)


def _default_warehouse(world: World) -> dict[str, Any]:
    warehouse = world.addresses.default()
    return {
        "country": "CN",
        "state": warehouse.province,
        "city": warehouse.city,
        "district": warehouse.district,
        "address": warehouse.address,
        "zip": warehouse.postCode,
        "name": warehouse.name,
        "phone": warehouse.phone,
        "mobilePhone": warehouse.phone,
    }
