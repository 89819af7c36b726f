"""What else the account has: older and younger orders, ours and others', more of them
than a page of a list holds.
"""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from connectors.ledger.schema import batches, orders
from domain.states import OrderState
from sandbox.entities import Order
from sandbox.ordering import Addresses, Pick, place_order
from tests.simulation.earlier import BATCH, FIRST_ID, WITH_OWN_ID

if TYPE_CHECKING:
    from tests.simulation.deviations.player import DeviationEpisode

OLDER = 55
YOUNGER = 60
OURS_EACH = 3
FIRST_OLDER = timedelta(days=20)
APART = timedelta(hours=8)


def place_orders_of_others(episode: DeviationEpisode, *, younger: bool) -> None:
    """Older orders, every third known to the ledger; or younger ones of ours, which no
    older ledger knows.
    """
    marketplace = episode.cell.marketplace
    moment = episode.clock()
    shelf = episode.world.catalogue.shelf(marketplace)
    item = next(item for item in shelf.items if item.stock > 1000)
    sku = max(item.skus, key=lambda sku: sku.stock)
    pick = Pick(item, sku, 1, item.unit_fen(sku, 1))
    rows = []
    for number in range(YOUNGER if younger else OLDER):
        at = moment if younger else moment - FIRST_OLDER + number * APART
        is_ours = younger or number % OURS_EACH == 0
        name = f"{'Young' if younger else 'Old' if is_ours else 'shop'}-{number}"
        own_id = name if marketplace in WITH_OWN_ID else ""
        order = place_order(
            episode.world,
            [pick],
            name,
            Addresses({}, {}),
            FIRST_ID,
            out_order_id=own_id,
        )
        order.created_at = round(at.timestamp() * 1000)
        # beside the wallet
        order.paid_at = order.created_at
        order.paid_fen = order.amount_fen
        if is_ours and not younger:
            rows.append(_row(episode, order, name, at))
    if rows:
        _known(episode, rows, moment)


def _known(
    episode: DeviationEpisode, rows: list[dict[str, Any]], moment: datetime
) -> None:
    connection = episode.database.connection
    with connection.begin():
        connection.execute(
            batches.insert().values(batch_id=BATCH, source="", created_at=moment)
        )
        connection.execute(orders.insert(), rows)


def _row(
    episode: DeviationEpisode, order: Order, name: str, at: datetime
) -> dict[str, Any]:
    return {
        "order_ref": name,
        "batch_id": BATCH,
        "marketplace": episode.cell.marketplace,
        "state": OrderState.CANCELLED,
        "fingerprint": "",
        "request": {},
        "lines": [],
        "offers": [],
        "seller_id": "",
        "currency": "CNY",
        "order_id": order.id,
        "ordered_at": at,
        "recorded_at": at,
        "updated_at": at,
    }
