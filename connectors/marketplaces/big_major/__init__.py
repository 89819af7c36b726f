"""bigMajor, the KA twin of 1688: buying and browsing."""

from __future__ import annotations

from connectors.marketplaces import Offering
from connectors.xportcn.client import XportcnClient


def offering(client: XportcnClient) -> Offering:
    from connectors.marketplaces.big_major.channel import BigMajorBrowser, BigMajorChannel

    channel = BigMajorChannel(client)
    return Offering(channel, BigMajorBrowser(client, channel))
