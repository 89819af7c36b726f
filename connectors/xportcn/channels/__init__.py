"""One module per marketplace, all behind the `Channel` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.xportcn.channels.base import Channel
    from connectors.xportcn.client import XportcnClient
    from domain.marketplace import Marketplace


def channel_for(marketplace: Marketplace, client: XportcnClient) -> Channel:
    """The earlier name of `offering_of(marketplace, client).channel`."""
    from connectors.xportcn.offering import offering_of

    return offering_of(marketplace, client).channel
