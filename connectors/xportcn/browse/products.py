"""The product behind a link."""

from __future__ import annotations

from connectors.xportcn.channels import channel_for
from connectors.xportcn.client import XportcnClient
from domain.items import ItemId, read_item
from domain.marketplace import Marketplace
from domain.offers import Offer


async def product_at(marketplace: Marketplace, client: XportcnClient, url: str) -> Offer | None:
    """The product of a link or an id; `ValueError` for what is neither."""
    item = read_item(marketplace, url)
    if not isinstance(item, ItemId):
        raise ValueError(f"{url!r} is no {marketplace} link and no item id")
    return await channel_for(marketplace, client).offer(item.id)
