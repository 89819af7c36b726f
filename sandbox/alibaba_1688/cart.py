"""The 1688 cart: rows in, rows out, and orders of some of them."""

from __future__ import annotations

from typing import Any

import orjson

from sandbox import cart_rows
from sandbox.alibaba_1688.buying import (
    by_seller,
    check_trade,
    created,
    place,
    previewed,
)
from sandbox.alibaba_1688.cargo import (
    MAX_MERCHANTS,
    MAX_SKUS,
    AskedCargo,
    Cargo,
    check_address,
    checked,
    first_problem,
)
from sandbox.alibaba_1688.products import picture_url
from sandbox.alibaba_1688.views import yuan
from sandbox.cart_rows import goods, put_in, row_named, take_out
from sandbox.carts import CartRow
from sandbox.dialects.refuses_unknown_fields import check_fields
from sandbox.goods import Item, Sku
from sandbox.map_ids import map_id
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request, product_not_found
from sandbox.world import World

operations = Operations()


@operations.get("/v2/alibaba/cart/list")
def cart_list(world: World, call: Call) -> dict[str, Any]:
    sellers: dict[str, dict[str, Any]] = {}
    disabled = []
    for row in world.carts.rows("1688"):
        item, sku = goods(world, row)
        if item.offline or not sku.stock:
            disabled.append(_row_view(row, item, sku))
            continue
        fresh = {
            "sellerOpenId": item.seller.id,
            "sellerNickName": item.seller.nick,
            "cartItemInfos": [],
        }
        sellers.setdefault(item.seller.id, fresh)["cartItemInfos"].append(
            _row_view(row, item, sku)
        )
    return {"enableList": list(sellers.values()), "disableList": disabled}


def _row_view(row: CartRow, item: Item, sku: Sku) -> dict[str, Any]:
    properties = [
        {"attributeName": name, "value": value} for name, value in sku.properties
    ]
    return {
        "id": row.id,
        "offerId": int(item.id),
        "offerMapId": map_id(item),
        "specId": sku.spec_id,
        "skuId": int(sku.id),
        "itemTitle": item.title,
        "itemPic": picture_url(item.id),
        "price": yuan(sku.price_fen),
        "quantity": row.quantity,
        "amountOnSale": sku.stock,
        "properties": orjson.dumps(properties).decode(),
    }


@operations.post("/alibaba/cart/add", effect=True)
def add(world: World, call: Call) -> int:
    offer_id, spec_id = call.body.identifier("offerId"), call.body.text("specId")
    quantity = call.body.whole("quantity", minimum=1)
    item = world.catalogue.shelf("1688").by_id.get(offer_id)
    sku = item.sku_by_spec_id(spec_id) if item else None
    if item is None or sku is None:
        raise product_not_found(f"{offer_id} with spec {spec_id}")
    return put_in(world, item, sku, quantity)


@operations.post("/alibaba/cart/delete", effect=True)
def delete(world: World, call: Call) -> bool:
    return take_out(world, "1688", call.body.row_numbers("cartIds"))


@operations.post("/alibaba/cart/edit-quantity", effect=True)
def edit_quantity(world: World, call: Call) -> bool:
    return cart_rows.edit_quantity(world, "1688", call.body)


@operations.post("/alibaba/cart/preview/order")
def preview(world: World, call: Call) -> dict[str, Any]:
    """Preview rows of one or several sellers."""
    address, row_ids = (
        call.body.object("addressParam"),
        call.body.row_numbers("cartIds"),
    )
    check_address(address)
    sellers = _by_seller(
        world, [row_named(world, "1688", row_id) for row_id in row_ids]
    )
    return previewed([line for cargo, _ in sellers for line in cargo])


@operations.post("/alibaba/cart/create/order", effect=True)
def create_order(world: World, call: Call) -> dict[str, Any]:
    """Order all rows of a seller or none; ordered rows leave the cart, so that a repeat
    finds them gone.
    """
    check_fields(
        world.dialects,
        call.body,
        "flow",
        "message",
        "addressParam",
        "cartIds",
        "tradeType",
    )
    address, row_ids = (
        call.body.object("addressParam"),
        call.body.row_numbers("cartIds"),
    )
    check_trade(call.body)
    check_address(address)
    sellers = _by_seller(
        world, [row_named(world, "1688", row_id) for row_id in row_ids]
    )
    orders = []
    for cargo, rows in sellers:
        if not first_problem(cargo):
            orders += place(world, cargo, call.body.optional_text("message"), address)
            world.carts.remove(rows)
    return created(orders, [line for cargo, _ in sellers for line in cargo])


def _by_seller(
    world: World, rows: list[CartRow]
) -> list[tuple[list[Cargo], list[CartRow]]]:
    wanted = []
    for row in rows:
        item, sku = goods(world, row)
        wanted.append(AskedCargo(item, sku, sku.spec_id, row.quantity))
    sellers = by_seller(checked(wanted))
    _check_size(sellers)
    row_of = {(row.item_id, row.sku_id): row for row in rows}
    return [
        (cargo, [row_of[line.item.id, line.pick().sku.id] for line in cargo])
        for cargo in sellers
    ]


def _check_size(sellers: list[list[Cargo]]) -> None:
    if len(sellers) > MAX_MERCHANTS or any(len(cargo) > MAX_SKUS for cargo in sellers):
        raise bad_request(
            "cartIds", f"at most {MAX_MERCHANTS} merchants and {MAX_SKUS} SKUs of each"
        )
