"""The marketplaces that can be sourced, by the names used in request files, reports and tables."""

from __future__ import annotations

import re
from dataclasses import dataclass
from enum import StrEnum
from typing import Self


@dataclass(frozen=True, slots=True)
class ProductPages:
    """Where product pages are, where in their address the item id stands, and the usual address."""

    sites: tuple[str, ...]
    path: re.Pattern[str]
    parameter: str
    address: str


NO_PAGES = ProductPages((), re.compile("(?!)"), "", "")
_OF_1688 = ProductPages(
    ("1688.com",), re.compile(r"/offer/([0-9]{6,})\.html?"), "offerId", "https://detail.1688.com/offer/{}.html"
)


class Marketplace(StrEnum):
    """Where goods are bought, as request files and reports name it."""

    _value_: str
    pages: ProductPages

    def __new__(cls, name: str, pages: ProductPages = NO_PAGES) -> Self:
        member = str.__new__(cls, name)
        member._value_, member.pages = name, pages
        return member

    TAOBAO = (
        "taobao",
        ProductPages(
            ("taobao.com", "tmall.com", "tmall.hk", "tb.cn"),
            re.compile(r"/item/([0-9]{6,})\.html?"),
            "id",
            "https://item.taobao.com/item.htm?id={}",
        ),
    )
    ALIBABA_1688 = "1688", _OF_1688
    BIG_MAJOR = "big_major", _OF_1688
    INTERNATIONAL = (
        "international",
        ProductPages(
            ("alibaba.com",),
            re.compile(r"/product-detail/(?:[^/]*_)?([0-9]{6,})\.html?$"),
            "",
            "https://www.alibaba.com/product-detail/_{}.html",
        ),
    )
    POIZON = (
        "poizon",
        ProductPages(
            ("dewu.com", "poizon.com"),
            re.compile(r"-([0-9]{6,})/?$"),
            "spuId",
            "https://m.dewu.com/router/product/ProductDetail?spuId={}",
        ),
    )

    @property
    def create_is_idempotent(self) -> bool:
        """Whether the service knows an order by our reference, so that creating it twice makes one."""
        return self in (Marketplace.TAOBAO, Marketplace.INTERNATIONAL, Marketplace.POIZON)
