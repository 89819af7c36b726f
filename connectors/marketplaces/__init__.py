"""The marketplaces, a folder or a module each, named as in `Marketplace`."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pkgutil import resolve_name
from typing import TYPE_CHECKING, Any

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.marketplaces.browsing import Browser
    from connectors.marketplaces.protocol import AfterSale, Channel
    from connectors.xportcn.client import XportcnClient


@dataclass(frozen=True, slots=True)
class Offering:
    """One marketplace on one client: buying, browsing, and after-sale where the
    service has it.
    """

    channel: Channel
    browser: Browser
    after_sale: AfterSale | None = None


PARTS: Mapping[Marketplace, Sequence[str]] = {
    Marketplace.TAOBAO: (
        "taobao.channel:TaobaoChannel",
        "taobao.browser:TaobaoBrowser",
        "taobao.after_sale:TaobaoAfterSale",
    ),
    Marketplace.ALIBABA_1688: (
        "alibaba_1688.channel:Alibaba1688Channel",
        "alibaba_1688.browser:Alibaba1688Browser",
        "alibaba_1688.after_sale:Alibaba1688AfterSale",
    ),
    Marketplace.BIG_MAJOR: ("big_major:BigMajorChannel", "big_major:BigMajorBrowser"),
    Marketplace.INTERNATIONAL: (
        "international:InternationalChannel",
        "international:InternationalBrowser",
    ),
    Marketplace.POIZON: ("poizon:PoizonChannel", "poizon:PoizonBrowser"),
}
"""What each marketplace has: buying, browsing, and after-sale or none."""


def load_all() -> None:
    """Import the modules of every marketplace, which else the first offering of each
    waits for.
    """
    for names in PARTS.values():
        _load(names)


def _load(names: Sequence[str]) -> list[Any]:
    return [resolve_name(f"{__name__}.{name}") for name in names]


def offering_of(marketplace: Marketplace, client: XportcnClient) -> Offering:
    """The connectors of a marketplace. Only its own modules are imported: all five take
    about half a second.
    """
    channel_type, browser_type, *after_sale = _load(PARTS[marketplace])
    channel = channel_type(client)
    return Offering(
        channel, browser_type(client, channel), *(one(client) for one in after_sale)
    )
