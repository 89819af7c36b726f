"""Poizon's orders as a reseller has them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from sandbox.dialects.dialect import Dialect, Mark
from sandbox.refusals import upstream_refused

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

MAKING = ("/poizon/order/orderPreview", "/poizon/order/createOrder")
PART = "_1"


def _call(_world: World, path: str, call: Call) -> Call:
    products = call.body.raw.get("productList")
    if (
        path in MAKING
        and isinstance(products, list)
        and len({str(one.get("dwSpuId")) for one in products}) > 1
    ):
        raise upstream_refused("ORDER_PRODUCT_LIMIT", "one product an order")
    return call


POIZON_ONE_PRODUCT = Dialect(
    name="poizon-one-product",
    sentence="An order of Poizon has one product, or its preview and create are refused; its number ends in _1.",
    source="A reseller's manual of the same marketplace: one product an order, sub-orders with _1.",
    mark=Mark.RESELLER,
    changes_call=_call,
)
