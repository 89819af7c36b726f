"""Orders grouped by the marketplace that knows them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

from connectors.ledger.records import OrderRecord
from connectors.xportcn.channels.base import Channel
from domain.service_orders import ServiceOrder
from tasks.resources import Resources


def by_channel(resources: Resources, orders: Iterable[OrderRecord]) -> Iterator[tuple[Channel, list[OrderRecord]]]:
    """Each channel with its orders, in the order of marketplaces."""
    listed = list(orders)
    for marketplace, channel in resources.channels.items():
        group = [order for order in listed if order.marketplace is marketplace]
        if group:
            yield channel, group


async def read_orders(resources: Resources, orders: Iterable[OrderRecord]) -> dict[str, ServiceOrder]:
    """Our orders as their marketplaces show them now, by `order_ref`; those not shown are missing."""
    shown: dict[str, ServiceOrder] = {}
    for channel, group in by_channel(resources, (order for order in orders if order.order_id)):
        by_id = await channel.read([str(order.order_id) for order in group])
        shown |= {o.order_ref: by_id[str(o.order_id)] for o in group if str(o.order_id) in by_id}
    return shown
