"""Shopping carts: one module per marketplace, all behind the `Cart` protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.xportcn.carts.base import Cart
    from connectors.xportcn.client import XportcnClient


def cart_for(marketplace: Marketplace, client: XportcnClient) -> Cart | None:
    """The marketplace's cart on this client; None where the service has none."""
    from connectors.xportcn.carts.alibaba_1688 import Alibaba1688Cart
    from connectors.xportcn.carts.taobao import TaobaoCart

    if marketplace is Marketplace.TAOBAO:
        return TaobaoCart(client)
    return Alibaba1688Cart(client) if marketplace is Marketplace.ALIBABA_1688 else None
