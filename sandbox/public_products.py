"""The two products of the public booking page, as the Taobao catalogue holds them."""

from __future__ import annotations

from typing import NamedTuple


class PublicProduct(NamedTuple):
    """`quantity` is the page's; the weights give the booking the page's price."""

    item_id: str
    sku_id: str
    title: str
    title_en: str
    price_fen: int
    grams: int
    quantity: int


PUBLIC_PRODUCTS = (
    PublicProduct(
        "2048020617114736",
        "413185732720",
        "这是商品1",
        "This is product 1",
        2_900,
        2_785,
        1,
    ),
    PublicProduct(
        "2048232789087639",
        "4970432383383",
        "这是商品2",
        "This is product 2",
        1_900,
        6_900,
        2,
    ),
)
