"""Rows of a cart as requests name them, shared by both marketplaces with a cart."""

from __future__ import annotations

from sandbox.carts import CartFull, CartRow
from sandbox.fields import Fields
from sandbox.goods import Item, Sku
from sandbox.refusals import cart_row_not_found, upstream_refused
from sandbox.world import World


def goods(world: World, row: CartRow) -> tuple[Item, Sku]:
    item = world.catalogue.shelf(row.marketplace).by_id[row.item_id]
    sku = item.sku(row.sku_id)
    assert sku is not None, "a cart row's SKU is always in the catalogue"
    return item, sku


def put_in(world: World, item: Item, sku: Sku, quantity: int) -> int:
    """Put a SKU into the cart; answers the id of the row."""
    try:
        return world.carts.add(item, sku, quantity).id
    except CartFull as error:
        raise upstream_refused("CART_FULL") from error


def take_out(world: World, marketplace: str, row_ids: list[int]) -> bool:
    """Take rows out; unknown ids are ignored."""
    rows = (world.carts.row(marketplace, row_id) for row_id in row_ids)
    world.carts.remove([row for row in rows if row])
    return True


def edit_quantity(world: World, marketplace: str, asked: Fields) -> bool:
    row_id, quantity = asked.whole("id"), asked.whole("quantity", minimum=1)
    world.carts.set_quantity(row_named(world, marketplace, row_id), quantity)
    return True


def row_named(world: World, marketplace: str, row_id: int) -> CartRow:
    row = world.carts.row(marketplace, row_id)
    if row is None:
        raise cart_row_not_found(row_id)
    return row
