"""One module per marketplace, all behind the `Channel` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.xportcn.channels.base import Channel
    from connectors.xportcn.client import XportcnClient


def channel_for(marketplace: Marketplace, client: XportcnClient) -> Channel:
    """The channel of a marketplace on this client."""
    from connectors.xportcn.channels.alibaba_1688 import Alibaba1688Channel
    from connectors.xportcn.channels.big_major import BigMajorChannel
    from connectors.xportcn.channels.international import InternationalChannel
    from connectors.xportcn.channels.poizon import PoizonChannel
    from connectors.xportcn.channels.taobao import TaobaoChannel

    match marketplace:
        case Marketplace.TAOBAO:
            return TaobaoChannel(client)
        case Marketplace.ALIBABA_1688:
            return Alibaba1688Channel(client)
        case Marketplace.BIG_MAJOR:
            return BigMajorChannel(client)
        case Marketplace.INTERNATIONAL:
            return InternationalChannel(client)
        case Marketplace.POIZON:
            return PoizonChannel(client)
