"""The marketplaces, a folder or a module each, named as in `Marketplace`."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from pkgutil import iter_modules
from typing import TYPE_CHECKING

from domain.marketplace import Marketplace

if TYPE_CHECKING:
    from connectors.marketplaces.browsing import Browser
    from connectors.marketplaces.protocol import AfterSale, Channel
    from connectors.xportcn.client import XportcnClient


@dataclass(frozen=True, slots=True)
class Offering:
    """One marketplace on one client: buying, browsing, and after-sale where the
    service has it.
    """

    channel: Channel
    browser: Browser
    after_sale: AfterSale | None = None


def load_all() -> None:
    """Import the modules of every marketplace, which else the first offering of each
    waits for.
    """
    for marketplace in Marketplace:
        module_type = import_module(f"{__name__}.{marketplace.name.lower()}")
        for module in iter_modules(getattr(module_type, "__path__", ())):
            import_module(f"{module_type.__name__}.{module.name}")


def offering_of(marketplace: Marketplace, client: XportcnClient) -> Offering:
    """The connectors of a marketplace. Only its own modules are imported: all five take
    about half a second.
    """
    offering: Offering = import_module(
        f"{__name__}.{marketplace.name.lower()}"
    ).offering(client)
    return offering
