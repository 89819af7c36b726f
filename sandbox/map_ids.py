"""Opaque item ids (itemMapId, offerMapId): stable, and not for callers to parse."""

from __future__ import annotations

import binascii
from base64 import urlsafe_b64decode, urlsafe_b64encode

from sandbox.catalogue import Shelf
from sandbox.goods import Item


def map_id(item: Item) -> str:
    return (
        urlsafe_b64encode(f"{item.marketplace}#{item.id[::-1]}".encode())
        .decode()
        .rstrip("=")
    )


def item_with_map_id(shelf: Shelf, text: str) -> Item | None:
    try:
        plain = urlsafe_b64decode(text + "=" * (-len(text) % 4)).decode()
    except (binascii.Error, ValueError):
        return None
    item = shelf.by_id.get(plain.rpartition("#")[2][::-1])
    return item if item is not None and map_id(item) == text else None
