"""The same calls as a loop of coroutines over the product's own client and channels: no
ledger, no Prefect, no safety.

`python -m benchmarks.bare_loop FILE AT_ONCE`: plans everything, then takes orders of
one marketplace, ten at a time, from create to book, every ten as fast as their answers
come. Ten, because that many fit into a read.
"""

from __future__ import annotations

import asyncio
import gc
import sys
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from itertools import groupby
from pathlib import Path

from benchmarks.buying import Buying, order_lines
from connectors.marketplaces import offering_of
from connectors.marketplaces.freight import addresses_of, estimate, warehouse_of
from connectors.marketplaces.protocol import Channel
from connectors.request_files import read_request_file
from connectors.xportcn.client import XportcnClient
from connectors.xportcn.settings import XportcnSettings
from domain.effects import Action
from domain.marketplace import Marketplace
from domain.offers import Offer
from domain.orders import OrderRequest

TOGETHER = 10
SEARCHES_BACK = timedelta(days=30)


class Loop:
    """All orders of a file."""

    def __init__(self, client: XportcnClient, requests: Sequence[OrderRequest]) -> None:
        self._client = client
        self._channels: dict[Marketplace, Channel] = {
            marketplace: offering_of(marketplace, client).channel
            for marketplace in {request.marketplace for request in requests}
        }
        ordered = sorted(requests, key=lambda request: request.marketplace)
        self._groups = [
            group[start : start + TOGETHER]
            for group in (
                list(requests)
                for _, requests in groupby(
                    ordered, key=lambda request: request.marketplace
                )
            )
            for start in range(0, len(group), TOGETHER)
        ]
        self._offers: dict[tuple[Marketplace, str], asyncio.Task[Offer | None]] = {}

    async def bought(self) -> None:
        self._warehouse = warehouse_of(await addresses_of(self._client))
        reading = asyncio.create_task(self._read_back())
        planned = await asyncio.gather(
            *(self._planned(group) for group in self._groups)
        )
        await reading
        await asyncio.gather(*(self._executed(group) for group in planned))

    async def _read_back(self) -> None:
        """As a run does: whether the service has orders already that creating would not
        refuse.
        """
        since = datetime.now(UTC) - SEARCHES_BACK
        kinds = [
            channel
            for marketplace, channel in self._channels.items()
            if not marketplace.create_is_idempotent
        ]
        await asyncio.gather(
            *(channel.find(["none-of-these"], since=since) for channel in kinds)
        )

    def _offer(self, marketplace: Marketplace, item: str) -> asyncio.Task[Offer | None]:
        if (marketplace, item) not in self._offers:
            offer = asyncio.ensure_future(self._channels[marketplace].offer(item))
            self._offers[marketplace, item] = offer
        return self._offers[marketplace, item]

    async def _planned(self, requests: Sequence[OrderRequest]) -> list[Buying]:
        offers = await asyncio.gather(
            *(
                self._offer(request.marketplace, request.lines[0].item)
                for request in requests
            )
        )
        orders = [
            Buying(request, *order_lines(request, offer))
            for request, offer in zip(requests, offers, strict=True)
        ]
        await asyncio.gather(
            self._quoted(orders), *(self._estimated(order) for order in orders)
        )
        return orders

    async def _quoted(self, orders: Sequence[Buying]) -> None:
        channel = self._channels[orders[0].request.marketplace]
        quotes = await asyncio.gather(
            *(channel.quote(order.to_buy, self._warehouse) for order in orders)
        )
        for order, quote in zip(orders, quotes, strict=True):
            order.quote = quote

    async def _estimated(self, order: Buying) -> None:
        await estimate(self._client, order.to_buy)

    async def _executed(self, orders: Sequence[Buying]) -> None:
        channel = self._channels[orders[0].request.marketplace]
        await asyncio.gather(
            *(order.create(channel, self._warehouse) for order in orders)
        )
        ids = [order.order_id for order in orders]
        await self._read(channel, ids)
        await self._paid(channel, orders)
        await self._read(channel, ids)
        await asyncio.gather(*(order.render(self._client) for order in orders))
        await self._read(channel, ids)
        await asyncio.gather(*(order.book(self._client) for order in orders))

    async def _read(self, channel: Channel, ids: Sequence[str]) -> None:
        service_orders = await channel.read(ids)
        assert len(service_orders) == len(ids)

    async def _paid(self, channel: Channel, orders: Sequence[Buying]) -> None:
        await asyncio.gather(
            *(channel.pay(order.claim(Action.PAY), order.order_id) for order in orders)
        )


async def buy(file: Path, at_once: int) -> None:
    requests = read_request_file(file).orders
    async with XportcnClient(XportcnSettings(), at_once=at_once) as client:
        await Loop(client, requests).bought()


if __name__ == "__main__":
    gc.freeze()
    gc.set_threshold(50_000, 10, 10)  # as a run does
    asyncio.run(buy(Path(sys.argv[1]), int(sys.argv[2])))
