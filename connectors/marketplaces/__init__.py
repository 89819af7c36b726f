"""The connectors of each marketplace, looked up in one place."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.marketplaces.after_sale import AfterSale
    from connectors.marketplaces.browsing import Browser
    from connectors.marketplaces.carts import Cart
    from connectors.marketplaces.protocol import Channel
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
    from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
    from connectors.marketplaces.taobao.browser import TaobaoBrowser
    from connectors.marketplaces.taobao.cart import TaobaoCart
    from connectors.marketplaces.taobao.channel import TaobaoChannel

    channel = TaobaoChannel(client)
    return Offering(channel, TaobaoBrowser(client, channel), TaobaoCart(client), TaobaoAfterSale(client))


def _alibaba_1688(client: XportcnClient) -> Offering:
    from connectors.marketplaces.alibaba_1688.after_sale import Alibaba1688AfterSale
    from connectors.marketplaces.alibaba_1688.browser import Alibaba1688Browser
    from connectors.marketplaces.alibaba_1688.cart import Alibaba1688Cart
    from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel

    channel = Alibaba1688Channel(client)
    cart, after_sale = Alibaba1688Cart(client), Alibaba1688AfterSale(client)
    return Offering(channel, Alibaba1688Browser(client, channel), cart, after_sale)


def _big_major(client: XportcnClient) -> Offering:
    from connectors.marketplaces.big_major.browser import BigMajorBrowser
    from connectors.marketplaces.big_major.channel import BigMajorChannel

    channel = BigMajorChannel(client)
    return Offering(channel, BigMajorBrowser(client, channel))


def _international(client: XportcnClient) -> Offering:
    from connectors.marketplaces.international.browser import InternationalBrowser
    from connectors.marketplaces.international.channel import InternationalChannel

    channel = InternationalChannel(client)
    return Offering(channel, InternationalBrowser(client, channel))


def _poizon(client: XportcnClient) -> Offering:
    from connectors.marketplaces.poizon.browser import PoizonBrowser
    from connectors.marketplaces.poizon.channel import PoizonChannel

    channel = PoizonChannel(client)
    return Offering(channel, PoizonBrowser(client, channel))
