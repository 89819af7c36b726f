"""Orders that are previewed together with one request."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from types import SimpleNamespace
from typing import Any, cast

import pytest

from connectors.xportcn.errors import Unanswered
from domain.marketplace import Marketplace
from domain.money import Money
from domain.offers import Quote
from domain.orders import SourcingOrder
from tasks.engine.resources import Resources
from tasks.preview import QuotesTogether
from tests.flows.plans import planned

ANY = Marketplace.ALIBABA_1688


@dataclass
class Channel:
    """A channel that previews several orders with one request, unless it `fails`."""

    fails: bool = False
    together: list[list[str]] = field(default_factory=list)
    alone: list[str] = field(default_factory=list)

    async def quote_many(
        self, orders: Sequence[SourcingOrder], _warehouse: object
    ) -> dict[str, Quote]:
        self.together.append([order.order_ref for order in orders])
        if self.fails:
            raise Unanswered("no answer")
        return {order.order_ref: quote(100) for order in orders}

    async def quote(self, order: SourcingOrder, _warehouse: object) -> Quote:
        self.alone.append(order.order_ref)
        return quote(200)


def quote(fen: int) -> Quote:
    return Quote(goods=Money(fen), postage=Money(0), total=Money(fen))


def order(ref: str, seller: str) -> SourcingOrder:
    made = planned(ref).sourcing_order
    return replace(
        made, request=replace(made.request, marketplace=ANY), seller_id=seller
    )


async def quotes_of(
    channel: Channel, *orders: SourcingOrder, most: int = 2, wait_s: float = 0.0
) -> list[int]:
    async def warehouse() -> None:
        return None

    offerings = {ANY: SimpleNamespace(channel=channel)}
    resources = cast(
        Resources, SimpleNamespace(offerings=offerings, warehouse=cast(Any, warehouse))
    )
    together = QuotesTogether(resources, most=most, wait_s=wait_s)
    return [
        one.total.minor for one in await asyncio.gather(*map(together.quote, orders))
    ]


async def test_a_request_leaves_when_it_has_orders_of_enough_sellers() -> None:
    """Of each seller one order fits into a request: the second one of the same seller
    goes with the next.
    """
    channel = Channel()
    orders = [order("A", "1"), order("B", "1"), order("C", "2"), order("D", "3")]
    assert await quotes_of(channel, *orders, wait_s=60) == [100, 100, 100, 100]
    assert sorted(map(sorted, channel.together)) == [["A", "D"], ["B", "C"]]


async def test_what_waited_long_enough_leaves_alone() -> None:
    channel = Channel()
    assert await quotes_of(channel, order("A", "1"), most=10) == [200]
    assert (channel.together, channel.alone) == ([], ["A"])


@pytest.mark.parametrize("most", [2, 10])
async def test_after_trouble_each_is_asked_about_alone(most: int) -> None:
    channel = Channel(fails=True)
    assert await quotes_of(channel, order("A", "1"), order("B", "2"), most=most) == [
        200,
        200,
    ]
    assert (channel.together, sorted(channel.alone)) == ([["A", "B"]], ["A", "B"])
