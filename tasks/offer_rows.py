"""The rows of the table `offers`: one for each SKU."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from domain.offers import Offer, volume_prices_of


def offer_rows(offer: Offer, *, seen_at: datetime | None = None) -> Iterator[dict[str, Any]]:
    """A row for each SKU of an offer; `seen_at` is when the marketplace showed it so."""
    for sku in offer.skus:
        yield {
            "marketplace": offer.marketplace,
            "item_id": offer.item_id,
            "sku_id": sku.sku_id,
            "title": offer.title,
            "sku_name": sku.name,
            "seller_id": offer.seller_id,
            "seller_name": offer.seller_name,
            "price_minor": sku.price.minor,
            "currency": sku.price.currency,
            "stock": sku.stock,
            "min_quantity": offer.min_quantity,
            "active": offer.active and sku.active,
            "spec_id": sku.spec_id,
            "distribution_item_id": offer.distribution_item_id,
            "distribution_sku_id": sku.distribution_sku_id,
            "image_url": sku.image_url or offer.image_url,
            "image_urls": list(offer.image_urls),
            "category_id": offer.category_id,
            "category_name": offer.category_name,
            "volume_prices": [
                {"start_quantity": step.start_quantity, "price_minor": step.price.minor}
                for step in volume_prices_of(offer, sku)
            ],
            "seen_at": seen_at,
        }
