"""InternationalAlibaba: buying and browsing."""

from __future__ import annotations

from connectors.marketplaces import Offering
from connectors.xportcn.client import XportcnClient


def offering(client: XportcnClient) -> Offering:
    from connectors.marketplaces.international.channel import InternationalBrowser, InternationalChannel

    channel = InternationalChannel(client)
    return Offering(channel, InternationalBrowser(client, channel))
