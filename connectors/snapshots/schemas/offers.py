"""What the marketplaces and carriers offered."""

from __future__ import annotations

from connectors.snapshots.schemas.columns import (
    COUNT,
    FLAG,
    ID,
    MAYBE_TEXTS,
    MINOR,
    TEXT,
    TEXTS,
    TIME,
    VOLUME_PRICES,
    Column,
)
from connectors.snapshots.schemas.tables import table

OFFERS = table(
    "offers",
    "marketplace,item_id,sku_id",
    "",
    {
        "marketplace": Column(ID),
        "item_id": Column(ID),
        "sku_id": Column(ID),
        "title": Column(TEXT),
        "sku_name": Column(TEXT),
        "seller_id": Column(TEXT),
        "seller_name": Column(TEXT),
        "price_minor": Column(MINOR),
        "currency": Column(ID),
        "stock": Column(COUNT),
        "min_quantity": Column(COUNT),
        "active": Column(FLAG),
        "spec_id": Column(TEXT),
        "distribution_item_id": Column(TEXT),
        "distribution_sku_id": Column(TEXT),
        "image_url": Column(TEXT),
        "image_urls": Column(MAYBE_TEXTS),
        "category_id": Column(TEXT),
        "category_name": Column(TEXT),
        "volume_prices": Column(VOLUME_PRICES),
        "seen_at": Column(TIME),
    },
    version=2,
)
QUOTES = table(
    "quotes",
    "order_ref",
    "",
    {
        "order_ref": Column(ID),
        "marketplace": Column(ID),
        "seller_id": Column(TEXT),
        "goods_minor": Column(MINOR),
        "postage_minor": Column(MINOR),
        "total_minor": Column(MINOR),
        "currency": Column(ID),
        "problems": Column(TEXTS),
        "message": Column(TEXT),
        "quoted_at": Column(TIME),
    },
)
FREIGHT_QUOTES = table(
    "freight_quotes",
    "order_ref,service_id",
    "",
    {
        "order_ref": Column(ID),
        "service_id": Column(ID),
        "render_id": Column(TEXT),
        "company": Column(TEXT),
        "category": Column(TEXT),
        "price_minor": Column(MINOR),
        "currency": Column(ID),
        "min_days": Column(COUNT),
        "max_days": Column(COUNT),
        "chosen": Column(FLAG),
        "quoted_at": Column(TIME),
    },
)
