"""Cancellations, refunds and returns: one module per marketplace, all behind the `AfterSale` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.xportcn.after_sale.base import AfterSale
    from connectors.xportcn.client import XportcnClient


def after_sale_for(marketplace: Marketplace, client: XportcnClient) -> AfterSale | None:
    """The marketplace's after-sale on this client; None where the service has none (contract, section 5)."""
    from connectors.xportcn.after_sale.alibaba_1688 import Alibaba1688AfterSale
    from connectors.xportcn.after_sale.taobao import TaobaoAfterSale

    if marketplace is Marketplace.TAOBAO:
        return TaobaoAfterSale(client)
    return Alibaba1688AfterSale(client) if marketplace is Marketplace.ALIBABA_1688 else None
