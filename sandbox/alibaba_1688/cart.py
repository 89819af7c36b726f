"""The 1688 cart: rows in, rows out, and orders of some of them."""

from __future__ import annotations

from typing import Any

import orjson

from sandbox.alibaba_1688.buying import by_seller, check_trade, created, place, previewed
from sandbox.alibaba_1688.cargo import MAX_MERCHANTS, MAX_SKUS, Cargo, Wanted, check_address, first_problem, judged
from sandbox.alibaba_1688.products import picture_url
from sandbox.alibaba_1688.views import yuan
from sandbox.carts import CartFull, CartRow
from sandbox.goods import Item, Sku
from sandbox.opaque import map_id
from sandbox.operations import Call, Operations
from sandbox.refusals import bad_request, cart_row_not_found, product_not_found, upstream_refused
from sandbox.world import World

operations = Operations()


@operations.get("/v2/alibaba/cart/list")
def cart_list(world: World, call: Call) -> dict[str, Any]:
    sellers: dict[str, dict[str, Any]] = {}
    disabled = []
    for row in world.carts.rows("1688"):
        item, sku = _goods(world, row)
        if item.offline or not sku.stock:
            disabled.append(_row_view(row, item, sku))
            continue
        fresh = {"sellerOpenId": item.seller.id, "sellerNickName": item.seller.nick, "cartItemInfos": []}
        sellers.setdefault(item.seller.id, fresh)["cartItemInfos"].append(_row_view(row, item, sku))
    return {"enableList": list(sellers.values()), "disableList": disabled}


def _goods(world: World, row: CartRow) -> tuple[Item, Sku]:
    item = world.catalogue.shelf("1688").by_id[row.item_id]
    sku = item.sku(row.sku_id)
    assert sku is not None, "a cart row's SKU is always in the catalogue"
    return item, sku


def _row_view(row: CartRow, item: Item, sku: Sku) -> dict[str, Any]:
    properties = [{"attributeName": name, "value": value} for name, value in sku.properties]
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
    try:
        return world.carts.add(item, sku, quantity).id
    except CartFull as error:
        raise upstream_refused("CART_FULL") from error


@operations.post("/alibaba/cart/delete", effect=True)
def delete(world: World, call: Call) -> bool:
    rows = (world.carts.row("1688", row_id) for row_id in call.body.row_numbers("cartIds"))
    world.carts.remove([row for row in rows if row])
    return True


@operations.post("/alibaba/cart/edit-quantity", effect=True)
def edit_quantity(world: World, call: Call) -> bool:
    row_id, quantity = call.body.whole("id"), call.body.whole("quantity", minimum=1)
    world.carts.set_quantity(_row(world, row_id), quantity)
    return True


def _row(world: World, row_id: int) -> CartRow:
    row = world.carts.row("1688", row_id)
    if row is None:
        raise cart_row_not_found(row_id)
    return row


@operations.post("/alibaba/cart/preview/order")
def preview(world: World, call: Call) -> dict[str, Any]:
    """Several sellers are no fault here."""
    address, row_ids = call.body.object("addressParam"), call.body.row_numbers("cartIds")
    check_address(address)
    sellers = _by_seller(world, [_row(world, row_id) for row_id in row_ids])
    return previewed([line for cargo, _ in sellers for line in cargo])


@operations.post("/alibaba/cart/create/order", effect=True)
def create_order(world: World, call: Call) -> dict[str, Any]:
    """Each seller is all or nothing; what was ordered leaves the cart, so that a repeat finds it gone."""
    world.dialects.check_fields(call.body, "flow", "message", "addressParam", "cartIds", "tradeType")
    address, row_ids = call.body.object("addressParam"), call.body.row_numbers("cartIds")
    check_trade(call.body)
    check_address(address)
    sellers = _by_seller(world, [_row(world, row_id) for row_id in row_ids])
    orders = []
    for cargo, rows in sellers:
        if not first_problem(cargo):
            orders += place(world, cargo, call.body.optional_text("message"), address)
            world.carts.remove(rows)
    return created(orders, [line for cargo, _ in sellers for line in cargo])


def _by_seller(world: World, rows: list[CartRow]) -> list[tuple[list[Cargo], list[CartRow]]]:
    wanted = []
    for row in rows:
        item, sku = _goods(world, row)
        wanted.append(Wanted(item, sku, sku.spec_id, row.quantity))
    sellers = by_seller(judged(wanted))
    _check_size(sellers)
    row_of = {(row.item_id, row.sku_id): row for row in rows}
    return [(cargo, [row_of[line.item.id, line.pick().sku.id] for line in cargo]) for cargo in sellers]


def _check_size(sellers: list[list[Cargo]]) -> None:
    if len(sellers) > MAX_MERCHANTS or any(len(cargo) > MAX_SKUS for cargo in sellers):
        raise bad_request("cartIds", f"at most {MAX_MERCHANTS} merchants and {MAX_SKUS} SKUs of each")
