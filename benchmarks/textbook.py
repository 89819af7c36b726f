"""The pipeline as a textbook on Prefect writes it: a mapped task for each order and
step, a client for each task run.

`python -m benchmarks.textbook FILE`: without a Prefect server of its own choice,
Prefect starts its temporary one. It has no ledger: killed half-way, it does not know
what it bought.
"""

from __future__ import annotations

import sys
from pathlib import Path

from prefect import flow, task

from benchmarks.buying import Buying, order_lines
from benchmarks.plain_client import plain_client
from connectors.marketplaces import offering_of
from connectors.marketplaces.freight import addresses_of, estimate, warehouse_of
from connectors.request_files import read_request_file
from domain.effects import Action
from domain.orders import OrderRequest


@task
async def search(request: OrderRequest) -> Buying:
    async with plain_client() as client:
        channel = offering_of(request.marketplace, client).channel
        return Buying(
            request, *order_lines(request, await channel.offer(request.lines[0].item))
        )


@task
async def preview(order: Buying) -> Buying:
    async with plain_client() as client:
        request = order.request
        channel = offering_of(request.marketplace, client).channel
        order.quote = await channel.quote(
            order.to_buy, warehouse_of(await addresses_of(client))
        )
        await estimate(client, order.to_buy)
    return order


@task
async def create(order: Buying) -> Buying:
    async with plain_client() as client:
        channel = offering_of(order.request.marketplace, client).channel
        await order.create(channel, warehouse_of(await addresses_of(client)))
    return order


@task
async def pay(order: Buying) -> Buying:
    async with plain_client() as client:
        channel = offering_of(order.request.marketplace, client).channel
        await channel.pay(order.claim(Action.PAY), order.order_id)
    return order


@task
async def render(order: Buying) -> Buying:
    async with plain_client() as client:
        await order.render(client)
    return order


@task
async def book(order: Buying) -> None:
    async with plain_client() as client:
        await order.book(client)


@flow
def textbook(file: str) -> None:
    planned = preview.map(search.map(list(read_request_file(Path(file)).orders)))
    book.map(render.map(pay.map(create.map(planned)))).result()


if __name__ == "__main__":
    textbook(sys.argv[1])
