"""Looking around on a marketplace without buying: one module each, all behind the `Browser` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.xportcn.browse.base import Browser
    from connectors.xportcn.client import XportcnClient


def browser_for(marketplace: Marketplace, client: XportcnClient) -> Browser:
    """The browser of a marketplace on this client."""
    from connectors.xportcn.browse.alibaba_1688 import Alibaba1688Browser
    from connectors.xportcn.browse.big_major import BigMajorBrowser
    from connectors.xportcn.browse.international import InternationalBrowser
    from connectors.xportcn.browse.poizon import PoizonBrowser
    from connectors.xportcn.browse.taobao import TaobaoBrowser

    match marketplace:
        case Marketplace.TAOBAO:
            return TaobaoBrowser(client)
        case Marketplace.ALIBABA_1688:
            return Alibaba1688Browser(client)
        case Marketplace.BIG_MAJOR:
            return BigMajorBrowser(client)
        case Marketplace.INTERNATIONAL:
            return InternationalBrowser(client)
        case Marketplace.POIZON:
            return PoizonBrowser(client)
