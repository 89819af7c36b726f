"""Shops that take tracking numbers by their API, by the name that profiles give
them.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager

from connectors.settings import SourcingSettings
from connectors.shops.protocol import Shop, ShopCalls
from connectors.shops.shopify import Shopify
from connectors.shops.woocommerce import WooCommerce

KINDS: Mapping[str, type[Shop]] = {"shopify": Shopify, "woocommerce": WooCommerce}


def connected(settings: SourcingSettings) -> list[str]:
    """The shops with an address in the settings."""
    return [name for name in KINDS if _address(settings, name)]


def shops_with_api(settings: SourcingSettings) -> frozenset[str]:
    """The shops that get tracking numbers by their API."""
    return frozenset(connected(settings) if settings.fulfil else ())


@asynccontextmanager
async def opened_shop(settings: SourcingSettings, name: str) -> AsyncIterator[Shop]:
    """A shop. Raises `Misconfigured` for one without an address in the settings."""
    kind = KINDS[name]
    calls = ShopCalls(name, _address(settings, name), kind.headers)
    try:
        yield kind(calls)
    finally:
        await calls.aclose()


def _address(settings: SourcingSettings, name: str) -> str:
    return {"shopify": settings.shopify, "woocommerce": settings.woocommerce}[
        name
    ].get_secret_value()
