"""Shopping carts: one module per marketplace, all behind the `Cart` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.xportcn.carts.base import Cart
    from connectors.xportcn.client import XportcnClient
    from domain.marketplace import Marketplace


def cart_for(marketplace: Marketplace, client: XportcnClient) -> Cart | None:
    """The earlier name of `offering_of(marketplace, client).cart`."""
    from connectors.xportcn.offering import offering_of

    return offering_of(marketplace, client).cart
