"""Poizon: buying and browsing."""

from __future__ import annotations

from connectors.marketplaces import Offering
from connectors.xportcn.client import XportcnClient


def offering(client: XportcnClient) -> Offering:
    from connectors.marketplaces.poizon.channel import PoizonBrowser, PoizonChannel

    channel = PoizonChannel(client)
    return Offering(channel, PoizonBrowser(client, channel))
