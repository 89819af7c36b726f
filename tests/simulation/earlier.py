"""Orders of ours from before an episode: known to both sides, so that a reading shows
by them what it can show.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Any

from connectors.ledger.schema import batches, orders
from domain.marketplace import Marketplace
from domain.states import OrderState
from sandbox.ordering import Addresses, Pick, place_order
from sandbox.world import World
from tests.simulation.ledgers import SharedDatabase

BATCH = "earlier"
AGE = timedelta(hours=1)
FIRST_ID = 700_000_000_000_000_000
WITH_OWN_ID = (Marketplace.ALIBABA_1688, Marketplace.BIG_MAJOR)


def place_earlier(
    world: World,
    database: SharedDatabase,
    marketplaces: Iterable[Marketplace],
    *,
    at: datetime,
) -> None:
    """A closed order at each of these an hour before, which nobody touches any more."""
    rows = [
        _row(marketplace, _closed(world, marketplace), at - AGE)
        for marketplace in marketplaces
    ]
    with database.connection.begin():
        database.connection.execute(
            batches.insert().values(batch_id=BATCH, source="", created_at=at)
        )
        for row in rows:
            database.connection.execute(orders.insert().values(row))


def _closed(world: World, marketplace: Marketplace) -> str:
    item = next(
        item for item in world.catalogue.shelf(marketplace).items if item.stock > 0
    )
    sku = max(item.skus, key=lambda sku: sku.stock)
    picks = [Pick(item, sku, 1, item.unit_fen(sku, 1))]
    name = _reference(marketplace)
    own_id = name if marketplace in WITH_OWN_ID else ""
    order = place_order(
        world, picks, name, Addresses({}, {}), FIRST_ID, out_order_id=own_id
    )
    order.created_at -= round(AGE.total_seconds() * 1000)
    world.close(order, "BUYER_CANCEL")
    return order.id


def _reference(marketplace: Marketplace) -> str:
    return f"E-{marketplace}"


def _row(marketplace: Marketplace, order_id: str, at: datetime) -> dict[str, Any]:
    return {
        "order_ref": _reference(marketplace),
        "batch_id": BATCH,
        "marketplace": marketplace,
        "state": OrderState.CANCELLED,
        "fingerprint": "",
        "request": {},
        "lines": [],
        "offers": [],
        "seller_id": "",
        "currency": "CNY",
        "order_id": order_id,
        "ordered_at": at,
        "recorded_at": at,
        "updated_at": at,
    }
