"""Products of Taobao with amounts in yuan."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from sandbox.dialects.dialect import Dialect, Mark, each

if TYPE_CHECKING:
    from sandbox.operations import Call
    from sandbox.world import World

DETAILS = (
    "/open/product/get",
    "/open/product/inquiry",
    "/open/product/spu/get",
    "/v2/taobao/product/get",
)
AMOUNTS = frozenset(
    {
        *(
            "price",
            "promotionPrice",
            "postFee",
            "productAmount",
            "domesticPostFee",
            "purchaseAmount",
            "estimateAmount",
        ),
        *(
            "payAmount",
            "refundFee",
            "minRefundFee",
            "productFee",
            "totalPrice",
            "amount",
            "priceStart",
            "priceEnd",
        ),
    }
)
"""The names under which Taobao's calls tell and take amounts."""


def amounts(data: Any, change: Callable[[int], Any]) -> Any:
    """An answer with each amount, in fen, changed."""

    def changed(name: str, value: Any) -> Any:
        return change(value) if name in AMOUNTS and type(value) is int else value

    return each(data, changed)


def _in_yuan(world: World, path: str, call: Call, data: Any) -> Any:
    if path not in DETAILS:
        return data
    skus = [
        {**sku, "promotionPrice": f"{sku['promotionPrice'] / 100:.2f}"}
        for sku in data["skuList"]
    ]
    return amounts({**data, "skuList": skus}, lambda fen: fen / 100)


TAOBAO_YUAN = Dialect(
    name="taobao-yuan",
    sentence="Taobao's product details tell prices and postage as decimals in yuan, a SKU's promotion price as text.",
    source="A public client of the service types them so; its base address is the service's own.",
    mark=Mark.SERVICE,
    changes_answer=_in_yuan,
)
