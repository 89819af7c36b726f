"""The marketplaces that can be sourced, and their items: ids, links to product pages,
words, and links to pictures.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Self
from urllib.parse import SplitResult, parse_qs, parse_qsl, quote, urlsplit

from domain.cells import half_width


@dataclass(frozen=True, slots=True)
class ProductPages:
    """Where product pages are, where in their address the item id stands, and the usual
    address.
    """

    sites: tuple[str, ...]
    path: re.Pattern[str]
    parameter: str
    address: str


NO_PAGES = ProductPages((), re.compile("(?!)"), "", "")
_OF_1688 = ProductPages(
    ("1688.com",),
    re.compile(r"/offer/([0-9]{6,})\.html?"),
    "offerId",
    "https://detail.1688.com/offer/{}.html",
)


class Marketplace(StrEnum):
    """Where goods are bought, as request files and reports name it."""

    _value_: str
    pages: ProductPages

    def __new__(cls, name: str, pages: ProductPages = NO_PAGES) -> Self:
        member = str.__new__(cls, name)
        member._value_ = name
        member.pages = pages
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
        """Whether the service knows an order by our reference, so that creating it
        twice makes one.
        """
        return self in (
            Marketplace.TAOBAO,
            Marketplace.INTERNATIONAL,
            Marketplace.POIZON,
        )


ITEM_ID = re.compile(r"[0-9]{6,}")


# Shop and category pages carry an `id` too, which is no item's.
TAOBAO_PRODUCT_PAGE = re.compile(r"item|detail|^(?:m|world|h5\.m|m\.intl)\.")


@dataclass(frozen=True, slots=True)
class ItemId:
    """The marketplace's own id of a product page: decimal digits as text, never a
    number.
    """

    id: str


@dataclass(frozen=True, slots=True)
class Words:
    """Words to search the marketplace with."""

    text: str


def read_item(marketplace: Marketplace, text: str) -> ItemId | Words:
    """Distinguish an id (six digits or more), a link and words.

    Raises `ValueError` for an empty text, for a link that isn't of this marketplace or
    names no item, and for a link among other words, since guessing could buy the wrong
    thing.
    """
    text = half_width(text).strip()
    if not text:
        raise ValueError("empty; give an item id, a product link or words to search")
    if ITEM_ID.fullmatch(text):
        return ItemId(text)
    if link := _link(text):
        return ItemId(_id_in(link, marketplace, text))
    if "://" in text:
        raise ValueError(
            f"{shortened(text)!r} is a link among other words; give the link alone, or the item id"
        )
    return Words(text)


def sku_of(text: str, sku: str) -> str:
    """The variant of a line: that of its cell, else of its link. Raises `ValueError`
    where these are several.
    """
    linked = _skus_in(text)
    if len(linked) > 1:
        raise ValueError(
            "this link names several SKUs; leave one of them, or put the item id in its place"
        )
    if (
        linked and sku.isdecimal() and sku not in linked
    ):  # another text is 1688's spec id
        raise ValueError(
            f"this link names SKU {linked[0]}, and column sku {sku}; leave the one that is meant"
        )
    return sku or "".join(linked)


def sku_in(text: str) -> str:
    """The variant that a link names; empty for other texts, and where it names
    several.
    """
    return linked[0] if len(linked := _skus_in(text)) == 1 else ""


def _skus_in(text: str) -> list[str]:
    try:
        link = _link(half_width(text).strip()) if "=" in text else None
    except ValueError:  # where it is read as an item it is told
        link = None
    query_pairs = parse_qsl(link.query) if link else ()
    return list(
        dict.fromkeys(
            marketplace
            for name, marketplace in query_pairs
            if name.lower() == "skuid" and ITEM_ID.fullmatch(marketplace)
        )
    )


def product_page(marketplace: Marketplace, item_id: str) -> str:
    """The address of an item's page; empty for a text that is no item id."""
    return (
        marketplace.pages.address.format(item_id) if ITEM_ID.fullmatch(item_id) else ""
    )


def shortened(text: str, limit: int = 100) -> str:
    """A text as a message can show it."""
    return text if len(text) <= limit else text[: limit - 3] + "..."


def _link(text: str) -> SplitResult | None:
    """The parts of a text that is one link, with or without its scheme; None for other
    texts.
    """
    if len(text.split()) != 1:
        return None
    bare = text.removeprefix("//")
    try:
        link = urlsplit(
            text if re.match(r"https?://", text, re.IGNORECASE) else f"//{bare}"
        )
        host = link.hostname
    except ValueError as error:
        if "://" not in text:
            return None
        raise ValueError(
            f"{shortened(text)!r} is not a link that can be read; give the item id"
        ) from error
    return (
        link
        if host and (link.scheme or bare != text or _marketplaces_of(host))
        else None
    )


def _marketplaces_of(host: str) -> list[Marketplace]:
    """The marketplaces whose product pages are on that host; `1688` and `big_major`
    share theirs.
    """
    return [
        marketplace
        for marketplace in Marketplace
        if any(
            host == site or host.endswith(f".{site}")
            for site in marketplace.pages.sites
        )
    ]


def _id_in(link: SplitResult, marketplace: Marketplace, text: str) -> str:
    host = link.hostname or ""
    owners = _marketplaces_of(host)
    if marketplace not in owners:
        belongs = f"belongs to {owners[0]}" if owners else f"leads to {host}"
        raise ValueError(
            f"{shortened(text)!r} {belongs}, not to {marketplace}; give a {marketplace} link or item id"
        )
    pages = marketplace.pages
    ids = (
        {query_pairs.group(1)}
        if (query_pairs := pages.path.search(link.path))
        else set()
    )
    if pages.parameter and (
        marketplace is not Marketplace.TAOBAO
        or TAOBAO_PRODUCT_PAGE.search(host + link.path)
    ):
        ids |= {
            value
            for value in parse_qs(link.query).get(pages.parameter, ())
            if ITEM_ID.fullmatch(value)
        }
    if len(ids) != 1:
        raise ValueError(
            f"{shortened(text)!r} names no single item; open it and copy the product page's own address"
        )
    return ids.pop()


ADDRESS = re.compile(
    r"(?:https?:)?//((?:[a-z0-9-]+\.)+[a-z]{2,})(/[\w/.~%@!+,=?-]{1,400})",
    re.ASCII | re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class Pictures:
    """The `hosts` count with all names below them; a `sandbox` at this origin serves
    their pictures itself.
    """

    hosts: Sequence[str] = ()
    sandbox: str = ""

    def address(self, picture: str) -> str:
        """The address for a browser, free of marks that end an attribute or a table
        cell; else empty.
        """
        if not (query_pairs := ADDRESS.fullmatch(picture)):
            return ""
        host = query_pairs[1].lower()
        if not any(f".{host}".endswith(f".{known}") for known in self.hosts):
            return ""
        address = f"https://{host}{query_pairs[2]}"
        return (
            f"{self.sandbox}/_sandbox/picture?of={quote(address, safe='')}"
            if self.sandbox
            else address
        )

    @property
    def sources(self) -> str:
        """The origins of all pictures, as a content policy names them."""
        return self.sandbox or " ".join(
            f"https://{host} https://*.{host}" for host in self.hosts
        )


NO_PICTURES = Pictures()
PICTURE_HOSTS = ("alicdn.com", "poizon.com")
"""The marketplaces' own, with all names below them: a browser calls no others."""
