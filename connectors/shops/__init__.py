"""Shops that take tracking numbers by their API, by the name that profiles give them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack, asynccontextmanager

from connectors.settings import SourcingSettings
from connectors.shops.calls import ShopCalls
from connectors.shops.protocol import Shop
from connectors.shops.shopify import Shopify
from connectors.shops.woocommerce import WooCommerce

KINDS: Mapping[str, type[Shop]] = {"shopify": Shopify, "woocommerce": WooCommerce}


def shops_with_api(settings: SourcingSettings) -> frozenset[str]:
    """The shops that get tracking numbers by their API."""
    return frozenset(name for name in KINDS if settings.fulfil and _address(settings, name))


@asynccontextmanager
async def opened_shops(settings: SourcingSettings) -> AsyncIterator[dict[str, Shop]]:
    """The shops with an address in the settings. Raises `Misconfigured`."""
    async with AsyncExitStack() as stack:
        shops = dict[str, Shop]()
        for name, kind in KINDS.items():
            if address := _address(settings, name):
                calls = ShopCalls(name, address, kind.headers)
                stack.push_async_callback(calls.aclose)
                shops[name] = kind(calls)
        yield shops


def _address(settings: SourcingSettings, name: str) -> str:
    return {"shopify": settings.shopify, "woocommerce": settings.woocommerce}[name].get_secret_value()
