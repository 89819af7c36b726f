"""Taobao: buying, browsing and after-sale."""

from __future__ import annotations

from connectors.marketplaces import Offering
from connectors.xportcn.client import XportcnClient


def offering(client: XportcnClient) -> Offering:
    from connectors.marketplaces.taobao.after_sale import TaobaoAfterSale
    from connectors.marketplaces.taobao.browser import TaobaoBrowser
    from connectors.marketplaces.taobao.channel import TaobaoChannel

    channel = TaobaoChannel(client)
    return Offering(
        channel,
        TaobaoBrowser(client, channel),
        TaobaoAfterSale(client),
    )
