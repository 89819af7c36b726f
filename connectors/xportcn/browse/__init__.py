"""Looking around on a marketplace without buying: one module each, all behind the `Browser` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.xportcn.browse.base import Browser
    from connectors.xportcn.client import XportcnClient
    from domain.marketplace import Marketplace


def browser_for(marketplace: Marketplace, client: XportcnClient) -> Browser:
    """The earlier name of `offering_of(marketplace, client).browser`."""
    from connectors.xportcn.offering import offering_of

    return offering_of(marketplace, client).browser
