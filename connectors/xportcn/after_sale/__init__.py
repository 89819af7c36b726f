"""Cancellations, refunds and returns: one module per marketplace, all behind the `AfterSale` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connectors.xportcn.after_sale.base import AfterSale
    from connectors.xportcn.client import XportcnClient
    from domain.marketplace import Marketplace


def after_sale_for(marketplace: Marketplace, client: XportcnClient) -> AfterSale | None:
    """The earlier name of `offering_of(marketplace, client).after_sale`."""
    from connectors.xportcn.offering import offering_of

    return offering_of(marketplace, client).after_sale
