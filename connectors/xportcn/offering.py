"""The connectors of each marketplace, looked up in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.xportcn.after_sale.base import AfterSale
    from connectors.xportcn.browse.base import Browser
    from connectors.xportcn.carts.base import Cart
    from connectors.xportcn.channels.base import Channel
    from connectors.xportcn.client import XportcnClient


@dataclass(frozen=True, slots=True)
class Offering:
    """One marketplace on one client: buying, browsing, and cart and after-sale where the service has them."""

    channel: Channel
    browser: Browser
    cart: Cart | None = None
    after_sale: AfterSale | None = None


def offering_of(marketplace: Marketplace, client: XportcnClient) -> Offering:
    """The connectors of a marketplace. Only its own modules are imported: all five take about half a second."""
    match marketplace:
        case Marketplace.TAOBAO:
            return _taobao(client)
        case Marketplace.ALIBABA_1688:
            return _alibaba_1688(client)
        case Marketplace.BIG_MAJOR:
            return _big_major(client)
        case Marketplace.INTERNATIONAL:
            return _international(client)
        case Marketplace.POIZON:
            return _poizon(client)


def _taobao(client: XportcnClient) -> Offering:
    from connectors.xportcn.after_sale.taobao import TaobaoAfterSale
    from connectors.xportcn.browse.taobao import TaobaoBrowser
    from connectors.xportcn.carts.taobao import TaobaoCart
    from connectors.xportcn.channels.taobao import TaobaoChannel

    channel = TaobaoChannel(client)
    return Offering(channel, TaobaoBrowser(client, channel), TaobaoCart(client), TaobaoAfterSale(client))


def _alibaba_1688(client: XportcnClient) -> Offering:
    from connectors.xportcn.after_sale.alibaba_1688 import Alibaba1688AfterSale
    from connectors.xportcn.browse.alibaba_1688 import Alibaba1688Browser
    from connectors.xportcn.carts.alibaba_1688 import Alibaba1688Cart
    from connectors.xportcn.channels.alibaba_1688 import Alibaba1688Channel

    channel = Alibaba1688Channel(client)
    cart, after_sale = Alibaba1688Cart(client), Alibaba1688AfterSale(client)
    return Offering(channel, Alibaba1688Browser(client, channel), cart, after_sale)


def _big_major(client: XportcnClient) -> Offering:
    from connectors.xportcn.browse.big_major import BigMajorBrowser
    from connectors.xportcn.channels.big_major import BigMajorChannel

    channel = BigMajorChannel(client)
    return Offering(channel, BigMajorBrowser(client, channel))


def _international(client: XportcnClient) -> Offering:
    from connectors.xportcn.browse.international import InternationalBrowser
    from connectors.xportcn.channels.international import InternationalChannel

    channel = InternationalChannel(client)
    return Offering(channel, InternationalBrowser(client, channel))


def _poizon(client: XportcnClient) -> Offering:
    from connectors.xportcn.browse.poizon import PoizonBrowser
    from connectors.xportcn.channels.poizon import PoizonChannel

    channel = PoizonChannel(client)
    return Offering(channel, PoizonBrowser(client, channel))
