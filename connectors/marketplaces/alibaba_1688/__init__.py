"""1688: buying, browsing and after-sale; the half that bigMajor shares."""

from __future__ import annotations

from connectors.marketplaces import Offering
from connectors.xportcn.client import XportcnClient


def offering(client: XportcnClient) -> Offering:
    from connectors.marketplaces.alibaba_1688.after_sale import Alibaba1688AfterSale
    from connectors.marketplaces.alibaba_1688.browser import Alibaba1688Browser
    from connectors.marketplaces.alibaba_1688.channel import Alibaba1688Channel

    channel = Alibaba1688Channel(client)
    return Offering(
        channel,
        Alibaba1688Browser(client, channel),
        Alibaba1688AfterSale(client),
    )
